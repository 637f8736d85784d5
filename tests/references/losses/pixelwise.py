"""Losses that add up over pixels, one pixel and one class at a time."""

import numpy as np
from tests.references.losses.evidence import evidence, log_sigmoid, log_softmax


def surprises(seen, *, smoothing=0.0, weights=None, scores=None):
    """Return (losses, weights) of the counted pixels, (pixels,) each, in reading order.

    Exclusive classes: the loss is -log p of the label, smoothed towards the mean over classes as PyTorch
    smooths it (each class's part carries its own weight); the weight is the label's.
    Yes-or-no questions: the sum of the questions' cross-entropies, each times w_k / mean(w); weight 1.
    """
    weights = np.ones(seen.classes) if weights is None else np.asarray(weights, np.float64)
    scores = seen.scores if scores is None else scores
    losses, amounts = [], []
    for image, row, col in np.argwhere(seen.counted):
        z, truth = scores[image, :, row, col], seen.truth[image, :, row, col]
        if seen.exclusive:
            log_p = log_softmax(z[None])[0]
            label = int(np.argmax(truth))
            even = -sum(weights[k] * log_p[k] for k in range(seen.classes)) / seen.classes
            losses.append((1 - smoothing) * -weights[label] * log_p[label] + smoothing * even)
            amounts.append(weights[label])
        else:
            total = 0.0
            for k in range(seen.classes):
                target = float(truth[k]) * (1 - smoothing) + smoothing / 2
                question = -target * log_sigmoid(z[k]) - (1 - target) * log_sigmoid(-z[k])
                total += weights[k] / weights.mean() * question
            losses.append(total)
            amounts.append(1.0)
    return np.array(losses), np.array(amounts)


def _mean(losses, amounts):
    return float(losses.sum() / amounts.sum()) if amounts.sum() else 0.0


def cross_entropy(logits, labels, *, smoothing=0.0, weights=None, **common):
    seen = evidence(logits, labels, **common)
    return _mean(*surprises(seen, smoothing=smoothing, weights=weights))


def focal(logits, labels, *, gamma=2.0, alpha=None, weights=None, **common):
    """Lin et al. 2017, eq. 5: -alpha_t (1 - p_t)^gamma log p_t."""
    seen = evidence(logits, labels, **common)
    weights = np.ones(seen.classes) if weights is None else np.asarray(weights, np.float64)
    total = amount = 0.0
    for image, row, col in np.argwhere(seen.counted):
        truth = seen.truth[image, :, row, col]
        if seen.exclusive:
            label = int(np.argmax(truth))
            log_p = log_softmax(seen.scores[image, :, row, col][None])[0, label]
            part = 1.0 if alpha is None else alpha[label]
            total += weights[label] * part * (-np.expm1(log_p)) ** gamma * -log_p
            amount += weights[label]
            continue
        for k in range(seen.classes):
            z = seen.scores[image, k, row, col]
            log_p = log_sigmoid(z if truth[k] else -z)
            part = 1.0 if alpha is None else alpha[k] if truth[k] else 1 - alpha[k]
            total += weights[k] / weights.mean() * part * (-np.expm1(log_p)) ** gamma * -log_p
        amount += 1
    return float(total / amount) if amount else 0.0
