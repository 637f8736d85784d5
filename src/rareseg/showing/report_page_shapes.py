"""What is found of wide and narrow parts, of large and small objects, of rich and poor images; lines and objects."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rareseg.records.report import ClassScores
from rareseg.records.scores import LineScores, ObjectScores
from rareseg.showing.dot_charts import Dot, DotRow, dots
from rareseg.showing.layout import ABSENT, spell_count, spell_score, spell_share
from rareseg.showing.report_page_differences import difference_cells, difference_headings
from rareseg.showing.report_page_elements import (
    Html,
    all_or_differ,
    beside_each_other,
    figures,
    interval,
    legend,
    name,
    score,
    section,
    table,
)
from rareseg.showing.report_page_subjects import Shown, asked_names, class_names, rivals, scores_of
from rareseg.showing.report_page_terms import term
from rareseg.showing.score_reading import RATES


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
    """Return the section of lines and objects: a table per class, a column per run, and their differences."""
    parts = []
    for one in class_names(subjects):
        found = [scores_of(subject, one) for subject in subjects]
        if any(scores and scores.lines for scores in found):
            parts.append(_structure(subjects, one, "as a network of lines", _LINES))
        if any(scores and scores.objects for scores in found):
            parts.append(_structure(subjects, one, "as objects", _OBJECTS))
    return section("structures", "As lines and as objects", [beside_each_other(parts)])


def _structure(subjects: Sequence[Shown], one: str, as_what: str, rows: Sequence["_Row"]) -> Html:
    found = [scores_of(subject, one) for subject in subjects]
    headings = ["score", *(name(subject.name) for subject in subjects), *difference_headings(subjects)]
    drawn = []
    for row in rows:
        cells = [row.spell(scores) if scores else ABSENT for scores in found]
        gaps = difference_cells(subjects, one, row.score) if row.score else [ABSENT for _ in rivals(subjects)]
        drawn.append([row.title, *cells, *gaps])
    return table(f"{one} {as_what}", headings, drawn)


class _Row(NamedTuple):
    """One row of such a table."""

    title: Html
    score: str
    """As in ClassScores.intervals; "" for what is no score."""
    spell: Callable[[ClassScores], Html]


def _score(title: Html, key: str) -> _Row:
    """Return the row of a score with its interval; `key` as in ClassScores.intervals."""
    record, field = key.split(".")

    def spell(scores: ClassScores) -> Html:
        held = getattr(scores, record)
        if held is None:
            return ABSENT
        value = getattr(held, field)
        if key not in RATES or value is None:
            return score(value, scores.intervals.get(key))
        return f"{value:.2f}{interval(scores.intervals.get(key))} per {held.unit}"

    return _Row(title, key, spell)


def _line_fact(title: str, spell: Callable[[LineScores], str]) -> _Row:
    return _Row(title, "", lambda scores: ABSENT if scores.lines is None else spell(scores.lines))


def _object_fact(title: str, spell: Callable[[ObjectScores], str]) -> _Row:
    return _Row(title, "", lambda scores: ABSENT if scores.objects is None else spell(scores.objects))


def _length(held: LineScores) -> str:
    return f"{held.true_length:,.4g} km" if held.unit == "km" else f"{1000 * held.true_length:,.0f} px"


_LINES = (
    _score(f"{term('apls')} (paths are as long)", "lines.apls"),
    _score(f"{term('topo', 'TOPO F1')} (reachable places agree)", "lines.topo_f1"),
    _score("TOPO precision", "lines.topo_precision"),
    _score("TOPO recall", "lines.topo_recall"),
    _score(f"{term('cldice')} (centrelines)", "lines.cldice"),
    _score(f"{term('completeness')} (of the true length)", "lines.completeness"),
    _score(f"{term('correctness')} (of the given length)", "lines.correctness"),
    _score(term("breaks"), "lines.breaks"),
    _score(term("false"), "lines.false_branches"),
    _line_fact("true length", _length),
)
_OBJECTS = (
    _object_fact("counts as found from IoU", lambda held: f"{held.least_iou:g}"),
    _object_fact("true objects", lambda held: spell_count(held.true)),
    _object_fact("given objects", lambda held: spell_count(held.given)),
    _object_fact("matched", lambda held: spell_count(held.matched)),
    _score("precision: of the given objects", "objects.precision"),
    _score("recall: of the true objects", "objects.recall"),
    _score("F1", "objects.f1"),
)
