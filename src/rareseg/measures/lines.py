"""A mask of thin things as a graph of lines: nodes where lines end or meet, edges with their pixels and lengths."""

from dataclasses import dataclass
from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.thinning import Pixels, middle_line, padded
from rareseg.measures.tracing import Floats, Traced, trace

SPUR = 1.0
"""Branches up to this many widths of their line, measured from its middle, are corners of the mask, not lines."""
SPECK = 10.0
"""px: lines that are shorter, with all that hangs on them, are dropped (as SpaceNet's road graphs are)."""

_SLACK = 1e-3
"""px: two calls of the distance transform may differ in the last digit, and lengths are often equal to it."""

_ROUNDS = 3
"""Taking branches off lays others bare; more rounds than this were never needed by a map of roads."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class LineGraph:
    """Lines of one mask; lengths in px, steps of 1 and sqrt 2.

    `pixels` (m,) int64: places in the flattened image, edge after edge, from node to node, nodes' own pixels
    included; edge e holds `first[e]` to `first[e + 1]`. `along` (m,): way from the edge's start.
    `ends` (edges, 2): the numbers of its nodes, 0 .. nodes - 1, which may be the same. `lengths` (edges,).
    `piece` (edges,): number of the connected piece, 0 .. pieces - 1.
    """

    shape: tuple[int, int]
    pixels: Pixels
    first: Pixels
    ends: Pixels
    along: Floats
    lengths: Floats
    nodes: int
    piece: Pixels
    pieces: int

    @property
    def edge(self) -> Pixels:
        """The number of the edge of each of `pixels`."""
        return np.repeat(np.arange(self.lengths.size), np.diff(self.first))

    @property
    def points(self) -> Floats:
        """Rows and columns of `pixels`, (m, 2)."""
        return np.stack(np.divmod(self.pixels, max(self.shape[1], 1)), axis=1).astype(np.float64)


def line_graph(mask: NDArray[np.bool_], *, spur: float = SPUR, speck: float = SPECK) -> LineGraph:
    """Return the lines in the middle of `mask` (rows, cols).

    Args:
        mask: true where the thing is.
        spur: branches from a junction to an end are taken off up to this many widths of the mask at the junction;
            where a line would lose both its branches, the longer one stays as its end. 0 keeps all.
        speck: px; connected lines that are shorter in all are dropped.

    Raises:
        SettingError: if a setting is negative or the mask is not two-dimensional.

    Reference: spurs and specks go in every published road graph, e.g. Van Etten 2018, arXiv:1807.01232, section 5.
    """
    if mask.ndim != 2 or spur < 0 or speck < 0:
        message = (
            f"Expected a mask (rows, cols), spur >= 0 widths and speck >= 0 px, got a mask {mask.shape}, "
            f"spur {spur} and speck {speck}."
        )
        raise SettingError(message)
    if not mask.any():
        return _measured(trace(padded(np.zeros(mask.shape, np.bool_))), mask.shape, speck)
    image = padded(middle_line(mask))
    traced = trace(image)
    if spur:
        reach = _heights(mask)
        for _ in range(_ROUNDS):
            doomed = _spurs(traced, image.shape[1], reach, spur)
            if not doomed.any():
                break
            gone = np.repeat(doomed, np.diff(traced.first)) & ~traced.joint
            image.reshape(-1)[traced.pixels[gone]] = 0
            traced = trace(image)
    return _measured(traced, mask.shape, speck)


def _heights(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return how far each pixel lies from the edge of `mask`, px, flattened with a rim."""
    distance = cv2.distanceTransform(padded(mask), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32).ravel()


def _ways(traced: Traced, width: int) -> tuple[Floats, Floats]:
    """Return the way to each pixel from its edge's start, and the edges' lengths, px."""
    rows, cols = np.divmod(traced.pixels, width)
    steps = np.zeros(traced.pixels.size)
    steps[1:] = np.hypot(np.diff(rows), np.diff(cols))
    steps[traced.first[:-1]] = 0
    total = np.cumsum(steps)
    starts, stops = traced.first[:-1], traced.first[1:] - 1
    along = total - np.repeat(total[starts], np.diff(traced.first))
    return along, along[stops]


def _spurs(traced: Traced, width: int, reach: NDArray[np.float32], spur: float) -> NDArray[np.bool_]:
    """Return which edges are spurs, (edges,)."""
    degree = np.bincount(traced.ends.ravel(), minlength=traced.nodes)
    hub = np.where(degree[traced.ends[:, 0]] > 2, 0, 1)
    ends = np.arange(hub.size)
    hub_node, tip_node = traced.ends[ends, hub], traced.ends[ends, 1 - hub]
    hub_pixel = traced.pixels[np.where(hub == 0, traced.first[:-1], traced.first[1:] - 1)]
    _, lengths = _ways(traced, width)
    short = lengths <= spur * 2 * reach[hub_pixel] + _SLACK
    spurs: NDArray[np.bool_] = short & (degree[tip_node] == 1) & (degree[hub_node] > 2)
    # A line that ends in a fork keeps the longer tine, one that is all tines the longest two.
    stay = np.maximum(2 - degree + np.bincount(hub_node[spurs], minlength=traced.nodes), 0)
    order = np.flatnonzero(spurs)
    order = order[np.lexsort((-lengths[order], hub_node[order]))]
    rank = np.arange(order.size) - np.searchsorted(hub_node[order], hub_node[order])
    spurs[order[rank < stay[hub_node[order]]]] = False
    return spurs


def _measured(traced: Traced, shape: tuple[int, int], speck: float) -> LineGraph:
    """Measure the edges and drop pieces shorter than `speck`."""
    # As in tracing: SciPy loads late.
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    width = shape[1] + 2
    along, lengths = _ways(traced, width)
    links = coo_array((np.ones(lengths.size, np.int8), tuple(traced.ends.T)), shape=(traced.nodes,) * 2)
    _, piece = connected_components(links.tocsr(), directed=False) if traced.nodes else (0, np.zeros(0, int))
    of_edge = np.asarray(piece, np.int64)[traced.ends[:, 0]]
    total = np.bincount(of_edge, lengths)
    keep = total[of_edge] >= speck if lengths.size else np.zeros(0, np.bool_)
    sizes = np.diff(traced.first)
    pixels = traced.pixels[np.repeat(keep, sizes)]
    rows, cols = np.divmod(pixels, width)
    nodes, ends = np.unique(traced.ends[keep], return_inverse=True)
    pieces, renumbered = np.unique(of_edge[keep], return_inverse=True)
    first = np.concatenate([[0], np.cumsum(sizes[keep])])
    flat = (rows - 1) * shape[1] + cols - 1
    return LineGraph(
        (shape[0], shape[1]),
        flat,
        first,
        ends.reshape(-1, 2),
        along[np.repeat(keep, sizes)],
        lengths[keep],
        nodes.size,
        renumbered,
        pieces.size,
    )
