"""The Report: scores of one labelled folder, always with the constant predictor beside them."""

from rareseg.records.audit import ConstantPredictor
from rareseg.records.codec import Record
from rareseg.records.scores import (
    Curve,
    Difference,
    Example,
    ImageScores,
    Interval,
    LineScores,
    ObjectScores,
    Operating,
    Reliability,
    ShareScores,
    Transfer,
    View,
    WidthScores,
)


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
    roc_area: float | None = None
    """Area under the ROC curve: close to 1 for any class that is rare enough, so it stands beside AP only."""
    boundary_iou: float | None = None
    """IoU of the strips of `boundary_px` along the edges (Cheng 2021, arXiv:2103.16562)."""
    relaxed_precision: float | None = None
    relaxed_recall: float | None = None
    break_even: float | None = None
    """Where relaxed precision equals relaxed recall (Mnih 2013): free of any threshold."""
    intervals: dict[str, Interval] = {}
    """By the name of the score, a field of this record, or of its lines or objects: "iou", "lines.apls", ..."""
    curve: Curve | None = None
    reliability: Reliability | None = None
    operating: tuple[Operating, ...] = ()
    lines: LineScores | None = None
    """For classes of long, thin regions."""
    objects: ObjectScores | None = None
    """For classes of compact objects."""
    widths: tuple[WidthScores, ...] = ()
    shares: tuple[ShareScores, ...] = ()
    """By the image's share of the class."""


class MacroScores(Record, frozen=True, kw_only=True):
    """Plain means over the classes that are present."""

    iou: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    average_precision: float | None
    classes: int
    """How many classes the means run over."""
    intervals: dict[str, Interval] = {}
    """As in ClassScores."""


class MicroScores(Record, frozen=True, kw_only=True):
    """Over all pixels: dominated by the majority class, which is why it stands last."""

    accuracy: float


class Report(Record, frozen=True, kw_only=True):
    """Scores of a run over a labelled folder."""

    run_digest: str
    """"" for predictions of another tool."""
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
    name: str = ""
    """Folder of the run or of the predictions."""
    source: str = "run"
    """"run", "probabilities" or "classes": what answered; class maps rank nothing."""
    scenes: int = 0
    boundary_px: int = 0
    confusion: tuple[tuple[int, ...], ...] = ()
    """Pixels by labelled class (rows) and given class (columns); empty where classes overlap."""
    by_image: tuple[ImageScores, ...] = ()
    transfer: tuple[Transfer, ...] = ()
    against: "Report | None" = None
    """Another run's or tool's map, scored on the same images, as far as it has them."""
    differences: tuple[Difference, ...] = ()
    """This minus `against`, over the images that both have."""
    views: tuple[View, ...] = ()
    examples: tuple[Example, ...] = ()
    """Of the rarest class in the data that the run was trained on."""
    views_folder: str = ""
    """Beside report.json."""
    micro: MicroScores
