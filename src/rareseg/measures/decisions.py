"""From probabilities to a class map: by thresholds, or by the likeliest class."""

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError


def decide(
    probabilities: NDArray[np.float32],
    thresholds: tuple[float | None, ...],
    *,
    decision: str,
    overlapping: bool,
    weights: tuple[float, ...] | None = None,
) -> NDArray[np.uint8]:
    """Turn probabilities (classes, rows, cols) into a class map (rows, cols) uint8.

    "argmax": the likeliest class, after multiplying by `weights` (one per class, above 0; only for argmax). Honest
    probabilities hardly ever make a rare class the likeliest; the weights that training undid do.
    "threshold": of two exclusive classes, the second from its threshold on;
    of overlapping ones, every class from its own threshold on (bit sets). A class whose threshold could not
    be chosen (None) is given from 0.5 on.

    Raises:
        SettingError: if there are weights for a decision by thresholds, or not one per class.
    """
    if weights is not None and (decision != "argmax" or len(weights) != len(probabilities)):
        message = (
            f"Expected decision weights for argmax only, one for each of {len(probabilities)} classes; got "
            f"{len(weights)} for {decision}. Use those of the same run."
        )
        raise SettingError(message)
    if weights is not None and len(set(weights)) > 1:
        return _heaviest(probabilities, weights)
    if decision == "argmax":
        likeliest: NDArray[np.uint8] = probabilities.argmax(axis=0).astype(np.uint8)
        return likeliest
    cuts = [0.5 if threshold is None else threshold for threshold in thresholds]
    if not overlapping:
        second: NDArray[np.uint8] = (probabilities[1] >= cuts[1]).astype(np.uint8)
        return second
    bits = np.zeros(probabilities.shape[1:], np.uint8)
    for label, cut in enumerate(cuts):
        bits |= (probabilities[label] >= cut).astype(np.uint8) << np.uint8(label)
    return bits


def _heaviest(probabilities: NDArray[np.float32], weights: tuple[float, ...]) -> NDArray[np.uint8]:
    """Return the class whose probability times weight is largest, the first of equal ones."""
    factors = (np.asarray(weights) / max(weights)).astype(np.float32)
    best = probabilities[0] * factors[0]
    found = np.zeros(best.shape, np.uint8)
    # Class by class: a weighted copy of all of them would take the memory of the block once more.
    for label in range(1, len(weights)):
        score = probabilities[label] * factors[label]
        found[score > best] = label
        np.maximum(best, score, out=best)
    return found
