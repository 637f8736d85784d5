"""The rest of a Report as tables: how sure its scores are, edges, lines, objects, and another map beside it."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from rareseg.records.report import ClassScores, Report
from rareseg.records.scores import Difference, Interval, LineScores, Transfer
from rareseg.showing.layout import ABSENT, bullets, class_name, remark, section, spell_score, table
from rareseg.showing.report_page_subjects import rarest
from rareseg.showing.score_reading import FEWER_IS_BETTER, SAID

_SURE = {"iou": "IoU", "f1": "F1", "average_precision": "AP"}
_MAIN = ("iou", "f1", "average_precision")
"""Scores that are compared of every class; of the rarest one it is all of them."""
Rows = list[list[str | Text]]
_NEGLIGIBLE = 0.0005
"""Differences that three decimals show as 0.000 are no news, however certain."""


def details(report: Report) -> Iterator[RenderableType]:
    """Yield the sections for which there is something to say."""
    present = {name: scores for name, scores in report.classes.items() if scores.pixels}
    for part in (_sure(report, present), _edges(report, present), _lines(present), _objects(present)):
        if part is not None:
            yield part
    if report.against is not None:
        yield _against(report, report.against)
    if report.transfer:
        yield bullets("Thresholds that do not fit here", map(_drift, report.transfer))


def spell_interval(value: float | None, span: Interval | None) -> str:
    """ "0.540 [0.510, 0.570]"; the value alone where the interval is not known."""
    told = spell_score(value)
    return told if span is None else f"{told} [{span.low:.3f}, {span.high:.3f}]"


def _sure(report: Report, present: Mapping[str, ClassScores]) -> RenderableType | None:
    if not any(scores.intervals for scores in present.values()):
        return None
    rows: Rows = [
        [
            class_name(name, scores.pixels / report.counted_pixels),
            *(spell_interval(getattr(scores, field), scores.intervals.get(field)) for field in _SURE),
        ]
        for name, scores in present.items()
    ]
    headings = [("class", "left"), *((said, "left") for said in _SURE.values())]
    told = remark(f"95 % intervals over {report.scenes} scenes drawn anew; another area may differ more")
    return section("How sure", table(headings, rows), told)


def _edges(report: Report, present: Mapping[str, ClassScores]) -> RenderableType | None:
    if all(scores.boundary_iou is None for scores in present.values()):
        return None
    headings = [("class", "left"), ("boundary IoU", "right"), ("precision", "right"), ("recall", "right")]
    headings += [("F1", "right"), ("break-even", "right")]
    rows: Rows = [
        [
            class_name(name, scores.pixels / report.counted_pixels),
            *map(
                spell_score,
                (
                    scores.boundary_iou,
                    scores.relaxed_precision,
                    scores.relaxed_recall,
                    scores.relaxed_f1,
                    scores.break_even,
                ),
            ),
        ]
        for name, scores in present.items()
    ]
    told = remark(
        f"boundary IoU: of strips of {report.boundary_px} px along edges; the others within {report.relaxed_px} px; "
        "break-even: where such precision and recall are equal"
    )
    return section("Edges", table(headings, rows), told)


def _lines(present: Mapping[str, ClassScores]) -> RenderableType | None:
    found = {name: scores.lines for name, scores in present.items() if scores.lines is not None}
    if not found:
        return None
    headings = [("class", "left"), ("APLS", "right"), ("TOPO F1", "right"), ("clDice", "right")]
    headings += [("found", "right"), ("right", "right"), ("breaks", "right"), ("false", "right")]
    rows: Rows = [
        [
            Text(name, style="bold"),
            *map(spell_score, (one.apls, one.topo_f1, one.cldice, one.completeness, one.correctness)),
            *(ABSENT if rate is None else f"{rate:.3g}" for rate in (one.breaks, one.false_branches)),
        ]
        for name, one in found.items()
    ]
    unit = next(iter(found.values())).unit
    length = ", ".join(f"{_length(one)} of {name}" for name, one in found.items())
    told = remark(
        f"as networks: found, right: share of the length; breaks and false branches per {unit}; there are {length}"
    )
    return section("Lines", table(headings, rows), told)


def _length(one: LineScores) -> str:
    return f"{one.true_length:.4g} km" if one.unit == "km" else f"{1000 * one.true_length:,.0f} px"


def _objects(present: Mapping[str, ClassScores]) -> RenderableType | None:
    found = {name: scores.objects for name, scores in present.items() if scores.objects is not None}
    if not found:
        return None
    headings = [("class", "left"), ("objects", "right"), ("given", "right"), ("matched", "right")]
    headings += [("precision", "right"), ("recall", "right"), ("F1", "right")]
    rows: Rows = [
        [
            Text(name, style="bold"),
            *map(str, (one.true, one.given, one.matched)),
            *map(spell_score, (one.precision, one.recall, one.f1)),
        ]
        for name, one in found.items()
    ]
    least = next(iter(found.values())).least_iou
    return section(
        "Objects", table(headings, rows), remark(f"matched: overlaps one object with IoU >= {least:g}")
    )


def _against(report: Report, other: Report) -> RenderableType:
    """Every score of the rarest class beside the other's, the main ones of the other classes, and the means."""
    headings = [("", "left"), ("this", "right"), ("other", "right"), ("difference", "left"), ("", "left")]
    asked = rarest(report)
    shown = [
        one
        for one in sorted(report.differences, key=lambda one: (one.name != asked, not one.name))
        if one.difference is not None and (one.name == asked or one.score in _MAIN)
    ]
    rows: Rows = []
    for name, held in groupby(shown, key=lambda one: one.name):
        rows.append([Text(name or "mean over classes", style="bold"), "", "", "", ""])
        rows += [
            [
                f"  {SAID.get(one.score, one.score)}",
                spell_score(one.this),
                spell_score(one.other),
                _difference(one),
                _verdict(one),
            ]
            for one in held
        ]
    told = remark(
        f"on the same {other.images} images; 95 % intervals are paired: both are drawn over the same scenes"
    )
    notes = [remark(note) for note in other.notes]
    return section(f"Against {other.name}", table(headings, rows, tight=True), told, *notes)


def _difference(one: Difference) -> str:
    if one.difference is None:
        return ABSENT
    span = "" if one.interval is None else f" [{one.interval.low:+.3f}, {one.interval.high:+.3f}]"
    return f"{one.difference:+.3f}{span}"


def _verdict(one: Difference) -> Text:
    if one.interval is None:
        return Text("too few scenes", style="dim")
    if not one.certain:
        return Text("may be chance", style="dim")
    if abs(one.difference or 0) < _NEGLIGIBLE:
        return Text("below 0.001", style="dim")
    better = ((one.difference or 0) > 0) != (one.score in FEWER_IS_BETTER)
    return Text("better", style="green") if better else Text("worse", style="red")


def _drift(one: Transfer) -> str:
    return (
        f"{one.name} covers {one.share:.2%} here and covered {one.chosen_share:.2%} where its threshold "
        f"{one.threshold:.3g} was chosen. At {one.best_threshold:.3g}, the best one here, IoU would be "
        f"{one.best_iou:.3f} instead of {one.iou:.3f}: choose it anew on validation data that is as rare."
    )
