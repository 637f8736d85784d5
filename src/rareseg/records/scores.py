"""What a Report is made of: curves, operating points, shapes, images, and how sure a score is.

Scores are 0..1 and None where they are not measurable, because the class is absent or nothing was given.
"""

from rareseg.records.codec import Record


class Interval(Record, frozen=True, kw_only=True):
    """The ends of a 95 % interval over scenes drawn anew (bootstrap); pixels of one scene are no witnesses."""

    low: float
    high: float


class Curve(Record, frozen=True, kw_only=True):
    """Points of one class's curves, by rising threshold; lists of one length, about 200."""

    thresholds: tuple[float, ...]
    """Probabilities from which on the class is given."""
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    false_positive_rate: tuple[float, ...]
    """Of the pixels that are not of the class, the share that is given."""


class Reliability(Record, frozen=True, kw_only=True):
    """Of the pixels given similar probabilities, how many hold the class; lists of one length."""

    mean_probability: tuple[float, ...]
    frequency: tuple[float, ...]
    pixels: tuple[int, ...]


class Operating(Record, frozen=True, kw_only=True):
    """One point of the precision-recall curve that somebody may want to work at."""

    wanted: str
    """Such as "recall 0.9", "precision 0.8", "best F1 and IoU", "relaxed break-even"."""
    threshold: float
    precision: float
    recall: float
    iou: float | None
    """None for relaxed points."""


class LineScores(Record, frozen=True, kw_only=True):
    """Scores of a class of long, thin regions, as a network of lines."""

    apls: float | None
    """Average path length similarity (Van Etten 2018, arXiv:1807.01232)."""
    topo_precision: float | None
    topo_recall: float | None
    topo_f1: float | None
    """Biagioni & Eriksson 2012."""
    cldice: float | None
    """Centreline Dice of the map (Shit 2021, arXiv:2003.07311)."""
    completeness: float | None
    """Share of the true length that is found."""
    correctness: float | None
    """Share of the given length that is right."""
    breaks: float | None
    """Gaps along true lines per `unit` of true line."""
    false_branches: float | None
    """Given pieces away from any true line, per `unit` of true line."""
    unit: str
    """"km", or "1,000 px" where the size of a pixel is not known."""
    true_length: float
    """In `unit`."""


class SizeScores(Record, frozen=True, kw_only=True):
    """Objects of one range of sizes."""

    low: int
    """px, the first size of the range."""
    high: int | None
    """px, the first size above it; None without end."""
    true: int
    given: int
    matched: int
    f1: float | None


class ObjectScores(Record, frozen=True, kw_only=True):
    """Scores of a class of compact objects, one by one: matched where they overlap with an IoU of `least_iou`."""

    least_iou: float
    true: int
    given: int
    matched: int
    precision: float | None
    recall: float | None
    f1: float | None
    sizes: tuple[SizeScores, ...]


class WidthScores(Record, frozen=True, kw_only=True):
    """How much is found of the parts of one width."""

    low: int
    """px"""
    high: int | None
    """px, inclusive; None without end."""
    pixels: int
    recall: float | None


class ImageScores(Record, frozen=True, kw_only=True):
    """One image; lists have one entry per class."""

    image: str
    scene: str
    pixels: tuple[int, ...]
    """Labelled pixels of each class."""
    given: tuple[int, ...]
    """Pixels that the map gives to each class."""
    counted: int
    iou: tuple[float | None, ...]
    average_precision: tuple[float | None, ...]


class ShareScores(Record, frozen=True, kw_only=True):
    """Images that hold about as much of a class, taken together."""

    low: float
    """Least share of the class in such an image, 0..1."""
    high: float
    images: int
    iou: float | None
    average_precision: float | None


class Transfer(Record, frozen=True, kw_only=True):
    """A class that is so much rarer or more frequent here than where its threshold was chosen that it does not fit."""

    name: str
    chosen_share: float
    """Share of the class where the threshold was chosen."""
    share: float
    """Share of the class here."""
    threshold: float
    iou: float
    best_threshold: float
    """The best one here, read off these labels: what would be gained, not what may be claimed."""
    best_iou: float


class Difference(Record, frozen=True, kw_only=True):
    """One score of one class, this minus the other, over the same scenes."""

    name: str
    """The class; "" for the mean over the classes that are present."""
    score: str
    """As in `ClassScores.intervals`: "iou", "average_precision", "lines.apls", ..."""
    this: float | None
    other: float | None
    difference: float | None
    interval: Interval | None
    """Paired: both are drawn over the same scenes. None with fewer than 3 scenes."""

    @property
    def certain(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval is not None and (self.interval.low > 0 or self.interval.high < 0)


class Example(Record, frozen=True, kw_only=True):
    """A place where a class lies in the training part of a run, drawn for the page."""

    image: str
    name: str
    """The class."""
    share: float
    """Of the labelled pixels of the picture that hold the class, 0..1."""
    top: int
    left: int
    """px: where the picture begins in the image."""
    width: int
    height: int
    """px, of the picture."""
    photo: str
    """File name, RGB, JPEG; like the next one beside the report, in `Report.views_folder`."""
    truth: str
    """File name, PNG with opacity: drawn over the photo it marks what is labelled as the class, and darkens what is
    not counted."""


class View(Record, frozen=True, kw_only=True):
    """One image drawn for the page, and its pictures beside the report, in `Report.views_folder`."""

    image: str
    why: str
    """"best", "median", "worst", or what else it was chosen for."""
    name: str
    """The class that it was chosen by."""
    iou: float | None
    """Of that class, over the whole image."""
    scale: float
    """Pixels of the picture per pixel of the image, at most 1."""
    width: int
    height: int
    """px, of the pictures."""
    top: int
    left: int
    """px: where the picture begins in the image, which may be larger than it."""
    photo: str
    """File name, RGB, JPEG."""
    truth: str
    """File name, PNG, grey: class index, or bit set if classes overlap; 255 not counted."""
    given: str
    """File name, PNG, grey: the map as decided: class index, or bit set if classes overlap; 255 without answer."""
    answers: tuple[str, ...]
    """A PNG per class, grey: 1 + 254 (z + 8) / 16, rounded, z the log-odds clipped to -8..8; 0 without answer.
    None for maps of classes."""
