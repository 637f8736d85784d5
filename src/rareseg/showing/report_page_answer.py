"""The head of a report page: does it find the rare class? One sentence per run, with what knowing nothing scores."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from rareseg.records.report import ClassScores, Report
from rareseg.records.scores import Interval
from rareseg.showing.layout import spell_chance, spell_score, spell_share
from rareseg.showing.report_page_elements import Html, interval, name, percent
from rareseg.showing.report_page_subjects import Shown, constant_scores, rarest, share, told_as_data

_BY_CHANCE = 1.5
"""Average precision of so many times the share of the class, or less, is that of pixels ranked at random."""
_HALF = 0.5

RULE = (
    "Yes: it finds at least half of the class, and at least half of what it calls so is right. Partly: one of the "
    "two, or neither but better than chance. No: it never gives the class, never hits it, or ranks pixels no better "
    "than at random."
)


class Verdict(NamedTuple):
    """The answer in a word, the kind that colours it, and the sentence with the numbers, as HTML."""

    word: str
    kind: str
    sentence: Html


def verdict(report: Report) -> Verdict:
    """Answer whether the rarest class that is present is found."""
    asked = rarest(report)
    if asked is None:
        told = "No counted pixel is labelled with anything but the most frequent class, so nothing can be measured."
        return Verdict("It cannot be told.", "unknown", told)
    scores = report.classes[asked]
    word, kind = _word(scores, share(report, asked) or 0.0)
    return Verdict(word, kind, f"{_found(asked, scores)} {_beside_constant(report, asked, scores)}")


def _word(scores: ClassScores, held: float) -> tuple[str, str]:
    precision, recall, ranked = scores.precision, scores.recall, scores.average_precision
    if not recall or (ranked is not None and ranked <= _BY_CHANCE * held):
        return "No.", "no"
    if recall >= _HALF and (precision or 0.0) >= _HALF:
        return "Yes.", "yes"
    return "Partly.", "partly"


def _found(asked: str, scores: ClassScores) -> Html:
    if scores.recall is None:
        return f"The map gives no answer where there is {name(asked)}."
    if scores.precision is None:
        return f"It gives {name(asked)} nowhere."
    reach = _percents(scores.intervals.get("recall"))
    return (
        f"It finds <strong>{percent(scores.recall)}</strong>{reach} of {name(asked)}, and "
        f"<strong>{percent(scores.precision)}</strong>{_percents(scores.intervals.get('precision'))} of what it calls "
        f"{name(asked)} is right."
    )


def _percents(held: Interval | None) -> Html:
    if held is None:
        return ""
    return f' <span class="interval">[{escape(spell_chance(held.low))} to {percent(held.high)}]</span>'


def _beside_constant(report: Report, asked: str, scores: ClassScores) -> Html:
    floor = constant_scores(report, asked).get("iou")
    return (
        f"IoU <strong>{spell_score(scores.iou)}</strong>{interval(scores.intervals.get('iou'))}; the constant answer, "
        f"{name(report.constant_predictor.answer)} everywhere, scores {spell_score(floor)}."
    )


def head(subjects: Sequence[Shown]) -> Html:
    """Return the page's head: the question, the answer of each run, and what it was measured on."""
    answers = "".join(_answer(one, alone=len(subjects) == 1) for one in subjects)
    return (
        f'<header><p class="eyebrow">{_eyebrow(subjects)}</p><h1>Does it find the rare class?</h1>{answers}'
        f'{"".join(_measured_on(subjects))}<details class="rule"><summary>What the first word means</summary>'
        f"<p>{escape(RULE)}</p></details></header>"
    )


def _eyebrow(subjects: Sequence[Shown]) -> Html:
    told = " · ".join(dict.fromkeys(told_as_data(one.report) for one in subjects))
    names = ", ".join(name(one.name) for one in subjects)
    return f"{names} on {name(told)}"


def _answer(one: Shown, *, alone: bool) -> Html:
    found = verdict(one.report)
    title = "" if alone else f'<h2 class="who">{name(one.name)}</h2>'
    return (
        f'<div class="answer {found.kind}">{title}<p class="verdict"><strong class="word">{found.word}</strong> '
        f"{found.sentence}</p>{_tiles(one.report)}</div>"
    )


def _tiles(report: Report) -> Html:
    asked = rarest(report)
    if asked is None:
        return ""
    scores, floors = report.classes[asked], constant_scores(report, asked)
    shown = (
        ("IoU", "iou", scores.iou),
        ("AP", "average_precision", scores.average_precision),
        ("Precision", "precision", scores.precision),
        ("Recall", "recall", scores.recall),
    )
    held = "".join(
        f'<div class="tile"><dt>{title}</dt><dd><span class="big">{spell_score(value)}</span>'
        f"{_bar(value, scores.intervals.get(key), floors.get(key))}"
        f'<span class="floor">{_floor(key, floors.get(key))}</span></dd></div>'
        for title, key, value in shown
    )
    return f'<dl class="tiles">{held}</dl>'


def _floor(key: str, floor: float | None) -> str:
    what = "at random" if key == "average_precision" else "constant"
    return f"{what} {spell_score(floor)}"


_MARGIN, _SPAN = 5, 130


def _bar(value: float | None, reach: Interval | None, floor: float | None) -> Html:
    """Return a score on a scale from 0 to 1, its interval, and a tick where knowing nothing stands."""
    if value is None:
        return ""

    def across(one: float) -> str:
        return f"{_MARGIN + _SPAN * min(max(one, 0.0), 1.0):.1f}"

    parts = [f'<path class="grid" d="M{_MARGIN} 8H{_MARGIN + _SPAN}"/>']
    if floor is not None:
        parts.append(f'<path class="floor" d="M{across(floor)} 3v10"/>')
    if reach is not None:
        parts.append(f'<path class="reach s1" d="M{across(reach.low)} 8H{across(reach.high)}"/>')
    parts.append(f'<circle class="dot f1" cx="{across(value)}" cy="8" r="3.4"/>')
    return f'<svg class="score-bar" viewBox="0 0 {_SPAN + 2 * _MARGIN} 16" aria-hidden="true">{"".join(parts)}</svg>'


def _measured_on(subjects: Sequence[Shown]) -> Iterator[Html]:
    told: dict[str, None] = {}
    for one in subjects:
        report, asked = one.report, rarest(one.report)
        scenes = f" of {report.scenes} scenes" if report.scenes else ""
        covers = ""
        if asked is not None:
            covers = f"; {name(asked)} covers {escape(spell_share(share(report, asked)))}&nbsp;%"
        drawn = any(scores.intervals for scores in report.classes.values())
        reach = ". In brackets: 95 % intervals over scenes drawn anew" if drawn else ""
        told[f"Measured on {report.images} images{scenes}{covers}{reach}."] = None
    for sentence in told:
        yield f'<p class="note">{sentence}</p>'
