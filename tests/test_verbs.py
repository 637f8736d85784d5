"""The verbs: what each refuses before any work, what it writes, and how records and files are taken alike."""

from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from rareseg import verbs
from rareseg.errors import OutputExistsError, RecordError, SettingError, StaleRecordError
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.places import read_places
from rareseg.records.plan import Plan
from rareseg.records.run import Run
from rareseg.verbs import given, mapping, scoring, study


@pytest.fixture(scope="module")
def facts(roads):
    return verbs.audit(roads)


def no_work(*_args, **_kwargs):
    message = "work was begun before the output was refused"
    raise AssertionError(message)


def test_audit_writes_what_it_returns(roads, facts, tmp_path):
    assert verbs.audit(str(roads), output=tmp_path / "audit.json") == facts
    assert codec.read(tmp_path / "audit.json", Audit) == facts


def test_audit_writes_where_classes_lie_beside_it(roads, facts, tmp_path):
    verbs.audit(roads, output=tmp_path / "audit.json")
    assert read_places(tmp_path / "audit.places.npz", facts)
    (tmp_path / "audit.json").unlink()
    with pytest.raises(OutputExistsError, match=r"audit\.places\.npz exists already"):
        verbs.audit(roads, output=tmp_path / "audit.json")
    verbs.audit(roads, output=tmp_path / "audit.json", overwrite=True)


def test_plan_takes_an_audit_or_its_file_and_settings(facts, tmp_path):
    codec.write(tmp_path / "audit.json", facts)
    settings = {"loss.name": "dice", "crop.size": "64"}
    one = verbs.plan(facts, steps=7, settings=settings, output=tmp_path / "plan.json")
    assert one == verbs.plan(tmp_path / "audit.json", steps=7, settings=settings)
    assert codec.read(tmp_path / "plan.json", Plan) == one
    assert (one.loss.name, one.loss.set_by, one.crop.size, one.budget.steps) == ("dice", "user", 64, 7)
    assert one.audit_digest == codec.digest(facts)


@pytest.mark.parametrize("verb", ["audit", "plan", "evaluate"])
def test_an_output_that_exists_is_refused_before_any_work(
    verb, roads, roads_run, facts, tmp_path, monkeypatch
):
    for module, name in ((study, "audit_data"), (study, "decide"), (scoring, "evaluate_run")):
        monkeypatch.setattr(module, name, no_work)
    (tmp_path / "out.json").write_text("mine")
    calls = {
        "audit": lambda **given: verbs.audit(roads, **given),
        "plan": lambda **given: verbs.plan(facts, **given),
        "evaluate": lambda **given: verbs.evaluate(roads_run, roads, **given),
    }
    with pytest.raises(OutputExistsError, match=r"out\.json exists already.*--overwrite"):
        calls[verb](output=tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == "mine"
    with pytest.raises(AssertionError):  # allowed, so the work begins
        calls[verb](output=tmp_path / "out.json", overwrite=True)


@pytest.mark.parametrize(
    ("given", "such_as"), [("out.html", "out.json"), ("out", "out/report.json"), ("", "report.json")]
)
def test_a_report_goes_to_a_json_file_or_nowhere(given, such_as, roads, roads_run, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "evaluate_run", no_work)
    with pytest.raises(SettingError, match=r"expected a file that ends in \.json") as caught:
        verbs.evaluate(roads_run, roads, output=tmp_path / given)
    assert f"such as {tmp_path / such_as};" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_data_in_the_place_of_the_run_is_told_apart(roads, roads_run):
    with pytest.raises(SettingError, match=r"expected the run first, then the data") as caught:
        verbs.evaluate(roads, roads_run)
    assert f"rareseg evaluate {roads_run} {roads}" in str(caught.value)


def test_train_refuses_a_used_folder_before_any_work(roads, tmp_path, monkeypatch):
    monkeypatch.setattr(given, "audit_data", no_work)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="is not empty"):
        verbs.train(roads, output=tmp_path)


