"""Charts are drawn to scale, say what they show, and take no name for markup."""

import math
import re
from xml.etree import ElementTree

import pytest

from rareseg.showing.dot_charts import Dot, DotRow, ShareRow, dots, shares
from rareseg.showing.line_charts import Axis, Level, Line, chart, thinned

UNIT = Axis("x", 0, 1)


def _numbers(pattern, text):
    return [float(one) for one in re.findall(pattern, text)]


def _drawn(**given):
    held = {
        "title": "t",
        "lines": [Line("a", [(0, 0), (1, 1)])],
        "across": UNIT,
        "up": Axis("y", 0, 1),
        "told": "told",
    }
    return chart(**(held | given))


def test_lines_run_from_corner_to_corner():
    assert 'class="line s1" d="M46.0 210.0L346.0 26.0"' in _drawn()


def test_a_logarithmic_axis_gives_every_decade_the_same_room():
    axis = Axis("x", 0.001, 1, logarithmic=True)
    assert [axis.place(one) for one in (0.001, 0.01, 0.1, 1)] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert axis.ticks() == pytest.approx([0.001, 0.01, 0.1, 1])
    assert axis.place(0) == 0


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.173), (0, 700), (0, 12_345), (0.2, 0.9)])
def test_ticks_are_few_and_lie_on_the_axis(low, high):
    ticks = Axis("x", low, high).ticks()
    assert 3 <= len(ticks) <= 6
    assert low - 1e-9 <= ticks[0] < ticks[-1] <= high + 1e-9


def test_an_axis_without_span_can_be_drawn():
    assert 0 <= Axis("x", 2, 2).place(2) <= 1
    assert "nan" not in _drawn(up=Axis("y", 0, 0), across=Axis("x", 3, 3))


def test_series_differ_by_dashes_and_marker_as_well_as_by_colour():
    lines = [Line(str(place), [(0, 0), (1, 1)], place, marked=True) for place in range(4)]
    drawn = _drawn(lines=lines)
    assert {f'class="line s{place}"' in drawn for place in range(1, 5)} == {True}
    assert "<circle" in drawn
    assert "<rect" in drawn
    assert len(set(re.findall(r'<path class="dot f\d" d="M[\d. ]+([a-z0-9. -]+)', drawn))) == 2


def test_a_level_stands_at_its_height_with_its_name():
    drawn = _drawn(levels=[Level("chance <1>", 0.5)])
    assert 'class="level" d="M46 118.0H346"' in drawn
    assert "chance &lt;1&gt;" in drawn


def test_nothing_to_draw_is_no_chart():
    assert _drawn(lines=[Line("a", [])]) == ""
    assert dots("t", [DotRow("a", [None])], label="x", beside="n", told="") == ""
    assert shares("t", [ShareRow("a", 0.0)], told="") == ""


def test_many_points_are_thinned_with_both_ends_kept():
    points = [(float(place), math.sin(place)) for place in range(5000)]
    held = thinned([*points, (5000.0, math.nan)])
    assert len(held) == 240
    assert (held[0], held[-1]) == (points[0], points[-1])


def test_dots_and_intervals_are_to_scale():
    drawn = dots(
        "t", [DotRow("a", [Dot(0.5, 0.25, 0.75)], "n", floor=0.0)], label="IoU", beside="px", told="told"
    )
    left, right = 112, 298
    assert _numbers(r'<circle [^>]*cx="([\d.]+)"', drawn) == [pytest.approx((left + right) / 2, abs=0.1)]
    low, high = re.search(r'class="reach s1" d="M([\d.]+) [\d.]+H([\d.]+)"', drawn).groups()
    assert (float(low), float(high)) == (pytest.approx(158.5, abs=0.1), pytest.approx(251.5, abs=0.1))
    assert _numbers(r'class="floor" d="M([\d.]+)', drawn) == [left]


def test_shares_lie_on_a_log_axis():
    drawn = shares("t", [ShareRow("a", 0.1, [0.01, 0.0]), ShareRow("b", 1.0)], told="told")
    bars = _numbers(r'class="bar" [^>]*width="([\d.]+)"', drawn)
    assert bars == [pytest.approx(2 / 3 * 186, abs=0.1), pytest.approx(186, abs=0.1)]
    (each,) = re.findall(r'class="each" d="([^"]*)"', drawn)
    assert each.count("M") == 1
    assert float(each[1:].split()[0]) == pytest.approx(112 + 186 / 3, abs=0.1)


@pytest.mark.parametrize(
    "drawn",
    [
        _drawn(title="<b>&", told='"<b>', lines=[Line("<b>", [(0, 1)])]),
        dots("<b>&", [DotRow("<b>" * 9, [Dot(0.5)], "<b>")], label="<b>", beside="<b>", told='"<b>'),
        shares("<b>&", [ShareRow("<b>", 0.5)], told='"<b>'),
    ],
    ids=["line", "dots", "shares"],
)
def test_names_are_text_and_the_drawing_is_well_formed(drawn):
    assert "<b>" not in drawn
    root = ElementTree.fromstring(drawn.replace("<wbr>", ""))
    (svg,) = root.findall("svg")
    assert svg.get("aria-label").startswith('"<b>')
