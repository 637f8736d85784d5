"""The Report: scores of one labelled folder, always with the constant predictor beside them."""

from rareseg.records.audit import ConstantPredictor
from rareseg.records.codec import Record


class ClassScores(Record, frozen=True, kw_only=True):
    """Scores of one class over all counted pixels; None = not measurable, the class is absent."""

    iou: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    average_precision: float | None
    threshold: float | None
    """Probability at which the class is given (two classes, overlapping) or would best be alone (argmax)."""
    pixels: int
    """Labelled pixels of the class."""
    relaxed_f1: float | None
    """F1 where a pixel within `relaxed_px` of the other map counts as hit (Mnih 2013)."""
    calibration_error: float | None
    """Expected calibration error, 0..1, over 15 bins of probability; measurable for an absent class too."""
    expected_share: float | None
    """Mean probability of the class, 0..1: the share of pixels that the map expects, whatever the threshold."""


class MacroScores(Record, frozen=True, kw_only=True):
    """Plain means over the classes that are present."""

    iou: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    average_precision: float | None
    classes: int
    """How many classes the means run over."""


class MicroScores(Record, frozen=True, kw_only=True):
    """Over all pixels: dominated by the majority class, which is why it stands last."""

    accuracy: float


class Report(Record, frozen=True, kw_only=True):
    """Scores of a run over a labelled folder."""

    run_digest: str
    data: str
    """Name of the scored folder."""
    part: str
    """"test", "val", or "all" for a folder that the run was not trained on."""
    images: int
    decision: str
    """"threshold" or "argmax"."""
    thresholds_from: str
    relaxed_px: int
    classes: dict[str, ClassScores]
    macro: MacroScores
    constant_predictor: ConstantPredictor
    counted_pixels: int
    uncounted_pixels: int
    """Void and no-data pixels, left out of every score."""
    notes: tuple[str, ...]
    micro: MicroScores
