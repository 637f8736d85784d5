"""The Run: what came of a training, written beside its weights.

A run is a folder: audit.json, plan.json, run.json, best.safetensors and last.safetensors (weights),
state.safetensors (optimizer and averages, for --resume), log.csv and TensorBoard events.
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
    validations: tuple[Validation, ...]
    checks: tuple[CollapseCheck, ...]
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
