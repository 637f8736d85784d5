"""Moving probabilities: one temperature and one shift per class, applied, and fitted to counted pixels.

Of exclusive classes, with p the probabilities before and s the shifts in nats:

    p'_c = exp(ln p_c / T - s_c) / sum over k of exp(ln p_k / T - s_k)

and of overlapping ones, each on its own: logit p'_c = logit(p_c) / T - s_c. With two classes that is Platt's
scaling, with several vector scaling with one common slope. Two exclusive classes keep their ranking, and so
does each of overlapping ones.

Reference: Platt 1999; Guo et al. 2017, arXiv:1706.04599, sec. 4.2 (temperature and vector scaling).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.calibration import middles
from rareseg.measures.curves import BINS, REACH, ScoreHistogram

STEEPEST = 20.0
"""Fitted temperatures lie between 1/20 and 20."""

_SMALLEST = 1e-12
"""Probabilities below it count as it, so that their logarithm stays finite."""
_PRIOR_PIXELS = 1.0
"""Weight of the belief that nothing need be moved: keeps a fit finite where classes are told apart perfectly."""
_PIECE = 1 << 16
_ITERATIONS = 100

Probabilities = TypeVar("Probabilities", NDArray[np.float32], NDArray[np.float64])
Floats = NDArray[np.float64]
Objective = Callable[[Floats], tuple[float, Floats, Floats]]
"""Value, gradient and Hessian of a convex function of (1 / temperature, -shift, ...)."""


class Scaling(NamedTuple):
    """How probabilities are moved."""

    temperature: float
    """Above 0; 1 changes nothing."""
    shift: tuple[float, ...]
    """Per class, nats taken off its logit."""

    @property
    def idle(self) -> bool:
        """Whether it changes nothing."""
        return self.temperature == 1 and not any(self.shift)


def scaled(probabilities: NDArray[np.float32], scaling: Scaling, *, overlapping: bool) -> NDArray[np.float32]:
    """Move probabilities (classes, ...) float32 in place, and return them.

    Raises:
        SettingError: if there is not one shift per class.
    """
    if len(probabilities) != len(scaling.shift):
        message = (
            f"Expected one shift for each of {len(probabilities)} classes, got {len(scaling.shift)}. "
            "Use the calibration of the same run."
        )
        raise SettingError(message)
    if scaling.idle:
        return probabilities
    if overlapping:
        for plane, shift in zip(probabilities, scaling.shift, strict=True):
            _scale_odds(plane, scaling.temperature, shift)
    else:
        _scale_exclusive(probabilities, scaling)
    return probabilities


def rebinned(curve: ScoreHistogram, scaling: Scaling, *, overlapping: bool) -> ScoreHistogram:
    """Return the histogram of the moved log-odds of two exclusive classes, or of overlapping ones.

    Pixels of one bin go together into the bin of their moved middle, at most one bin (0.0006) off.

    Raises:
        SettingError: for three or more exclusive classes, whose log-odds do not tell the others'.
    """
    classes = len(curve.positives)
    if not overlapping and classes != 2:
        message = (
            f"A histogram of {classes} exclusive classes cannot be moved. Count the moved probabilities."
        )
        raise SettingError(message)
    moved = ScoreHistogram.empty(classes)
    for index in range(classes):
        rest = 0.0 if overlapping else scaling.shift[1 - index]
        log_odds = _log_odds() / scaling.temperature - (scaling.shift[index] - rest)
        place = np.clip((log_odds + REACH) * (BINS / (2 * REACH)), 0, BINS - 1).astype(np.int64)
        for before, after in ((curve.positives, moved.positives), (curve.negatives, moved.negatives)):
            np.add.at(after[index], place, before[index])
    return moved


def fit_odds(curve: ScoreHistogram, *, overlapping: bool) -> Scaling:
    """Fit the scaling of two exclusive classes, or of overlapping ones, to a histogram: least log-loss.

    A class that no counted pixel holds (or that all hold) keeps a shift of 0: nothing is known about it.

    Raises:
        SettingError: for three or more exclusive classes.
    """
    classes = len(curve.positives)
    if not overlapping and classes != 2:
        message = (
            f"Expected two exclusive classes or overlapping ones, got {classes} exclusive. Use fit_classes."
        )
        raise SettingError(message)
    asked = range(classes) if overlapping else (1,)
    known = [index for index in asked if curve.positives[index].any() and curve.negatives[index].any()]
    if not known:
        return Scaling(1.0, (0.0,) * classes)
    slope, biases = _fit(_of_odds(curve.positives[known], curve.negatives[known]), len(known))
    shift = np.zeros(classes)
    shift[known] = -biases
    return Scaling(1 / slope, tuple(shift.tolist()))


def fit_classes(probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> Scaling:
    """Fit the scaling of exclusive classes to pixels: least log-loss, by Newton's method.

    Args:
        probabilities: (classes, pixels).
        labels: (pixels,) class indices; none is void.

    Returns:
        The scaling; the most frequent class has shift 0. Classes that no pixel holds take no part in the fit and
        move like the average pixel.
    """
    counts = np.bincount(labels, minlength=len(probabilities))
    known = np.argsort(-counts, kind="stable")[: int((counts > 0).sum())]
    if len(known) < 2:
        return Scaling(1.0, (0.0,) * len(probabilities))
    place = np.zeros(len(probabilities), np.int64)
    place[known] = np.arange(len(known))
    slope, biases = _fit(_of_classes(probabilities[known], place[labels]), len(known) - 1)
    shift = np.zeros(len(probabilities))
    shift[known[1:]] = -biases
    shift[counts == 0] = (shift * counts).sum() / counts.sum()
    return Scaling(1 / slope, tuple(shift.tolist()))


def _scale_odds(plane: NDArray[Any], temperature: float, shift: float) -> None:
    if temperature != 1:
        np.clip(plane, 1e-7, 1 - 1e-7, out=plane)
        against = (np.log1p(-plane) - np.log(plane)) / temperature
        # Beyond 80 the answer is 0 or 1 in float32, and the power overflows.
        plane[...] = 1 / (1 + np.exp(np.clip(against, -80, 80)))
    factor = float(np.exp(-shift))
    rest = 1 - plane
    plane *= factor
    plane /= plane + rest


def _scale_exclusive(probabilities: NDArray[Any], scaling: Scaling) -> None:
    # Relative to the largest shift, so that no factor exceeds 1.
    factors = np.exp(min(scaling.shift) - np.asarray(scaling.shift))
    if scaling.temperature != 1:
        probabilities /= probabilities.max(axis=0)
        np.maximum(probabilities, _SMALLEST, out=probabilities)
        np.power(probabilities, 1 / scaling.temperature, out=probabilities)
    probabilities *= factors.astype(probabilities.dtype).reshape(-1, *[1] * (probabilities.ndim - 1))
    probabilities /= probabilities.sum(axis=0)


def _log_odds() -> Floats:
    probability = middles()
    return np.asarray(np.log(probability) - np.log1p(-probability))


def _fit(objective: Objective, biases: int) -> tuple[float, Floats]:
    """Return the slope and the biases that minimise a convex objective of (slope, biases...)."""
    start = np.concatenate([[1.0], np.zeros(biases)])
    free = np.ones(len(start), np.bool_)
    found = _newton(objective, start, free)
    bounded = float(np.clip(found[0], 1 / STEEPEST, STEEPEST))
    if bounded != found[0]:
        start[0], free[0] = bounded, False
        found = _newton(objective, start, free)
    return float(found[0]), found[1:]


def _newton(objective: Objective, start: Floats, free: NDArray[np.bool_]) -> Floats:
    """Minimise over the free parameters by Newton's method with steps halved until they gain."""
    believed = np.concatenate([[1.0], np.zeros(len(start) - 1)])

    def penalised(point: Floats) -> tuple[float, Floats, Floats]:
        value, slope, bend = objective(point)
        away = point - believed
        value += _PRIOR_PIXELS * float(away @ away) / 2
        return value, slope + _PRIOR_PIXELS * away, bend + _PRIOR_PIXELS * np.eye(len(point))

    point = start.copy()
    value, slope, bend = penalised(point)
    for _ in range(_ITERATIONS):
        step = np.zeros(len(point))
        step[free] = -np.linalg.solve(bend[np.ix_(free, free)], slope[free])
        gain = -float(slope @ step)
        if gain <= 1e-9 * max(value, 1.0):
            break
        length = 1.0
        while length > 1e-9:
            tried = penalised(point + length * step)
            if tried[0] <= value - 1e-4 * length * gain:
                break
            length /= 2
        else:
            break
        point += length * step
        value, slope, bend = tried
    return point


