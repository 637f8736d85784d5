"""One trial of a comparison: train a plan, score it scene by scene, and keep what is needed of it."""

import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, final

from rareseg.errors import RaresegError, RecordError
from rareseg.measures.scene_counts import SceneCounts
from rareseg.network.checkpoint import BEST, LAST, STATE
from rareseg.network.scene_scores import SceneScores, score_scenes
from rareseg.network.trained import AUDIT, PLAN, RUN, load_run
from rareseg.progress import Progress, Silent, Task
from rareseg.records import codec
from rareseg.records.comparison import Scored, Trial, TrialOutcome
from rareseg.records.dataset import PartName
from rareseg.records.places import places_file
from rareseg.records.plan import Plan
from rareseg.records.run import Run

TRIAL, TRACEBACK = "trial.json", "traceback.txt"


class Train(Protocol):
    """Trains a plan into a folder, as stages.train.train_plan does with data and audit."""

    def __call__(self, plan: Plan, folder: Path, *, progress: Progress | None = ...) -> Run:
        """Return the run; raises RaresegError if the plan cannot be trained."""


class Stopped(KeyboardInterrupt):
    """The user stopped the training, which ended in order: its Ctrl-C goes on to whoever called."""


class Finished(NamedTuple):
    """A trial, and its counts per scene by part."""

    trial: Trial
    counts: dict[PartName, SceneCounts]


def conduct(
    candidate: str,
    plan: Plan,
    folder: Path,
    *,
    root: Path,
    train: Train,
    parts: tuple[PartName, ...],
    keep_weights: bool,
    shown: Callable[[float], None],
) -> Finished:
    """Train `plan` in `folder`, score `parts`, and write trial.json last, which marks the trial as finished.

    `shown` is told the share of the training that is done, 0..1. A training that fails is a trial too, with its
    reason. Weights are removed once they are scored, unless `keep_weights`.

    Raises:
        Stopped: if the user stops the training.
    """
    remove_trial(folder)
    watch = Stopwatch(shown)
    begun = time.monotonic()
    outcome, reason, scores = _attempt(plan, folder, root, train, parts, progress=watch)
    if not keep_weights:
        for name in (BEST, LAST, STATE):
            (folder / name).unlink(missing_ok=True)
    scored = {part: found.scored for part, found in scores.items()}
    trial = Trial(
        candidate=candidate,
        seed=plan.seed,
        steps=plan.budget.steps or 0,
        plan_digest=codec.digest(plan),
        outcome=outcome,
        reason=reason,
        seconds=time.monotonic() - begun,
        seconds_per_step=watch.seconds_per_step(),
        val=scored.get("val"),
        test=scored.get("test"),
    )
    for part, found in scores.items():
        codec.write_bytes(folder / _counts_name(part), found.counts.to_bytes())
    codec.write(folder / TRIAL, trial)
    return Finished(trial, {part: found.counts for part, found in scores.items()})


def _attempt(
    plan: Plan, folder: Path, root: Path, train: Train, parts: tuple[PartName, ...], *, progress: Progress
) -> tuple[TrialOutcome, str, dict[PartName, SceneScores]]:
    """Train and score; return how it ended, why, and the scores, which a failure has none of."""
    try:
        run = train(plan, folder, progress=progress)
        if run.outcome == "interrupted":
            raise Stopped
        trained = load_run(folder)
        scores = {part: score_scenes(trained, root, part) for part in parts}
    except RaresegError as error:
        return "failed", str(error), {}
    except OSError:
        # A full disk would make every further trial fail: that is no candidate's fault.
        raise
    except Exception as error:
        # A loss of the user's own may raise anything; the others are to be compared all the same.
        codec.write_bytes(folder / TRACEBACK, traceback.format_exc().encode(), overwrite=True)
        reason = f"{type(error).__name__}: {error} (the whole of it stands in {folder / TRACEBACK})"
        return "failed", reason, {}
    return "collapsed" if run.outcome == "collapsed" else "finished", run.reason, scores


def read_trial(folder: Path, *, classes: int, overlapping: bool) -> Finished:
    """Read a finished trial.

    Raises:
        RecordError: if its records are damaged or do not fit together.
    """
    trial = codec.read(folder / TRIAL, Trial)
    counts: dict[PartName, SceneCounts] = {}
    parts: dict[PartName, Scored | None] = {"val": trial.val, "test": trial.test}
    for part, scored in parts.items():
        if scored is not None:
            path = folder / _counts_name(part)
            data = _bytes(path)
            counts[part] = SceneCounts.from_bytes(
                data, str(path), scenes=scored.scenes, classes=classes, overlapping=overlapping
            )
    return Finished(trial, counts)


def remove_trial(folder: Path) -> None:
    """Remove what a trial wrote into `folder`, and the folder if nothing else lies in it."""
    if not folder.is_dir():
        return
    own = (TRIAL, TRACEBACK, _counts_name("val"), _counts_name("test"))
    for name in (*own, BEST, LAST, STATE, AUDIT, places_file(Path(AUDIT)).name, PLAN, RUN, "log.csv"):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob("tensorboard/events.out.tfevents.*"):
        path.unlink()
    for place in (folder / "tensorboard", folder):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


@final
class Stopwatch:
    """Progress of one training that shows nothing itself: it times the steps, and passes on how far they are."""

    def __init__(self, shown: Callable[[float], None]) -> None:
        """Tell `shown` the share of the training that is done."""
        self._shown = shown
        self._done = 0.0
        self._steps: list[float] = []

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Task]:
        """Open a task; of the one called "training" every step is timed."""
        if title != "training":
            with Silent().task(title, total) as silent:
                yield silent
            return
        yield _Timed(self)

    def say(self, message: str) -> None:
        """Drop the line: the trial's record tells how it ended."""
        del message

    def step(self, amount: float) -> None:
        """Note that a step ended which is `amount` of the training."""
        self._steps.append(time.monotonic())
        self._done += amount
        self._shown(self._done)

    def seconds_per_step(self) -> float | None:
        """Return the median over the steps: validations and other people's work do not count. None without any."""
        gaps = [after - before for before, after in zip(self._steps, self._steps[1:], strict=False)]
        return statistics.median(gaps) if gaps else None


@final
class _Timed:
    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch

    def advance(self, amount: float = 1.0, *, note: str = "") -> None:
        del note
        self._watch.step(amount)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = (
            f"{path}: expected counts per scene, but they cannot be read ({error.strerror}). Remove the folder of "
            "this trial, and go on with --resume: it is then trained again."
        )
        raise RecordError(message) from error


def _counts_name(part: PartName) -> str:
    return f"{part}_scenes.npz"
