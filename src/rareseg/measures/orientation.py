"""Whether up is up: how much of the classes the row in the image explains."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ROW_BANDS = 8
"""Horizontal bands of equal height into which images are divided."""


def row_pixels(mask: NDArray[np.bool_], *, top: int, image_height: int) -> tuple[int, ...]:
    """Return how many pixels of `mask` (height, width), a window of an image, lie in each of its 8 bands.

    Args:
        mask: where a class is.
        top: first row of the window in its image.
        image_height: rows of the image.
    """
    band = (np.arange(top, top + mask.shape[0]) * ROW_BANDS) // image_height
    per_row = np.count_nonzero(mask, axis=1)
    return tuple(int(count) for count in np.bincount(band, weights=per_row, minlength=ROW_BANDS))


def row_dependence(pixels: Sequence[Sequence[int]]) -> float:
    """Return the share of the class entropy that the row band explains, 0..1: I(class; band) / H(class).

    0 for photos from above, where no direction is up; about 0.3 and more for street scenes, with sky above road.

    Args:
        pixels: (classes, bands) counts.
    """
    counts = np.asarray(pixels, np.float64)
    total = counts.sum()
    if not total:
        return 0.0
    joint = counts / total
    of_class, of_band = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    entropy = -_x_log(of_class, of_class).sum()
    if entropy <= 0:
        return 0.0
    return float(_x_log(joint, _ratio(joint, of_class * of_band)).sum() / entropy)


def _ratio(over: NDArray[np.float64], under: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(over, under, out=np.ones_like(over), where=under > 0)


def _x_log(factor: NDArray[np.float64], inside: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factor * ln(inside), 0 where factor is 0."""
    logs = np.zeros_like(factor)
    np.log(inside, out=logs, where=factor > 0)
    return factor * logs
