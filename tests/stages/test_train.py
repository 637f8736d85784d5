"""Training as a stage: that it learns, notices when it does not, and keeps to its folder."""

import shutil

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from msgspec.structs import replace

from rareseg import verbs
from rareseg.cli import main
from rareseg.errors import (
    OutputExistsError,
    SettingError,
    StaleRecordError,
    TrainingError,
    WeightsError,
)
from rareseg.network import crops, hardware
from rareseg.network.checkpoint import load_state, load_tensors, load_weights
from rareseg.network.crops import CropStore
from rareseg.network.session import choose_thresholds
from rareseg.network.trained import load_run
from rareseg.network.validation import Scorer, score_store, summed
from rareseg.progress import Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.places import indexed, read_places
from rareseg.records.plan import Plan
from rareseg.records.run import Run
from rareseg.stages.audit import audit_data
from rareseg.stages.train import train_plan

FILES = {
    "audit.json",
    "audit.places.npz",
    "plan.json",
    "run.json",
    "best.safetensors",
    "last.safetensors",
    "state.safetensors",
    "log.csv",
    "tensorboard",
}


@pytest.fixture(scope="module")
def audited(roads):
    return audit_data(roads)


@pytest.fixture
def decided(audited, tiny):
    """Return a function that plans for the roads."""

    def plan(steps=6, **settings):
        return verbs.plan(audited.audit, steps=steps, settings=tiny | settings)

    return plan


@pytest.fixture
def shuffled(roads, tmp_path, write_raster, rng):
    """Return the roads with masks whose pixels are dealt out anew."""
    from rareseg.imagery.rasters import read_values

    folder = tmp_path / "shuffled"
    shutil.copytree(roads, folder)
    for mask in sorted((folder / "masks").iterdir()):
        pixels = read_values(mask)
        write_raster(mask, rng.permutation(pixels.ravel()).reshape(pixels.shape), overwrite=True)
    return folder


def snapshot(folder):
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_learns_to_find_roads(roads_run):
    run = codec.read(roads_run / "run.json", Run)
    assert (run.outcome, run.steps) == ("finished", 150)
    assert run.reason == "The budget of 150 steps is used up after 150 steps."
    check = run.checks[-1]
    assert check.average_precision > 4 * check.prevalence
    assert run.validations[-1].average_precision[1] > 0.7
    assert run.validations[-1].loss < run.validations[0].loss < run.initial_loss * 2
    assert {path.name for path in roads_run.iterdir()} == FILES


def test_the_run_says_what_it_was_made_of(roads_run):
    run = codec.read(roads_run / "run.json", Run)
    audit, plan = codec.read(roads_run / "audit.json", Audit), codec.read(roads_run / "plan.json", Plan)
    facts = audit.part("train")
    assert (run.photo.mean, run.photo.std) == (facts.band_mean, facts.band_std)
    assert run.parameters == run.trainable_parameters > 1000
    assert run.thresholds_from == "val" and sum(run.thresholds) == pytest.approx(1)
    assert run.best_step in [entry.step for entry in run.validations]
    # The untrained network's loss on one batch: near the entropy of the prior, as far as a batch is the set.
    assert run.initial_loss == pytest.approx(facts.constant_predictor.entropy, rel=0.6)
    assert plan.audit_digest == codec.digest(audit) == run.audit_digest


