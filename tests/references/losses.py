"""The losses again, in float64 NumPy, as literally as the papers write them: slow, and without torch.

Logits (batch, classes, rows, cols); labels (batch, rows, cols); 255 is not counted.
"""

import math

import numpy as np

VOID = 255


def _pixels(logits, labels):
    """Return logits (pixels, classes) in float64 and labels (pixels,), of counted pixels only."""
    classes = logits.shape[1]
    scores = np.moveaxis(np.asarray(logits, np.float64), 1, -1).reshape(-1, classes)
    flat = np.asarray(labels, np.int64).reshape(-1)
    return scores[flat != VOID], flat[flat != VOID]


def _log_softmax(scores):
    top = scores.max(axis=1, keepdims=True)
    return scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))


def _log_sigmoid(score):
    return -math.log1p(math.exp(-score)) if score > 0 else score - math.log1p(math.exp(score))


def _bit(label, number):
    return int(label) // 2**number % 2


def focal(logits, labels, *, gamma, weights=None, overlapping=False):
    scores, flat = _pixels(logits, labels)
    classes = scores.shape[1]
    weights = np.ones(classes) if weights is None else np.asarray(weights, np.float64)
    total = weight_sum = 0.0
    for row, label in zip(scores, flat, strict=True):
        if overlapping:
            for number in range(classes):
                log_p = _log_sigmoid(row[number] if _bit(label, number) else -row[number])
                total += weights[number] * -((1 - math.exp(log_p)) ** gamma) * log_p
            weight_sum += weights.mean()
        else:
            log_p = _log_softmax(row[None])[0, label]
            total += weights[label] * -((1 - math.exp(log_p)) ** gamma) * log_p
            weight_sum += weights[label]
    return total / weight_sum if weight_sum else 0.0


def cross_entropy(logits, labels, *, weights=None, overlapping=False):
    return focal(logits, labels, gamma=0.0, weights=weights, overlapping=overlapping)


def tversky(logits, labels, *, false_positive_weight, false_negative_weight, overlapping=False):
    scores, flat = _pixels(logits, labels)
    losses = []
    for number in range(scores.shape[1]):
        if overlapping:
            truth = np.array([_bit(label, number) for label in flat], np.float64)
            chance = 1 / (1 + np.exp(-scores[:, number]))
        else:
            truth = (flat == number).astype(np.float64)
            chance = np.exp(_log_softmax(scores))[:, number]
        hits = (chance * truth).sum()
        false_alarms = (chance * (1 - truth)).sum()
        misses = ((1 - chance) * truth).sum()
        penalty = false_positive_weight * false_alarms + false_negative_weight * misses
        losses.append(1 - (hits + 0.5) / (hits + penalty + 0.5))
    return float(np.mean(losses))


def dice(logits, labels, *, overlapping=False):
    scores, flat = _pixels(logits, labels)
    losses = []
    for number in range(scores.shape[1]):
        if overlapping:
            truth = np.array([_bit(label, number) for label in flat], np.float64)
            chance = 1 / (1 + np.exp(-scores[:, number]))
        else:
            truth = (flat == number).astype(np.float64)
            chance = np.exp(_log_softmax(scores))[:, number]
        losses.append(1 - (2 * (chance * truth).sum() + 1) / (chance.sum() + truth.sum() + 1))
    return float(np.mean(losses))


def jaccard_loss(truth, wrong):
    """1 - IoU of a map that is wrong exactly at the pixels `wrong` (Berman 2018, eq. 5): a set function."""
    answer = truth ^ wrong
    union = (truth | answer).sum()
    return 1 - (truth & answer).sum() / union if union else 0.0


def lovasz_extension(truth, errors):
    """Berman 2018, eq. 8: sum of errors times the growth of the set function, worst error first."""
    wrong = np.zeros(len(truth), bool)
    total, before = 0.0, 0.0
    for index in sorted(range(len(truth)), key=lambda position: -errors[position]):
        wrong[index] = True
        after = jaccard_loss(truth, wrong)
        total += errors[index] * (after - before)
        before = after
    return total


def lovasz(logits, labels, *, overlapping=False):
    scores, flat = _pixels(logits, labels)
    losses = []
    for number in range(scores.shape[1]):
        if overlapping:
            truth = np.array([_bit(label, number) for label in flat], bool)
            margins = 1 - scores[:, number] * np.where(truth, 1, -1)
            losses.append(lovasz_extension(truth, np.maximum(margins, 0)))
        elif (flat == number).any():
            truth = flat == number
            chance = np.exp(_log_softmax(scores))[:, number]
            losses.append(lovasz_extension(truth, np.abs(truth - chance)))
    return float(np.mean(losses)) if losses else 0.0
