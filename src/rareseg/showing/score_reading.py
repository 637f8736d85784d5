"""What a reader needs to read scores: what each word means, and by which threshold a map was decided."""

from rareseg.records.report import Report
from rareseg.showing.report_page_subjects import is_overlapping

TERMS: dict[str, tuple[str, str]] = {
    "constant": (
        "constant answer",
        "A map of the most frequent class everywhere. It looks at no pixel, so a score is worth what it is above this.",
    ),
    "iou": (
        "IoU",
        "Intersection over union: of all pixels that the map or the labels give to the class, the share that both do. "
        "0 is no overlap, 1 the same area. It is the strictest of the common scores.",
    ),
    "f1": ("F1", "The harmonic mean of precision and recall, also called Dice: high only where both are."),
    "precision": (
        "precision",
        "Of the pixels that the map gives to the class, the share that the labels do, too.",
    ),
    "recall": ("recall", "Of the pixels that the labels give to the class, the share that the map finds."),
    "ap": (
        "AP",
        "Average precision: how well the probabilities rank pixels of the class before all others, whatever the "
        "threshold. 1 is perfect; pixels ranked at random score the share of the class.",
    ),
    "threshold": ("threshold", "The probability from which on the map gives the class."),
    "interval": (
        "95 % interval",
        "Where the score would probably lie on other scenes of the same kind: scenes are drawn anew with replacement "
        "(bootstrap). Another area may differ by more.",
    ),
    "within": (
        "within n px",
        "A pixel counts as right if the other map has the class within so many pixels: labels are seldom exact.",
    ),
    "break-even": (
        "break-even",
        "Precision and recall within n px at the threshold where the two are equal.",
    ),
    "boundary": ("boundary IoU", "IoU of the strips along edges alone: how well outlines agree."),
    "roc": (
        "ROC area",
        "How often a pixel of the class has a higher probability than another pixel. Of a rare class it is near 1 even "
        "for poor maps.",
    ),
    "calibration": (
        "calibration error",
        "How far probabilities are from how often they come true, on average over pixels.",
    ),
    "given": ("given share", "The share of all pixels that the map gives to the class."),
    "expected": (
        "expected share",
        "The mean probability of the class: how much of the area the map expects, whatever the threshold.",
    ),
    "apls": (
        "APLS",
        "Average path length similarity: whether ways between places are as long as in the labels.",
    ),
    "topo": ("TOPO", "Whether the same places are reached by short walks along the lines."),
    "cldice": ("clDice", "Dice of the centrelines: whether lines run through, whatever their width."),
    "completeness": ("completeness", "Of the length of the labelled lines, the share that is found."),
    "correctness": ("correctness", "Of the length of the lines given by the map, the share that is right."),
    "breaks": ("breaks", "Gaps along a labelled line that the map leaves."),
    "false": ("false branches", "Lines given by the map away from any labelled one."),
    "nats": (
        "nats",
        "The unit of the loss, cross-entropy: 0 for a sure and right answer, more for surprises.",
    ),
}
"""By key: how it is written, and what it means, for somebody who has never met it."""

RATES = frozenset({"lines.breaks", "lines.false_branches"})
"""Scores per unit of length, by their names in ClassScores.intervals; all others are shares."""
FEWER_IS_BETTER = RATES | {"calibration_error"}
SAID: dict[str, str] = {
    "iou": "IoU",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "average_precision": "AP",
    "relaxed_f1": "relaxed F1",
    "relaxed_precision": "relaxed precision",
    "relaxed_recall": "relaxed recall",
    "break_even": "break-even",
    "boundary_iou": "boundary IoU",
    "roc_area": "ROC area",
    "calibration_error": "calibration error",
    "lines.apls": "APLS",
    "lines.topo_f1": "TOPO F1",
    "lines.topo_precision": "TOPO precision",
    "lines.topo_recall": "TOPO recall",
    "lines.cldice": "clDice",
    "lines.completeness": "completeness",
    "lines.correctness": "correctness",
    "lines.breaks": "breaks",
    "lines.false_branches": "false branches",
    "objects.f1": "object F1",
    "objects.precision": "object precision",
    "objects.recall": "object recall",
}
"""Scores that two maps are compared by, as they are called where there is little room, in this order."""

_ORIGINS = {"val": "chosen on the validation part"}


def origin(report: Report) -> str:
    """Return in words where the thresholds come from."""
    return _ORIGINS.get(report.thresholds_from, report.thresholds_from)


def map_threshold(report: Report, name: str) -> float | None:
    """Return the probability from which the map gives the class, 0..1.

    Where the likeliest class is given, that is the one that would be best for this class alone. None for maps of
    classes, and where none is known.
    """
    if report.source == "classes":
        return None
    first, *others = report.classes.values()
    threshold = report.classes[name].threshold
    if report.decision != "threshold":
        return threshold
    if len(others) == 1 and not is_overlapping(report):
        # Of two classes that exclude each other the second has its threshold, and the first the rest.
        second = 0.5 if others[0].threshold is None else others[0].threshold
        return 1 - second if report.classes[name] is first else second
    return 0.5 if threshold is None and report.classes[name].pixels else threshold
