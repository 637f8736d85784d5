"""Logits, probabilities and log-odds, one from the other; class maps; and which pixels have an answer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError
from rareseg.measures.curves import REACH
from rareseg.records.dataset import VOID

Floats = NDArray[np.float32]
Labels = NDArray[np.uint8]

_TOLERANCE = 1e-3
"""Sums and interpolation leave probabilities a little outside 0..1."""


def answered(probabilities: Floats, labels: Labels) -> tuple[Labels, int]:
    """Say where there is an answer: where all channels are finite.

    Args:
        probabilities: (channels, rows, cols), 0..1.
        labels: (rows, cols) uint8, 255 where not counted.

    Returns:
        The labels, 255 also where there is no answer, and how many labelled pixels that took.

    Raises:
        DataError: if a finite value is no probability.
    """
    # A sum is finite only if all its terms are, at a fraction of the price of looking at each.
    with np.errstate(invalid="ignore"):
        total = probabilities.sum(axis=0) if len(probabilities) > 1 else probabilities[0]
        whole = bool(np.isfinite(total.sum(dtype=np.float64)))
    if whole:
        _check_range(probabilities)
        return labels, 0
    missing = ~np.isfinite(total)
    _check_range(probabilities[:, ~missing])
    lost = int(np.count_nonzero(missing & (labels != VOID)))
    return np.where(missing, np.uint8(VOID), labels), lost


def class_map(probabilities: Floats, *, overlapping: bool) -> Labels:
    """Return the classes given, (rows, cols) uint8: the likeliest, the first of equals.

    Of one channel, class 1 from probability 0.5 on; of overlapping classes, a bit for each from 0.5 on.
    """
    if overlapping:
        bits = [
            (plane >= 0.5).astype(np.uint8) << np.uint8(index) for index, plane in enumerate(probabilities)
        ]
        return np.asarray(np.bitwise_or.reduce(bits))
    if len(probabilities) == 1:
        one: Labels = (probabilities[0] >= 0.5).astype(np.uint8)
        return one
    # Plane by plane: argmax over the first axis walks through memory in leaps.
    best, given = probabilities[0].copy(), np.zeros(probabilities.shape[1:], np.uint8)
    for index, plane in enumerate(probabilities[1:], start=1):
        given[plane > best] = index
        np.maximum(best, plane, out=best)
    return given


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + e^-z), same shape; computed so that nothing overflows."""
    found: Floats = (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)
    return found


def softmax(logits: Floats) -> Floats:
    """Return e^z_k over the sum of e^z, classes on axis 1."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: Floats = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def odds_against_rest(logits: Floats) -> Floats:
    """Return the log-odds of softmax of (images, classes, pixels), z_k - ln(sum of e^z of the others).

    Exact where probabilities would round to 1; at most 60 beyond the largest logit.
    """
    top = logits.max(axis=1, keepdims=True)
    raised = np.exp((logits - top).astype(np.float64))
    # Of the largest, the difference of sums would cancel from logits 30 apart on.
    largest = np.arange(logits.shape[1])[:, None] == logits.argmax(axis=1)[:, None]
    beside = np.where(largest, 0.0, raised).sum(axis=1, keepdims=True)
    rest = np.maximum(np.where(largest, beside, raised.sum(axis=1, keepdims=True) - raised), np.exp(-60.0))
    found: Floats = (logits - top - np.log(rest)).astype(np.float32)
    return found


def log_odds(probabilities: Floats | NDArray[np.float64], step: float = 0.0) -> Floats:
    """Return ln(p / (1 - p)), same shape, and 0 where p is not a number.

    `step` is the distance of the values that a file can store, 1/255 for 8 bits: 0 and 1 then lie half a step
    inside, so that a stored 0 is not taken for an impossibility.
    """
    inside: NDArray[np.floating[Any]] = np.clip(probabilities, np.float32(step / 2), np.float32(1 - step / 2))
    # One sum is not a number if any term is, or if infinities of both signs meet: then, look at each.
    with np.errstate(divide="ignore", invalid="ignore"):
        odds: Floats = np.log(inside / (1 - inside))
        whole = not np.isnan(odds.sum())
    if not whole:
        np.nan_to_num(odds, copy=False, posinf=REACH, neginf=-REACH)
    return odds


def _check_range(probabilities: Floats) -> None:
    low, high = float(probabilities.min(initial=0.0)), float(probabilities.max(initial=0.0))
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        message = (
            f"Expected probabilities of 0 to 1, got values from {low:.4g} to {high:.4g}. If these are logits, "
            "apply softmax (several exclusive classes) or sigmoid first; if they are scaled, divide by the scale."
        )
        raise DataError(message)
