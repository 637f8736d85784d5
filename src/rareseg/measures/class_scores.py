"""From what an evaluation gathered to the records of a report: one class at a time."""

from collections.abc import Mapping, Sequence

from rareseg.measures.calibration import calibration_error, expected_share, reliability
from rareseg.measures.class_counts import NAMES, ratios
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.evaluation import Evaluation
from rareseg.measures.objects import LEAST_IOU, ObjectCounts
from rareseg.measures.operating import precision_at_recall, precision_recall_points, recall_at_precision
from rareseg.measures.scene_details import BREAK_EVEN
from rareseg.measures.score_bins import first_bin
from rareseg.measures.score_intervals import Drawn, Values, of_class
from rareseg.measures.shares import by_share
from rareseg.measures.topology import TopologyCounts
from rareseg.measures.widths import WidthCounts
from rareseg.records.report import ClassScores
from rareseg.records.scores import (
    Curve,
    LineScores,
    ObjectScores,
    Operating,
    Reliability,
    SizeScores,
    Transfer,
    WidthScores,
)

WANTED_RECALL = (0.8, 0.9, 0.95)
WANTED_PRECISION = (0.8, 0.9)
DRIFT = 2.0
"""Times by which a class may be rarer or more frequent than where its threshold was chosen."""


def values(found: Evaluation) -> Values:
    """Return the scores that have intervals, per class, by name."""
    confusion, curve, near = found.total.confusion, found.total.curve, found.total.relaxed_curve
    labels = range(len(found.classes))
    none: tuple[float | None, ...] = (None,) * len(found.classes)
    even = [None] * len(found.classes) if near is None else near.break_even()
    plain = {
        "iou": confusion.iou(),
        "f1": confusion.f1(),
        "precision": confusion.precision(),
        "recall": confusion.recall(),
        "average_precision": none if curve is None else curve.average_precision(),
        "calibration_error": none if curve is None else calibration_error(curve),
        "roc_area": none if curve is None else curve.roc_area(),
        BREAK_EVEN: tuple(None if one is None else one.score for one in even),
    }
    details = [ratios(found.details.total(label)) for label in labels]
    return plain | {name: tuple(one[name] for one in details) for name in NAMES}


def class_scores(
    found: Evaluation, label: int, *, scores: Values, draws: Drawn, threshold: float | None
) -> ClassScores:
    """Return all scores of class number `label`; `threshold` is that of the map, a probability."""
    pixels = found.total.confusion.pixels[label]
    curve = found.total.curve
    shape = found.details.total(label).shape
    own = {name: by_class[label] for name, by_class in scores.items()}
    return ClassScores(
        **{name: value for name, value in own.items() if "." not in name},
        threshold=threshold,
        pixels=pixels,
        expected_share=None if curve is None else expected_share(curve)[label],
        intervals=of_class(draws, label, scores),
        curve=None if curve is None else _curve(curve, label),
        reliability=None if curve is None else _reliability(curve, label),
        operating=() if curve is None else _operating(found, curve, label),
        lines=None if shape.lines is None else _lines(shape.lines, _under("lines.", own)),
        objects=None if shape.objects is None else _objects(shape.objects, _under("objects.", own)),
        widths=() if shape.widths is None else _widths(shape.widths),
        shares=by_share(found.images, label),
    )


def _under(prefix: str, own: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name.removeprefix(prefix): value for name, value in own.items() if name.startswith(prefix)}


def transfers(
    found: Evaluation, chosen_shares: Sequence[float | None], thresholds: Sequence[float | None]
) -> tuple[Transfer, ...]:
    """Return the classes whose share here differs from that where thresholds were chosen by more than DRIFT times."""
    curve, counted = found.total.curve, found.total.confusion.counted
    if curve is None or not counted:
        return ()
    best = curve.best()
    told = []
    for label, name in enumerate(found.classes):
        before, threshold, there = chosen_shares[label], thresholds[label], best[label]
        share = found.total.confusion.pixels[label] / counted
        if before is None or threshold is None or there is None or not before or not share:
            continue
        here = curve.at(label, threshold)
        if here is not None and not 1 / DRIFT <= share / before <= DRIFT:
            told.append(
                Transfer(
                    name=name,
                    chosen_share=before,
                    share=share,
                    threshold=threshold,
                    iou=here.iou,
                    best_threshold=there.threshold,
                    best_iou=there.iou,
                )
            )
    return tuple(told)


def _curve(curve: ScoreHistogram, label: int) -> Curve | None:
    points = precision_recall_points(curve, label)[::-1]
    if not points:
        return None
    lacks = int(curve.negatives[label].sum())
    hits, given = curve.from_top(label)
    false = [int(given[place] - hits[place]) for place in (first_bin(point.threshold) for point in points)]
    return Curve(
        thresholds=tuple(point.threshold for point in points),
        precision=tuple(point.precision for point in points),
        recall=tuple(point.recall for point in points),
        false_positive_rate=tuple(one / lacks if lacks else 0.0 for one in false),
    )


def _reliability(curve: ScoreHistogram, label: int) -> Reliability:
    bins = reliability(curve, label)
    return Reliability(
        mean_probability=tuple(one.mean_probability for one in bins),
        frequency=tuple(one.frequency for one in bins),
        pixels=tuple(one.pixels for one in bins),
    )


def _operating(found: Evaluation, curve: ScoreHistogram, label: int) -> tuple[Operating, ...]:
    points = [("best F1 and IoU", curve.best()[label])]
    points += [(f"recall {wanted:g}", precision_at_recall(curve, label, wanted)) for wanted in WANTED_RECALL]
    points += [
        (f"precision {wanted:g}", recall_at_precision(curve, label, wanted)) for wanted in WANTED_PRECISION
    ]
    reached = [
        Operating(
            wanted=wanted,
            threshold=point.threshold,
            precision=point.precision,
            recall=point.recall,
            iou=point.iou,
        )
        for wanted, point in points
        if point is not None
    ]
    near = found.total.relaxed_curve
    even = None if near is None else near.break_even()[label]
    if even is not None:
        relaxed = Operating(
            wanted="relaxed break-even",
            threshold=even.threshold,
            precision=even.score,
            recall=even.score,
            iou=None,
        )
        reached.append(relaxed)
    return tuple(reached)


def _lines(counts: TopologyCounts, own: Mapping[str, float | None]) -> LineScores:
    found = counts.connections
    return LineScores(
        **own, unit="km" if found.unit == "m" else "1,000 px", true_length=found.true_length / 1000
    )


def _objects(counts: ObjectCounts, own: Mapping[str, float | None]) -> ObjectScores:
    matched = int(counts.found.sum())
    return ObjectScores(
        **own,
        least_iou=LEAST_IOU,
        true=int(counts.true.sum()),
        given=matched + int(counts.false.sum()),
        matched=matched,
        sizes=tuple(
            SizeScores(
                low=one.low,
                high=None if one.high is None else one.high + 1,
                true=one.true,
                given=one.found + one.false,
                matched=one.found,
                f1=one.f1,
            )
            for one in counts.by_size
        ),
    )


def _widths(counts: WidthCounts) -> tuple[WidthScores, ...]:
    return tuple(
        WidthScores(low=one.low, high=one.high, pixels=one.true, recall=one.recall)
        for one in counts.by_width
        if one.true
    )
