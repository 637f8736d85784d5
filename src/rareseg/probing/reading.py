"""How answers are to be read: the activation that they show, and probabilities and classes from them."""

from typing import NamedTuple

import numpy as np

from rareseg.measures import probabilities as measured
from rareseg.probing.subject import Floats
from rareseg.records.evidence import Activation

SUM_TOLERANCE = 1e-3
_SMALLEST = 1e-7
_ENDS = (1e-30, 1 - 6e-8)
"""float32 holds smaller numbers near 0 than differences from 1."""


class Shown(NamedTuple):
    """What answers show of the last layer."""

    activation: Activation
    low: float | None
    high: float | None
    sums_to_one: float
    """Share of pixels."""


def shown(answers: Floats, declared: str | None = None) -> Shown:
    """Tell the last layer's activation from its answers.

    Args:
        answers: (images, channels, pixels).
        declared: Its name where it can be read off the model; believed where the answers allow it.
    """
    finite = answers[np.isfinite(answers)]
    if not finite.size:
        return Shown("none", None, None, 0.0)
    low, high = float(finite.min()), float(finite.max())
    sums = answers.sum(axis=1)
    to_one = float((np.abs(sums - 1) < SUM_TOLERANCE).mean())
    return Shown(_activation(answers, declared, (low, high), to_one), low, high, to_one)


def _activation(
    answers: Floats, declared: str | None, ends: tuple[float, float], to_one: float
) -> Activation:
    low, high = ends
    inside = low >= 0 and high <= 1
    if answers.shape[1] == 1 and inside and to_one > 1 - SUM_TOLERANCE and declared != "sigmoid":
        return "constant"
    names: dict[str, Activation] = {"sigmoid": "sigmoid", "softmax": "softmax", "log_softmax": "log-softmax"}
    if declared in names:
        return "constant" if declared == "softmax" and answers.shape[1] == 1 else names[declared]
    if declared == "linear":
        return "none"
    if answers.shape[1] > 1 and inside and to_one > 1 - SUM_TOLERANCE:
        return "softmax"
    if answers.shape[1] > 1 and high <= 0 and np.allclose(np.exp(answers).sum(axis=1), 1, atol=SUM_TOLERANCE):
        return "log-softmax"
    # Logits that happen to lie between 0 and 1 everywhere are rare but for constant ones.
    return "sigmoid" if inside and high - low > _SMALLEST else "none"


def probabilities(answers: Floats, activation: Activation, *, per_class: bool) -> Floats:
    """Return p of each class, (images, classes, pixels): a single channel gives the classes no and yes.

    Args:
        answers: (images, channels, pixels).
        activation: What the last layer did already.
        per_class: Logits are of a sigmoid per class, not of a softmax.
    """
    if activation in ("none", "log-softmax"):
        found = measured.sigmoid(answers) if per_class or answers.shape[1] == 1 else measured.softmax(answers)
    else:
        found = answers
    return np.concatenate([1 - found, found], axis=1) if found.shape[1] == 1 else found


def log_odds(answers: Floats, activation: Activation, *, per_class: bool) -> Floats:
    """Return ln(p / (1 - p)) of each class, (images, classes, pixels), as exact as the answers are.

    Arguments as of `probabilities`.
    """
    if activation in ("none", "log-softmax"):
        single = answers.shape[1] == 1
        found = answers if per_class or single else measured.odds_against_rest(answers)
        return np.concatenate([-found, found], axis=1) if single else found
    chances = np.clip(probabilities(answers, activation, per_class=per_class).astype(np.float64), *_ENDS)
    return measured.log_odds(chances).astype(np.float32)
