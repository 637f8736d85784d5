"""The comparison as a chart: average precision against the steps of each rung, one line per candidate.

Lines differ by marker and dashes as well as by colour, and bear their names, so that a grey print can be read.
"""

import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from rareseg.records.comparison import Comparison, Point, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _PAPER = "#010203", "#fefdfe"
"""Stand-ins for the page's own colours in the SVG, and close enough to black and white in the PNG."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8A6D00", "#56A0D3")
"""Dark tones after Okabe & Ito 2008: told apart with colour-blind eyes, and in grey by markers and dashes."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
_DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", (0, (5, 2)), (0, (2, 1)), (0, (6, 2, 1, 2)))
_WIDTH, _HEIGHT, _DPI = 9.0, 5.2, 150
"""Inches, and dots per inch of the PNG."""
_GAP = 0.045
"""Least distance of two labels, in heights of the chart."""
_DODGE = 0.012
"""Distance of neighbouring intervals of one rung, in widths of the chart."""


def png(comparison: Comparison) -> bytes:
    """Return the chart as PNG, 1350 x 780 px."""
    stream = io.BytesIO()
    _figure(comparison).savefig(stream, format="png", dpi=_DPI, facecolor="white")
    return stream.getvalue()


def svg(comparison: Comparison) -> str:
    """Return the chart as an <svg> element for a page that defines --ink, --paper and --line-1 to --line-6."""
    import matplotlib as mpl  # noqa: PLC0415 - see _figure

    stream = io.BytesIO()
    # Texts stay texts, and names of clips and markers do not depend on chance.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rareseg"}):
        _figure(comparison).savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    drawn = stream.getvalue().decode()
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    drawn = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", drawn))
    for number, colour in enumerate(COLOURS, start=1):
        drawn = drawn.replace(colour.lower(), f"var(--line-{number})")
    drawn = drawn.replace(_INK, "var(--ink)").replace(_PAPER, "var(--paper)")
    return drawn.replace("<svg", f'<svg role="img" aria-label="{_TITLE} against training steps"', 1)


_TITLE = "Average precision of the rare classes"


class _Line(NamedTuple):
    row: Row
    points: tuple[Point, ...]
    style: dict[str, Any]


def _figure(comparison: Comparison) -> "Figure":
    # Late, as it takes half a second to load, and only comparisons draw.
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    lines = _lines(comparison.rows)
    steps = sorted({point.steps for line in lines for point in line.points})
    _scale(axes, comparison, lines, steps)
    for line in lines:
        axes.plot(
            [point.steps for point in line.points],
            [point.average_precision.value for point in line.points if point.average_precision],
            **line.style,
        )
    for step in steps:
        _end(axes, [line for line in lines if line.points[-1].steps == step], step)
    return figure


def _lines(rows: Sequence[Row]) -> list[_Line]:
    found: list[_Line] = []
    for row in rows:
        points = tuple(point for point in row.history if point.average_precision)
        if points:
            found.append(_Line(row, points, _style(len(found))))
    return found


