"""Curves of each class with a line per run: precision against recall, reliability; and the points one may work at."""

from collections.abc import Iterator, Sequence

from rareseg.records.report import ClassScores
from rareseg.records.scores import Curve
from rareseg.showing.layout import spell_score
from rareseg.showing.line_charts import Axis, Level, Line, chart
from rareseg.showing.report_page_elements import (
    Html,
    beside_each_other,
    details,
    figures,
    legend,
    name,
    score,
    section,
    table,
)
from rareseg.showing.report_page_subjects import Shown, asked_names, class_names, scores_of, share

_MOST_CLASSES = 9
"""Charts shown at once; the others, more frequent ones, unfold."""


def precision_recall(subjects: Sequence[Shown]) -> Html:
    """Return the section of precision-recall curves, the rarest class first."""
    drawn = [_precision_recall(subjects, one) for one in class_names(subjects)]
    told = (
        "Every point is a threshold; the ring is the map as it was scored. The dashed level is the share of the class, "
        "the precision of pixels ranked at random."
    )
    return section("curves", "Precision against recall", _charts(subjects, drawn), told=told)


def _charts(subjects: Sequence[Shown], drawn: Sequence[Html]) -> list[Html]:
    held = [one for one in drawn if one]
    if not held:
        return []
    rest = figures(held[_MOST_CLASSES:])
    names = legend([one.name for one in subjects])
    return [names, figures(held[:_MOST_CLASSES]), details("The other classes", rest)]


def _precision_recall(subjects: Sequence[Shown], one: str) -> Html:
    lines: list[Line] = []
    levels: dict[float, None] = {}
    for place, subject, scores, curve in _with_curve(subjects, one):
        points = list(zip(curve.recall, curve.precision, strict=True))
        ring = None
        if scores.recall is not None and scores.precision is not None:
            ring = (scores.recall, scores.precision)
        lines.append(Line(subject.name, points, place, ring=ring))
        levels[share(subject.report, one) or 0.0] = None
    told = "; ".join(
        f"{subject.name}: average precision {spell_score(scores.average_precision)}"
        for _, subject, scores, _ in _with_curve(subjects, one)
    )
    named = [Level("at random" if not place else "", held, "left") for place, held in enumerate(levels)]
    return chart(
        one,
        lines,
        Axis("recall", 0, 1),
        Axis("precision", 0, 1),
        levels=named,
        told=f"Precision against recall of {one}. {told}.",
    )


def _with_curve(subjects: Sequence[Shown], one: str) -> Iterator[tuple[int, Shown, ClassScores, Curve]]:
    for place, subject in enumerate(subjects):
        scores = scores_of(subject, one)
        if scores and scores.curve and scores.curve.thresholds:
            yield place, subject, scores, scores.curve


def reliability(subjects: Sequence[Shown]) -> Html:
    """Return the section of reliability curves."""
    drawn = [_reliability(subjects, one) for one in class_names(subjects)]
    told = (
        "Of the pixels given 0.3, do 30 % hold the class? On the diagonal they do; below it the probabilities are too "
        "high, above it too low."
    )
    return section(
        "reliability", "Whether probabilities can be believed", _charts(subjects, drawn), told=told
    )


def _reliability(subjects: Sequence[Shown], one: str) -> Html:
    lines, told = [], []
    for place, subject in enumerate(subjects):
        scores = scores_of(subject, one)
        if scores and scores.reliability and scores.reliability.mean_probability:
            held = scores.reliability
            points = zip(held.mean_probability, held.frequency, held.pixels, strict=True)
            # A bin without pixels says nothing.
            lines.append(
                Line(subject.name, [(x, y) for x, y, pixels in points if pixels], place, marked=True)
            )
            told.append(f"{subject.name}: calibration error {_error(scores.calibration_error)}")
    return chart(
        one,
        lines,
        Axis("probability given", 0, 1),
        Axis("how often it is true", 0, 1),
        diagonal=True,
        told=f"Reliability of {one}. {'; '.join(told)}.",
    )


def _error(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4f}"


def operating(subjects: Sequence[Shown]) -> Html:
    """Return the section of operating points: thresholds to copy."""
    parts = []
    for one in asked_names(subjects):
        rows = []
        for subject in subjects:
            scores = scores_of(subject, one)
            for point in scores.operating if scores else ():
                row = [
                    name(point.wanted),
                    *([] if len(subjects) == 1 else [name(subject.name)]),
                    _copied(point.threshold),
                ]
                rows.append([*row, *(score(held) for held in (point.precision, point.recall, point.iou))])
        headings = [
            "wanted",
            *([] if len(subjects) == 1 else ["run"]),
            "threshold",
            "precision",
            "recall",
            "IoU",
        ]
        parts.append(
            table(f"Operating points of {one}", headings, rows, left=(0,) if len(subjects) == 1 else (0, 1))
        )
    told = (
        "The best of the labels scored here, so their scores are flattered: choose a threshold for use on data that "
        "you do not report on, such as the validation part."
    )
    return section("thresholds", "Thresholds to work at", [beside_each_other(parts)], told=told)


def _copied(threshold: float) -> Html:
    told = f"{threshold:.6g}"
    return (
        f'<code>{told}</code> <button type="button" class="copy" data-copy="{told}" '
        f'aria-label="Copy threshold {told}">copy</button>'
    )
