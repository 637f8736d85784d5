"""From maps of probabilities to what is counted of them: class maps, log-odds, and which pixels have an answer."""

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


def log_odds(probabilities: Floats, step: float = 0.0) -> Floats:
    """Return ln(p / (1 - p)), same shape, and 0 where p is not a number.

    `step` is the distance of the values that a file can store, 1/255 for 8 bits: 0 and 1 then lie half a step
    inside, so that a stored 0 is not taken for an impossibility.
    """
    inside = np.clip(probabilities, np.float32(step / 2), np.float32(1 - step / 2))
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
