"""A comparison on generated roads, with trainings of a few steps."""

import json
import shutil

import pytest
from msgspec.structs import replace

from rareseg import scenes, verbs
from rareseg.errors import DataError, OutputExistsError, SettingError, StaleRecordError
from rareseg.measures import verdicts
from rareseg.network import contest
from rareseg.progress import Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.comparison import Comparison, Trial
from rareseg.records.plan import Plan
from rareseg.records.run import Run
from rareseg.stages import compare as stage

NAMES = ["none", "default", "prior_bias", "focal", "dice+enet"]


class _Heard(Silent):
    """Progress that remembers its lines."""

    def __init__(self):
        self.lines = []

    def say(self, message):
        self.lines.append(message)


@pytest.fixture(scope="module")
def shared(tiny):
    """Settings of every candidate: trials choose their views themselves."""
    return {key: text for key, text in tiny.items() if key != "inference.views"}


@pytest.fixture(scope="module")
def compared(roads, shared, tmp_path_factory):
    """Return the folder of a finished comparison, to be read only, and its record."""
    folder = tmp_path_factory.mktemp("compared") / "out"
    record = verbs.compare(roads, output=folder, remedies=NAMES, seeds=2, steps=3, settings=shared)
    return folder, record


def test_every_candidate_is_a_row(compared):
    folder, record = compared
    assert record == codec.read(folder / "comparison.json", Comparison)
    assert record.outcome == "finished"
    states = {row.candidate: row.state for row in record.rows}
    assert states.keys() == set(NAMES)
    assert {states[name] for name in ("none", "default", "focal")} <= {"compared", "collapsed"}
    # Of two classes the rules change nothing but the start.
    assert states["prior_bias"] == "same"
    assert states["dice+enet"] == "failed"
    failed = next(row for row in record.rows if row.state == "failed")
    assert "weights.rule=enet has no effect on loss.name=dice" in failed.verdict


def test_scores_come_from_all_scenes_of_the_parts(compared, roads):
    folder, record = compared
    audit = codec.read(folder / "audit.json", Audit)
    groups = {
        part: {pair.group for pair in audit.dataset.pairs if pair.part == part} for part in ("val", "test")
    }
    assert (record.scenes, record.test_scenes) == (len(groups["val"]), len(groups["test"]))
    assert record.audit_digest == codec.digest(audit)
    assert record.rare_classes == ("foreground",)
    assert record.chance == pytest.approx(audit.part("val").classes[1].share)
    for row in record.rows:
        if row.history:
            assert (row.steps, row.seeds) == (3, 2)
            assert row.test is not None
            assert [one.name for one in row.scores.classes] == ["background", "foreground"]


def test_candidates_start_alike_and_differ_in_their_remedy_alone(compared):
    folder, _ = compared
    plans = {
        name: codec.read(folder / f"trials/{name}-1-3/plan.json", Plan)
        for name in ("none", "focal", "default")
    }
    assert {plan.seed for plan in plans.values()} == {1}
    assert {plan.inference.views for plan in plans.values()} == {1}
    sections = {
        name: {
            section
            for section, choice in plan.choices().items()
            # A loss without a cross-entropy starts at the same prior for a reason without its floor.
            if replace(choice, because="") != replace(plans["none"].choices()[section], because="")
        }
        for name, plan in plans.items()
    }
    # Sections that were set by a candidate's name say so even where the value is the same.
    assert sections["focal"] == {"loss"}
    assert sections["default"] <= {"loss", "weights", "sampling", "initialisation"}
    assert not plans["none"].initialisation.prior_bias
    assert plans["default"].initialisation.prior_bias
    runs = {name: codec.read(folder / f"trials/{name}-1-3/run.json", Run) for name in plans}
    assert runs["none"].photo == runs["focal"].photo
    assert runs["none"].parameters == runs["focal"].parameters


def test_first_weights_and_batches_are_the_same(compared, roads):
    import torch

    from rareseg.network import hardware
    from rareseg.network.batches import Batches
    from rareseg.network.crops import CropStore
    from rareseg.network.session import build_network

    folder, _ = compared
    audit = codec.read(folder / "audit.json", Audit)
    pairs = [pair for pair in audit.dataset.pairs if pair.part == "train"]
    found = {}
    for name in ("none", "focal"):
        plan = codec.read(folder / f"trials/{name}-0-3/plan.json", Plan)
        run = codec.read(folder / f"trials/{name}-0-3/run.json", Run)
        torch.manual_seed(plan.seed)
        weights = build_network(plan, bands=3).state_dict()
        store = CropStore(
            roads, audit.dataset, pairs, fill=run.photo.mean, memory_bytes=hardware.describe().memory_bytes
        )
        batch = next(iter(Batches(store, plan, run.photo, seed=(plan.seed, 0))))
        found[name] = (weights, batch)
    (weights, batch), (others, other) = found["none"], found["focal"]
    assert all(torch.equal(weights[key], others[key]) for key in weights)
    assert torch.equal(batch.images, other.images)
    assert torch.equal(batch.labels, other.labels)


