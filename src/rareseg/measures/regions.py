"""The shape of one class in one window: its regions, their width, and where crops would meet it."""

import cv2
import numpy as np
from numpy.typing import NDArray

BLOCK = 16
"""Side, px, of the blocks in which presence is kept; crop positions are multiples of it."""

WIDTH_BINS = 128
"""Bins of the width histogram: 1, 2, ... px, the last for 128 px and more."""
SIZE_BINS = 64
"""Bins of the size histogram, two per doubling of the area: enough for 2^32 px."""

# A pixel is on the ridge if none of its neighbours is farther from the edge by more than half a pixel:
# the ridge of a slanting strip runs between pixel centres, by up to that much. Close to the edge the
# slack is a share of the distance, or every step of a jagged edge would pass for a strip 1 px wide.
_RIDGE_SLACK, _RIDGE_SHARE = np.float32(0.5), np.float32(0.2)
_AXES = ((0, 1), (1, 0), (1, 1), (1, -1))


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the slices of the smallest box that holds all of `mask`, and a rim of one pixel around it."""
    column, row, width, height = cv2.boundingRect(mask.view(np.uint8))
    rows = slice(max(row - 1, 0), min(row + height + 1, mask.shape[0]))
    columns = slice(max(column - 1, 0), min(column + width + 1, mask.shape[1]))
    return rows, columns


def region_areas(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the areas, px, of the 8-connected regions of `mask` (height, width)."""
    count, numbered = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    return np.bincount(numbered.ravel(), minlength=count)[1:].astype(np.int64)


def size_histogram(areas: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count areas, px >= 1, into half-octave bins: bin b holds 2^(b/2) <= area < 2^((b+1)/2)."""
    # Whole logarithms of powers of two are exact, so that area 2^n always opens bin 2n.
    bins = np.floor(2 * np.log2(areas.astype(np.float64))).astype(np.int64)
    return np.bincount(np.minimum(bins, SIZE_BINS - 1), minlength=SIZE_BINS).astype(np.int64)


def ridge_widths(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Measure the width, px >= 1, of the regions of `mask` at each pixel of their ridge.

    The ridge is where the Euclidean distance to the edge is greatest across the region; the branches
    that run into corners are left out, because the distance still rises along them. The width there is
    the distance between the two nearest outside pixels on either side, less one pixel, over the
    narrowest of four directions: right to the pixel for strips along rows and columns, within about
    half a pixel for slanting ones. The edge of the window is not an edge of the region.
    A region that fills the window is taken as a strip as wide as the window's shorter side.
    """
    if mask.all():
        short, long = sorted(mask.shape)
        return np.full(long - short + 1 if short else 0, short, np.float64)
    return ridge(mask)[1]


def ridge(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the places of the ridge in the flattened `mask`, and the widths there (see `ridge_widths`)."""
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    peak = cv2.dilate(distance, np.ones((3, 3), np.uint8))
    places = np.flatnonzero(mask & (distance >= peak - _RIDGE_SLACK))
    height = distance.ravel()[places]
    places = places[height + _RIDGE_SHARE * height >= peak.ravel()[places]]
    rows, columns = np.divmod(places, mask.shape[1])
    padded = cv2.copyMakeBorder(distance, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    stride = padded.shape[1]
    centre = (rows + 1) * stride + columns + 1
    flat = padded.ravel()
    widths = np.full(places.size, np.inf)
    for down, right in _AXES:
        step = down * stride + right
        across = flat[centre - step].astype(np.float64) + flat[centre + step] + 2 * np.hypot(down, right)
        np.minimum(widths, across - 1, out=widths)
    floored: NDArray[np.float64] = np.maximum(widths, 1)
    return places, floored


def width_histogram(widths: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count widths, rounded to whole pixels, into bins of 1, 2, ... px; the last holds all that is wider."""
    bins = np.minimum(np.rint(widths), WIDTH_BINS).astype(np.int64) - 1
    return np.bincount(bins, minlength=WIDTH_BINS).astype(np.int64)


def presence(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return, for every whole block of 16 x 16 px from the top left on, whether it meets `mask`."""
    rows, columns = mask.shape[0] // BLOCK, mask.shape[1] // BLOCK
    whole = mask[: rows * BLOCK, : columns * BLOCK]
    bands = np.bitwise_or.reduce(whole.reshape(rows, BLOCK, columns * BLOCK), axis=1)
    return np.asarray(bands.reshape(rows, columns, BLOCK).any(axis=2))


def crop_positions(shape: tuple[int, int], side: int) -> int:
    """Return how many crops of `side` px lie in a window of `shape` and start at multiples of 16 px."""
    down, right = (length // BLOCK - side // BLOCK + 1 for length in shape)
    return max(down, 0) * max(right, 0)


def crops_holding(blocks: NDArray[np.bool_], side: int) -> int:
    """Return how many of these crops hold a block of `blocks` (see `presence`)."""
    span = side // BLOCK
    if min(blocks.shape) < span:
        return 0
    sums = np.zeros((blocks.shape[0] + 1, blocks.shape[1] + 1), np.int64)
    sums[1:, 1:] = blocks.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    held = sums[span:, span:] - sums[:-span, span:] - sums[span:, :-span] + sums[:-span, :-span]
    return int(np.count_nonzero(held))
