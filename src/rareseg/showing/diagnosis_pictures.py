"""Small pictures of a diagnosis as inline SVG: the course of the probe's losses, and the dead units of each layer.

Colours are the page's custom properties --ink, --dim, --line, --good, --bad; every picture says in words what it shows.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from rareseg.records.evidence import LayerUnits

_WIDTH, _HEIGHT, _TOP, _FOOT, _RIGHT = 440, 140, 10, 20, 134
"""Of the picture of losses; right of the lines stand their names."""
_MOST_POINTS = 200
_ROW, _BAR, _LABEL, _BESIDE = 20, 110, 176, 140
"""Of the bars: height of a row, length of a whole bar, room for the layer's name and for its share."""
_MOST_LAYERS, _MOST_LETTERS = 16, 24
_DASHES = ("none", "5 3", "1.5 2.5")
_DASHED = 'stroke-dasharray="{}"'
_LINE = 15
"""Height of a line of text."""
_PEAK = 4.0
"""From so many times the median on, the highest loss asks for a logarithmic scale."""


def losses(courses: Sequence[tuple[str, Sequence[float]]], entropy: float | None) -> str:
    """Draw losses over steps.

    Args:
        courses: (name, losses) of up to three lines; entries that are not finite are left out.
        entropy: nats; drawn as a level that answering the class shares everywhere reaches.

    Returns:
        An <svg> element, or "" if no course has two finite losses.
    """
    drawn = [(name, _thinned(values)) for name, values in courses]
    drawn = [(name, points) for name, points in drawn if len(points) > 1][: len(_DASHES)]
    if not drawn:
        return ""
    values = [value for _, points in drawn for _, value in points] + ([] if entropy is None else [entropy])
    scale = _Scale.over(values)
    last = max(points[-1][0] for _, points in drawn)
    across = (_WIDTH - _RIGHT) / max(last, 1)
    parts: list[str] = []
    names: list[tuple[float, str, str, str]] = []
    if entropy is not None:
        parts.append(
            _level(0, _WIDTH - _RIGHT, scale.down(entropy), f'stroke="var(--good)" {_DASHED.format("3 3")}')
        )
        names.append((scale.down(entropy), f"entropy {entropy:.3g}", "var(--good)", "3 3"))
    for (name, points), dashes in zip(drawn, _DASHES, strict=False):
        path = " ".join(f"{across * step:.1f},{scale.down(value):.1f}" for step, value in points)
        look = f'stroke="var(--ink)" stroke-width="1.6" {_DASHED.format(dashes)}'
        parts.append(f'<polyline points="{path}" fill="none" {look}/>')
        names.append((scale.down(points[-1][1]), name, "var(--ink)", dashes))
    parts += _names(names)
    parts.append(_text(0, _HEIGHT - 4, "step 1"))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 4, f"step {last + 1}", anchor="end"))
    parts.append(_text(_WIDTH - _RIGHT, _TOP + 4, f"highest {max(values):.3g}{scale.told}", anchor="end"))
    told = "; ".join(f"{name}: {points[0][1]:.3g} to {points[-1][1]:.3g}" for name, points in drawn)
    return _svg(_WIDTH, _HEIGHT, f"Losses over steps. {told}", parts)


class _Scale(NamedTuple):
    """Heights of losses; logarithmic where an early peak would flatten all that follows."""

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float]) -> "_Scale":
        peaked = min(values) > 0 and max(values) > _PEAK * sorted(values)[len(values) // 2]
        if peaked:
            return cls(math.log(min(values)), math.log(max(values)), logarithmic=True)
        return cls(min(0.0, *values), max(values), logarithmic=False)

    @property
    def told(self) -> str:
        return ", logarithmic" if self.logarithmic else ""

    def down(self, value: float) -> float:
        place = math.log(value) if self.logarithmic else value
        return _TOP + (_HEIGHT - _TOP - _FOOT) * (self.high - place) / ((self.high - self.low) or 1.0)


def units(layers: Sequence[LayerUnits]) -> str:
    """Draw the share of dead units of each layer as bars, "" without layers; of many, the worst 16."""
    if not layers:
        return ""
    worst = sorted(layers, key=lambda layer: layer.dead + layer.saturated, reverse=True)[:_MOST_LAYERS]
    shown = [layer for layer in layers if layer in worst][:_MOST_LAYERS]
    parts: list[str] = []
    for row, layer in enumerate(shown):
        top = row * _ROW + 4
        dead, saturated = (_BAR * min(max(share, 0.0), 1.0) for share in (layer.dead, layer.saturated))
        parts.append(_text(_LABEL - 8, top + 11, _short(layer.layer), anchor="end", colour="var(--ink)"))
        parts.append(_box(_LABEL, top, _BAR, "var(--line)"))
        parts.append(_box(_LABEL, top, dead, "var(--bad)"))
        parts.append(_box(_LABEL + dead, top, min(saturated, _BAR - dead), "var(--dim)"))
        told = f"{100 * layer.dead:.0f} %"
        if layer.saturated > 0:
            told += f" + {100 * layer.saturated:.0f} % saturated"
        parts.append(_text(_LABEL + _BAR + 6, top + 11, told))
    told = "; ".join(f"{layer.layer} {100 * layer.dead:.0f} %" for layer in shown)
    return _svg(_LABEL + _BAR + _BESIDE, len(shown) * _ROW + 4, f"Dead units per layer: {told}", parts)


def _thinned(values: Sequence[float]) -> list[tuple[int, float]]:
    """Return finite values with their steps, evenly chosen where there are many, with the first and the last."""
    points = [(step, value) for step, value in enumerate(values) if math.isfinite(value)]
    if len(points) <= _MOST_POINTS:
        return points
    return [points[round(place * (len(points) - 1) / (_MOST_POINTS - 1))] for place in range(_MOST_POINTS)]


def _names(names: list[tuple[float, str, str, str]]) -> list[str]:
    """Write names beside the ends of their lines with a piece of the line, apart where they would cover one another."""
    written: list[str] = []
    free = -math.inf
    left = _WIDTH - _RIGHT + 6
    for below, (height, name, colour, dashes) in enumerate(sorted(names), start=1):
        # Those further down need their room, too.
        lowest = _HEIGHT - _LINE * (len(names) - below) - 8
        place = max(min(height, lowest), free)
        written.append(
            _level(left, left + 18, place, f'stroke="{colour}" stroke-width="1.6" {_DASHED.format(dashes)}')
        )
        written.append(_text(left + 23, place + 4, name, colour=colour))
        free = place + _LINE
    return written


def _short(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else f"…{name[1 - _MOST_LETTERS :]}"


def _level(left: float, right: float, height: float, look: str) -> str:
    return f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{height:.1f}" y2="{height:.1f}" {look}/>'


def _box(left: float, top: float, width: float, colour: str) -> str:
    return f'<rect x="{left:.1f}" y="{top}" width="{max(width, 0):.1f}" height="13" rx="2" fill="{colour}"/>'


def _text(left: float, base: float, text: str, *, anchor: str = "start", colour: str = "var(--dim)") -> str:
    return (
        f'<text x="{left:.1f}" y="{base:.1f}" font-size="12" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )


def _svg(width: int, height: int, told: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</svg>"
    )
