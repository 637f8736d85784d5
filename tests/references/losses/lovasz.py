"""Berman et al. 2018 (arXiv 1705.08790), as a set function and its extension."""

import numpy as np
from tests.references.losses.evidence import evidence


def jaccard_loss(truth, wrong):
    """1 - IoU of a map that is wrong exactly at the pixels `wrong` (eq. 5): a set function."""
    answer = truth ^ wrong
    union = (truth | answer).sum()
    return 1 - (truth & answer).sum() / union if union else 0.0


def lovasz_extension(truth, errors):
    """Eq. 8: sum of errors times the growth of the set function, worst error first."""
    wrong = np.zeros(len(truth), bool)
    total, before = 0.0, 0.0
    for index in sorted(range(len(truth)), key=lambda position: -errors[position]):
        wrong[index] = True
        after = jaccard_loss(truth, wrong)
        total += errors[index] * (after - before)
        before = after
    return total


def lovasz(logits, labels, *, per_image=False, classes="present", **common):
    """Softmax form for exclusive classes (eq. 12), hinge for yes-or-no questions (eq. 10)."""
    seen = evidence(logits, labels, **common)
    sets = [[image] for image in range(len(seen.scores))] if per_image else [range(len(seen.scores))]
    means = [_one_set(seen, list(members), classes) for members in sets]
    return float(np.mean(means)) if means else 0.0


def _one_set(seen, members, classes):
    counted = seen.counted[members].ravel()
    losses = []
    for number in range(seen.classes):
        truth = seen.truth[members][:, number].ravel()[counted]
        if seen.exclusive:
            errors = np.abs(truth - seen.chance[members][:, number].ravel()[counted])
        else:
            margin = seen.scores[members][:, number].ravel()[counted] * np.where(truth, 1, -1)
            errors = np.maximum(1 - margin, 0)
        if not seen.exclusive or classes == "all" or truth.any():
            losses.append(lovasz_extension(truth, errors))
    return float(np.mean(losses)) if losses else 0.0
