"""APLS: known answers, and a slow version written apart with plain Dijkstra."""

import heapq
import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.apls import PathCounts, path_counts
from rareseg.measures.lines import LineGraph, line_graph

Mask = NDArray[np.bool_]
Vertex = tuple[str, int, int]


def _street(start: int, stop: int, row: int = 40) -> Mask:
    mask = np.zeros((80, 420), np.bool_)
    mask[row - 2 : row + 3, start:stop] = True
    return mask


def _score(predicted: Mask, truth: Mask) -> float | None:
    return path_counts(predicted, truth, np.ones(truth.shape, np.bool_)).score


def test_identical_is_one_and_empty_is_nothing() -> None:
    truth = _street(10, 410)
    assert _score(truth, truth) == 1
    assert _score(np.zeros_like(truth), truth) == 0
    assert _score(truth, np.zeros_like(truth)) is None
    assert PathCounts().score is None


def test_one_cut_parts_the_ways_across_it() -> None:
    truth = np.zeros((9, 401), np.bool_)
    truth[4] = True
    predicted = truth.copy()
    predicted[4, 198:203] = False
    counts = path_counts(predicted, truth, np.ones(truth.shape, np.bool_))
    # Nine control points at 0, 50, ... 400: the one in the middle lies in the cut, 3 px from its edge, so that it
    # snaps to one side. Of 36 ways, those with both ends on one side are there: of 5 and of 4 points.
    assert counts.truth_onto_prediction == pytest.approx((10 + 6) / 36, abs=0.02)
    assert counts.prediction_onto_truth == pytest.approx(1, abs=1e-12)


def test_missing_half_loses_the_ways_that_touch_it() -> None:
    truth = np.zeros((9, 401), np.bool_)
    truth[4] = True
    predicted = truth.copy()
    predicted[4, 201:] = False
    counts = path_counts(predicted, truth, np.ones(truth.shape, np.bool_))
    assert counts.truth_onto_prediction == pytest.approx(10 / 36)
    assert counts.prediction_onto_truth == pytest.approx(1)
    assert counts.score == pytest.approx(2 * (10 / 36) / (1 + 10 / 36))


def test_detour_costs_its_share() -> None:
    truth = np.zeros((120, 120), np.bool_)
    truth[10, 10:111] = truth[110, 10:111] = truth[10:111, 10] = truth[10:111, 110] = True
    predicted = truth.copy()
    predicted[10, 40:81] = False
    forth = path_counts(predicted, truth, np.ones(truth.shape, np.bool_)).truth_onto_prediction
    assert forth is not None
    assert 0.4 < forth < 0.9


def test_winding_way_costs_what_it_is_longer() -> None:
    truth, winding = np.zeros((9, 401), np.bool_), np.zeros((9, 401), np.bool_)
    truth[3] = True
    cols = np.arange(401)
    winding[3 + np.abs((cols + 2) % 4 - 2), cols] = True  # on the line at every fourth column
    counts = path_counts(winding, truth, np.ones(truth.shape, np.bool_), spacing=40)
    assert counts.truth_onto_prediction == pytest.approx(1 - (np.sqrt(2) - 1), abs=1e-9)


def test_void_neither_counts_nor_breaks() -> None:
    truth, predicted = _street(10, 410), _street(10, 410)
    counted = np.ones(truth.shape, np.bool_)
    counted[:, 180:240] = False
    truth[:, 180:240] = False  # unknown: written as false
    assert path_counts(predicted, truth, counted).score == pytest.approx(1, abs=1e-9)
    gap = predicted.copy()
    gap[:, 190:230] = False  # whatever is drawn where nothing counts
    assert path_counts(gap, truth, counted).score == pytest.approx(1, abs=1e-9)
    assert path_counts(predicted, truth, np.zeros_like(counted)).score is None


def test_images_weigh_alike_and_units_do_not_mix() -> None:
    truth = _street(10, 410)
    counted = np.ones(truth.shape, np.bool_)
    both = path_counts(truth, truth, counted) + path_counts(truth & False, truth, counted)
    assert both.images == 2
    assert both.score == pytest.approx(0.5)
    assert (PathCounts() + both).unit == "px"
    with pytest.raises(SettingError, match="cannot be added"):
        both + path_counts(truth, truth, counted, 0.5)


def test_settings_are_metres_where_the_pixel_size_is_known() -> None:
    truth, beside = _street(10, 410), _street(10, 410, row=46)
    counted = np.ones(truth.shape, np.bool_)
    assert path_counts(beside, truth, counted).score == 0  # 6 px off, reach 4 px
    assert path_counts(beside, truth, counted, 0.5).score == pytest.approx(1, abs=0.01)  # 3 m off, reach 4 m


def test_draw_is_seeded_and_bounded() -> None:
    rng = np.random.default_rng(0)
    truth = _network(rng)
    predicted = truth & (rng.random(truth.shape) < 0.999)
    counted = np.ones(truth.shape, np.bool_)
    few = [path_counts(predicted, truth, counted, most=5, seed=seed) for seed in (1, 1, 2)]
    assert few[0] == few[1] != few[2]


