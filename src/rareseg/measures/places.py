"""Counting where classes lie: pixels of each class in blocks of 32 x 32 px, and what follows for crops.

The counts of an image are the sum over its windows, in any order and however they are cut, so that threads and
processes may count them apart.
"""

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.tally import members
from rareseg.records.dataset import VOID
from rareseg.records.places import BLOCK, ImagePlaces, Layer, block_shape

_SPARSE_BYTES, _DENSE_BYTES = 6, 2
"""Bytes of a block in a sparse layer (its number and its count) and in a dense one."""


class BlockCounts(NamedTuple):
    """Counts (classes + 1, rows, cols) uint16 of a window, and the row and column of its first block."""

    counts: NDArray[np.uint16]
    row: int
    col: int


def block_counts(
    labels: NDArray[np.uint8], *, classes: int, overlapping: bool, row: int = 0, col: int = 0
) -> BlockCounts:
    """Count the pixels of each class, and those labelled at all, in the blocks of a window.

    Args:
        labels: (height, width), class indices or, if `overlapping`, bit sets (bit k = class k); VOID is not
            labelled.
        classes: number of classes.
        overlapping: whether a pixel may belong to several classes.
        row: the window's first row in its image, px: blocks are those of the image.
        col: its first column, px.
    """
    above, left = row % BLOCK, col % BLOCK
    rows, cols = block_shape(above + labels.shape[0], left + labels.shape[1])
    padded = labels
    if (rows * BLOCK, cols * BLOCK) != labels.shape:
        padded = np.full((rows * BLOCK, cols * BLOCK), VOID, np.uint8)
        padded[above : above + labels.shape[0], left : left + labels.shape[1]] = labels
    counts = np.empty((classes + 1, rows, cols), np.uint16)
    for index in range(classes):
        _count(members(padded, index, overlapping=overlapping), out=counts[index])
    _count(padded != VOID, out=counts[classes])
    return BlockCounts(counts, row // BLOCK, col // BLOCK)


def _count(mask: NDArray[np.bool_], *, out: NDArray[np.uint16]) -> None:
    rows, cols = out.shape
    # 32 rows of a column fit into 8 bits, and summing whole rows first keeps the inner loop long.
    bands = np.add.reduce(mask.view(np.uint8).reshape(rows, BLOCK, cols * BLOCK), axis=1, dtype=np.uint8)
    np.add.reduce(bands.reshape(rows, cols, BLOCK), axis=2, dtype=np.uint16, out=out)


@final
class ImageTally:
    """Adds up the windows of one image; holds 2 bytes per class and block."""

    def __init__(self, height: int, width: int, classes: int) -> None:
        """Start with nothing counted in an image of these sides, px."""
        self._height, self._width = height, width
        self._counts = np.zeros((classes + 1, *block_shape(height, width)), np.uint16)

    def add(self, window: BlockCounts) -> None:
        """Add a window; windows that do not overlap may come in any order."""
        _, rows, cols = window.counts.shape
        self._counts[:, window.row : window.row + rows, window.col : window.col + cols] += window.counts

    def places(self) -> ImagePlaces:
        """Return what was counted."""
        return ImagePlaces(self._height, self._width, tuple(_packed(grid.ravel()) for grid in self._counts))


def _packed(counts: NDArray[np.uint16]) -> Layer:
    if _SPARSE_BYTES * np.count_nonzero(counts) >= _DENSE_BYTES * counts.size:
        return Layer(None, counts.copy())
    blocks = np.flatnonzero(counts).astype(np.uint32)
    return Layer(blocks, counts[blocks])


@final
class Holders:
    """The blocks of several images that hold some of one layer, numbered from image to image."""

    def __init__(self, images: Sequence[ImagePlaces], layer: int) -> None:
        """Collect the blocks of `layer`: 4 bytes each."""
        held = [image.held(layer) for image in images]
        self._blocks = np.concatenate([np.empty(0, np.uint32), *held])
        self._firsts = np.cumsum([0, *(len(blocks) for blocks in held)])
        self._columns = [image.shape[1] for image in images]
        self.pixels = np.array([image.total(layer) for image in images], np.int64)
        """Pixels of the layer in each image, shape (images,)."""

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self._blocks)

    def place(self, number: int) -> tuple[int, int, int]:
        """Return image, top and left (px) of a block."""
        image = int(np.searchsorted(self._firsts, number, side="right")) - 1
        row, col = divmod(int(self._blocks[number]), self._columns[image])
        return image, row * BLOCK, col * BLOCK

    def drawn(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """Return image, top and left (px) of one block, all being equally likely."""
        return self.place(int(rng.integers(len(self._blocks))))

    def drawn_within(self, image: int, rng: np.random.Generator) -> tuple[int, int, int]:
        """Return image, top and left (px) of one block of that image."""
        return self.place(int(rng.integers(self._firsts[image], self._firsts[image + 1])))


class CropCounts(NamedTuple):
    """Pixels of one layer in crops of one image that start at `rows` x `cols` px, none of them outside.

    least, most: (rows, cols) int64: what lies in blocks wholly inside the crop, and in all that it meets. They are
    equal where crops end with a block, as all do whose side is a multiple of 32 px and that start with a block.
    """

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    least: NDArray[np.int64]
    most: NDArray[np.int64]


def crop_counts(image: ImagePlaces, layer: int, size: int) -> CropCounts:
    """Count a layer in square crops of `size` px that start with a block, or end where the image does.

    Along a side shorter than `size`, the crop is as long as the image.
    """
    sums = np.zeros(tuple(side + 1 for side in image.shape), np.int64)
    sums[1:, 1:] = image.grid(layer).cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    rows, inner_rows, outer_rows = _spans(image.height, size)
    cols, inner_cols, outer_cols = _spans(image.width, size)
    return CropCounts(
        rows, cols, _within(sums, inner_rows, inner_cols), _within(sums, outer_rows, outer_cols)
    )


_Span = tuple[NDArray[np.int64], NDArray[np.int64]]


def _spans(length: int, size: int) -> tuple[NDArray[np.int64], _Span, _Span]:
    """Return where crops start along a side, px, and the blocks, first and end, inside them and met by them."""
    last = max(length - size, 0)
    starts = np.unique(np.append(np.arange(0, last + 1, BLOCK), last))
    ends = np.minimum(starts + size, length)
    after = -(-ends // BLOCK)
    # The last block reaches beyond the image: a crop that ends with the image holds all there is of it.
    before = np.where(ends == length, after, ends // BLOCK)
    first = -(-starts // BLOCK)
    return starts, (first, np.maximum(before, first)), (starts // BLOCK, after)


def _within(sums: NDArray[np.int64], rows: _Span, cols: _Span) -> NDArray[np.int64]:
    (top, bottom), (left, right) = rows, cols
    return np.asarray(
        sums[np.ix_(bottom, right)]
        - sums[np.ix_(top, right)]
        - sums[np.ix_(bottom, left)]
        + sums[np.ix_(top, left)]
    )
