import re
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from msgspec.structs import replace
from tests.references.comparisons import comparison, row

from rareseg.showing import charts


@pytest.fixture(scope="module")
def drawn():
    return charts.svg(comparison())


def _texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_every_scored_candidate_is_named_with_its_score_and_its_fate(drawn):
    texts = _texts(drawn)
    for label in (
        "prior_bias+cross_entropy+0.5*dice 0.712",
        "default 0.700",
        "none 0.600",
        "focal 0.410, dropped",
        "lovasz 0.041, collapsed",
    ):
        assert label in texts
    assert not any(text.startswith(("tversky", "dice+enet", "prior_bias ")) for text in texts)


def test_axes_say_what_they_show(drawn):
    texts = " ".join(_texts(drawn))
    assert "training steps, log scale" in texts
    assert "average precision (0 to 1), validation part" in texts
    assert "mean of up to 3 seeds, 95 % interval" in texts
    assert "chance 0.041" in texts
    assert {"50", "150", "450"} <= set(_texts(drawn))


def test_the_page_gives_the_colours(drawn):
    assert drawn.startswith("<svg")
    assert "var(--ink)" in drawn
    assert "var(--line-1)" in drawn
    # No colour of its own is left that dark paper would swallow.
    assert not re.findall(r"#0[0-9a-f]{5}\b", drawn)


def test_the_svg_needs_nothing_from_elsewhere(drawn):
    assert set(re.findall(r"https?://[^\"\s]+", drawn)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert charts.svg(comparison()) == drawn


def test_the_png_is_drawn_large_enough_and_not_empty():
    pixels = cv2.imdecode(np.frombuffer(charts.png(comparison()), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (780, 1350, 3)
    dark = (pixels.max(axis=2) < 60).mean()
    assert 0.005 < dark < 0.2
    # The frame of the picture stays white: nothing is cut off at its edge.
    for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
        assert (edge == 255).all()


@pytest.mark.parametrize("rows", [(), (row("none", "compared", 0.3),), (row("none", "failed"),)])
def test_few_or_no_points_can_be_drawn(rows):
    made = comparison(rows=rows, rungs=(), winner=None)
    assert charts.png(made).startswith(b"\x89PNG")
    assert "<svg" in charts.svg(made)


def test_a_score_without_interval_is_a_point():
    best = comparison().rows[0]
    points = tuple(
        replace(point, average_precision=replace(point.average_precision, low=None, high=None))
        for point in best.history
    )
    assert charts.png(comparison(rows=(replace(best, history=points),))).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "places", [[], [0.5], [0.5, 0.5, 0.5], [0.1, 0.9], [0.0, 0.01, 0.02, 0.9], [0.3, 0.31, 0.35, 0.352, 0.6]]
)
def test_labels_keep_their_distance_and_their_order(places):
    moved = charts._apart(places, 0.05)
    assert [x for _, x in sorted(zip(places, moved, strict=True))] == sorted(moved)
    ordered = sorted(moved)
    assert all(after - before >= 0.05 - 1e-9 for before, after in zip(ordered, ordered[1:], strict=False))
    assert not moved or min(moved) >= 0.025 - 1e-9


def test_labels_with_room_stay_where_they_are():
    assert charts._apart([0.2, 0.8, 0.5], 0.05) == pytest.approx([0.2, 0.8, 0.5])


@pytest.mark.parametrize(
    ("values", "bottom", "said"),
    [((0.05, 0.9), 0.0, "chance 0.041"), ((0.85, 0.97), 0.85, "chance 0.041, below")],
)
def test_the_scale_starts_at_0_unless_all_scores_are_high(values, bottom, said):
    made = comparison(rows=(row("none", "compared", *values),))
    lines = charts._lines(made.rows)
    assert charts._range(lines, made.chance)[0] == pytest.approx(bottom)
    assert said in _texts(charts.svg(made))
