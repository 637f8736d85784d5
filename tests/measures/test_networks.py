"""Ways along drawn lines."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.measures.lines import LineGraph, line_graph
from rareseg.measures.networks import nearest_places, network, places_along, points_that_count


def _eight() -> LineGraph:
    """Two junctions, joined by a straight line of 60 px and by a way around on either side."""
    mask = np.zeros((80, 100), np.bool_)
    mask[40, 20:81] = True
    mask[10, 20:81] = mask[60, 20:81] = True
    mask[10:61, 20] = mask[10:61, 80] = True
    return line_graph(mask)


def _distances(lines: LineGraph, places: NDArray[np.int64]) -> NDArray[np.float64]:
    ways = network(lines, places)
    used = np.unique(ways.vertex[ways.vertex >= 0])
    return np.concatenate([found for _, found in ways.distances(used)])[:, used]


def test_of_several_edges_between_two_nodes_the_shortest_counts() -> None:
    lines = _eight()
    assert (lines.nodes, lines.lengths.size) == (2, 3)
    found = _distances(lines, np.empty(0, np.int64))
    assert found[0, 1] == found[1, 0] == pytest.approx(60, abs=3) == lines.lengths.min()


def test_more_vertices_change_no_way() -> None:
    lines = _eight()
    few, many = _distances(lines, np.empty(0, np.int64)), _distances(lines, np.arange(lines.pixels.size))
    np.testing.assert_allclose(many[:2, :2], few)
    assert np.isfinite(many).all()


def test_points_cut_edges_into_equal_parts() -> None:
    lines = _eight()
    places = places_along(lines, 25)
    for edge, length in enumerate(lines.lengths.tolist()):
        here = places[(places >= lines.first[edge]) & (places < lines.first[edge + 1])]
        parts = int(np.ceil(length / 25))
        np.testing.assert_allclose(lines.along[here], np.arange(parts + 1) * length / parts, atol=1.5)
    counted = np.zeros((80, 100), np.bool_)
    counted[:30] = True
    rows = lines.points[points_that_count(lines, 25, counted)][:, 0]
    assert rows.size
    assert (rows < 30).all()


def test_nearest_places_equal_looking_at_all() -> None:
    lines = _eight()
    points = np.random.default_rng(0).uniform(0, 80, (200, 2))
    found = nearest_places(lines, points, 9)
    distances = np.linalg.norm(points[:, None] - lines.points, axis=2)
    np.testing.assert_array_equal(found >= 0, distances.min(axis=1) <= 9)
    known = found >= 0
    np.testing.assert_allclose(distances[known, found[known]], distances[known].min(axis=1))
