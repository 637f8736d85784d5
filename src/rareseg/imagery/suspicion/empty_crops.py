"""Crops and batches without a pixel of the rarest class; labels where the photo holds nothing."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.looks import VOID, Floats, Labels

CROP = 256
"""Rows and columns of the crops that training usually draws, px."""
_STEP = 64
_FILL = 32
"""Rows and columns of a square throughout which a fill holds one value, px."""
_MOST_DRAWN = 0.9
_TOLERANCE = 4 / 255
"""Share of an image's range by which compression moves a fill."""


def rarest(shares: Sequence[float]) -> int:
    """Return the rarest class that is present; class 1 of two."""
    if len(shares) == 2:
        return 1
    present = [label for label, share in enumerate(shares) if share > 0]
    return min(present, key=lambda label: shares[label]) if present else 0


def empty_crops(labels: Iterable[Labels], rare: int) -> float | None:
    """Return the share of crops of 256 px, or of whole smaller images, without the class; None if there are none."""
    empty = looked = 0
    for one in labels:
        rows, cols = (min(CROP, side) for side in one.shape)
        sums = cv2.integral((one == rare).astype(np.uint8))
        tops, lefts = (np.array([*range(0, side - part, _STEP), side - part])
                       for side, part in zip(one.shape, (rows, cols), strict=True))  # fmt: skip
        below, right = tops + rows, lefts + cols
        held = sums[np.ix_(below, right)] - sums[np.ix_(tops, right)]
        held = held - sums[np.ix_(below, lefts)] + sums[np.ix_(tops, lefts)]
        empty += int(np.count_nonzero(held == 0))
        looked += held.size
    return empty / looked if looked else None


def empty_batches(labels: Labels, sizes: Sequence[int], rare: int) -> float | None:
    """Return the share of batches without the class.

    Args:
        labels: (images, pixels), batch after batch.
        sizes: images of each batch.
        rare: the class.
    """
    if not sizes:
        return None
    held = (labels == rare).any(axis=1)
    ends = np.cumsum(sizes)
    return float(np.mean([not held[end - size : end].any() for end, size in zip(ends, sizes, strict=True)]))


def without_photo(picture: Floats) -> NDArray[np.bool_]:
    """Mark the squares of 32 px throughout which all bands hold the lowest or the highest value of the image.

    Args:
        picture: (bands, rows, cols).

    Returns:
        (rows, cols) bool; all False for images smaller than two such squares.
    """
    marked = np.zeros(picture.shape[1:], np.bool_)
    if min(picture.shape[1:]) < 2 * _FILL:
        return marked
    low, high = float(picture.min()), float(picture.max())
    slack = _TOLERANCE * (high - low)
    square = np.ones((_FILL, _FILL), np.uint8)
    for held in ((picture <= low + slack).all(axis=0), (picture >= high - slack).all(axis=0)):
        if high > low and np.count_nonzero(held) >= _FILL**2:
            marked |= cv2.morphologyEx(np.asarray(held, np.uint8), cv2.MORPH_OPEN, square) != 0
    return marked


def labelled_without_photo(pictures: Iterable[Floats], labels: Iterable[Labels]) -> float | None:
    """Return, of the labelled pixels of all classes but the first, the share that lies where the photo is empty."""
    drawn = lost = 0
    for picture, label in zip(pictures, labels, strict=True):
        rare = (label != VOID) & (label > 0)
        drawn += int(np.count_nonzero(rare))
        empty = without_photo(picture)
        inside = int(np.count_nonzero(rare & empty))
        # What is drawn as wholly of a class is an evenly coloured thing, not a gap in the photo.
        lost += inside if inside < _MOST_DRAWN * np.count_nonzero(empty) else 0
    return lost / drawn if drawn else None
