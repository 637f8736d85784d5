"""Sums of a pixelwise and an overlap loss: Taghanaki 2018 (arXiv 1805.02798), Yeung 2021 (arXiv 2102.04525)."""

import numpy as np
from tests.references.losses.evidence import evidence, log_sigmoid, log_softmax
from tests.references.losses.overlap import dice, power, tversky_index

SMOOTHING = 0.5


def combo(logits, labels, *, balance=0.5, false_negative_weight=0.5, smoothing=0.5, **common):
    """Eq. 3, with 1 - Dice for -Dice; class 0 of exclusive ones is the background."""
    seen = evidence(logits, labels, **common)
    if not seen.counted.any():
        return 0.0
    missed, claimed = false_negative_weight, 1 - false_negative_weight
    bits = []
    for image, row, col in np.argwhere(seen.counted):
        z, truth = seen.scores[image, :, row, col], seen.truth[image, :, row, col]
        if seen.exclusive:
            label = int(np.argmax(truth))
            bits.append((missed if label else claimed) * -log_softmax(z[None])[0, label])
        else:
            for k in range(seen.classes):
                bits.append(missed * -log_sigmoid(z[k]) if truth[k] else claimed * -log_sigmoid(-z[k]))
    overlap = dice(logits, labels, smoothing=smoothing, **common)
    return float(balance * np.mean(bits) + (1 - balance) * overlap)


def unified_focal(
    logits, labels, *, asymmetric=True, balance=0.5, delta=0.6, gamma=0.5, background=0, **common
):
    """Eq. 12 to 17: a class and its rest are a pair of exclusive classes where several may overlap."""
    seen = evidence(logits, labels, **common)
    if not seen.counted.any():
        return 0.0
    pixels = [seen.scores[image, :, row, col] for image, row, col in np.argwhere(seen.counted)]
    truths = [seen.truth[image, :, row, col] for image, row, col in np.argwhere(seen.counted)]
    if seen.exclusive:
        log_p = np.array([log_softmax(z[None])[0] for z in pixels])
        asked = [(log_p, np.array(truths, float), background)]
    else:
        asked = []
        for k in range(seen.classes):
            scores, yes = np.array([z[k] for z in pixels]), np.array([truth[k] for truth in truths], float)
            pair = np.stack([log_sigmoid(-scores), log_sigmoid(scores)], axis=1)
            asked.append((pair, np.stack([1 - yes, yes], axis=1), 0))
    parts = [_unified(*question, asymmetric, delta, gamma) for question in asked]
    focal, tversky = np.mean(parts, axis=0)
    return float(balance * focal + (1 - balance) * tversky)


def _unified(log_p, truth, background, asymmetric, delta, gamma):
    """The modified focal loss and the modified focal Tversky loss of exclusive classes."""
    focal, tversky = [], []
    for k in range(log_p.shape[1]):
        rare = k != background
        fading = 0 if asymmetric and rare else gamma
        enhancing = 0 if asymmetric and not rare else gamma
        chance = np.exp(log_p[:, k])
        weight = delta if rare else 1 - delta
        focal.append(truth[:, k] * weight * (-np.expm1(log_p[:, k])) ** fading * -log_p[:, k])
        index = tversky_index(
            chance,
            truth[:, k],
            false_positive_weight=1 - delta,
            false_negative_weight=delta,
            smoothing=SMOOTHING,
        )
        tversky.append(power(1 - index, 1 - enhancing))
    return np.sum(focal, axis=0).mean(), np.mean(tversky)