def _style(place: int) -> dict[str, Any]:
    best = place == 0
    return {
        "color": _INK if best else COLOURS[(place - 1) % len(COLOURS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": _DASHES[place % len(_DASHES)],
        "linewidth": 2.4 if best else 1.4,
        "markersize": 7 if best else 5,
    }


def _scale(axes: "Axes", comparison: Comparison, lines: Sequence[_Line], steps: Sequence[int]) -> None:
    """Draw axes, grid and the level of chance, and leave room for the names on the right."""
    from matplotlib.ticker import NullFormatter, NullLocator  # noqa: PLC0415

    low, high = (steps[0], steps[-1]) if steps else (1, 10)
    axes.set_xscale("log")
    span = max(high / low, 3.0)
    axes.set_xlim(low / span**0.06, high * span**0.3)
    axes.set_xticks(list(steps), [f"{step:,}" for step in steps])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    bottom, top = _range(lines, comparison.chance)
    axes.set_ylim(bottom, top)
    axes.set_xlabel(f"training steps, log scale ({_seeds(comparison)})", color=_INK)
    axes.set_ylabel("average precision (0 to 1), validation part", color=_INK)
    axes.set_title(f"{_TITLE}: {', '.join(comparison.rare_classes)}", color=_INK, parse_math=False, wrap=True)
    below = comparison.chance < bottom
    if not below:
        axes.axhline(comparison.chance, color=_INK, linewidth=0.8, linestyle=":")
    axes.annotate(
        f"chance {comparison.chance:.3g}{', below' if below else ''}",
        (1.0, max(comparison.chance, bottom)),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        color=_INK,
        fontsize=8,
    )
    axes.grid(visible=True, axis="y", color=_INK, alpha=0.12, linewidth=0.6)
    axes.tick_params(colors=_INK)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_INK)


def _range(lines: Sequence[_Line], chance: float) -> tuple[float, float]:
    """Return the span of the scores: from 0, unless all of it lies in the upper part, where 0 would press it flat."""
    shown = [point.average_precision for line in lines for point in line.points if point.average_precision]
    ends = [line.points[-1].average_precision for line in lines]
    # Only the last point of a line is drawn with its interval.
    lows = [one.value for one in shown] + [one.low for one in ends if one and one.low is not None]
    highs = [one.value for one in shown] + [one.high for one in ends if one and one.high is not None]
    top = min(1.02, 1.08 * max([*highs, chance, 0.1]))
    lowest = min(lows, default=0.0)
    return (math.floor(20 * lowest) / 20 if lowest > top / 2 else 0.0), top


def _end(axes: "Axes", lines: Sequence[_Line], step: int) -> None:
    """Draw the intervals of lines that end at `step`, side by side, and their names beside the ends."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    width, height = right / left, top - bottom
    ends = [line.points[-1].average_precision for line in lines]
    values = [end.value for end in ends if end]
    shelf = step * width ** (_DODGE * (len(lines) + 1))
    places = _apart([(value - bottom) / height for value in values], _GAP)
    for place, (line, end) in enumerate(zip(lines, ends, strict=True)):
        if end is None:
            continue
        across = step * width ** (_DODGE * place)
        if end.low is not None and end.high is not None:
            axes.vlines(across, end.low, end.high, color=line.style["color"], linewidth=1.2)
        axes.annotate(
            _label(line.row, end.value),
            (across, end.value),
            xytext=(shelf * width**0.01, bottom + places[place] * height),
            textcoords="data",
            va="center",
            color=line.style["color"],
            fontsize=9,
            fontweight="bold" if line.style["linewidth"] == 2.4 else "normal",
            parse_math=False,
            arrowprops={"arrowstyle": "-", "color": line.style["color"], "linewidth": 0.6, "shrinkA": 1},
            bbox={"facecolor": _PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
        )


def _label(row: Row, value: float) -> str:
    left = {"dropped": ", dropped", "collapsed": ", collapsed", "failed": ", failed later"}.get(row.state, "")
    return f"{row.candidate} {value:.3f}{left}"


def _seeds(comparison: Comparison) -> str:
    seeds = max((rung.seeds for rung in comparison.rungs), default=1)
    shown = f"mean of up to {seeds} seeds" if seeds > 1 else "one seed"
    return f"every point is a training of its own; {shown}, 95 % interval"


def _apart(places: Sequence[float], gap: float) -> list[float]:
    """Move numbers so that neighbours lie at least `gap` apart, in the same order, about where they were."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    # Each group of labels that touch is centred on the mean of where its labels want to be.
    groups: list[list[int]] = []
    for index in order:
        groups.append([index])
        while len(groups) > 1 and _start(places, groups[-1], gap) < _start(
            places, groups[-2], gap
        ) + gap * len(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    moved = [0.0] * len(places)
    for group in groups:
        for number, index in enumerate(group):
            moved[index] = _start(places, group, gap) + gap * number
    return moved


def _start(places: Sequence[float], group: Sequence[int], gap: float) -> float:
    wanted = sum(places[index] for index in group) / len(group)
    return max(gap / 2, wanted - gap * (len(group) - 1) / 2)
