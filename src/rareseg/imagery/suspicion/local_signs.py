"""What a pixel and its surroundings look like, in a few levels each: brightness, contrast, texture, colour.

Quantised by rank over the whole set, so that units, scale and outliers do not matter.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.looks import Floats

_NEAR, _WIDE = 7, 15
"""px: sides of the squares over which texture and surroundings are measured."""
_TINY = 1e-6

Levels = NDArray[np.uint8]


def local_levels(pictures: Floats, levels: int) -> Levels:
    """Return the level 0..levels-1 of every local sign at every pixel, (images, signs, rows, cols) uint8.

    Args:
        pictures: (images, bands, rows, cols) float32, finite.
        levels: how many, each held by as many pixels of the set as the others.
    """
    mean = pictures.mean(axis=(0, 2, 3), keepdims=True)
    spread = pictures.std(axis=(0, 2, 3), keepdims=True)
    signs = [_signs((picture - mean[0]) / (spread[0] + _TINY)) for picture in pictures]
    found = np.empty((len(pictures), *signs[0].shape), np.uint8)
    for sign in range(len(signs[0])):
        sample = np.stack([each[sign, ::2, ::2] for each in signs])
        limits = np.quantile(sample, np.arange(1, levels) / levels)
        for image, each in enumerate(signs):
            found[image, sign] = np.searchsorted(limits, each[sign].ravel()).reshape(each[sign].shape)
    return found


def indicators(levels: Levels, count: int) -> Floats:
    """Return which level holds, as one row per sign and level but the last, (rows, pixels) float32, mean 0.

    Args:
        levels: (signs, rows, cols) or (signs, pixels) of one image.
        count: number of levels.
    """
    flat = levels.reshape(len(levels), 1, -1)
    held = (flat == np.arange(count - 1, dtype=np.uint8)[None, :, None]).astype(np.float32)
    rows = held.reshape(-1, flat.shape[2])
    return np.asarray(rows - rows.mean(axis=1, keepdims=True), np.float32)


def _signs(picture: Floats) -> Floats:
    grey = picture.mean(axis=0)
    smooth = cv2.GaussianBlur(grey, (0, 0), 1.2)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / 8
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / 8
    mean = _box(grey, _NEAR)
    variance = np.maximum(_box(grey * grey, _NEAR) - mean * mean, 0)
    signs = [
        grey,
        smooth - _box(grey, _WIDE),
        cv2.GaussianBlur(grey, (0, 0), 3) - cv2.GaussianBlur(grey, (0, 0), 8),
        variance,
        cv2.GaussianBlur(np.hypot(across, down), (0, 0), 1.5),
    ]
    for first, second in _band_pairs(len(picture)):
        hue = cv2.GaussianBlur(picture[first] - picture[second], (0, 0), 1)
        signs += [hue, hue - _box(hue, _WIDE)]
    if len(picture) >= 3:
        signs.append(np.abs(picture[0] - picture[2]))
    return np.stack(signs).astype(np.float32)


def _box(plane: Floats, side: int) -> Floats:
    return np.asarray(cv2.blur(plane, (side, side)), np.float32)


def _band_pairs(bands: int) -> list[tuple[int, int]]:
    """Neighbouring bands, at most four pairs."""
    return [(band, band + 1) for band in range(min(bands - 1, 4))]
