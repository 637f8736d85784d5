"""What is found of wide and narrow parts, of large and small objects, of rich and poor images; lines and objects."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rareseg.records.report import ClassScores
from rareseg.records.scores import LineScores, ObjectScores
from rareseg.showing.dot_charts import Dot, DotRow, dots
from rareseg.showing.layout import ABSENT, spell_count, spell_score, spell_share
from rareseg.showing.report_page_elements import (
    Html,
    all_or_differ,
    beside_each_other,
    figures,
    legend,
    name,
    section,
    table,
)
from rareseg.showing.report_page_subjects import Shown, asked_names, class_names, scores_of
from rareseg.showing.report_page_terms import term


class _Kind(NamedTuple):
    """What a picture breaks a score down by."""

    title: str
    label: str
    beside: str
    binned: "Callable[[ClassScores], Iterator[_Binned]]"


class _Binned(NamedTuple):
    """One bin of one run: its label, the score, and how much it holds."""

    label: str
    value: float | None
    beside: str


def breakdowns(subjects: Sequence[Shown]) -> Html:
    """Return the section of scores by width, by size and by the image's share of the class."""
    drawn: list[Html] = []
    for one in asked_names(subjects):
        drawn += [_picture(subjects, one, kind) for kind in _KINDS]
    held = figures(drawn)
    return section(
        "breakdowns",
        "Where it is good and where not",
        [legend([one.name for one in subjects]), held] if held else [],
    )


def _picture(subjects: Sequence[Shown], one: str, kind: _Kind) -> Html:
    """Draw the bins of all runs, a row each; runs that were binned otherwise have rows of their own."""
    rows: dict[str, tuple[list[Dot | None], dict[str, None]]] = {}
    for place, subject in enumerate(subjects):
        scores = scores_of(subject, one)
        for held in kind.binned(scores) if scores else ():
            values, counts = rows.setdefault(held.label, ([None] * len(subjects), {}))
            values[place] = None if held.value is None else Dot(held.value)
            counts[held.beside] = None
    drawn = [DotRow(text, values, all_or_differ(counts)) for text, (values, counts) in rows.items()]
    told = "; ".join(
        f"{row.label}: {', '.join('not measurable' if dot is None else spell_score(dot.value) for dot in row.dots)}"
        for row in drawn
    )
    title = f"{one}: {kind.title}"
    return dots(title, drawn, label=kind.label, beside=kind.beside, told=f"{title}. {told}.")


def _widths(scores: ClassScores) -> Iterator[_Binned]:
    for held in scores.widths:
        if held.high is None:
            label = f"{held.low} px and more"
        else:
            label = f"{held.low} px" if held.high == held.low else f"{held.low} to {held.high} px"
        yield _Binned(label, held.recall, _short(held.pixels))


def _sizes(scores: ClassScores) -> Iterator[_Binned]:
    for held in scores.objects.sizes if scores.objects else ():
        label = (
            f"{_short(held.low)} px +"
            if held.high is None
            else f"{_short(held.low)} to {_short(held.high - 1)} px"
        )
        yield _Binned(label, held.f1, spell_count(held.true))


def _shares(scores: ClassScores) -> Iterator[_Binned]:
    for held in scores.shares:
        yield _Binned(
            f"{spell_share(held.low)} to {spell_share(held.high)} %", held.iou, spell_count(held.images)
        )


_KINDS = (
    _Kind("recall by width", "recall", "labelled px", _widths),
    _Kind("F1 by size of the object", "F1", "objects", _sizes),
    _Kind("IoU by share of the image", "IoU", "images", _shares),
)


def _short(count: int) -> str:
    return f"{count / 1000:.3g} k" if count >= 10_000 else spell_count(count)


def structures(subjects: Sequence[Shown]) -> Html:
    """Return the section of lines and objects: a table per class, a column per run."""
    parts = []
    for one in class_names(subjects):
        found = [scores_of(subject, one) for subject in subjects]
        lines = [scores.lines if scores else None for scores in found]
        objects = [scores.objects if scores else None for scores in found]
        headings = ["score", *(name(subject.name) for subject in subjects)]
        if any(lines):
            rows = [[title, *(spell(held) if held else ABSENT for held in lines)] for title, spell in _LINES]
            parts.append(table(f"{one} as a network of lines", headings, rows))
        if any(objects):
            counted = [
                [title, *(spell(held) if held else ABSENT for held in objects)] for title, spell in _OBJECTS
            ]
            parts.append(table(f"{one} as objects", headings, counted))
    return section("structures", "As lines and as objects", [beside_each_other(parts)])


def _rate(value: float | None, unit: str) -> str:
    return ABSENT if value is None else f"{value:.2f} per {unit}"


def _length(held: LineScores) -> str:
    return f"{held.true_length:,.4g} km" if held.unit == "km" else f"{1000 * held.true_length:,.0f} px"


_LINES: tuple[tuple[str, Callable[[LineScores], str]], ...] = (
    (f"{term('apls')} (paths are as long)", lambda held: spell_score(held.apls)),
    (f"{term('topo', 'TOPO F1')} (reachable places agree)", lambda held: spell_score(held.topo_f1)),
    ("TOPO precision", lambda held: spell_score(held.topo_precision)),
    ("TOPO recall", lambda held: spell_score(held.topo_recall)),
    (f"{term('cldice')} (centrelines)", lambda held: spell_score(held.cldice)),
    (f"{term('completeness')} (of the true length)", lambda held: spell_score(held.completeness)),
    (f"{term('correctness')} (of the given length)", lambda held: spell_score(held.correctness)),
    (term("breaks"), lambda held: _rate(held.breaks, held.unit)),
    (term("false"), lambda held: _rate(held.false_branches, held.unit)),
    ("true length", _length),
)
_OBJECTS: tuple[tuple[str, Callable[[ObjectScores], str]], ...] = (
    ("counts as found from IoU", lambda held: f"{held.least_iou:g}"),
    ("true objects", lambda held: spell_count(held.true)),
    ("given objects", lambda held: spell_count(held.given)),
    ("matched", lambda held: spell_count(held.matched)),
    ("precision: of the given objects", lambda held: spell_score(held.precision)),
    ("recall: of the true objects", lambda held: spell_score(held.recall)),
    ("F1", lambda held: spell_score(held.f1)),
)
