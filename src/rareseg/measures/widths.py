"""Recall against width: are thin parts missed where wide ones are found?"""

from dataclasses import dataclass
from typing import NamedTuple, Self, final

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.measures.ground import checked
from rareseg.measures.regions import bounding_box, ridge

HIGHS = (2, 4, 8, 16, 32)
"""px: widest of each bin but the last, which holds all that is wider."""

Counts = NDArray[np.int64]
_Floats = NDArray[np.float64]


class WidthRecall(NamedTuple):
    """Recall of true pixels where the class is `low` to `high` px wide (None: no end)."""

    low: int
    high: int | None
    true: int
    found: int
    recall: float | None
    """None if the truth has no such pixel."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class WidthCounts:
    """True pixels and those found, by width, (6,) int64 each; `+` merges images."""

    true: Counts
    found: Counts

    @classmethod
    def empty(cls) -> Self:
        """Return the counts of no image."""
        zeros = np.zeros(len(HIGHS) + 1, np.int64)
        return cls(zeros, zeros)

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two images."""
        return type(self)(self.true + other.true, self.found + other.found)

    @property
    def by_width(self) -> tuple[WidthRecall, ...]:
        """Recall in each bin, the thinnest first."""
        lows, highs = (1, *(high + 1 for high in HIGHS)), (*HIGHS, None)
        counts = zip(lows, highs, self.true.tolist(), self.found.tolist(), strict=True)
        return tuple(
            WidthRecall(low, high, true, found, found / true if true else None)
            for low, high, true, found in counts
        )


def width_counts(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
) -> WidthCounts:
    """Count one image and class; whole images, because windows cut widths.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; others are outside the class, so that it is as wide as what counts of it.

    Raises:
        SettingError: if shapes differ.
    """
    checked(predicted, truth, counted)
    real = truth & counted
    if not real.any():
        return WidthCounts.empty()
    box = bounding_box(np.ascontiguousarray(real))
    real, guess = np.ascontiguousarray(real[box]), predicted[box]
    bins = np.searchsorted(HIGHS, np.rint(pixel_widths(real)))
    count = len(HIGHS) + 1
    found = bins[guess[real]]
    return WidthCounts(*(np.bincount(one, minlength=count).astype(np.int64) for one in (bins, found)))


def pixel_widths(mask: NDArray[np.bool_]) -> _Floats:
    """Return the width, px >= 1, of the part of `mask` to which each of its pixels belongs, in reading order.

    Each pixel climbs, by the steepest step, to the ridge of its own part (see `regions.ridge_widths`), and takes the
    width there.
    """
    if mask.all():
        return np.full(mask.size, min(mask.shape), np.float64)
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    places, widths = ridge(mask)
    stride = mask.shape[1] + 2
    pixels = np.flatnonzero(mask)
    # Room around the image, at distance 0, so that no neighbour needs to be looked for on the other side of a row.
    # Rounded, because two calls of the transform may differ in the last digit, and equal heights would then part.
    high = np.rint(np.pad(distance, 1).ravel() * 1024) / np.float32(1024)
    target = np.arange(high.size)
    inside = pixels // mask.shape[1] * stride + pixels % mask.shape[1] + stride + 1
    best, height = inside.copy(), high[inside]
    for down, right in ((-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)):
        there = inside + down * stride + right
        # A diagonal step is longer: what counts is the rise per px.
        rise = high[inside] + (high[there] - high[inside]) / np.float32(np.hypot(down, right))
        better = rise > height
        best[better], height[better] = there[better], rise[better]
    target[inside] = best
    top = np.zeros(high.size)
    at = places // mask.shape[1] * stride + places % mask.shape[1] + stride + 1
    target[at], top[at] = at, widths
    return top[_roots(target, inside)]


def _roots(target: Counts, pixels: Counts) -> Counts:
    """Follow `target` from each of `pixels` to where it stays, each time twice as far as before."""
    while True:
        farther = target[target[pixels]]
        if np.array_equal(farther, target[pixels]):
            return farther
        target[pixels] = farther
