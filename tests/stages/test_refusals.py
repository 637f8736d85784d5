"""What training and scoring refuse: records of other data, foreign folders, broken weights."""

import shutil

import pytest
from msgspec.structs import replace

from rareseg import scenes, verbs
from rareseg.errors import OutputExistsError, RecordError, SettingError, StaleRecordError, WeightsError
from rareseg.network.checkpoint import load_tensors, save_tensors
from rareseg.records import codec
from rareseg.records.run import PhotoStatistics, Run


def test_an_audit_of_other_files_is_refused(roads, tiny, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(roads, data)
    facts = verbs.audit(data)
    first = facts.dataset.pairs[0].mask
    other = scenes.write_roads(tmp_path / "other", count=1, size=96, seed=99)
    shutil.copy(next((other / "masks").iterdir()), data / first)
    (data / facts.dataset.pairs[1].image).unlink()
    with pytest.raises(
        StaleRecordError, match=r"2 of the files .* are not what they were: .* (has changed|is gone)"
    ):
        verbs.train(data, output=tmp_path / "run", steps=2, settings=tiny, audit=facts)
    assert not (tmp_path / "run").exists()


def test_resume_on_another_data_set_is_refused(roads_run, roads, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(roads_run, run)
    other = tmp_path / "other"
    shutil.copytree(roads, other)
    first, *_, last = sorted((other / "images").iterdir())
    shutil.copy(last, first)
    with pytest.raises(StaleRecordError, match="Audit the data anew"):
        verbs.train(other, output=run, resume=True)


def test_overwrite_replaces_runs_only(roads, tiny, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "log.csv").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"holds files, but no run .* that --overwrite could replace"):
        verbs.train(roads, output=tmp_path / "mine", steps=2, settings=tiny, overwrite=True)
    assert (tmp_path / "mine" / "log.csv").read_text() == "mine"


def test_weights_that_are_not_those_of_their_rule_are_refused(roads, tiny, tmp_path):
    facts = verbs.audit(roads)
    plan = verbs.plan(facts, steps=2, settings=tiny | {"weights.rule": "inverse"})
    edited = replace(plan, weights=replace(plan.weights, values=(5.0, 7.0)))
    with pytest.raises(SettingError, match=r"are not those of weights\.rule=inverse"):
        verbs.train(roads, output=tmp_path / "run", audit=facts, plan=edited)


def test_weights_that_are_not_finite_are_refused(roads_run, roads, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(roads_run, run)
    tensors = load_tensors(run / "best.safetensors")
    name = next(name for name, value in tensors.items() if value.dtype.is_floating_point)
    tensors[name] = tensors[name] * float("nan")
    save_tensors(run / "best.safetensors", tensors)
    with pytest.raises(WeightsError, match="numbers that are not finite"):
        verbs.predict(run, [next((roads / "images").iterdir())], output=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_files_of_a_run_can_be_read_by_others(roads_run):
    modes = {path.name: path.stat().st_mode & 0o777 for path in roads_run.glob("*.*")}
    assert len(set(modes.values())) == 1, modes


@pytest.mark.parametrize("edit", [{"thresholds": ()}, {"photo": PhotoStatistics(mean=(0.0,), std=(1.0,))}])
def test_a_run_record_with_too_few_numbers_is_refused(roads_run, roads, tmp_path, edit):
    run = tmp_path / "run"
    shutil.copytree(roads_run, run)
    record = codec.read(run / "run.json", Run)
    codec.write(run / "run.json", replace(record, **edit), overwrite=True)
    with pytest.raises(RecordError, match=r"holds \d numbers; expected \d"):
        verbs.evaluate(run, roads)
