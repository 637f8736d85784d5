"""The scores of every class: what knowing nothing scores, each run, and what it is compared with, side by side."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from rareseg.records.report import ClassScores, Report
from rareseg.showing.dot_charts import Dot, DotRow, dots
from rareseg.showing.layout import ABSENT, spell_count, spell_score, spell_share
from rareseg.showing.report_page_differences import difference_cells, difference_headings
from rareseg.showing.report_page_elements import (
    Html,
    all_or_differ,
    details,
    figures,
    legend,
    name,
    note,
    score,
    section,
    table,
)
from rareseg.showing.report_page_subjects import (
    Shown,
    class_names,
    constant_scores,
    given_share,
    rivals,
    scores_of,
    share,
)
from rareseg.showing.report_page_terms import term
from rareseg.showing.score_reading import TERMS, map_threshold, origin


class _Score(NamedTuple):
    title: Html
    key: str
    """Field of ClassScores, or "given_share"."""


_PICTURED = (
    f'<p class="note">Line: {term("interval")} over scenes drawn anew. Upright tick: what the '
    f"{term('constant')} scores, or pixels ranked at random.</p>"
)
_DRAWN = (
    ("IoU: overlap with the labels", "IoU", "iou"),
    ("Average precision: ranking, whatever the threshold", "Average precision", "average_precision"),
)
_SHARES = ("given_share", "expected_share")
"""Told in %, as shares are everywhere."""
_MANY = 24
"""Classes whose every score is shown at once."""


def scores(subjects: Sequence[Shown]) -> Html:
    """Return the section of scores."""
    names = class_names(subjects)
    drawn = figures(_pictures(subjects, names))
    parts = [
        legend([one.name for one in subjects]),
        *([drawn, _PICTURED] if drawn else []),
        _overview(subjects, names),
        *(_of_class(subjects, one, is_open=place == 0) for place, one in enumerate(names[:_MANY])),
        _means(subjects),
        *_legend(subjects),
    ]
    return section("scores", "Scores, class by class", parts)


def _pictures(subjects: Sequence[Shown], names: Sequence[str]) -> Iterator[Html]:
    for title, label, key in _DRAWN:
        rows = []
        for one in names:
            drawn = [_dot(scores_of(subject, one), key) for subject in subjects]
            floors = [constant_scores(subject.report, one).get(key) for subject in subjects]
            floor = next((value for value in floors if value is not None), None)
            shares = {f"{held} %": None for held in _shares(subjects, one)}
            rows.append(DotRow(one, drawn, all_or_differ(shares), floor))
        told = f"{label} of each class, 0 to 1, with its 95 % interval and a tick where the constant answer stands."
        yield dots(title, rows, label=label, beside="share", told=told)


def _dot(found: ClassScores | None, key: str) -> Dot | None:
    value = getattr(found, key) if found else None
    if found is None or value is None:
        return None
    reach = found.intervals.get(key)
    return Dot(value, reach.low, reach.high) if reach else Dot(value)


def _shares(subjects: Sequence[Shown], one: str) -> list[str]:
    """Return the labelled share of the class in %, once where all were scored on the same."""
    found = [held for subject in subjects if (held := share(subject.report, one)) is not None]
    return list(dict.fromkeys(map(spell_share, found))) or [ABSENT]


def _overview(subjects: Sequence[Shown], names: Sequence[str]) -> Html:
    alone = len(subjects) == 1
    headings = ["class", "share&nbsp;%"]
    headings += ["given&nbsp;%"] if alone else []
    for key, floor in (("iou", term("constant", "constant")), ("ap", "at random")):
        headings += [term(key) if alone else f"{term(key)}, {name(one.name)}" for one in subjects]
        headings.append(f"{TERMS[key][0]}, {floor}")
    rows = []
    for one in names:
        row = [name(one), " / ".join(_shares(subjects, one))]
        row += [spell_share(given_share(subjects[0].report, one))] if alone else []
        for key in ("iou", "average_precision"):
            row += [_cell(subject, one, key) for subject in subjects]
            row.append(_dim(_floor(subjects, one, key)))
        rows.append(row)
    return table("IoU and average precision of every class", headings, rows, told=False)


def _cell(subject: Shown, one: str, key: str) -> Html:
    found = scores_of(subject, one)
    value = getattr(found, key) if found else None
    if found is None or value is None:
        return ABSENT
    floor = constant_scores(subject.report, one).get(key)
    told = score(value, found.intervals.get(key))
    return told if floor is None or value > floor else f'<strong class="bad">{told}</strong>'


def _floor(subjects: Sequence[Shown], one: str, key: str) -> str:
    told = dict.fromkeys(spell_score(constant_scores(subject.report, one).get(key)) for subject in subjects)
    return " / ".join(told)


def _dim(text: str) -> Html:
    return f'<span class="dim">{text}</span>'


def _of_class(subjects: Sequence[Shown], one: str, *, is_open: bool) -> Html:
    """Return every score of one class, a row each."""
    if not any((found := scores_of(subject, one)) and found.pixels for subject in subjects):
        return ""
    headings = ["score", term("constant"), *(name(subject.name) for subject in subjects)]
    headings += difference_headings(subjects)
    rows = [row for held in _named(subjects) if (row := _row(subjects, one, held)) is not None]
    title = f"Every score of {one}"
    pixels = " / ".join(
        dict.fromkeys(spell_count(found.pixels) for subject in subjects if (found := scores_of(subject, one)))
    )
    covers = " / ".join(map(escape, _shares(subjects, one)))
    summary = f'Every score of {name(one)} <span class="dim">{pixels} px labelled, {covers}&nbsp;%</span>'
    return details(summary, table(title, headings, rows, told=False), is_open=is_open)


def _named(subjects: Sequence[Shown]) -> Iterator[_Score]:
    relaxed = " / ".join(dict.fromkeys(str(one.report.relaxed_px) for one in subjects))
    boundary = " / ".join(dict.fromkeys(str(one.report.boundary_px) for one in subjects))
    within = term("within", f"within {relaxed} px")
    yield _Score(term("iou"), "iou")
    yield _Score(term("f1"), "f1")
    yield _Score(term("precision"), "precision")
    yield _Score(term("recall"), "recall")
    yield _Score(term("ap", "average precision (AP)"), "average_precision")
    yield _Score(f"F1 {within}", "relaxed_f1")
    yield _Score(f"precision {within}", "relaxed_precision")
    yield _Score(f"recall {within}", "relaxed_recall")
    yield _Score(f"{term('break-even')} {within}", "break_even")
    yield _Score(f"{term('boundary')}, {boundary} px", "boundary_iou")
    yield _Score(f"{term('roc')} (near 1 for any rare class)", "roc_area")
    yield _Score(f"{term('calibration')} (0 is best)", "calibration_error")
    yield _Score(term("given"), "given_share")
    yield _Score(term("expected"), "expected_share")
    yield _Score(term("threshold"), "threshold")


def _row(subjects: Sequence[Shown], one: str, held: _Score) -> list[Html] | None:
    found = [scores_of(subject, one) for subject in subjects]
    values = [
        _value(subject.report, scores, one, held.key) for subject, scores in zip(subjects, found, strict=True)
    ]
    if all(value is None for value in values):
        return None
    row = [held.title, _dim(_floor(subjects, one, held.key))]
    for scores, value in zip(found, values, strict=True):
        if held.key in _SHARES:
            row.append(ABSENT if value is None else f"{escape(spell_share(value))}&nbsp;%")
        else:
            row.append(score(value, scores.intervals.get(held.key) if scores else None))
    return row + difference_cells(subjects, one, held.key)


def _value(report: Report, scores: ClassScores | None, one: str, key: str) -> float | None:
    if scores is None:
        return None
    if key == "threshold":
        return map_threshold(report, one)
    value: float | None = given_share(report, one) if key == "given_share" else getattr(scores, key)
    return value


def _means(subjects: Sequence[Shown]) -> Html:
    """Return the means, and accuracy as the last row: it is the majority class's score."""
    headings = ["mean over the classes present", "constant answer", *(name(one.name) for one in subjects)]
    headings += difference_headings(subjects)
    keys = (
        ("IoU", "iou"),
        ("F1", "f1"),
        ("precision", "precision"),
        ("recall", "recall"),
        ("average precision", "average_precision"),
    )
    reports = [one.report for one in subjects]
    constants = [report.constant_predictor for report in reports]
    rows = []
    for title, key in keys:
        floors = [spell_score(one.macro_iou) for one in constants] if key == "iou" else [ABSENT]
        values = [score(getattr(report.macro, key), report.macro.intervals.get(key)) for report in reports]
        gaps = difference_cells(subjects, "", key)
        rows.append([title, _dim(" / ".join(dict.fromkeys(floors))), *values, *gaps])
    accuracies = " / ".join(dict.fromkeys(spell_score(one.accuracy) for one in constants))
    last = ["accuracy over all pixels (says little here)", _dim(accuracies)]
    without = [ABSENT for _ in rivals(subjects)]
    rows.append([*last, *(spell_score(report.micro.accuracy) for report in reports), *without])
    return details(
        "Means over classes, and accuracy", table("Means over classes", headings, rows, told=False)
    )


def _legend(subjects: Sequence[Shown]) -> Iterator[Html]:
    for one in subjects:
        report = one.report
        of = "" if len(subjects) == 1 else f"{one.name}: "
        yield note(f"{of}{_decided(report)}")
        absent = [held for held, found in report.classes.items() if not found.pixels]
        if absent:
            yield note(f"{of}Not measurable, as no counted pixel holds them: {', '.join(absent)}.")
    for one, other in rivals(subjects):
        yield (
            f"<p>{name(one.name)} − {name(other.name)}: the difference on the {other.report.images} images that both "
            "answer for. One in bold is certain: its 95 % interval, paired over scenes, leaves out zero. Above 0 the "
            "first scores higher, which is better but for calibration error, breaks and false branches.</p>"
        )


def _decided(report: Report) -> str:
    told = f" Thresholds: {origin(report)}." if report.thresholds_from else ""
    if report.source == "classes":
        return "Maps of classes were scored; they rank nothing, so they have no AP and no curve."
    if report.decision == "threshold":
        return f"The map gives a class from its threshold on.{told}"
    return f"The map gives the likeliest class; thresholds are for reading only.{told}"
