"""Answers that probes choose, in the model's own form: what would be right, even, by prior, or wrong.

All take labels (images, pixels) with `VOID_LABEL` where not counted and return (images, channels, pixels) float32. One
channel answers "is it class 1?"; labels that overlap are given as (images, classes, pixels) bool beside them.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rareseg.probing.subject import Batch, Floats, Labels

Form = Literal["logits", "probabilities", "log-probabilities"]
SURE = 12.0
"""Logit of a sure answer: p = 1 - 6e-6."""


def holds(batch: Batch, channels: int, labels: Labels | None = None) -> NDArray[np.bool_]:
    """Tell for each channel and pixel whether the label says so, (images, channels, pixels).

    Args:
        batch: Whose labels are taken unless `labels` are given.
        channels: The model's; one channel asks for class 1, or for any class but the first.
        labels: Other labels of the same pixels.
    """
    if labels is None and batch.several is not None and batch.several.shape[1] == channels:
        return batch.several
    given = batch.labels if labels is None else labels
    if channels == 1:
        return (given > 0)[:, None]
    found: NDArray[np.bool_] = given[:, None] == np.arange(channels, dtype=given.dtype)[:, None]
    return found


def toward(truth: NDArray[np.bool_], size: float) -> Floats:
    """Return +size where true and -size elsewhere."""
    return np.where(truth, np.float32(size), np.float32(-size))


def one_hot(truth: NDArray[np.bool_], size: float = 1.0) -> Floats:
    """Return `size` where true and 0 elsewhere."""
    return truth.astype(np.float32) * np.float32(size)


def even(truth: NDArray[np.bool_], form: Form) -> Floats:
    """Return the same answer for every class: logit 0, or probability 1/K (1/2 of one channel)."""
    channels = max(truth.shape[1], 2)
    level = {"logits": 0.0, "probabilities": 1 / channels, "log-probabilities": -float(np.log(channels))}
    return np.full(truth.shape, level[form], dtype=np.float32)


def by_prior(truth: NDArray[np.bool_], counted: NDArray[np.bool_], form: Form, *, softmax: bool) -> Floats:
    """Return the channels' shares everywhere, in the form given."""
    total = max(int(counted.sum()), 1)
    shares = np.clip((truth & counted[:, None]).sum(axis=(0, 2)) / total, 1e-4, 1 - 1e-4)
    if softmax:
        shares = shares / shares.sum()
    if form == "probabilities":
        levels = shares
    elif form == "log-probabilities" or softmax:
        levels = np.log(shares)
    else:
        levels = np.log(shares) - np.log1p(-shares)
    return np.broadcast_to(levels[None, :, None].astype(np.float32), truth.shape).copy()


def majority_everywhere(truth: NDArray[np.bool_], counted: NDArray[np.bool_], form: Form) -> Floats:
    """Return a sure answer of the most frequent class at every pixel."""
    pixels = (truth & counted[:, None]).sum(axis=(0, 2))
    if truth.shape[1] == 1:
        said = np.full(truth.shape, bool(2 * pixels[0] > counted.sum()))
    else:
        said = np.zeros(truth.shape, dtype=bool)
        said[:, int(np.argmax(pixels))] = True
    return in_form(said, form)


def in_form(truth: NDArray[np.bool_], form: Form) -> Floats:
    """Return sure answers in the form given."""
    if form == "logits":
        return toward(truth, SURE)
    if form == "probabilities":
        return one_hot(truth)
    return np.where(truth, np.float32(-1e-6), np.float32(-SURE))


def nudged(
    answers: Floats, truth: NDArray[np.bool_], where: NDArray[np.bool_], form: Form, size: float
) -> Floats:
    """Move answers a little towards the truth at some pixels.

    Args:
        answers: What is moved; a copy is returned.
        truth: As `holds` returns it.
        where: (images, pixels).
        form: Logits are moved by `size`, probabilities by the part `size` of their way to 0 or 1.
        size: > 0.
    """
    moved = answers.copy()
    target = truth.astype(np.float32)
    step = size * (target - answers) if form == "probabilities" else size * (2 * target - 1)
    moved += np.where(where[:, None], step, 0).astype(np.float32)
    return moved
