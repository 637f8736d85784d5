"""Line charts as plain SVG, small enough to stand side by side on a screen and one below the other on a phone.

Colours, dashes and sizes of text are the page's style sheet's: `line s1` to `line s6`, `axis`, `grid`, `level`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Literal, NamedTuple

from rareseg.showing.report_page_elements import MOST_SERIES, Html, marker, name

WIDTH, HEIGHT = 360, 250
"""User units, about px on a phone."""
_LEFT, _RIGHT, _TOP, _FOOT = 46, 14, 26, 40
_MOST_POINTS = 240


class Axis(NamedTuple):
    """One axis: what it shows with its unit, and from where to where."""

    label: str
    low: float
    high: float
    logarithmic: bool = False
    spell: Callable[[float], str] = "{:g}".format

    def place(self, value: float) -> float:
        """Return where a value lies, 0..1; what lies outside stands on the edge."""
        low, high, at = (self._scaled(one) for one in (self.low, self.high, value))
        return min(max((at - low) / ((high - low) or 1.0), 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Return values worth a label: powers of ten, or about five round numbers."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            step = max(1, math.ceil((last - first) / 5))
            if last > first:
                return [10.0**power for power in range(first, last + 1, step)]
            return [self.low, self.high]
        span = (self.high - self.low) or 1.0
        step = 10 ** math.floor(math.log10(span / 4))
        step *= next(factor for factor in (1, 2, 2.5, 5, 10) if span / (step * factor) <= 5.01)
        first = math.ceil(self.low / step - 1e-9)
        return [step * place for place in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _scaled(self, value: float) -> float:
        return math.log10(max(value, 1e-30)) if self.logarithmic else value


class Line(NamedTuple):
    """One line; `series` chooses colour, dashes and marker."""

    name: str
    points: Sequence[tuple[float, float]]
    series: int = 0
    marked: bool = False
    """Whether each point has a marker."""
    ring: tuple[float, float] | None = None
    """A point to be marked by a ring, such as where the map is decided."""


class Level(NamedTuple):
    """A horizontal line to compare with, and its name, which stands where the lines leave room."""

    name: str
    value: float
    side: Literal["left", "right"] = "right"


def chart(
    title: str,
    lines: Sequence[Line],
    across: Axis,
    up: Axis,
    *,
    told: str,
    levels: Sequence[Level] = (),
    diagonal: bool = False,
) -> Html:
    """Return a <figure> with a chart, or "" if no line has a point.

    Args:
        title: plain text, shown above.
        lines: at most one per run.
        across: x axis.
        up: y axis.
        told: what the chart shows, for those who do not see it.
        levels: horizontal lines to compare with.
        diagonal: draw y = x.
    """
    if not any(line.points for line in lines):
        return ""
    parts = [*_grid(across, up)]
    if diagonal:
        parts.append(f'<path class="level" d="{_path([(0, 0), (1, 1)], across, up)}"/>')
    parts += [
        f'<path class="level" d="M{_LEFT} {_y(up, one.value):.1f}H{WIDTH - _RIGHT}"/>' for one in levels
    ]
    for line in lines:
        parts += _line(line, across, up)
    parts += [_named(level, up) for level in levels]
    return (
        f'<figure class="chart"><figcaption>{name(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(told)}">{"".join(parts)}</svg></figure>'
    )


def _grid(across: Axis, up: Axis) -> Iterator[Html]:
    left, right, bottom = _LEFT, WIDTH - _RIGHT, HEIGHT - _FOOT
    for value in up.ticks():
        y = _y(up, value)
        yield f'<path class="grid" d="M{left} {y:.1f}H{right}"/>'
        yield f'<text class="tick" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(up.spell(value))}</text>'
    for value in across.ticks():
        x = _x(across, value)
        yield f'<path class="axis" d="M{x:.1f} {bottom}v4"/>'
        told = escape(across.spell(value))
        yield f'<text class="tick" x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{told}</text>'
    yield f'<path class="axis" d="M{left} {bottom}H{right}"/>'
    yield f'<text class="label" x="{right}" y="{HEIGHT - 6}" text-anchor="end">{escape(across.label)}</text>'
    yield f'<text class="label" x="0" y="12">{escape(up.label)}</text>'


def _named(level: Level, up: Axis) -> Html:
    y = _y(up, level.value)
    # Above its line, unless that is the upper edge.
    base = y - 5 if y > _TOP + 16 else y + 14
    x, anchor = (_LEFT + 4, "start") if level.side == "left" else (WIDTH - _RIGHT, "end")
    place = f'x="{x}" y="{base:.1f}" text-anchor="{anchor}"'
    return f'<text class="tick over" {place}>{escape(level.name)}</text>'


def _line(line: Line, across: Axis, up: Axis) -> Iterator[Html]:
    if not line.points:
        return
    points = thinned(line.points)
    series = line.series % MOST_SERIES + 1
    yield f'<path class="line s{series}" d="{_path(points, across, up)}"/>'
    if line.marked or len(points) == 1:
        for x, y in points:
            yield marker(line.series, _x(across, x), _y(up, y), 3)
    if line.ring:
        x, y = _x(across, line.ring[0]), _y(up, line.ring[1])
        yield f'<circle class="ring s{series}" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'


def _path(points: Sequence[tuple[float, float]], across: Axis, up: Axis) -> str:
    return "M" + "L".join(f"{_x(across, x):.1f} {_y(up, y):.1f}" for x, y in points)


def _x(axis: Axis, value: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * axis.place(value)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - _FOOT - (HEIGHT - _TOP - _FOOT) * axis.place(value)


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the finite points, evenly chosen where there are many, with the first and the last."""
    held = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(held) <= _MOST_POINTS:
        return held
    return [held[round(place * (len(held) - 1) / (_MOST_POINTS - 1))] for place in range(_MOST_POINTS)]
