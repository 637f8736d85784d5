"""The Run: what came of a training, written beside its weights.

A run is a folder: audit.json, audit.places.npz (where classes lie), plan.json, run.json, best.safetensors and
last.safetensors (weights), state.safetensors (optimizer and averages, for --resume), log.csv and TensorBoard events.
"""

from typing import Annotated, Literal

from msgspec import Meta

from rareseg.records.codec import Record

Outcome = Literal["finished", "interrupted", "collapsed"]


class PhotoStatistics(Record, frozen=True, kw_only=True):
    """What photos were scaled with, so that mapping does the same: (value - mean) / std per band."""

    mean: tuple[float, ...]
    std: tuple[Annotated[float, Meta(ge=0)], ...]


class CollapseCheck(Record, frozen=True, kw_only=True):
    """One look of the collapse watch at held-out pixels, for the class that is worst off."""

    step: int
    rare_class: str
    average_precision: float | None
    """0..1; None if the looked-at pixels hold none of the class."""
    prevalence: float
    lift: float | None
    """Average precision over prevalence: 1 is chance."""
    spatial_deviation: float
    """Standard deviation over pixels of the rare logit minus the majority logit."""
    dead_share: float
    """Of ReLU channels, those that are 0 at every looked-at pixel."""
    predicted_share: float
    """Of looked-at pixels, those given to the class by argmax (0.5 for overlapping classes)."""


class Drawn(Record, frozen=True, kw_only=True):
    """Counts of what the training batches held so far; they add up (see measures.drawn)."""

    crops: int
    placed: int
    """Crops that the sampling rule placed, or pasted into."""
    labelled: int
    """Pixels that count: labelled, and with photo."""
    pixels: tuple[int, ...]
    """Labelled pixels of each class."""
    holding: tuple[int, ...]
    """Crops that hold each class."""


class Sampled(Record, frozen=True, kw_only=True):
    """What training saw, beside what the plan asked for and what the data holds. Shares are 0..1."""

    rule: str
    classes: tuple[str, ...]
    around: tuple[str, ...]
    """Classes that the rule looks for; none for uniform crops."""
    crops: int
    asked_share: float
    """Share of crops that the rule was to place; 0 for uniform crops."""
    placed_share: float
    """Share of crops that it did place."""
    data_shares: tuple[float, ...]
    """Each class's share of the labelled pixels of the training part."""
    realised_shares: tuple[float, ...]
    """Each class's share of the labelled pixels in the batches."""
    crops_holding: tuple[float, ...]
    """Share of the crops that hold each class."""


class Validation(Record, frozen=True, kw_only=True):
    """Scores of the validation part at one step."""

    step: int
    seconds: float
    """Training time so far."""
    loss: float
    average_precision: tuple[float | None, ...]
    """Per class; None where the part has none of it."""
    iou: tuple[float | None, ...]
    score: float
    """What `best` is chosen by: mean IoU over the classes present (see network.validation.macro_iou)."""


class Calibration(Record, frozen=True, kw_only=True):
    """How probabilities are mapped back to the true shares, so that of the pixels given 0.3, 30 % hold the class.

    Exclusive classes: p' is proportional to exp(ln p / temperature - shift); overlapping ones:
    logit p' = logit p / temperature - shift. Ranking within a class of two, or of overlapping ones, stays.
    """

    how: Literal["none", "undone", "fitted"]
    """none: as the network answers; undone: by formula; fitted: on `measured_on`, by least log-loss."""
    because: str
    """One sentence: what moved the probabilities, and why this was done."""
    temperature: Annotated[float, Meta(gt=0, le=100)]
    shift: tuple[Annotated[float, Meta(ge=-100, le=100)], ...]
    """Per class, nats."""
    measured_on: str
    """The part that the errors are measured on."""
    error_before: tuple[float | None, ...]
    """Expected calibration error of each class, 0..1, as the network answers; None if nothing was counted."""
    error_after: tuple[float | None, ...]
    """The same of the probabilities as mapped; of a fit a little too good, as it was made on this part."""


class Run(Record, frozen=True, kw_only=True):
    """One training: where it started, how it ended, and what scoring and mapping need."""

    audit_digest: str
    plan_digest: str
    outcome: Outcome
    reason: str
    """One sentence: why it ended so; for a collapse, its name and the numbers that show it."""
    steps: int
    seconds: float
    initial_loss: float
    best_step: int
    parameters: int
    trainable_parameters: int
    photo: PhotoStatistics
    thresholds: tuple[Annotated[float, Meta(ge=0, le=1)] | None, ...]
    """Per class, the probability from which F1 is best on the validation part; None if it is absent there."""
    thresholds_from: str
    """The part they were chosen on."""
    calibration: Calibration
    decision_weights: tuple[Annotated[float, Meta(gt=0, le=1e45)], ...] | None
    """argmax: factors of the probabilities before the likeliest class is taken, so that the map is the one that
    training aimed at and rare classes do not lose again what their weights won. All 1: the likeliest class.
    None where thresholds decide."""
    validations: tuple[Validation, ...]
    checks: tuple[CollapseCheck, ...]
    sampled: Sampled | None
    """None if training was stopped before its first step."""
    versions: dict[str, str]


class TrainingState(Record, frozen=True, kw_only=True):
    """Where a training stands: kept beside its tensors so that --resume goes on from there."""

    plan_digest: str
    step: int
    seconds: float
    initial_loss: float
    best_score: float
    best_step: int
    validations: tuple[Validation, ...]
    checks: tuple[CollapseCheck, ...]
    drawn: Drawn
    """What the batches of all steps so far held."""
