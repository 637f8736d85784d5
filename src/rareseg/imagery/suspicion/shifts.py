"""Whether all labels lie beside what they label: the shift at which local signs tell most of them.

For every shift the labels are regressed on the levels of the local signs as in `pairing`. The correlations at all
shifts come from one Fourier transform per image and sign; drawing the images again with replacement shows how sure
the best shift is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.local_signs import indicators, local_levels
from rareseg.imagery.suspicion.looks import Floats, Labels
from rareseg.imagery.suspicion.pairing import class_planes, whitener

REACH = 16
"""Rows and columns up to which shifts are looked for, px."""
LEVELS = 4
MOST_IMAGES = 24
MOST_CLASSES = 3
SIDE = 160
"""Rows and columns of the windows that are looked at, at most, px."""
DRAWS = 60
LEAST_SHIFT = 2
"""Labels drawn by hand or from maps are often off by a pixel: less is no shift, px."""
LEAST_SURE = 0.75
"""Share of the draws that must agree on a shift, within a third of it."""
LEAST_GAIN = 1.1
_NEAR = 1
_MOST_GAIN = 99.0

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much the labels should be moved.

    rows, cols: px; both 0 if no other place is surely better.
    gain: fit there over the fit at none.
    agreement: share of images whose own best shift lies within 1 px of it.
    sure: share of draws of the images whose best shift lies within a third of its length of the best of all.
    best: the best shift of all, sure or not.
    """

    rows: int
    cols: int
    gain: float
    agreement: float
    sure: float
    best: tuple[int, int]
    fit: float
    """Nats per pixel at the best shift, chance included."""


def shift_of(
    pictures: Floats, labels: Labels, classes: int, *, chance: float = 0.0, seed: int = 0
) -> Shift | None:
    """Find the shift of the labels that fits the images best.

    Args:
        pictures: (images, bands, rows, cols) float32, finite.
        labels: (images, rows, cols) int16, -1 where not counted.
        classes: how many there are.
        chance: nats per pixel that shuffled pairs show, taken off both fits of the gain.
        seed: of the draws.

    Returns:
        None where labels do not vary, or fewer than 2 images are given.
    """
    middle = _middle(labels)
    pictures, labels = pictures[:MOST_IMAGES, :, *middle], labels[:MOST_IMAGES, *middle]
    rows, cols = labels.shape[1:]
    reach = min(REACH, rows // 6, cols // 6)
    planes, shares = class_planes(labels, classes)
    if len(labels) < 2 or not len(shares) or reach < LEAST_SHIFT:
        return None
    kept = np.argsort(-shares * (1 - shares))[:MOST_CLASSES]
    planes = planes[:, kept].reshape(len(labels), len(kept), rows, cols)
    joint, within = _correlations(pictures, planes, reach)
    weights = (1 - shares[kept]) / np.maximum((planes.astype(np.float64) ** 2).sum(axis=(0, 2, 3)), 1e-12)
    joint = np.einsum("ef,ifcs->iecs", whitener(within).astype(np.float32), joint, optimize=True)
    return _best(joint, weights, reach, chance, np.random.default_rng(seed))


def _best(joint: Floats, weights: Doubles, reach: int, chance: float, rng: np.random.Generator) -> Shift:
    scale = weights.astype(np.float32)[None, :, None]

    def fits(drawn: NDArray[np.int64]) -> Doubles:
        total = joint[drawn].sum(axis=0)
        return np.asarray(0.5 * (total**2 * scale).sum(axis=(0, 1)), np.float64)

    images = len(joint)
    surface = fits(np.arange(images))
    best = _place(surface, reach)
    none = surface[len(surface) // 2]
    gain = min(_MOST_GAIN, max(surface.max() - chance, 1e-12) / max(none - chance, 1e-12))
    draws = [_place(fits(rng.integers(0, images, images)), reach) for _ in range(DRAWS)]
    length = max(abs(best[0]), abs(best[1]))
    sure = float(np.mean([_close(draw, best, max(_NEAR, length // 3)) for draw in draws]))
    moved = length >= LEAST_SHIFT and sure >= LEAST_SURE and gain >= LEAST_GAIN
    where = best if moved else (0, 0)
    own = _own_places(joint, scale, where, reach)
    return Shift(
        *where,
        float(gain) if moved else 1.0,
        float(np.mean([_close(place, where) for place in own])),
        sure,
        best,
        float(surface.max()),
    )


def _own_places(joint: Floats, scale: Floats, where: tuple[int, int], reach: int) -> list[tuple[int, int]]:
    """Return the best shift of each image by the model that all others give at `where`."""
    at = (where[0] + reach) * (2 * reach + 1) + where[1] + reach
    taught = joint[..., at].sum(axis=0) - joint[..., at]
    scores = np.einsum("iecs,iec->is", joint * scale[None], taught, optimize=True)
    return [_place(each, reach) for each in scores]


def _place(surface: NDArray[np.floating], reach: int) -> tuple[int, int]:
    row, col = divmod(int(np.argmax(surface)), 2 * reach + 1)
    return row - reach, col - reach


def _close(one: tuple[int, int], other: tuple[int, int], within: int = _NEAR) -> bool:
    return max(abs(one[0] - other[0]), abs(one[1] - other[1])) <= within


def _middle(labels: Labels) -> tuple[slice, slice]:
    top, left = (max(0, (side - SIDE) // 2) for side in labels.shape[1:])
    return slice(top, top + SIDE), slice(left, left + SIDE)


def _correlations(pictures: Floats, planes: Floats, reach: int) -> tuple[Floats, Doubles]:
    """Correlate every indicator with every class plane at all shifts.

    Returns:
        (images, indicators, classes, shifts), where moving the labels by (r, c) is shift number
        (r + reach) * (2 reach + 1) + c + reach; and the indicators' sums of products over all images.
    """
    rows, cols = planes.shape[2:]
    size = (rows + reach, cols + reach)
    levels = local_levels(pictures, LEVELS)
    joint, within = [], np.zeros(())
    wanted = np.arange(-reach, reach + 1)
    for image, plane in zip(levels, planes, strict=True):
        held = indicators(image, LEVELS)
        within = within + (held @ held.T).astype(np.float64)
        signs = np.fft.rfft2(held.reshape(-1, rows, cols), size)
        classes = np.conj(np.fft.rfft2(plane, size))
        found = np.stack([np.fft.irfft2(signs * own, size) for own in classes], axis=1)
        cut = found[..., wanted[:, None] % size[0], wanted[None] % size[1]]
        joint.append(cut.reshape(*cut.shape[:2], -1).astype(np.float32))
    return np.stack(joint), within