def test_trials_are_kept_without_their_weights(compared):
    folder, _ = compared
    names = {f"{name}-{seed}-3" for name in ("none", "default", "focal") for seed in (0, 1)}
    assert {path.name for path in (folder / "trials").iterdir()} == names
    assert list(folder.rglob("*.safetensors")) == []
    trial = codec.read(folder / "trials" / "focal-1-3" / "trial.json", Trial)
    assert (trial.candidate, trial.seed, trial.steps) == ("focal", 1, 3)


def test_page_and_chart_are_written(compared):
    folder, record = compared
    assert (folder / "comparison.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "comparison.html").read_text()
    assert record.summary.split("(")[0].strip() in page


def test_the_winners_plan_can_be_trained(compared, roads, tiny, tmp_path):
    folder, record = compared
    if record.winner is None:
        # In three steps all may collapse: then there is no plan, and the summary says so.
        assert not (folder / "plan.json").exists()
        assert record.summary.startswith("No winner: every candidate of the last rung collapsed")
        return
    plan = codec.read(folder / "plan.json", Plan)
    assert plan.budget.steps == 3
    assert plan.seed == 0
    assert "a comparison on this data: " + record.because in plan.loss.because
    run = verbs.train(roads, output=tmp_path / "run", plan=folder / "plan.json", audit=folder / "audit.json")
    assert run.steps == 3


def test_a_finished_comparison_resumed_trains_nothing(compared, roads, tmp_path, monkeypatch):
    folder, record = compared
    shutil.copytree(folder, tmp_path / "copy")
    monkeypatch.setattr(contest, "conduct", None)
    again = verbs.compare(roads, output=tmp_path / "copy", resume=True)
    # Time goes on, and the machine's free memory is another.
    assert again.seconds > record.seconds
    assert replace(again, seconds=record.seconds, machine=record.machine) == record


def test_an_interrupted_comparison_is_reported_and_goes_on(roads, shared, tmp_path, monkeypatch):
    asked = {"remedies": ["none", "focal"], "seeds": 1, "steps": 2, "settings": shared}
    real, made = contest.conduct, []

    def stopping(name, *args, **kwargs):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(contest, "conduct", stopping)
    first = verbs.compare(roads, output=tmp_path / "out", **asked)
    assert first.outcome == "interrupted"
    assert {row.candidate: row.seeds for row in first.rows} == {"none": 1, "default": 1, "focal": 0}
    assert (tmp_path / "out" / "comparison.html").is_file()
    monkeypatch.setattr(contest, "conduct", real)
    heard = _Heard()
    last = verbs.compare(roads, output=tmp_path / "out", resume=True, progress=heard)
    # Where classes lie is kept with the audit: nothing is counted anew.
    assert [line.split(":")[0] for line in heard.lines] == ["3 of 3"]
    assert last.outcome == "finished"
    assert all(row.seeds == 1 for row in last.rows)
    kept = [next(row for row in record.rows if row.candidate == "none").scores for record in (first, last)]
    assert kept[0] == kept[1]


def test_what_cannot_be_planned_is_told_before_anything_is_trained(roads, shared, tmp_path, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(contest, "conduct", stop)
    heard = _Heard()
    record = verbs.compare(
        roads,
        output=tmp_path / "out",
        remedies=["dice+enet", "focal"],
        seeds=2,
        steps=2,
        settings=shared,
        progress=heard,
    )
    told, *_, last = [line for line in heard.lines if "compared" in line or "Stopped" in line]
    assert told.startswith("dice+enet is not compared: weights.rule=enet has no effect on loss.name=dice")
    assert last.startswith("Stopped")
    # Nothing was scored, but the data has scenes all the same.
    assert record.outcome == "interrupted"
    audit = codec.read(tmp_path / "out" / "audit.json", Audit)
    assert record.scenes == len({pair.group for pair in audit.dataset.pairs if pair.part == "val"}) > 0
    with pytest.raises(
        SettingError, match="No plan can be made of any candidate, so there is nothing to compare"
    ):
        verbs.compare(
            roads,
            output=tmp_path / "new",
            remedies="boundary, dice+enet",
            steps=2,
            settings=shared,
            audit=tmp_path / "out" / "audit.json",
        )
    assert not (tmp_path / "new").exists()


def test_a_finished_comparison_stays_finished_whatever_happens_to_its_resumption(
    compared, roads, tmp_path, monkeypatch
):
    folder, _ = compared
    shutil.copytree(folder, tmp_path / "copy")
    before = {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir() if path.is_file()}
    real, seen = contest.read_trial, []

    def stopping(*args, **kwargs):
        seen.append((tmp_path / "copy" / "comparison.json").read_bytes())
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(contest, "read_trial", stopping)
    with pytest.raises(KeyboardInterrupt):
        verbs.compare(roads, output=tmp_path / "copy", resume=True)
    assert set(seen) == {before["comparison.json"]}
    assert before == {
        path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir() if path.is_file()
    }


def test_a_summary_names_the_budget_that_was_given(compared):
    lost = [replace(row, state="collapsed", scores=None) for row in compared[1].rows[:1]]
    assert "Give more --steps, so that each" in verdicts.decided(lost, default="x", budget="--steps").summary
    assert "Give more --minutes, so that each" in verdicts.decided(lost, default="x").summary


def test_a_used_folder_and_wrong_settings_are_refused_before_the_audit(
    compared, roads, tmp_path, monkeypatch
):
    folder, _ = compared
    monkeypatch.setattr("rareseg.verbs.training.audited", None)
    with pytest.raises(OutputExistsError, match="Go on with it by --resume"):
        verbs.compare(roads, output=folder)
    with pytest.raises(SettingError, match="Give minutes or steps"):
        verbs.compare(roads, output=tmp_path / "new", minutes=1, steps=1)


def test_what_even_the_bare_plan_does_not_take_is_refused(compared, roads, tmp_path):
    folder, _ = compared
    for settings, message in (({"model.width": "x"}, "model.width=x"), ({"crop.sise": "3"}, "crop.sise")):
        with pytest.raises(SettingError, match=message):
            verbs.compare(
                roads, output=tmp_path / "new", settings=settings, audit=folder / "audit.json", steps=1
            )
    assert not (tmp_path / "new").exists()


def test_an_overwritten_comparison_leaves_nothing_of_the_old(compared, roads, shared, tmp_path):
    folder, _ = compared
    shutil.copytree(folder, tmp_path / "out")
    verbs.compare(
        roads, output=tmp_path / "out", remedies=["none"], seeds=1, steps=1, settings=shared, overwrite=True
    )
    assert {path.name for path in (tmp_path / "out" / "trials").iterdir()} == {"none-0-1", "default-0-1"}


def test_data_that_changed_is_refused(compared, roads, shared, tmp_path):
    folder, _ = compared
    shutil.copytree(roads, tmp_path / "roads")
    mask = codec.read(folder / "audit.json", Audit).dataset.pairs[0].mask
    other = scenes.write_roads(tmp_path / "other", count=1, size=96, seed=99)
    shutil.copy(next((other / "masks").iterdir()), tmp_path / "roads" / mask)
    with pytest.raises(
        StaleRecordError, match="1 of the files that the audit counted are not what they were"
    ):
        verbs.compare(tmp_path / "roads", output=tmp_path / "new", audit=folder / "audit.json", steps=1)


def test_a_validation_part_without_the_rare_class_is_refused(compared):
    folder, _ = compared
    audit = codec.read(folder / "audit.json", Audit)
    parts = tuple(
        replace(part, counts=replace(part.counts, pixels=(part.counts.pixels[0], 0)))
        if part.part == "val"
        else part
        for part in audit.parts
    )
    with pytest.raises(DataError, match="validation part holds no pixel of foreground"):
        stage._rare_classes(replace(audit, parts=parts))
    with pytest.raises(DataError, match="needs a training and a validation part"):
        stage._rare_classes(replace(audit, parts=parts[:1]))


def test_the_majority_is_not_rare_and_overlapping_classes_all_are(compared):
    audit = codec.read(compared[0] / "audit.json", Audit)
    assert stage._rare_classes(audit) == (1,)
    both = replace(audit, dataset=replace(audit.dataset, overlapping=True))
    assert stage._rare_classes(both) == (0, 1)


def test_too_little_time_leaves_the_folder_free(roads, shared, tmp_path):
    with pytest.raises(SettingError, match="Give more --minutes"):
        verbs.compare(
            roads, output=tmp_path / "out", remedies=["none"], seeds=100, minutes=0.02, settings=shared
        )
    assert list((tmp_path / "out").iterdir()) == []


def test_the_record_is_json_without_surprises(compared):
    folder, _ = compared
    json.loads((folder / "comparison.json").read_text(), parse_constant=pytest.fail)
