"""Kervadec et al. 2019 (arXiv 1812.07032), Karimi & Salcudean 2019 (arXiv 1904.10030)."""

import numpy as np
from scipy.ndimage import distance_transform_edt
from tests.references.losses.evidence import chosen, evidence


def _distance_to(pixels):
    """Distance of each pixel to the nearest of `pixels`, in diagonals of the image; 1 if there is none."""
    if not pixels.any():
        return np.ones(pixels.shape)
    return distance_transform_edt(~pixels) / np.hypot(*pixels.shape)


def _half_a_pixel(shape):
    return 0.5 / np.hypot(*shape)


def _mean(logits, labels, cost, *, classes, **common):
    """Mean of cost(chance, truth, counted) over counted pixels and chosen classes."""
    seen = evidence(logits, labels, **common)
    numbers = chosen(seen, classes, without_background=True)
    total = 0.0
    for image, counted in enumerate(seen.counted):
        for number in numbers:
            each = cost(seen.chance[image, number], seen.truth[image, number], counted)
            total += each[counted].sum()
    return float(total / (seen.counted.sum() * len(numbers))) if seen.counted.any() else 0.0


def boundary(logits, labels, *, classes=None, **common):
    """Eq. 5: the mean of chance times signed distance to an edge that lies between pixels."""

    def cost(chance, truth, counted):
        rest = counted & ~truth
        margin = _half_a_pixel(truth.shape)
        outside = _distance_to(truth) - (margin if truth.any() else 0)
        inside = _distance_to(rest) - (margin if rest.any() else 0)
        return chance * np.where(truth, -inside, outside)

    return _mean(logits, labels, cost, classes=classes, **common)


def hausdorff(logits, labels, *, exponent=2.0, classes=None, **common):
    """Eq. 8: the mean of squared errors times powers of distances to the edges of truth and map."""

    def field(mask, counted):
        other = np.where(mask, _distance_to(counted & ~mask), _distance_to(counted & mask))
        return other**exponent

    def cost(chance, truth, counted):
        return (chance - truth) ** 2 * (field(chance > 0.5, counted) + field(truth, counted))

    return _mean(logits, labels, cost, classes=classes, **common)