def _of_odds(positives: NDArray[np.int64], negatives: NDArray[np.int64]) -> Objective:
    """Return the log-loss of sigmoid(slope * log-odds + bias_k) over histograms (classes, bins)."""
    used = (positives + negatives).any(axis=0)
    hits, every = positives[:, used], (positives + negatives)[:, used]
    log_odds = _log_odds()[used]

    def value(point: Floats) -> tuple[float, Floats, Floats]:
        logits = point[0] * log_odds + point[1:, None]
        given = 1 / (1 + np.exp(-np.abs(logits)))
        given = np.where(logits >= 0, given, 1 - given)
        loss = float((every * np.logaddexp(0, logits) - hits * logits).sum())
        residual, bend = every * given - hits, every * given * (1 - given)
        gradient = np.concatenate([[(residual @ log_odds).sum()], residual.sum(axis=1)])
        hessian = np.diag(np.concatenate([[(bend @ log_odds**2).sum()], bend.sum(axis=1)]))
        hessian[0, 1:] = hessian[1:, 0] = bend @ log_odds
        return loss, gradient, hessian

    return value


def _of_classes(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> Objective:
    """Return the log-loss of softmax(slope * ln p + bias) over pixels (classes, pixels); bias 0 for class 0."""

    def value(point: Floats) -> tuple[float, Floats, Floats]:
        size = len(probabilities)
        loss, gradient, hessian = 0.0, np.zeros(size + 1), np.zeros((size + 1, size + 1))
        bias = np.concatenate([[0.0], point[1:]])[:, None]
        for start in range(0, len(labels), _PIECE):
            held = labels[start : start + _PIECE]
            logs = np.log(np.maximum(probabilities[:, start : start + _PIECE].astype(np.float64), _SMALLEST))
            logits = point[0] * logs + bias
            logits -= logits.max(axis=0)
            given = np.exp(logits)
            total = given.sum(axis=0)
            given /= total
            columns = np.arange(len(held))
            loss += float((np.log(total) - logits[held, columns]).sum())
            mean = (given * logs).sum(axis=0)
            around = given * (logs - mean)
            gradient[0] += (mean - logs[held, columns]).sum()
            gradient[1:] += given.sum(axis=1) - np.bincount(held, minlength=size)
            hessian[0, 0] += (around * logs).sum()
            hessian[0, 1:] += around.sum(axis=1)
            hessian[1:, 1:] += np.diag(given.sum(axis=1)) - given @ given.T
        hessian[1:, 0] = hessian[0, 1:]
        # Class 0 has no bias of its own: a softmax does not notice one added to all.
        kept = np.arange(size + 1) != 1
        return loss, gradient[kept], hessian[np.ix_(kept, kept)]

    return value