def test_labels_that_have_nothing_to_do_with_the_photos_end_as_collapsed(shuffled, tiny, tmp_path):
    settings = tiny | {"optimizer.learning_rate": "0.02", "optimizer.muon_learning_rate": "0.1"}
    run = verbs.train(shuffled, output=tmp_path / "run", steps=60, settings=settings)
    assert run.outcome == "collapsed"
    assert 'class "foreground" has average precision' in run.reason
    # Which of the two depends on how far the logit has wandered, and that on the number of threads.
    assert "the output varies, but not with the class" in run.reason or "no ranking yet" in run.reason


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"optimizer.learning_rate": "1e-12", "optimizer.muon_learning_rate": "1e-12"},
            "same answer everywhere",
        ),
        (
            {"optimizer.name": "adamw", "optimizer.learning_rate": "300", "optimizer.clip_norm": "1e9"},
            "dead|same answer everywhere|varies, but not with the class",
        ),
    ],
)
def test_a_training_that_learns_nothing_ends_as_collapsed(roads, tiny, tmp_path, settings, reason):
    run = verbs.train(roads, output=tmp_path / "run", steps=20, settings=tiny | settings)
    assert run.outcome == "collapsed"
    assert pytest.approx(1, abs=0.5) == run.checks[-1].lift
    assert any(text in run.reason for text in reason.split("|")), run.reason
    assert codec.read(tmp_path / "run" / "run.json", Run) == run


def test_a_collapsed_training_exits_with_3_and_says_why(roads, tiny, tmp_path):
    lost = tiny | {"optimizer.learning_rate": "1e-12", "optimizer.muon_learning_rate": "1e-12"}
    settings = [word for name, value in lost.items() for word in ("--set", f"{name}={value}")]
    out = tmp_path / "run"
    result = CliRunner().invoke(main, ["train", str(roads), "-o", str(out), "--steps", "10", *settings])
    assert result.exit_code == 3, result.output
    assert "Training collapsed: At step 10" in result.stderr
    assert "same answer everywhere" in result.stderr


def test_a_run_goes_into_its_folder_only_and_the_data_stay_as_they_are(roads, decided, audited, tmp_path):
    before = snapshot(roads)
    train_plan(*audited[:2], decided(), tmp_path / "deep" / "run")
    assert snapshot(roads) == before
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {"run"}
    assert {path.name for path in (tmp_path / "deep" / "run").iterdir()} == FILES


