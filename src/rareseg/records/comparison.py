"""The Comparison: which remedies were trained side by side, what each scored, and which one won.

A comparison is a folder: audit.json, comparison.json, plan.json (the winner's), comparison.html, comparison.png
and trials/NAME-SEED-STEPS/, each with a run's records, trial.json and its counts per scene.
"""

from typing import Annotated, Literal

from msgspec import Meta

from rareseg.records.codec import Record
from rareseg.records.machine import Machine
from rareseg.records.plan import Count, Positive

MOST_SEEDS = 100

State = Literal["compared", "dropped", "collapsed", "failed", "same", "waiting"]
"""compared: reached the last rung; dropped: outdone on an earlier one; same: its plan is another candidate's."""
TrialOutcome = Literal["finished", "collapsed", "failed"]
ComparisonOutcome = Literal["running", "finished", "interrupted", "out of time"]


class Request(Record, frozen=True, kw_only=True):
    """What was asked for; a resumed comparison goes on with it."""

    remedies: tuple[str, ...]
    seeds: Annotated[int, Meta(ge=1, le=MOST_SEEDS)]
    minutes: Positive | None = None
    """Budget of the whole comparison; exactly one of minutes and steps is set."""
    steps: Count | None = None
    """Steps of each training of the last rung."""
    settings: dict[str, str] = {}
    """Settings of the plan that hold for every candidate."""
    keep_weights: bool = False


class Scored(Record, frozen=True, kw_only=True):
    """Scores of one trained network on one part, per class; None where the part has none of the class."""

    average_precision: tuple[float | None, ...]
    iou: tuple[float | None, ...]
    calibration_error: tuple[float | None, ...]
    scenes: Count
    """Scenes (or blocks of them, if there are very many) whose counts are kept apart."""
    images: Count
    seconds: float
    """Time that scoring took."""


class Trial(Record, frozen=True, kw_only=True):
    """One training of one candidate: kept in its folder, and never repeated."""

    candidate: str
    seed: int
    steps: Count
    plan_digest: str
    outcome: TrialOutcome
    reason: str
    """One sentence: why it ended so."""
    seconds: float
    """Everything: reading, training, validating, scoring."""
    seconds_per_step: float | None = None
    """Median over the steps."""
    val: Scored | None = None
    test: Scored | None = None


class Rung(Record, frozen=True, kw_only=True):
    """Candidates that were trained alike: as many steps each, with the seeds 0 .. seeds - 1."""

    steps: Count
    seeds: Count
    candidates: tuple[str, ...]


class PlannedRung(Record, frozen=True, kw_only=True):
    """A rung to come, as laid out so far; whom it will train is not known yet."""

    steps: Count
    seeds: Count
    candidates: Count
    """How many."""


class Estimate(Record, frozen=True, kw_only=True):
    """A mean over seeds, and the 95 % interval over scenes and seeds; both ends None if it cannot be known."""

    value: float
    low: float | None = None
    high: float | None = None


class ClassEstimates(Record, frozen=True, kw_only=True):
    """Scores of one class, 0..1; None where the part has none of the class."""

    name: str
    average_precision: Estimate | None
    iou: Estimate | None
    calibration_error: Estimate | None


class Scores(Record, frozen=True, kw_only=True):
    """Means over the rare classes, and each class."""

    average_precision: Estimate | None
    iou: Estimate | None
    calibration_error: Estimate | None
    classes: tuple[ClassEstimates, ...]


class Difference(Record, frozen=True, kw_only=True):
    """Average precision of this candidate minus that of another, on the same scenes, seeds and steps."""

    other: str
    steps: Count
    seeds: Count
    average_precision: Estimate
    beyond_noise: bool
    """Whether the interval is to be believed and excludes 0."""


class Point(Record, frozen=True, kw_only=True):
    """A candidate on one rung."""

    steps: Count
    seeds: Count
    average_precision: Estimate | None


class Row(Record, frozen=True, kw_only=True):
    """One candidate; its scores are those of the last rung that it reached."""

    candidate: str
    settings: dict[str, str]
    """What it changes in the plan."""
    state: State
    reason: str = ""
    """Why it failed, collapsed or was not trained."""
    steps: int = 0
    seeds: int = 0
    scores: Scores | None = None
    test: Scores | None = None
    """Of the test part, for candidates of the last rung."""
    seconds_per_step: float | None = None
    history: tuple[Point, ...] = ()
    to_best: Difference | None = None
    to_default: Difference | None = None
    verdict: str = ""


class Comparison(Record, frozen=True, kw_only=True):
    """All of it, best first; written after every trial, so that it can be resumed."""

    audit_digest: str
    data: str
    """Name of the data folder or TOML."""
    classes: tuple[str, ...]
    rare_classes: tuple[str, ...]
    """The classes whose mean average precision decides."""
    request: Request
    machine: Machine
    outcome: ComparisonOutcome
    seconds: float
    """Time used so far, over all sessions."""
    rungs: tuple[Rung, ...] = ()
    planned: tuple[PlannedRung, ...] = ()
    scenes: int = 0
    """Validation scenes."""
    test_scenes: int = 0
    chance: float = 0.0
    """Average precision of pixels ranked at random: the rare classes' mean share of the validation part."""
    rows: tuple[Row, ...] = ()
    summary: str = ""
    winner: str | None = None
    because: str = ""
    """Why the winner is the winner."""
    notes: tuple[str, ...] = ()
