"""Exact histograms of small integers, at memory speed."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# OpenCV counts into float32, which is exact up to 2^24: no chunk may hold more pixels than that.
EXACT = 1 << 24


def histogram(
    values: NDArray[Any], bins: int, counted: NDArray[np.bool_] | None = None, *, chunk: int = EXACT
) -> NDArray[np.int64]:
    """Count how often each of the values 0..bins-1 occurs.

    Args:
        values: uint8 or uint16 of any shape; values of `bins` and more are not counted.
        bins: at most 65,536.
        counted: same shape; pixels that are False are not counted.
        chunk: pixels counted at a time.

    Returns:
        int64 of shape (bins,).
    """
    flat = np.ascontiguousarray(values).reshape(1, -1)
    mask = None if counted is None else np.ascontiguousarray(counted).reshape(1, -1).view(np.uint8)
    total = np.zeros(bins, np.int64)
    for start in range(0, flat.size, chunk):
        part = slice(start, start + chunk)
        part_mask = None if mask is None else mask[:, part]
        counts = cv2.calcHist([flat[:, part]], [0], part_mask, [bins], [0, bins])
        total += counts.ravel().astype(np.int64)
    return total
