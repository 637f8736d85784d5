"""Graphs of lines: known drawings, and random ones taken apart pixel by pixel."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.lines import LineGraph, line_graph
from rareseg.measures.thinning import middle_line, padded
from rareseg.measures.tracing import trace

ROOT = float(np.sqrt(2))


def _blank(height: int = 60, width: int = 60) -> NDArray[np.bool_]:
    return np.zeros((height, width), np.bool_)


def _drawn(*strokes: tuple[tuple[int, int], tuple[int, int]], thickness: int = 1) -> NDArray[np.bool_]:
    canvas = np.zeros((120, 120), np.uint8)
    for start, stop in strokes:
        cv2.line(canvas, start, stop, 1, thickness)
    return canvas > 0


def test_one_line_is_one_edge_with_its_length() -> None:
    mask = _blank()
    mask[5, 5:50] = True
    lines = line_graph(mask)
    assert (lines.nodes, lines.lengths.tolist(), lines.pieces) == (2, [44.0], 1)
    assert lines.pixels.tolist() in (
        [5 * 60 + k for k in range(5, 50)],
        [5 * 60 + k for k in range(49, 4, -1)],
    )
    assert lines.along.tolist() == list(range(45))


def test_diagonals_take_steps_of_root_two() -> None:
    mask = np.eye(40, dtype=np.bool_)
    assert line_graph(mask).lengths.tolist() == pytest.approx([39 * ROOT])
    assert line_graph(mask[:, ::-1].copy()).lengths.tolist() == pytest.approx([39 * ROOT])


def test_crossing_is_one_node_with_four_edges() -> None:
    mask = _drawn(((60, 10), (60, 110)), ((10, 60), (110, 60)))
    lines = line_graph(mask)
    assert lines.nodes == 5
    assert sorted(lines.lengths.tolist()) == [50.0] * 4
    assert sorted(np.bincount(lines.ends.ravel()).tolist()) == [1, 1, 1, 1, 4]


def test_wide_crossing_keeps_its_arms_and_no_corner() -> None:
    lines = line_graph(_drawn(((60, 10), (60, 110)), ((10, 60), (110, 60)), thickness=9))
    assert sorted(np.bincount(lines.ends.ravel()).tolist()) == [1, 1, 1, 1, 4]
    assert lines.lengths.sum() == pytest.approx(200, abs=12)


def test_ring_is_an_edge_from_a_node_to_itself() -> None:
    ring = cv2.circle(np.zeros((80, 80), np.uint8), (40, 40), 25, 1, 1) > 0
    lines = line_graph(ring)
    assert lines.ends.tolist() == [[0, 0]]
    assert lines.pixels[0] == lines.pixels[-1]
    assert 2 * np.pi * 25 < lines.lengths[0] < 2 * np.pi * 25 * 1.08


def test_ring_on_a_stick_meets_in_one_junction() -> None:
    canvas = cv2.circle(np.zeros((120, 120), np.uint8), (40, 60), 25, 1, 1)
    lines = line_graph(cv2.line(canvas, (65, 60), (110, 60), 1, 1) > 0)
    assert lines.nodes == 2
    assert sorted((lines.ends[:, 0] == lines.ends[:, 1]).tolist()) == [False, True]


def test_spurs_go_by_the_width_of_their_line_and_streets_stay() -> None:
    mask = _drawn(((5, 60), (115, 60)), thickness=7)
    mask[52:58, 60] = True  # a hair beside a road 7 px wide
    assert line_graph(mask).lengths.size == 1
    assert line_graph(mask, spur=0).lengths.size >= 3
    street = mask.copy()
    street[50:58, 60] = True  # from the middle of the road on, 10 px: more than the road is wide
    assert line_graph(street).lengths.size == 3


def test_a_line_that_ends_in_a_fork_keeps_the_longer_tine() -> None:
    mask = _drawn(((10, 60), (60, 60)), ((60, 60), (64, 56)), ((60, 60), (68, 68)))
    lines = line_graph(mask, spur=100)
    assert lines.lengths.tolist() == pytest.approx([50 + 8 * ROOT], abs=1)


def test_specks_go_by_the_length_of_all_that_hangs_together() -> None:
    mask = _drawn(((5, 5), (13, 5)), ((5, 60), (105, 60)))
    assert line_graph(mask).lengths.tolist() == [100.0]
    assert sorted(line_graph(mask, speck=8).lengths.tolist()) == [8.0, 100.0]
    assert line_graph(mask, speck=8).pieces == 2


@pytest.mark.parametrize("shape", [(0, 0), (0, 7), (7, 0), (1, 1), (1, 80), (80, 1), (2, 2), (40, 40)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_any_mask_gives_a_sound_graph(shape: tuple[int, int], share: float) -> None:
    mask = np.random.default_rng(3).random(shape) < share
    _check(line_graph(mask), mask)
    _check(line_graph(mask, spur=0, speck=0), mask)


def test_checkerboard_and_spiral() -> None:
    board = np.indices((40, 40)).sum(axis=0) % 2 > 0
    _check(line_graph(board), board)
    angle = np.linspace(2, 30, 4000)
    spiral = _blank(200, 200)
    spiral[(100 + 3 * angle * np.sin(angle)).astype(int), (100 + 3 * angle * np.cos(angle)).astype(int)] = (
        True
    )
    lines = line_graph(spiral)
    _check(lines, spiral)
    assert (lines.nodes, lines.lengths.size) == (2, 1)
    exact = np.hypot(np.diff(3 * angle * np.sin(angle)), np.diff(3 * angle * np.cos(angle))).sum()
    assert exact < lines.lengths[0] < 1.1 * exact


def _check(lines: LineGraph, mask: NDArray[np.bool_]) -> None:
    """Check that edges run over the mask in steps to neighbours (clusters of junctions apart) and add up."""
    assert lines.first[0] == 0
    assert lines.first[-1] == lines.pixels.size
    assert mask.ravel()[lines.pixels].all()
    at: dict[int, int] = {}
    for number, (start, stop) in enumerate(zip(lines.first[:-1], lines.first[1:], strict=True)):
        points = lines.points[start:stop]
        steps = np.hypot(*np.diff(points, axis=0).T)
        assert steps.sum() == pytest.approx(lines.lengths[number])
        np.testing.assert_allclose(lines.along[start:stop], np.concatenate([[0], np.cumsum(steps)]))
        assert (steps[2:-2] < 1.5).all()
        for node, pixel in zip(lines.ends[number], lines.pixels[[start, stop - 1]], strict=True):
            assert at.setdefault(int(node), int(pixel)) == pixel
    assert set(at) == set(range(lines.nodes))
    assert len(set(at.values())) == lines.nodes


@pytest.mark.parametrize("seed", range(20))
def test_every_pixel_of_the_skeleton_is_in_the_graph_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.random((70, 90), np.float32), (0, 0), 1.5)
    mask = noise > np.quantile(noise, 0.55)
    image = padded(middle_line(mask))
    traced = trace(image)
    flat = image.ravel()
    around = np.array([-93, -92, -91, -1, 1, 91, 92, 93])
    line = np.flatnonzero(flat)
    lonely = [pixel for pixel in line if not flat[pixel + around].any()]
    seen = np.unique(traced.pixels)
    # Pixels in the middle of a cluster of junctions may be in no edge.
    missing = np.setdiff1d(line, np.concatenate([seen, lonely]))
    assert all(flat[pixel + around].sum() > 2 for pixel in missing)
    inner = np.ones(traced.pixels.size, np.bool_)
    inner[traced.first[:-1]] = inner[traced.first[1:] - 1] = False
    inside = traced.pixels[inner & ~traced.joint]
    assert np.unique(inside).size == inside.size


def test_lines_refuse_what_makes_no_sense() -> None:
    with pytest.raises(SettingError, match="spur"):
        line_graph(_blank(), spur=-1)
    with pytest.raises(SettingError, match="mask"):
        line_graph(np.zeros(5, np.bool_))