def test_train_takes_records_or_their_files(roads, facts, tiny, tmp_path):
    decided = verbs.plan(facts, steps=2, settings=tiny)
    codec.write(tmp_path / "audit.json", facts)
    codec.write(tmp_path / "plan.json", decided)
    verbs.train(roads, output=tmp_path / "a", plan=decided, audit=facts)
    verbs.train(
        str(roads), output=str(tmp_path / "b"), plan=tmp_path / "plan.json", audit=tmp_path / "audit.json"
    )
    verbs.train(
        roads, output=tmp_path / "c", plan=tmp_path / "plan.json", steps=3, settings={"loss.name": "dice"}
    )
    runs = {name: codec.read(tmp_path / name / "run.json", Run) for name in "abc"}
    assert runs["a"].plan_digest == runs["b"].plan_digest == codec.digest(decided)
    changed = codec.read(tmp_path / "c" / "plan.json", Plan)
    assert (changed.budget.steps, changed.loss.name, runs["c"].steps) == (3, "dice", 3)


def test_a_plan_of_changed_data_is_stale(roads, facts, tiny, tmp_path):
    decided = replace(verbs.plan(facts, steps=2, settings=tiny), audit_digest="0" * 16)
    with pytest.raises(StaleRecordError, match="images, masks or split have changed. Make a new plan"):
        verbs.train(roads, output=tmp_path / "run", plan=decided)


@pytest.mark.parametrize(
    "more",
    [
        {"steps": 3},
        {"minutes": 1.0},
        {"settings": {"seed": "1"}},
        {"overwrite": True},
        {"plan": "p"},
        {"audit": "a"},
    ],
)
def test_resume_takes_nothing_that_it_would_ignore(roads, roads_run, more):
    with pytest.raises(
        SettingError, match=r"--resume goes on with the folder's own audit and plan: leave out"
    ):
        verbs.train(roads, output=roads_run, resume=True, **more)


def test_resume_where_nothing_was_trained_says_what_is_missing(roads, tmp_path):
    with pytest.raises(
        RecordError, match=r"audit\.json: expected a Audit record, but it cannot be read|audit\.json"
    ):
        verbs.train(roads, output=tmp_path / "run", resume=True)


def test_unknown_settings_are_refused(facts):
    with pytest.raises(SettingError, match="los"):
        verbs.plan(facts, settings={"los.name": "dice"})


class Remembering:
    def __init__(self):
        self.said = []

    @contextmanager
    def task(self, title, total):
        yield self

    def advance(self, amount=1.0, *, note=""):
        pass

    def say(self, message):
        self.said.append(message)


@pytest.fixture
def short_demo(monkeypatch, tiny):
    """Make the demo train for a second, on few and small scenes."""
    from rareseg import scenes

    real_train, real_roads, real_photo = verbs.train, scenes.write_roads, scenes.write_photo
    monkeypatch.setattr(mapping, "_DEMO_MINUTES", 0.01)
    monkeypatch.setattr(mapping, "train", lambda data, **kept: real_train(data, settings=tiny, **kept))
    monkeypatch.setattr(
        scenes, "write_roads", lambda folder, **given: real_roads(folder, **given | {"count": 6, "size": 64})
    )
    monkeypatch.setattr(scenes, "write_photo", lambda path, **given: real_photo(path, **given | {"size": 96}))


def test_the_demo_tells_the_whole_story(short_demo, tmp_path):
    progress = Remembering()
    paths = verbs.demo(tmp_path / "demo", progress=progress)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "demo/run/report.html",
        "demo/run/report.json",
        "demo/maps/new_scene_classes.png",
        "demo/maps/new_scene_probability.png",
        "demo/maps/new_scene_preview.png",
    ]
    assert all(path.is_file() for path in paths)
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {
        "scenes",
        "new_scene.png",
        "run",
        "maps",
    }
    assert (
        "road IoU" in progress.said[-1] and "'background' everywhere would be right at" in progress.said[-1]
    )


def test_the_demo_overwrites_only_when_asked(short_demo, tmp_path):
    verbs.demo(tmp_path / "demo")
    with pytest.raises(OutputExistsError, match="exists already"):
        verbs.demo(tmp_path / "demo")
    assert verbs.demo(tmp_path / "demo", overwrite=True)
