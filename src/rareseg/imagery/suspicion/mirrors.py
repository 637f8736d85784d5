"""Whether all labels are mirrored or turned: which of the eight ways to lay them fits the images best."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from rareseg.imagery.suspicion.local_signs import indicators, local_levels
from rareseg.imagery.suspicion.looks import Labels, Look, spread
from rareseg.imagery.suspicion.pairing import class_planes, whitener

SIDE = 96
"""Rows and columns to which whole images are made smaller, px."""
MOST = 24
LEAST_IMAGES = 4
LEVELS = 8
_LEAST_RATIO = 1.5
_LEAST_DEVIATIONS = 6.0

_SAME_SHAPE: dict[str, Callable[[Labels], Labels]] = {
    "as they are": lambda labels: labels,
    "mirrored left to right": lambda labels: labels[:, :, ::-1],
    "mirrored top to bottom": lambda labels: labels[:, ::-1],
    "turned by 180 degrees": lambda labels: labels[:, ::-1, ::-1],
}
_SQUARE: dict[str, Callable[[Labels], Labels]] = {
    "transposed": lambda labels: labels.transpose(0, 2, 1),
    "turned by 90 degrees": lambda labels: np.rot90(labels, 1, axes=(1, 2)),
    "turned by 270 degrees": lambda labels: np.rot90(labels, 3, axes=(1, 2)),
    "transposed along the other diagonal": lambda labels: labels[:, ::-1, ::-1].transpose(0, 2, 1),
}


def better_laid(looks: Sequence[Look], classes: int) -> str | None:
    """Return how the labels would have to be laid to fit much better, or None if they lie well or nothing tells.

    Args:
        looks: images with labels; those of the most frequent shape are looked at.
        classes: how many there are.
    """
    shapes = [look.labels.shape for look in looks]
    if not shapes:
        return None
    usual = max(set(shapes), key=shapes.count)
    alike = [look for look in looks if look.labels.shape == usual and np.unique(look.labels).size > 1]
    if len(alike) < LEAST_IMAGES:
        return None
    chosen = [alike[index] for index in spread(len(alike), MOST)]
    rows, cols = (min(SIDE, side) for side in usual)
    area, nearest = cv2.INTER_AREA, cv2.INTER_NEAREST
    pictures = np.stack([
        np.stack([cv2.resize(band, (cols, rows), interpolation=area) for band in look.picture])
        for look in chosen
    ])  # fmt: skip
    stack = np.stack(
        [cv2.resize(look.labels, (cols, rows), interpolation=nearest) for look in chosen]
    ).astype(np.int16)
    ways = _SAME_SHAPE | (_SQUARE if rows == cols else {})
    levels = local_levels(pictures.astype(np.float32), LEVELS)
    held = np.stack([indicators(image, LEVELS) for image in levels])
    white = whitener(np.einsum("ifp,igp->fg", held, held, optimize=True).astype(np.float64))

    def fit(laid: Labels) -> float:
        planes, shares = class_planes(np.ascontiguousarray(laid), classes)
        if not len(shares):
            return 0.0
        joint = white @ sum(np.float64(own @ plane.T) for own, plane in zip(held, planes, strict=True))
        total = np.maximum((planes.astype(np.float64) ** 2).sum(axis=(0, 2)), 1e-12)
        return float(((joint**2).sum(axis=0) / total * (1 - shares)).sum())

    fits = {name: fit(lay(stack)) for name, lay in ways.items()}
    # Other images' labels, laid in every way, show what chance gives.
    chance = [fit(lay(np.roll(stack, by, axis=0))) for lay in ways.values() for by in (1, 2)]
    return _chosen(fits, chance)


def _chosen(fits: dict[str, float], chance: list[float]) -> str | None:
    given = fits["as they are"]
    best = max(fits, key=lambda name: fits[name])
    above = fits[best] - float(np.mean(chance))
    if best == "as they are" or above < _LEAST_DEVIATIONS * float(np.std(chance)):
        return None
    return best if above > _LEAST_RATIO * max(given - float(np.mean(chance)), 0) else None
