"""Rows of dots with intervals, and bars on a log axis, as plain SVG for a phone's width and more."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from rareseg.showing.layout import spell_share
from rareseg.showing.report_page_elements import MOST_SERIES, Html, marker, name

_WIDTH = 360
_LABEL, _RIGHT, _TOP, _FOOT = 112, 62, 20, 22
_MOST_LETTERS = 16
_SMALLEST = 1e-6
"""Shares below it are drawn on the edge."""


class Dot(NamedTuple):
    """One score, 0..1, with the ends of its interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


class DotRow(NamedTuple):
    """One row: a dot per run, None where it is not measurable; `beside` stands at its end."""

    label: str
    dots: Sequence[Dot | None]
    beside: str = ""
    floor: float | None = None
    """What the constant answer scores, drawn as a tick."""


def dots(title: str, rows: Sequence[DotRow], *, label: str, beside: str, told: str) -> Html:
    """Return a <figure> of scores on a scale from 0 to 1, or "" if there is no dot.

    Args:
        title: plain text, as all texts.
        rows: one per class or bin.
        label: name of the score.
        beside: what stands at the end of each row.
        told: what the chart shows, for those who do not see it.
    """
    if not any(dot for row in rows for dot in row.dots):
        return ""
    height = max(22, 11 * max(len(row.dots) for row in rows) + 8)
    bottom = _TOP + height * len(rows)
    parts = [*_scale(bottom, label), _beside(beside)]
    for place, row in enumerate(rows):
        parts += _row(row, _TOP + height * place, height)
    return _figure(title, told, bottom + _FOOT + 16, parts)


def _scale(bottom: float, label: str) -> Iterator[Html]:
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = _score_x(tick)
        yield f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{tick:g}</text>'
    yield f'<text class="label" x="{_score_x(1):.1f}" y="{bottom + 32}" text-anchor="end">{escape(label)}</text>'


def _beside(text: str) -> Html:
    return f'<text class="label" x="{_WIDTH}" y="12" text-anchor="end">{escape(text)}</text>'


def _row(row: DotRow, top: float, height: float) -> Iterator[Html]:
    middle = top + height / 2
    yield _text(_LABEL - 8, middle + 4, row.label, "end")
    if row.beside:
        yield f'<text class="tick" x="{_WIDTH}" y="{middle + 4:.1f}" text-anchor="end">{escape(row.beside)}</text>'
    if row.floor is not None:
        yield f'<path class="floor" d="M{_score_x(row.floor):.1f} {top + 4:.1f}v{height - 8:.1f}"/>'
    for place, dot in enumerate(row.dots):
        if dot is None:
            continue
        y = middle + 11 * (place - (len(row.dots) - 1) / 2)
        if dot.low is not None and dot.high is not None:
            series = place % MOST_SERIES + 1
            yield f'<path class="reach s{series}" d="M{_score_x(dot.low):.1f} {y:.1f}H{_score_x(dot.high):.1f}"/>'
        yield marker(place, _score_x(dot.value), y)


def _score_x(score: float) -> float:
    return _LABEL + (_WIDTH - _LABEL - _RIGHT) * min(max(score, 0.0), 1.0)


class ShareRow(NamedTuple):
    """One class: its share, 0..1, and its share in single images."""

    label: str
    share: float
    images: Sequence[float] = ()


def shares(title: str, rows: Sequence[ShareRow], *, told: str) -> Html:
    """Return a <figure> of shares as bars on a log axis, with a thin tick for each image; "" without any."""
    held = [row.share for row in rows if row.share > 0] + [
        one for row in rows for one in row.images if one > 0
    ]
    if not held:
        return ""
    decades = min(max(math.ceil(-math.log10(max(min(held), _SMALLEST))), 3), 6)
    height = 34 if any(row.images for row in rows) else 24
    bottom = _TOP + height * len(rows)
    parts = [_beside("share")]
    for power in range(-decades, 1):
        x = _share_x(10.0**power, decades)
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>')
        if decades <= 4 or not (power + decades) % 2:
            told_as = escape(f"{100 * 10.0**power:g} %")
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{told_as}</text>'
            )
    for place, row in enumerate(rows):
        parts += _bar(row, _TOP + height * place, decades)
    edge = _share_x(1, decades)
    label = f'<text class="label" x="{edge:.1f}" y="{bottom + 32}" text-anchor="end">share of pixels, log axis</text>'
    return _figure(title, told, bottom + _FOOT + 16, [*parts, label])


def _bar(row: ShareRow, top: float, decades: int) -> Iterator[Html]:
    yield _text(_LABEL - 8, top + 16, row.label, "end")
    told = f"{spell_share(row.share)} %" if row.share else "none"
    yield f'<text class="tick" x="{_WIDTH}" y="{top + 16:.1f}" text-anchor="end">{escape(told)}</text>'
    if row.share > 0:
        width = _share_x(row.share, decades) - _LABEL
        yield f'<rect class="bar" x="{_LABEL}" y="{top + 5:.1f}" width="{max(width, 1):.1f}" height="13" rx="2"/>'
    ticks = "".join(f"M{_share_x(one, decades):.1f} {top + 21:.1f}v6" for one in row.images if one > 0)
    if ticks:
        yield f'<path class="each" d="{ticks}"/>'


def _share_x(value: float, decades: int) -> float:
    place = 1 + math.log10(max(value, 10.0**-decades)) / decades
    return _LABEL + (_WIDTH - _LABEL - _RIGHT) * min(max(place, 0.0), 1.0)


def _text(x: float, y: float, text: str, anchor: str) -> Html:
    short = text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
    return f'<text class="row" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(short)}</text>'


def _figure(title: str, told: str, height: float, parts: Sequence[Html]) -> Html:
    return (
        f'<figure class="chart"><figcaption>{name(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'role="img" aria-label="{escape(told)}">{"".join(parts)}</svg></figure>'
    )
