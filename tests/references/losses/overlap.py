"""Losses on the overlap of map and truth: sums of counted pixels, class by class."""

import numpy as np
from tests.references.losses.evidence import chosen, evidence, groups


def _mean_over(logits, labels, score, *, per_image, classes, **common):
    """Mean of score(chance, truth) over the chosen classes of each set, and over sets with a counted pixel."""
    seen = evidence(logits, labels, **common)
    losses = [
        np.mean([score(chance[k], truth[k]) for k in chosen(seen, classes)])
        for chance, truth, counted in groups(seen, per_image)
        if counted.any()
    ]
    return float(np.mean(losses)) if losses else 0.0


def _lost(part, whole):
    """1 - part / whole; nothing is lost where there is nothing."""
    return 1 - part / whole if whole else 0.0


def dice(logits, labels, *, squared=False, per_image=False, smoothing=0.5, classes=None, **common):
    """Drozdzal 2016 (plain), Milletari 2016 (squared); smoothing in units of true positives."""

    def loss(chance, truth):
        power = 2 if squared else 1
        both = 2 * (chance * truth).sum() + 2 * smoothing
        return _lost(both, (chance**power).sum() + truth.sum() + 2 * smoothing)

    return _mean_over(logits, labels, loss, per_image=per_image, classes=classes, **common)


def jaccard(logits, labels, *, squared=False, per_image=False, smoothing=0.5, classes=None, **common):
    def loss(chance, truth):
        power = 2 if squared else 1
        common_part = (chance * truth).sum()
        union = (chance**power).sum() + truth.sum() - common_part
        return _lost(common_part + smoothing, union + smoothing)

    return _mean_over(logits, labels, loss, per_image=per_image, classes=classes, **common)


def tversky_index(chance, truth, *, false_positive_weight, false_negative_weight, smoothing):
    hits = (chance * truth).sum()
    false_alarms = (chance * (1 - truth)).sum()
    misses = ((1 - chance) * truth).sum()
    penalty = false_positive_weight * false_alarms + false_negative_weight * misses
    return 1 - _lost(hits + smoothing, hits + penalty + smoothing)


def power(lost, exponent):
    """lost^exponent; below 1e-6 a straight line to 0, as the power's slope has no bound there."""
    return lost**exponent if lost > 1e-6 else lost * 1e-6 ** (exponent - 1)


def focal_tversky(
    logits,
    labels,
    *,
    false_positive_weight=0.3,
    false_negative_weight=0.7,
    exponent=0.75,
    per_image=False,
    smoothing=0.5,
    classes=None,
    **common,
):
    """Abraham & Khan 2018, eq. 4: the sum over classes of (1 - TI)^(1/gamma), here the mean."""

    def loss(chance, truth):
        index = tversky_index(
            chance,
            truth,
            false_positive_weight=false_positive_weight,
            false_negative_weight=false_negative_weight,
            smoothing=smoothing,
        )
        return power(1 - index, exponent)

    return _mean_over(logits, labels, loss, per_image=per_image, classes=classes, **common)


def tversky(logits, labels, **settings):
    """Salehi et al. 2017, eq. 3 and 4: one minus the Tversky index."""
    return focal_tversky(logits, labels, exponent=1.0, **settings)


def generalised_dice(logits, labels, *, weighting="inverse_square", per_image=False, classes=None, **common):
    """Sudre et al. 2017, sec. 2.1: sums over classes, weighed by size, before the division.

    A class that is not there weighs as much as the rarest that is (the paper: infinitely much); weights are
    relative to the largest, and half a pixel of smoothing stands in numerator and divisor of TP units.
    """
    seen = evidence(logits, labels, **common)
    losses = []
    for chance, truth, counted in groups(seen, per_image):
        if not counted.any():
            continue
        numbers = chosen(seen, classes)
        sizes = {k: truth[k].sum() for k in numbers}
        exponent = {"inverse_square": 2, "inverse": 1, "uniform": 0}[weighting]
        present = {k: 1 / float(size) ** exponent for k, size in sizes.items() if size}
        largest = max(present.values(), default=1.0)
        weights = {k: present.get(k, largest) / largest for k in numbers}
        hits = sum(weights[k] * (chance[k] * truth[k]).sum() for k in numbers)
        both = sum(weights[k] * (chance[k].sum() + sizes[k]) for k in numbers)
        losses.append(1 - (2 * hits + 1) / (both + 1))
    return float(np.mean(losses)) if losses else 0.0
