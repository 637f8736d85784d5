"""What every reference starts from: float64 chances and truths of the counted pixels, spelt out.

Arrays are indexed (batch, classes, rows, cols); labels (batch, rows, cols). 255 is not counted.
"""

from typing import NamedTuple

import numpy as np

VOID = 255


class Evidence(NamedTuple):
    scores: np.ndarray
    """(batch, classes, rows, cols) logits."""
    chance: np.ndarray
    """The same shape: softmax over classes, or sigmoid of each."""
    truth: np.ndarray
    """The same shape, bool: the pixel is labelled as the class. False where not counted."""
    counted: np.ndarray
    """(batch, rows, cols) bool."""
    exclusive: bool
    """True: softmax. False: sigmoid (overlapping classes, or a single channel)."""

    @property
    def classes(self):
        return self.scores.shape[1]


def evidence(logits, labels, *, overlapping=False, ignore_index=VOID, valid=None):
    scores = np.asarray(logits, np.float64)
    answers = np.asarray(labels, np.int64)
    counted = answers != ignore_index
    if valid is not None:
        counted &= np.asarray(valid, bool)
    exclusive = scores.shape[1] > 1 and not overlapping
    chance = softmax(scores) if exclusive else sigmoid(scores)
    return Evidence(scores, chance, _truth(answers, counted, scores.shape, overlapping), counted, exclusive)


def _truth(answers, counted, shape, overlapping):
    truth = np.zeros(shape, bool)
    for image, row, col in np.argwhere(counted):
        label = int(answers[image, row, col])
        for number in range(shape[1]):
            if shape[1] == 1:
                truth[image, number, row, col] = label == 1
            elif overlapping:
                truth[image, number, row, col] = label // 2**number % 2 == 1
            else:
                truth[image, number, row, col] = label == number
    return truth


def softmax(scores):
    return np.exp(log_softmax(scores))


def log_softmax(scores):
    top = scores.max(axis=1, keepdims=True)
    return scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True))


def sigmoid(scores):
    return np.exp(log_sigmoid(scores))


def log_sigmoid(scores):
    return -np.logaddexp(0, -scores)


def groups(seen, per_image):
    """Yield (chance, truth, counted) of each set of pixels, flattened to (classes, pixels)."""
    images = range(len(seen.scores))
    for members in [[image] for image in images] if per_image else [list(images)]:
        chance = np.moveaxis(seen.chance[members], 1, 0).reshape(seen.classes, -1)
        truth = np.moveaxis(seen.truth[members], 1, 0).reshape(seen.classes, -1)
        counted = seen.counted[members].ravel()
        yield chance[:, counted], truth[:, counted], counted


def chosen(seen, classes, *, without_background=False):
    """Class indices that a mean runs over: those named, else all (but the first of exclusive ones)."""
    if classes is not None:
        return list(classes)
    return list(range(1 if without_background and seen.exclusive else 0, seen.classes))