@pytest.mark.parametrize(
    ("name", "value"), [("spacing", 0.0), ("snap", -1.0), ("shortest", math.nan), ("most", 0)]
)
def test_settings_out_of_range(name: str, value: float) -> None:
    truth = _street(10, 410)
    with pytest.raises(SettingError, match=name):
        path_counts(truth, truth, truth, **{name: value})


def _network(rng: np.random.Generator, size: int = 110) -> Mask:
    canvas = np.zeros((size, size), np.uint8)
    for _ in range(6):
        start, stop = rng.integers(0, size, (2, 2)).tolist()
        cv2.line(canvas, start, stop, 1, int(rng.integers(1, 6)))
    return canvas > 0


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_slow_version(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = _network(rng)
    predicted = truth.copy()
    for row, col in rng.integers(0, 100, (4, 2)):
        predicted[row : row + 10, col : col + 10] = False
    predicted |= _network(rng) & (rng.random() < 0.5)
    counts = path_counts(predicted, truth, np.ones(truth.shape, np.bool_), spacing=30, snap=3, most=10_000)
    ours, theirs = line_graph(predicted), line_graph(truth)
    assert counts.truth_onto_prediction == pytest.approx(_slow_share(theirs, ours, 30, 3, 10), abs=0.006)
    assert counts.prediction_onto_truth == pytest.approx(_slow_share(ours, theirs, 30, 3, 10), abs=0.006)


def _slow_share(own: LineGraph, other: LineGraph, spacing: float, snap: float, shortest: float) -> float:
    """Walk every pair of control points, one by one."""
    controls = _slow_controls(own, spacing)
    places = {point: _slow_nearest(other, _point(own, point), snap) for point in controls}
    costs = []
    for start in controls:
        there = _slow_ways(own, start)
        here = _slow_ways(other, places[start]) if places[start] else {}
        for stop in controls:
            wanted = there.get(stop, math.inf)
            if stop == start or math.isinf(wanted) or wanted < shortest:
                continue
            end = places[stop]
            given = here.get(end, math.inf) if end else math.inf
            costs.append(min(1.0, abs(given - wanted) / wanted))
    return 1 - sum(costs) / len(costs)


def _vertex(lines: LineGraph, edge: int, index: int) -> Vertex:
    """A pixel of one edge; the pixels at its ends are those of its nodes."""
    size = int(lines.first[edge + 1] - lines.first[edge])
    if index == 0 or index == size - 1:
        return ("node", int(lines.ends[edge, 0 if index == 0 else 1]), 0)
    return ("line", edge, index)


def _point(lines: LineGraph, vertex: Vertex) -> tuple[float, float]:
    kind, number, index = vertex
    if kind == "line":
        return tuple(lines.points[int(lines.first[number]) + index].tolist())
    edge, side = np.argwhere(lines.ends == number)[0]
    return tuple(lines.points[lines.first[edge] if side == 0 else lines.first[edge + 1] - 1].tolist())


def _slow_controls(lines: LineGraph, spacing: float) -> list[Vertex]:
    found = set()
    for edge, length in enumerate(lines.lengths.tolist()):
        parts = max(math.ceil(length / spacing), 2 if lines.ends[edge, 0] == lines.ends[edge, 1] else 1)
        along = lines.along[lines.first[edge] : lines.first[edge + 1]].tolist()
        for k in range(parts + 1):
            index = next(i for i, way in enumerate(along) if way >= length * k / parts - 1e-9)
            found.add(_vertex(lines, edge, index))
    return sorted(found)


def _slow_nearest(lines: LineGraph, point: tuple[float, float], snap: float) -> Vertex | None:
    best: tuple[float, Vertex] | None = None
    for edge in range(lines.lengths.size):
        for index, at in enumerate(lines.points[lines.first[edge] : lines.first[edge + 1]].tolist()):
            distance = math.dist(point, at)
            if distance <= snap and (best is None or distance < best[0]):
                best = (distance, _vertex(lines, edge, index))
    return best[1] if best else None


def _slow_ways(lines: LineGraph, start: Vertex) -> dict[Vertex, float]:
    near: dict[Vertex, list[tuple[Vertex, float]]] = {}
    for edge in range(lines.lengths.size):
        along = lines.along[lines.first[edge] : lines.first[edge + 1]].tolist()
        for index in range(len(along) - 1):
            one, two = _vertex(lines, edge, index), _vertex(lines, edge, index + 1)
            near.setdefault(one, []).append((two, along[index + 1] - along[index]))
            near.setdefault(two, []).append((one, along[index + 1] - along[index]))
    done: dict[Vertex, float] = {}
    heap = [(0.0, start)]
    while heap:
        way, vertex = heapq.heappop(heap)
        if vertex in done:
            continue
        done[vertex] = way
        for other, step in near.get(vertex, []):
            if other not in done:
                heapq.heappush(heap, (way + step, other))
    return done
