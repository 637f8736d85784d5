"""The head of a report page: does it find the rare class? One sentence per run, with what knowing nothing scores."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from rareseg.records.report import ClassScores, Report
from rareseg.records.scores import Interval
from rareseg.showing.layout import spell_score, spell_share
from rareseg.showing.report_page_differences import difference_of
from rareseg.showing.report_page_elements import Html, interval, name, percent, signed_interval, spell_percent
from rareseg.showing.report_page_subjects import (
    Shown,
    constant_scores,
    rarest,
    rivals,
    scored_alike,
    share,
    told_as_data,
)
from rareseg.showing.report_page_terms import term

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
    return f' <span class="interval">[{escape(spell_percent(held.low))} to {percent(held.high)}]</span>'


def _beside_constant(report: Report, asked: str, scores: ClassScores) -> Html:
    floor = constant_scores(report, asked).get("iou")
    return (
        f"Overlap with the labels ({term('iou')}): <strong>{spell_score(scores.iou)}</strong>"
        f"{interval(scores.intervals.get('iou'))}; the {term('constant')}, "
        f"{name(report.constant_predictor.answer)} everywhere, scores {spell_score(floor)}."
    )


def head(subjects: Sequence[Shown]) -> Html:
    """Return the page's head: the question, the answer of each run, and what it was measured on."""
    answers = "".join(_answer(one, alone=len(subjects) == 1) for one in subjects)
    return (
        f'<header><p class="eyebrow">{_eyebrow(subjects)}</p><h1>Does it find the rare class?</h1>'
        f"{_warning(subjects)}{_partly(subjects)}{answers}"
        f'{"".join(_measured_on(subjects))}<details class="rule"><summary>When it says yes, partly or no</summary>'
        f"<p>{escape(RULE)}</p></details></header>"
    )


def _warning(subjects: Sequence[Shown]) -> Html:
    if scored_alike(subjects):
        return ""
    each = "; ".join(
        f"{name(one.name)}: {name(told_as_data(one.report))}, {one.report.images} images"
        for one in subjects
        if not one.beside
    )
    return (
        f'<p class="warning"><strong>Not scored on the same labels</strong>, so these numbers must not be compared '
        f"({each}). For a fair comparison: <code>rareseg evaluate RUN DATA --against OTHER</code>.</p>"
    )


def _partly(subjects: Sequence[Shown]) -> Html:
    """Say where a map does not answer for all images of the one that it stands beside."""
    return "".join(
        f'<p class="warning">{name(other.name)} answers for {other.report.images} of the {one.report.images} images of '
        f"{name(one.name)}: its own scores are of these alone. Differences are of the images that both have.</p>"
        for one, other in rivals(subjects)
        if other.report.images != one.report.images
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
        f"{found.sentence}</p>{_beside_other(one.report)}{_tiles(one.report)}</div>"
    )


def _beside_other(report: Report) -> Html:
    """Return what the comparison says of the rarest class: which one is better, or that nobody knows."""
    other, asked = report.against, rarest(report)
    held = difference_of(report, asked or "", "iou")
    if other is None or held is None or held.difference is None:
        return ""
    if held.interval is None:
        sure = "too few scenes to say whether that is chance"
    elif held.certain:
        sure = f"certainly {'higher' if held.difference > 0 else 'lower'}"
    else:
        sure = "which may be chance"
    return (
        f"<p>Beside {name(other.name)} on the same {other.images} images: IoU <strong>{held.difference:+.3f}</strong>"
        f"{signed_interval(held.interval)}, {sure}.</p>"
    )


def _tiles(report: Report) -> Html:
    asked = rarest(report)
    if asked is None:
        return ""
    scores, floors = report.classes[asked], constant_scores(report, asked)
    shown = (
        (term("iou"), "overlap with the labels", "iou", scores.iou),
        (term("ap"), "ranking of pixels", "average_precision", scores.average_precision),
        (term("precision", "Precision"), "right of what is given", "precision", scores.precision),
        (term("recall", "Recall"), "found of what is there", "recall", scores.recall),
    )
    held = "".join(
        f'<div class="tile"><dt>{title} <span class="means">{means}</span></dt><dd>'
        f'<span class="big">{spell_score(value)}</span>'
        f"{_bar(value, scores.intervals.get(key), floors.get(key))}"
        f'<span class="floor">{_floor(key, floors.get(key))}</span></dd></div>'
        for title, means, key, value in shown
    )
    return f'<dl class="tiles">{held}</dl>'


def _floor(key: str, floor: float | None) -> str:
    if key == "precision" and floor is None:
        return "constant gives none"
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
    told: dict[str, list[str]] = {}
    for one in subjects:
        report, asked = one.report, rarest(one.report)
        scenes = f" of {report.scenes} scenes" if report.scenes else ""
        covers = ""
        if asked is not None:
            covers = f"; {name(asked)} covers {escape(spell_share(share(report, asked)))}&nbsp;%"
        drawn = any(scores.intervals for scores in report.classes.values())
        reach = f". In brackets: {term('interval', '95 % intervals')} over scenes drawn anew" if drawn else ""
        told.setdefault(f"easured on {report.images} images{scenes}{covers}{reach}.", []).append(one.name)
    for sentence, names in told.items():
        who = f"{', '.join(map(name, names))}: m" if len(told) > 1 else "M"
        yield f'<p class="note">{who}{sentence}</p>'
    # What the scores may owe to belongs beside them, such as that the network was trained on these images.
    for one in subjects:
        for sentence in one.report.notes:
            of = "" if len(subjects) == 1 or sentence.startswith(one.name) else f"{name(one.name)}: "
            yield f'<p class="note">{of}{name(sentence)}</p>'
