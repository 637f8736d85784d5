"""Images that show a part of one another: windows of one scene that overlap, told by content at any displacement.

Two windows are laid over one another where their phases agree best (Kuglin & Hines 1975, Proc. Int. Conf. on
Cybernetics and Society: phase correlation), and count as overlapping if what lies beneath is the same in detail.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.looks import Floats, spread

SIDE = 64
"""px: longer side to which images are reduced."""
ALIKE = 0.8
"""Correlation of the detail in the common part, from which on it is the same ground; unlike photos stay below 0.5."""
ALIKE_EVERYWHERE = 0.2
"""The same of each of 16 pieces of the common part. One bright thing laid over another agrees in some pieces only: a
stripe in noise has pieces below 0.05, overlapping windows none below 0.35."""
LEAST_SIDE = 48
"""px: sides of reduced images below which a bright thing is most of what they show."""
LEAST_COMMON = 0.15
"""Common part of the image, below which nothing is said."""
MOST_TRAINING, MOST_VALIDATION = 96, 24
"""Images that are compared, evenly spread."""
_SMOOTH, _BLUR = 0.8, 3.0
"""px: what is finer is lost where windows do not lie on one grid; what is coarser is light."""
_FADE = 5
"""px over which images fade towards their ends."""
_PEAKS = 2
_PIECES = 4
_FLAT = 1e-6
_SECTOR = 64

Complexes = NDArray[np.complex64]


def sketch(picture: Floats) -> Floats:
    """Return the detail of an image over the contrast around it, (rows, cols) float32, at most 64 px a side.

    Args:
        picture: (bands, rows, cols) float32, finite.
    """
    grey = np.ascontiguousarray(picture.mean(axis=0), np.float32)
    factor = min(1.0, SIDE / max(grey.shape))
    rows, cols = (max(1, round(side * factor)) for side in grey.shape)
    small = cv2.resize(grey, (cols, rows), interpolation=cv2.INTER_AREA)
    fine, coarse = (cv2.GaussianBlur(small, (0, 0), sigma) for sigma in (_SMOOTH, _BLUR))
    detail = fine - coarse
    # By the contrast around each pixel: else one bright thing would outweigh all ground, and like things lie anywhere.
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 2 * _BLUR))
    return np.asarray(detail / (contrast + _FLAT * (1 + float(np.abs(small).max()))), np.float32)


def overlapping(training: Sequence[Floats], validation: Sequence[Floats]) -> NDArray[np.bool_]:
    """Tell which validation images show a part of a training image, (validation,).

    Of many images some are compared, evenly spread; what is not compared is not found.

    Args:
        training: sketches.
        validation: sketches.
    """
    found = np.zeros(len(validation), np.bool_)
    if not training or not validation:
        return found
    known = [training[index] for index in spread(len(training), MOST_TRAINING)]
    phases = np.stack([_phases(one) for one in known])
    for index in spread(len(validation), MOST_VALIDATION):
        one = validation[index]
        if min(one.shape) < LEAST_SIDE:
            continue
        found[index] = _overlaps_any(one, _phases(one), known, phases)
    return found


def _overlaps_any(one: Floats, phase: Complexes, known: Sequence[Floats], phases: Complexes) -> bool:
    for start in range(0, len(known), _SECTOR):
        part = slice(start, start + _SECTOR)
        surfaces = np.fft.irfft2(phases[part] * np.conj(phase), (2 * SIDE, 2 * SIDE))
        flat = surfaces.reshape(len(surfaces), -1)
        peaks = np.argpartition(-flat, _PEAKS, axis=1)[:, :_PEAKS]
        for other, places in zip(known[part], peaks, strict=True):
            if any(_same_at(one, other, *divmod(int(place), 2 * SIDE)) for place in places):
                return True
    return False


def _phases(one: Floats) -> Complexes:
    """Return the phases of an image that fades towards its ends, which else show as a cross in every image."""
    rows, cols = (
        np.minimum(1, (1 + np.minimum(np.arange(n), n - 1 - np.arange(n))) / _FADE) for n in one.shape
    )
    faded = one * np.outer(rows, cols)
    found = np.fft.rfft2(faded, (2 * SIDE, 2 * SIDE))
    return np.asarray(found / np.maximum(np.abs(found), 1e-6), np.complex64)


def _same_at(one: Floats, other: Floats, row: int, col: int) -> bool:
    """Tell whether `one`, moved down by `row` and right by `col`, shows what `other` does beneath."""
    down, right = ((place + SIDE) % (2 * SIDE) - SIDE for place in (row, col))
    top, left = max(0, down), max(0, right)
    bottom = min(other.shape[0], one.shape[0] + down)
    end = min(other.shape[1], one.shape[1] + right)
    if min(bottom - top, end - left) < _PIECES or (bottom - top) * (end - left) < LEAST_COMMON * one.size:
        return False
    beneath = other[top:bottom, left:end]
    above = one[top - down : bottom - down, left - right : end - right]
    return _correlation(above, beneath) > ALIKE and _everywhere(above, beneath)


def _everywhere(one: Floats, other: Floats) -> bool:
    """Tell whether each piece agrees; those without detail tell nothing, and must be few."""
    strips = zip(np.array_split(one, _PIECES), np.array_split(other, _PIECES), strict=True)
    pieces = [
        pair
        for own, beneath in strips
        for pair in zip(
            np.array_split(own, _PIECES, axis=1), np.array_split(beneath, _PIECES, axis=1), strict=True
        )
    ]
    telling = [_correlation(*pair) for pair in pieces if min(part.std() for part in pair) >= _FLAT]
    return 2 * len(telling) >= len(pieces) and min(telling, default=0.0) > ALIKE_EVERYWHERE


def _correlation(one: Floats, other: Floats) -> float:
    if one.std() < _FLAT or other.std() < _FLAT:
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
