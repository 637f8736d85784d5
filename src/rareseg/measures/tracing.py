"""From a skeleton to a graph: nodes where lines end or meet, edges with the pixels between."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.thinning import Pixels, sharpen

Floats = NDArray[np.float64]


class Traced(NamedTuple):
    """Edges as runs of pixels, of an image with a rim.

    `pixels` (m,): the edges' pixels from node to node, one edge after the other; edge e holds
    `first[e]` to `first[e + 1]`. `ends` (edges, 2): numbers of its nodes. `joint` (m,): whether the pixel belongs to
    a junction. `nodes`: how many there are.
    """

    pixels: Pixels
    first: Pixels
    ends: Pixels
    joint: NDArray[np.bool_]
    nodes: int


class _Links(NamedTuple):
    """Pairs of skeleton pixels, by their place in the list, that touch."""

    one: Pixels
    other: Pixels

    def where(self, chosen: NDArray[np.bool_]) -> "_Links":
        return _Links(self.one[chosen], self.other[chosen])


def trace(image: NDArray[np.uint8]) -> Traced:
    """Return the graph of a skeleton with a rim (0 and 1), which is sharpened in place.

    A node is a pixel with one neighbour, or a cluster of pixels with three or more; it stands at the cluster's pixel
    that is nearest to its mean. A loop without either gets a node at its first pixel. A pixel without neighbours
    is in no edge.
    """
    sharpen(image)
    pixels = np.flatnonzero(image.view(np.bool_))
    links = _links(image, pixels)
    degree = np.bincount(np.concatenate(links), minlength=pixels.size)
    joint = degree > 2
    inner = degree == 2
    along = links.where(inner[links.one] & inner[links.other])
    _, run = _components(along, pixels.size)
    inner, along = _opened(inner, along, run)
    number, node_pixel = _nodes(links, inner, joint, pixels, image.shape[1])
    runs = _ordered(inner, along, run)
    mixed = links.where(inner[links.one] != inner[links.other])
    direct = links.where(~inner[links.one] & ~inner[links.other] & (number[links.one] != number[links.other]))
    return _joined(pixels, _edges(runs, mixed, direct, inner, run), node_pixel, number, joint)


def _links(image: NDArray[np.uint8], pixels: Pixels) -> _Links:
    """Return pairs of neighbours; diagonal ones only where no pixel beside them links the two already."""
    flat, width = image.reshape(-1), image.shape[1]
    place = np.full(flat.size, -1, np.int32)
    place[pixels] = np.arange(pixels.size, dtype=np.int32)
    one, other = [], []
    for step, between in ((1, ()), (width, ()), (width + 1, (1, width)), (width - 1, (-1, width))):
        there = flat[pixels + step] == 1
        for side in between:
            there &= flat[pixels + side] == 0
        from_ = np.flatnonzero(there)
        one.append(from_)
        other.append(place[pixels[from_] + step].astype(np.int64))
    return _Links(np.concatenate(one), np.concatenate(other))


def _components(links: _Links, count: int) -> tuple[int, Pixels]:
    """Number the connected pieces of `count` things."""
    # SciPy takes longer to load than most commands of this library.
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    ones = np.ones(links.one.size, np.int8)
    graph = coo_array((ones, (links.one, links.other)), shape=(count, count)).tocsr()
    pieces, number = connected_components(graph, directed=False)
    return int(pieces), np.asarray(number, np.int64)


def _opened(inner: NDArray[np.bool_], along: _Links, run: Pixels) -> tuple[NDArray[np.bool_], _Links]:
    """Give each loop without a node one: its first pixel becomes a node."""
    degree = np.bincount(np.concatenate(along), minlength=inner.size)
    is_open = np.zeros(run.max(initial=-1) + 1, np.bool_)
    is_open[run[inner & (degree < 2)]] = True
    closed = np.flatnonzero(inner & ~is_open[run])
    _, where = np.unique(run[closed], return_index=True)
    inner = inner.copy()
    inner[closed[where]] = False
    return inner, along.where(inner[along.one] & inner[along.other])


def _nodes(
    links: _Links, inner: NDArray[np.bool_], joint: NDArray[np.bool_], pixels: Pixels, width: int
) -> tuple[Pixels, Pixels]:
    """Return each pixel's node, -1 on lines, and the place of each node's pixel."""
    count, cluster = _components(links.where(joint[links.one] & joint[links.other]), pixels.size)
    outer = np.flatnonzero(~inner)
    _, numbers = np.unique(cluster[outer], return_inverse=True)
    number = np.full(pixels.size, -1, np.int64)
    number[outer] = numbers
    rows, cols = np.divmod(pixels[outer], width)
    share = np.bincount(numbers).astype(np.float64)
    off_row = rows - (np.bincount(numbers, rows) / share)[numbers]
    off_col = cols - (np.bincount(numbers, cols) / share)[numbers]
    # Distances are compared on a grid, so that rounding does not choose between two pixels as far.
    order = np.lexsort((outer, np.rint((off_row**2 + off_col**2) * 1024), numbers))
    first = np.searchsorted(numbers[order], np.arange(share.size))
    return number, outer[order[first]]


class _Runs(NamedTuple):
    """Line pixels in the order in which they lie along their runs; run r holds `first[r]` to `first[r + 1]`."""

    order: Pixels
    first: Pixels
    last_pixel: NDArray[np.bool_]
    """Of all pixels, those that end a run of two pixels or more."""


def _ordered(inner: NDArray[np.bool_], along: _Links, run: Pixels) -> _Runs:
    """Order the pixels of each run from one of its ends to the other.

    The runs are tied into one long line, end to start, and a breadth-first walk along it meets them in order.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.sparse.csgraph import breadth_first_order  # noqa: PLC0415

    degree = np.bincount(np.concatenate(along), minlength=inner.size)
    tips = np.flatnonzero(inner & (degree < 2))
    tips = tips[np.argsort(run[tips], kind="stable")]
    _, first_tip, tips_each = np.unique(run[tips], return_index=True, return_counts=True)
    start, stop = tips[first_tip], tips[first_tip + tips_each - 1]
    last_pixel = np.zeros(inner.size, np.bool_)
    last_pixel[stop[tips_each == 2]] = True
    if not start.size:
        return _Runs(start, np.zeros(1, np.int64), last_pixel)
    one = np.concatenate([along.one, stop[:-1]])
    other = np.concatenate([along.other, start[1:]])
    graph = coo_array((np.ones(one.size, np.int8), (one, other)), shape=(inner.size, inner.size)).tocsr()
    walked = breadth_first_order(graph, start[0], directed=False, return_predecessors=False)
    order = np.asarray(walked, np.int64)
    changes = np.flatnonzero(np.diff(run[order])) + 1
    return _Runs(order, np.concatenate([[0], changes, [order.size]]), last_pixel)


