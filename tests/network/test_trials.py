import pytest
from msgspec.structs import replace
from tests.references.comparisons import counts_of

from rareseg.errors import RecordError, TrainingError
from rareseg.network import trials
from rareseg.network.checkpoint import BEST, LAST, STATE
from rareseg.network.scene_scores import SceneScores
from rareseg.network.trials import Stopped, Stopwatch, conduct, read_trial, remove_trial
from rareseg.records import codec
from rareseg.records.comparison import Scored, Trial
from rareseg.records.plan import BudgetChoice

SCORED = Scored(
    average_precision=(0.9, 0.5),
    iou=(0.9, 0.4),
    calibration_error=(0.1, 0.1),
    scenes=3,
    images=4,
    seconds=1.0,
)


@pytest.fixture
def plan(plan_record):
    return replace(plan_record, seed=2, budget=BudgetChoice(steps=40, because="", reference=""))


@pytest.fixture
def scored(monkeypatch):
    """Scoring that answers at once, and notes which parts it was asked for."""
    asked = []

    def score(trained, root, part):
        asked.append((trained, root, part))
        return SceneScores(SCORED, counts_of(range(3), separation=1.0))

    monkeypatch.setattr(trials, "load_run", lambda folder: folder)
    monkeypatch.setattr(trials, "score_scenes", score)
    return asked


@pytest.fixture
def training(run_record):
    """A training that leaves weights, takes four steps, and ends as it is told."""

    def make(**changes):
        def train(plan, folder, *, progress):
            folder.mkdir(parents=True, exist_ok=True)
            for name in (BEST, LAST, STATE):
                (folder / name).write_bytes(b"weights")
            with progress.task("reading", 7) as reading:
                reading.advance(7)
            with progress.task("training", 1.0) as task:
                for _ in range(4):
                    task.advance(0.25, note="x")
            progress.say("hidden")
            return replace(run_record, **changes)

        return train

    return make


def _conduct(plan, folder, train, **changes):
    given = {
        "root": folder,
        "train": train,
        "parts": ("val",),
        "keep_weights": False,
        "shown": lambda _: None,
    }
    return conduct("dice", plan, folder, **given | changes)


def test_a_trial_leaves_its_record_and_counts_but_no_weights(plan, scored, training, tmp_path):
    folder = tmp_path / "trial"
    found = _conduct(plan, folder, training(), parts=("val", "test"), root=tmp_path)
    assert scored == [(folder, tmp_path, "val"), (folder, tmp_path, "test")]
    assert found.trial.outcome == "finished"
    assert (found.trial.candidate, found.trial.seed, found.trial.steps) == ("dice", 2, 40)
    assert found.trial.plan_digest == codec.digest(plan)
    assert found.trial.val == found.trial.test == SCORED
    assert not any((folder / name).exists() for name in (BEST, LAST, STATE))
    back = read_trial(folder, classes=2, overlapping=False)
    assert back.trial == found.trial
    for part in ("val", "test"):
        assert (back.counts[part].positives == found.counts[part].positives).all()


def test_weights_are_kept_if_asked_for(plan, scored, training, tmp_path):
    _conduct(plan, tmp_path / "trial", training(), keep_weights=True)
    assert (tmp_path / "trial" / BEST).read_bytes() == b"weights"


def test_the_share_of_the_training_is_passed_on(plan, scored, training, tmp_path):
    shown = []
    _conduct(plan, tmp_path / "trial", training(), shown=shown.append)
    assert shown == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_a_collapsed_training_is_scored_and_says_so(plan, scored, training, tmp_path):
    train = training(outcome="collapsed", reason="its output is constant")
    trial = _conduct(plan, tmp_path / "trial", train).trial
    assert (trial.outcome, trial.reason, trial.val) == ("collapsed", "its output is constant", SCORED)


def test_a_failed_training_is_a_trial_with_its_reason(plan, scored, tmp_path):
    def train(plan, folder, *, progress):
        message = "At step 3 the loss is nan."
        raise TrainingError(message)

    trial = _conduct(plan, tmp_path / "trial", train).trial
    assert (trial.outcome, trial.reason, trial.val) == ("failed", "At step 3 the loss is nan.", None)
    assert read_trial(tmp_path / "trial", classes=2, overlapping=False) == (trial, {})


def test_a_bug_in_a_users_loss_is_a_failed_trial_with_its_traceback(plan, scored, tmp_path):
    def train(plan, folder, *, progress):
        return {}["my loss"]

    trial = _conduct(plan, tmp_path / "trial", train).trial
    assert trial.outcome == "failed"
    assert trial.reason.startswith("KeyError: 'my loss' (the whole of it stands in ")
    assert "in train" in (tmp_path / "trial" / "traceback.txt").read_text()


def test_a_full_disk_is_no_candidates_fault(plan, scored, tmp_path):
    def train(plan, folder, *, progress):
        raise OSError(28, "No space left on device", "state")

    with pytest.raises(OSError, match="No space left"):
        _conduct(plan, tmp_path / "trial", train)
    assert not (tmp_path / "trial" / "trial.json").exists()


def test_an_interrupted_training_is_no_trial(plan, scored, training, tmp_path):
    with pytest.raises(Stopped):
        _conduct(plan, tmp_path / "trial", training(outcome="interrupted"))
    assert not (tmp_path / "trial" / "trial.json").exists()
    # It is made anew, over what lies there.
    assert _conduct(plan, tmp_path / "trial", training()).trial.outcome == "finished"


def test_a_damaged_trial_is_refused(plan, scored, training, tmp_path):
    folder = tmp_path / "trial"
    _conduct(plan, folder, training())
    (folder / "val_scenes.npz").unlink()
    with pytest.raises(
        RecordError, match=r"val_scenes\.npz: expected counts per scene, but they cannot be read"
    ):
        read_trial(folder, classes=2, overlapping=False)
    (folder / "trial.json").write_text("{}")
    with pytest.raises(RecordError, match="not a valid Trial record"):
        read_trial(folder, classes=2, overlapping=False)


def test_removing_a_trial_leaves_other_files(plan, scored, training, tmp_path):
    folder = tmp_path / "trial"
    _conduct(plan, folder, training(), keep_weights=True)
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events.out.tfevents.1").touch()
    (folder / "mine.txt").write_text("keep")
    remove_trial(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    (folder / "mine.txt").unlink()
    remove_trial(folder)
    assert not folder.exists()
    remove_trial(folder)


def test_steps_are_timed_by_their_median(monkeypatch):
    times = iter([0.0, 0.2, 0.4, 5.4, 5.6])
    monkeypatch.setattr(trials.time, "monotonic", lambda: next(times))
    watch = Stopwatch(lambda _: None)
    with watch.task("training", 1.0) as task:
        for _ in range(5):
            task.advance(0.2)
    # The validation that lies between two steps does not count.
    assert watch.seconds_per_step() == pytest.approx(0.2)
    assert Stopwatch(lambda _: None).seconds_per_step() is None


def test_a_real_training_is_timed(roads, tiny, tmp_path):
    from functools import partial

    from rareseg.network import hardware
    from rareseg.stages.audit import audit_data
    from rareseg.stages.plan import decide
    from rareseg.stages.train import train_plan

    root, facts, _ = audit_data(roads)
    plan = decide(facts, hardware.describe(), steps=6, settings=tiny)
    found = _conduct(plan, tmp_path / "trial", partial(train_plan, root, facts), root=root)
    trial: Trial = found.trial
    assert trial.outcome in ("finished", "collapsed")
    assert 0 < trial.seconds_per_step < trial.seconds
    assert trial.val.scenes == len(found.counts["val"])