@pytest.mark.parametrize("name", ["run.json", "holiday.txt"])
def test_a_folder_that_is_not_empty_is_refused(audited, decided, tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("mine")
    with pytest.raises(
        OutputExistsError, match=r"is not empty. Go on with its training by --resume, replace it"
    ):
        train_plan(*audited[:2], decided(), tmp_path / "run")
    assert (tmp_path / "run" / name).read_text() == "mine"


def test_a_file_is_no_folder_for_a_run(audited, decided, tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(OutputExistsError, match=r"is a file; expected a folder for the run"):
        train_plan(*audited[:2], decided(), tmp_path / "run", overwrite=True)


def test_overwrite_removes_what_runs_write_and_nothing_else(audited, decided, tmp_path):
    folder = tmp_path / "run"
    train_plan(*audited[:2], decided(), folder)
    first = codec.read(folder / "run.json", Run)
    (folder / "notes.txt").write_text("mine")
    (folder / "encoder.safetensors").write_text("mine")
    (folder / "report.json").write_text("old")
    train_plan(*audited[:2], decided(steps=4), folder, overwrite=True)
    assert {path.name for path in folder.iterdir()} == FILES | {"notes.txt", "encoder.safetensors"}
    assert codec.read(folder / "run.json", Run).steps == 4 != first.steps
    assert len(list((folder / "tensorboard").iterdir())) == 1


def test_an_overwriting_that_cannot_train_leaves_the_old_run(audited, decided, tmp_path):
    folder = tmp_path / "run"
    train_plan(*audited[:2], decided(), folder)
    before = snapshot(folder)
    plan = decided()
    broken = replace(plan, model=replace(plan.model, width=None))
    with pytest.raises(SettingError, match=r"needs model\.width"):
        train_plan(*audited[:2], broken, folder, overwrite=True)
    assert snapshot(folder) == before


def test_a_plan_of_another_audit_is_refused(audited, decided, tmp_path):
    other = replace(audited.audit, notes=("changed",))
    with pytest.raises(
        StaleRecordError, match=r"plan was made from audit \w{16}, but the data's audit is now"
    ):
        train_plan(audited.root, other, decided(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_plan_with_other_classes_is_refused(audited, decided, tmp_path):
    renamed = replace(decided(), classes=("background", "road"))
    with pytest.raises(
        StaleRecordError, match=r"plan is for exclusive classes background, road, but the data's"
    ):
        train_plan(*audited[:2], renamed, tmp_path / "run")


@pytest.mark.parametrize("part", ["train", "val"])
def test_an_audit_without_a_part_is_refused(audited, decided, tmp_path, part):
    audit = replace(audited.audit, parts=tuple(facts for facts in audited.audit.parts if facts.part != part))
    plan = replace(decided(), audit_digest=codec.digest(audit))
    with pytest.raises(TrainingError, match=f"audit has no part '{part}', and training needs it"):
        train_plan(audited.root, audit, plan, tmp_path / "run")


@pytest.mark.parametrize("at", [0, 1, 9])
def test_what_ctrl_c_leaves_can_be_scored_and_mapped_and_resumed(
    audited, decided, roads, tmp_path, ctrl_c, at
):
    folder = tmp_path / "run"
    progress = ctrl_c("training", at)
    run = train_plan(*audited[:2], decided(steps=20), folder, progress=progress)
    assert (run.outcome, run.steps) == ("interrupted", at)
    assert run.reason == f"Stopped by hand at step {at}; --resume goes on from there."
    assert progress.said[-1] == f"Stopped at step {at}: what was trained is kept, and scored once more."
    assert {path.name for path in folder.iterdir()} == FILES
    assert verbs.evaluate(folder, roads).images > 0
    assert all(path.exists() for path in verbs.predict(folder, [roads / "images"], output=tmp_path / "maps"))
    resumed = verbs.train(roads, output=folder, resume=True)
    assert resumed.steps == 20 and resumed.outcome != "interrupted"
    assert resumed.initial_loss > 0
    assert codec.read(folder / "run.json", Run) == resumed


def test_resuming_in_two_goes_ends_near_training_in_one(audited, decided, roads, tmp_path, ctrl_c):
    plan = decided(steps=60)
    train_plan(*audited[:2], plan, tmp_path / "run", progress=ctrl_c("training", 25))
    resumed = verbs.train(roads, output=tmp_path / "run", resume=True)
    assert resumed.outcome == "finished"
    whole = train_plan(*audited[:2], plan, tmp_path / "whole")
    assert resumed.validations[-1].loss == pytest.approx(whole.validations[-1].loss, rel=0.3)
    assert resumed.checks[-1].lift > 2


@pytest.mark.parametrize(("at", "images"), [(0, 1), (1, 2)])
def test_ctrl_c_while_thresholds_are_chosen_keeps_the_run(
    audited, decided, roads, tmp_path, ctrl_c, at, images
):
    folder = tmp_path / "run"
    plan = decided()
    held_out = sum(pair.part == "val" for pair in audited.audit.dataset.pairs)
    run = train_plan(*audited[:2], plan, folder, progress=ctrl_c("choosing thresholds", at))
    if images < held_out:
        assert run.outcome == "interrupted"
        assert f"Thresholds were chosen on {images} of {held_out} validation images only." in run.reason
    assert all(0 <= threshold <= 1 for threshold in run.thresholds)
    assert {path.name for path in folder.iterdir()} == FILES
    again = verbs.train(roads, output=folder, resume=True)
    assert again.steps == 6
    assert again.reason.startswith(("The budget of 6 steps", "At step 6"))
    assert again.thresholds == train_plan(*audited[:2], plan, tmp_path / "whole").thresholds


def test_resume_with_another_plan_leaves_the_folder_as_it_is(audited, decided, tmp_path):
    folder = tmp_path / "run"
    train_plan(*audited[:2], decided(), folder)
    before = snapshot(folder)
    with pytest.raises(StaleRecordError, match="Resume with the plan.json of that folder"):
        train_plan(*audited[:2], decided(steps=9), folder, resume=True)
    assert snapshot(folder) == before


def test_resume_without_a_state_is_refused(audited, decided, tmp_path):
    with pytest.raises(
        WeightsError, match=r"state\.safetensors: expected a safetensors file, but there is none"
    ):
        train_plan(*audited[:2], decided(), tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_the_state_on_disk_is_that_of_the_last_validation(audited, decided, tmp_path):
    run = train_plan(*audited[:2], decided(steps=9), tmp_path / "run")
    state, tensors = load_state(tmp_path / "run")
    assert state.step == 9 and state.validations == run.validations
    assert tensors["optimizer"] and all(torch.isfinite(value).all() for value in tensors["average"].values())


def test_thresholds_belong_to_the_best_weights_not_the_last(audited, decided, tmp_path, monkeypatch):
    scores = iter((0.9, 0.1))
    monkeypatch.setattr("rareseg.network.session.macro_iou", lambda *_, **__: ((0.5, 0.5), next(scores)))
    folder = tmp_path / "run"
    run = train_plan(*audited[:2], decided(steps=30), folder)
    assert (run.best_step, run.steps) == (15, 30)

    def thresholds(weights):
        trained = load_run(folder)
        load_weights(trained.model, load_tensors(folder / weights), weights)
        pairs = [pair for pair in audited.audit.dataset.pairs if pair.part == "val"]
        fill = run.photo.mean
        store = CropStore(audited.root, audited.audit.dataset, pairs, fill=fill, memory_bytes=2**30)
        counted = summed(score_store(trained.mapper(), store, Scorer(2, False, "threshold", None)))
        return choose_thresholds(counted, trained.plan)

    assert run.thresholds == pytest.approx(thresholds("best.safetensors"))
    assert run.thresholds != pytest.approx(thresholds("last.safetensors"), rel=1e-3)


def listening():
    class Listening(Silent):
        def __init__(self):
            self.said = []

        def say(self, message):
            self.said.append(message)

    return Listening()


def test_training_reads_nothing_but_its_samples(audited, decided, tmp_path, monkeypatch):
    """Given the audit's places, no mask is read to find out where classes lie; and the run keeps them."""
    reads = []
    original = crops.read_sample

    def counting(root, dataset, pair, window=None):
        reads.append((pair.image, window))
        return original(root, dataset, pair, window)

    def counted(*_, **__):
        message = "what the audit has counted was counted again"
        raise AssertionError(message)

    monkeypatch.setattr(crops, "read_sample", counting)
    monkeypatch.setattr(crops, "block_counts", counted)
    train_plan(*audited[:2], decided(), tmp_path / "run", places=audited.places)
    pairs = indexed(audited.audit.dataset)
    assert sorted(reads) == sorted((pair.image, None) for pair in pairs)
    kept = read_places(tmp_path / "run" / "audit.places.npz", audited.audit)
    for name, image in audited.places.items():
        np.testing.assert_array_equal(kept[name].grid(1), image.grid(1))


def test_files_that_the_same_call_has_audited_are_not_compared_again(
    audited, decided, roads, tiny, tmp_path, monkeypatch
):
    compared = []
    monkeypatch.setattr("rareseg.stages.train.changed_files", lambda *given: compared.append(given) or [])
    verbs.train(roads, output=tmp_path / "one", steps=1, settings=tiny)
    assert not compared
    verbs.train(roads, output=tmp_path / "two", steps=1, settings=tiny, audit=audited.audit)
    assert len(compared) == 1
    verbs.train(roads, output=tmp_path / "two", resume=True)
    assert len(compared) == 2


def test_a_run_whose_places_are_lost_is_taken_up_all_the_same(
    audited, decided, roads, tmp_path, ctrl_c, monkeypatch
):
    monkeypatch.setattr("rareseg.stages.places._LATEST", {})
    folder = tmp_path / "run"
    train_plan(*audited[:2], decided(steps=20), folder, progress=ctrl_c("training", 3))
    (folder / "audit.places.npz").write_bytes(b"PK")
    progress = listening()
    resumed = verbs.train(roads, output=folder, resume=True, progress=progress)
    assert "audit.places.npz is damaged" in progress.said[0]
    assert progress.said[0].endswith(": where classes lie is counted anew from the masks.")
    assert resumed.steps == 20
    assert read_places(folder / "audit.places.npz", audited.audit).keys() == audited.places.keys()


def test_the_run_says_what_training_saw(audited, decided, tmp_path):
    settings = {"sampling.rule": "class_centred", "sampling.share": "0.5", "crop.size": "32"}
    run = train_plan(*audited[:2], decided(steps=40, **settings), tmp_path / "run")
    seen, facts = run.sampled, audited.audit.part("train")
    state = load_state(tmp_path / "run")[0]
    assert seen.crops == 40 * decided(**settings).batch.size == state.drawn.crops
    assert seen.asked_share == 0.5 and seen.placed_share == pytest.approx(0.5, abs=0.1)
    assert seen.data_shares == tuple(entry.share for entry in facts.classes)
    assert sum(seen.realised_shares) == pytest.approx(1)
    assert seen.realised_shares[1] > 1.2 * seen.data_shares[1]
    assert seen.crops_holding[0] == 1 and 0.5 < seen.crops_holding[1] <= 1


def test_what_training_saw_is_counted_over_both_goes(audited, decided, roads, tmp_path, ctrl_c):
    plan = decided(steps=12)
    train_plan(*audited[:2], plan, tmp_path / "run", progress=ctrl_c("training", 5))
    resumed = verbs.train(roads, output=tmp_path / "run", resume=True)
    whole = train_plan(*audited[:2], plan, tmp_path / "whole")
    assert resumed.sampled == whole.sampled and whole.sampled.crops == 12 * plan.batch.size


def test_a_crop_larger_than_every_photo_is_refused(audited, decided, tmp_path):
    fitting = max(min(pair.height, pair.width) for pair in audited.audit.dataset.pairs)
    with pytest.raises(SettingError, match=rf"crop\.size=512 px is larger than .* is {fitting} px"):
        decided(**{"crop.size": "512"})
    plan = decided()
    edited = replace(plan, crop=replace(plan.crop, size=fitting + 1))
    with pytest.raises(SettingError, match=f"Set crop.size={fitting} or less"):
        train_plan(*audited[:2], edited, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_time_budget_ends_it(audited, tiny, tmp_path):
    plan = verbs.plan(audited.audit, minutes=0.01, settings=tiny)
    run = train_plan(*audited[:2], plan, tmp_path / "run")
    assert 0.6 <= run.seconds < 5
    assert run.validations[-1].step == run.steps
    assert "The budget of 0.01 minutes is used up" in run.reason or run.outcome == "collapsed"


@pytest.mark.parametrize(("bands", "dtype"), [(1, "uint8"), (4, "uint16"), (2, "float32")])
def test_any_bands_and_pixel_type_can_be_trained_on(striped, tiny, tmp_path, bands, dtype):
    data = striped(tmp_path / "data", bands=bands, dtype=dtype)
    run = verbs.train(data, output=tmp_path / "run", steps=40, settings=tiny)
    assert run.outcome == "finished"
    assert len(run.photo.mean) == bands
    assert run.validations[-1].average_precision[1] > 0.5


def test_samples_that_do_not_fit_into_memory_train_alike(audited, decided, tmp_path, monkeypatch):
    near = train_plan(*audited[:2], decided(), tmp_path / "near")
    machine = replace(hardware.describe(), memory_bytes=0)
    monkeypatch.setattr("rareseg.network.hardware.describe", lambda: machine)
    far = train_plan(*audited[:2], decided(), tmp_path / "far")
    assert far.initial_loss == pytest.approx(near.initial_loss, rel=1e-6)
    np.testing.assert_allclose(far.thresholds, near.thresholds, rtol=1e-3)