class _Edges(NamedTuple):
    """`sequence`: line pixels of all edges; edge e has `first[e]` to `first[e + 1]`, and touches two node pixels."""

    sequence: Pixels
    first: Pixels
    touch: Pixels
    """(edges, 2)"""


def _edges(runs: _Runs, mixed: _Links, direct: _Links, inner: NDArray[np.bool_], run: Pixels) -> _Edges:
    """Return the edges.

    Runs come first, then pairs of nodes that touch, which have no line pixel.
    """
    swapped = inner[mixed.other]
    line, node = np.where(swapped, mixed.other, mixed.one), np.where(swapped, mixed.one, mixed.other)
    position = np.zeros(inner.size, np.int64)
    position[run[runs.order[runs.first[:-1]]]] = np.arange(runs.first.size - 1)
    # Each run touches two nodes: the one at its start comes first.
    order = np.lexsort((node, runs.last_pixel[line], position[run[line]]))
    touch = np.concatenate([node[order].reshape(-1, 2), np.stack(direct, axis=1)])
    first = np.concatenate([runs.first, np.full(direct.one.size, runs.order.size)])
    return _Edges(runs.order, first, touch)


def _joined(
    pixels: Pixels, edges: _Edges, node_pixel: Pixels, number: Pixels, joint: NDArray[np.bool_]
) -> Traced:
    """Put the nodes' pixels before and after the lines': where the node stands, then what the line touches."""
    sequence, first, touch = edges
    ends, extra = number[touch], 4 * np.arange(len(touch))
    sizes = np.diff(first)
    head = first[:-1] + extra
    every = np.empty(sequence.size + 4 * len(touch), np.int64)
    every[np.arange(sequence.size) + np.repeat(extra + 2, sizes)] = sequence
    tail = head + sizes + 2
    every[head], every[head + 1] = node_pixel[ends[:, 0]], touch[:, 0]
    every[tail], every[tail + 1] = touch[:, 1], node_pixel[ends[:, 1]]
    kept = np.ones(every.size, np.bool_)
    kept[head + 1] = every[head + 1] != every[head]
    kept[tail] = every[tail] != every[tail + 1]
    begins = np.concatenate([[0], np.cumsum(kept)])[np.concatenate([head, [every.size]])]
    chosen = every[kept]
    return Traced(pixels[chosen], begins, ends, joint[chosen], node_pixel.size)
