"""Ways along lines: chosen points of a graph of lines as the vertices of a network, and shortest paths between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.lines import LineGraph
from rareseg.measures.thinning import Pixels
from rareseg.measures.tracing import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_CHUNK = 16
"""Starts that are looked at together: distances to every vertex are kept for these only."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Lines as a weighted graph.

    `ways` (vertices, vertices): px between neighbours. `vertex` (m,) int64: the vertex at each place of the lines'
    `pixels`, -1 where there is none.
    """

    ways: "csr_array"
    vertex: Pixels

    def distances(self, starts: Pixels, *, limit: float = np.inf) -> Iterator[tuple[slice, Floats]]:
        """Yield, some starts at a time, their slice and px to every vertex, (starts, vertices), inf if there is no way.

        Vertices farther than `limit` px are not reached.
        """
        from scipy.sparse.csgraph import dijkstra  # noqa: PLC0415

        for begin in range(0, starts.size, _CHUNK):
            chosen = slice(begin, min(begin + _CHUNK, starts.size))
            yield chosen, dijkstra(self.ways, indices=starts[chosen], limit=limit)


def network(lines: LineGraph, places: Pixels) -> Network:
    """Return the network of `lines` with vertices at its nodes and at `places` (indices into `lines.pixels`)."""
    from scipy.sparse import coo_array  # noqa: PLC0415

    vertex = np.full(lines.pixels.size, -1, np.int64)
    # Places at nodes are overwritten by their node's number, so that all edges of a node meet in one vertex.
    chosen = np.unique(places)
    vertex[chosen] = lines.nodes + np.arange(chosen.size)
    vertex[lines.first[:-1]] = lines.ends[:, 0]
    vertex[lines.first[1:] - 1] = lines.ends[:, 1]
    stops = np.flatnonzero(vertex >= 0)
    edge = lines.edge[stops]
    same = edge[1:] == edge[:-1]
    one, other = vertex[stops[:-1]][same], vertex[stops[1:]][same]
    length = np.diff(lines.along[stops])[same]
    one, other = np.minimum(one, other), np.maximum(one, other)
    # Of several ways between two vertices only the shortest counts; a sparse matrix would add them up.
    order = np.lexsort((length, other, one))
    one, other, length = one[order], other[order], length[order]
    shortest = np.ones(one.size, np.bool_)
    shortest[1:] = (np.diff(one) != 0) | (np.diff(other) != 0)
    shortest &= one != other
    one, other, length = one[shortest], other[shortest], length[shortest]
    pairs = (np.concatenate([one, other]), np.concatenate([other, one]))
    count = lines.nodes + chosen.size
    return Network(coo_array((np.tile(length, 2), pairs), shape=(count, count)).tocsr(), vertex)


def places_along(lines: LineGraph, spacing: float) -> Pixels:
    """Return places in `lines.pixels` that cut each edge into equal parts of at most `spacing` px, its ends included.

    A loop is cut into two parts at least, so that one point of it is not its node.
    """
    loop = lines.ends[:, 0] == lines.ends[:, 1]
    parts = np.maximum(np.ceil(lines.lengths / spacing).astype(np.int64), np.where(loop, 2, 1))
    edge = np.repeat(np.arange(parts.size), parts + 1)
    number = np.arange(edge.size) - np.repeat(np.cumsum(parts + 1) - parts - 1, parts + 1)
    wanted = lines.lengths[edge] * number / parts[edge]
    # One rising scale for all edges, so that one search finds every place.
    shift = np.concatenate([[0.0], np.cumsum(lines.lengths + 1)])
    scale = lines.along + shift[lines.edge]
    found = np.searchsorted(scale, wanted + shift[edge] - 1e-9)
    found = np.clip(found, lines.first[edge], lines.first[edge + 1] - 1)
    return np.unique(found)


def nearest_places(lines: LineGraph, points: Floats, reach: float) -> Pixels:
    """Return the place in `lines.pixels` nearest to each of `points` (n, 2), -1 if none lies within `reach` px."""
    from scipy.spatial import cKDTree  # noqa: PLC0415

    if not lines.pixels.size or not len(points):
        return np.full(len(points), -1, np.int64)
    _, first = np.unique(lines.pixels, return_index=True)
    distances, places = cKDTree(lines.points[first]).query(points, distance_upper_bound=reach + 1e-6)
    found = np.isfinite(distances)
    nearest = np.full(len(points), -1, np.int64)
    nearest[found] = first[places[found]]
    return nearest


def points_that_count(lines: LineGraph, spacing: float, counted: NDArray[np.bool_]) -> Pixels:
    """Return a place for each node and each point between (see `places_along`) whose pixel counts, each once.

    Edges that leave a junction by the same pixel each have a place there: the first stands for all, as it does for
    `nearest_places`, so that the same pixel is the same place in both maps.
    """
    _, first, number = np.unique(lines.pixels, return_index=True, return_inverse=True)
    places = np.unique(first[number[places_along(lines, spacing)]])
    return places[counted.ravel()[lines.pixels[places]]]


def chosen_evenly(rng: np.random.Generator, items: Pixels, most: int) -> Pixels:
    """Return at most `most` of `items`, drawn without replacement, in their order."""
    if items.size <= most:
        return items
    return np.sort(rng.choice(items, most, replace=False))
