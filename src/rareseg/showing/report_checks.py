"""Whether the numbers of a report fit together: a file that was edited by hand must not draw a page that lies."""

from collections.abc import Iterator, Sequence
from itertools import chain

from rareseg.records.report import ClassScores, Report
from rareseg.records.scores import Curve, ImageScores, LineScores, ObjectScores, Reliability

_SHARES = (
    "iou",
    "f1",
    "precision",
    "recall",
    "average_precision",
    "threshold",
    "relaxed_f1",
    "calibration_error",
    "expected_share",
    "roc_area",
    "boundary_iou",
    "relaxed_precision",
    "relaxed_recall",
    "break_even",
)
"""Fields of ClassScores from 0 to 1."""
_LINE_SHARES = (
    "apls",
    "topo_precision",
    "topo_recall",
    "topo_f1",
    "cldice",
    "completeness",
    "correctness",
)
_OBJECT_SHARES = ("precision", "recall", "f1")
_SLACK = 1e-6
"""Sums of many shares may round to a little above 1."""


def contradictions(report: Report) -> Iterator[str]:
    """Yield a sentence for each thing that no evaluation writes: where it stands, what was expected, what came."""
    classes = len(report.classes)
    if not classes:
        yield "classes: expected at least one, got none"
    if report.counted_pixels < 0 or report.images < 0:
        yield f"expected counts, got {report.images} images and {report.counted_pixels} counted_pixels"
    for name, scores in report.classes.items():
        for told in _of_class(scores, report.counted_pixels):
            yield f"classes.{name}.{told}"
    rows = report.confusion
    if rows and (len(rows) != classes or any(len(row) != classes or min(row) < 0 for row in rows)):
        yield f"confusion: expected {classes} rows of {classes} counts, got {len(rows)} rows"
    for place, image in enumerate(report.by_image):
        if not _complete(image, classes):
            yield f"by_image[{place}]: expected {classes} pixels, given, iou and average_precision, none below 0"
    yield from _of_comparison(report)
    for place, example in enumerate(report.examples):
        if min(example.width, example.height) < 1 or not _is_share(example.share):
            yield f"examples[{place}]: expected a picture with pixels and a share from 0 to 1"
    for place, view in enumerate(report.views):
        if min(view.width, view.height) < 1 or not 0 < view.scale <= 1:
            size = f"{view.width} x {view.height} px at a scale of {view.scale:g}"
            yield f"views[{place}]: expected a picture with pixels, of a scale up to 1, got {size}"


def _of_comparison(report: Report) -> Iterator[str]:
    other = report.against
    if other is not None:
        if other.against is not None:
            yield "against.against: expected none, as two maps are compared"
        elif list(other.classes) != list(report.classes):
            told = f"{', '.join(report.classes)}, got {', '.join(other.classes)}"
            yield f"against.classes: expected the same, {told}"
        else:
            yield from (f"against.{told}" for told in contradictions(other))
    for place, held in enumerate(report.differences):
        if held.name and held.name not in report.classes:
            yield f"differences[{place}].name: expected a class, or none for the mean, got {held.name!r}"
        if held.interval is not None and held.interval.low > held.interval.high:
            yield f"differences[{place}].interval: expected low up to high"


def _of_class(scores: ClassScores, counted: int) -> Iterator[str]:
    for field in _SHARES:
        value = getattr(scores, field)
        if value is not None and not -_SLACK <= value <= 1 + _SLACK:
            yield f"{field}: expected 0 to 1, got {value:g}"
    if not 0 <= scores.pixels <= counted:
        yield f"pixels: expected 0 to counted_pixels, which are {counted}, got {scores.pixels}"
    for field, span in scores.intervals.items():
        if span.low > span.high:
            yield f"intervals.{field}: expected low up to high, got {span.low:g} and {span.high:g}"
    if scores.lines is not None:
        yield from _of_parts("lines", scores.lines, _LINE_SHARES)
    if scores.objects is not None:
        yield from _of_parts("objects", scores.objects, _OBJECT_SHARES)
    if scores.curve is not None:
        yield from _of_curve(scores.curve)
    if scores.reliability is not None:
        yield from _of_reliability(scores.reliability)
    for point in scores.operating:
        held = (point.threshold, point.precision, point.recall, point.iou or 0.0)
        if not all(_is_share(value) for value in held):
            yield f"operating: expected 0 to 1 for {point.wanted!r}, got {', '.join(f'{one:g}' for one in held)}"


def _of_parts(name: str, held: LineScores | ObjectScores, fields: Sequence[str]) -> Iterator[str]:
    for field in fields:
        value = getattr(held, field)
        if value is not None and not _is_share(value):
            yield f"{name}.{field}: expected 0 to 1, got {value:g}"


def _of_curve(curve: Curve) -> Iterator[str]:
    lists = (curve.thresholds, curve.precision, curve.recall, curve.false_positive_rate)
    if len({len(one) for one in lists}) > 1:
        yield f"curve: expected lists of one length, got {', '.join(str(len(one)) for one in lists)}"
    elif not all(map(_is_share, chain(*lists))):
        yield "curve: expected numbers from 0 to 1"


def _of_reliability(held: Reliability) -> Iterator[str]:
    lists = (held.mean_probability, held.frequency, held.pixels)
    if len({len(one) for one in lists}) > 1:
        yield f"reliability: expected lists of one length, got {', '.join(str(len(one)) for one in lists)}"
    elif not all(map(_is_share, chain(held.mean_probability, held.frequency))):
        yield "reliability: expected numbers from 0 to 1"


def _is_share(value: float) -> bool:
    return -_SLACK <= value <= 1 + _SLACK


def _complete(image: ImageScores, classes: int) -> bool:
    lists = (image.pixels, image.given, image.iou, image.average_precision)
    if any(len(one) != classes for one in lists):
        return False
    scores = (value for value in (*image.iou, *image.average_precision) if value is not None)
    return min(*image.pixels, *image.given, image.counted, 0) == 0 and all(map(_is_share, scores))
