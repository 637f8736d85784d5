"""What some updates of a training show of each class: ranking, spread and share, from samples of their pixels."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.collapse import margin
from rareseg.measures.curves import REACH, ScoreHistogram
from rareseg.probing.watch_sample import Sample

Activation = Literal["auto", "none", "sigmoid", "softmax"]
Floats = NDArray[np.float32]

_FEWEST = 50
"""Sampled pixels of a class from which its ranking is judged; fewer may lie at the top by chance."""
_SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that their log-odds stay finite."""
_SUM_SLACK = 1e-3


class ClassNumbers(NamedTuple):
    """One class in one window of updates."""

    name: str
    pixels: int
    """Of the sample, not of the batches."""
    prevalence: float
    average_precision: float | None
    """None where too few pixels of the class were seen."""
    deviation: float
    """Standard deviation of the class's log-odds over the pixels of an update, mean over updates."""
    predicted_share: float
    mean_probability: float

    @property
    def lift(self) -> float | None:
        """Return average precision over prevalence: 1 is chance."""
        return None if self.average_precision is None else self.average_precision / self.prevalence

    @property
    def margin(self) -> float:
        """Return how far the class is from collapse: below 1 it is ranked as by chance."""
        return margin(self.average_precision, self.prevalence)


class Window(NamedTuple):
    """Some updates, and what they show."""

    step: int
    """Updates so far."""
    classes: tuple[ClassNumbers, ...]
    """Those that are judged: all but the majority of exclusive classes."""
    loss: float | None
    """Mean of the user's losses; where none was given, cross-entropy in nats per pixel."""
    void_share: float
    single_constant: bool
    """One channel that is 1 everywhere, as softmax over it gives."""

    @property
    def judged(self) -> tuple[ClassNumbers, ...]:
        """Return the classes of which enough was seen, the worst off first."""
        held = (one for one in self.classes if one.average_precision is not None)
        return tuple(sorted(held, key=lambda one: one.margin))

    @property
    def worst(self) -> ClassNumbers | None:
        """Return the class that is worst off, or None where none can be judged."""
        return self.judged[0] if self.judged else None


class Readings(NamedTuple):
    """How answers are read, learnt from all updates so far."""

    activation: Literal["none", "sigmoid", "softmax"]
    overlapping: bool
    majority: int
    names: tuple[str, ...]
    """Of every class; of one channel, of the class itself."""


def measure(samples: Sequence[Sample], readings: Readings, *, step: int, losses: Sequence[float]) -> Window:
    """Return the numbers of one window."""
    logits = np.concatenate([sample.logits for sample in samples], axis=1)
    members = np.concatenate([sample.members for sample in samples], axis=1)
    weights = np.concatenate([sample.weights for sample in samples])
    ends = np.cumsum([sample.weights.size for sample in samples])[:-1]
    if not readings.overlapping and len(members) > 1:
        # A pixel of exclusive classes that no class claims does not count.
        weights = np.where(members.any(axis=0), weights, 0)
    odds = log_odds(logits, readings.activation, overlapping=readings.overlapping)
    given = _given(logits, odds, overlapping=readings.overlapping)
    judged = [
        index
        for index in range(len(members))
        if readings.overlapping or len(members) == 1 or index != readings.majority
    ]
    pixels = _Pixels(odds, members, given, weights, ends)
    classes = tuple(_class(readings.names[index], pixels.of(index)) for index in judged)
    looked_at = max(sum(sample.looked_at for sample in samples), 1)
    return Window(
        step=step,
        classes=classes,
        loss=float(np.mean(losses)) if losses else _cross_entropy(odds, members, weights, readings),
        void_share=sum(sample.void for sample in samples) / looked_at,
        single_constant=len(logits) == 1 and logits.size > 0 and bool((logits == 1).all()),
    )


def looks_like(logits: Floats) -> Literal["none", "sigmoid", "softmax"]:
    """Tell logits from probabilities by their range and sums; logits that all lie in 0..1 read as probabilities."""
    if not logits.size or float(logits.min()) < 0 or float(logits.max()) > 1:
        return "none"
    sums = logits.sum(axis=0)
    return "softmax" if len(logits) > 1 and bool((abs(sums - 1) < _SUM_SLACK).all()) else "sigmoid"


def log_odds(
    logits: Floats, activation: Literal["none", "sigmoid", "softmax"], *, overlapping: bool = False
) -> Floats:
    """Return ln(p / (1 - p)) of each class, float32 (channels, pixels): by sigmoid if `overlapping`, else softmax."""
    if activation != "none":
        inside = np.clip(logits, np.float32(_SMALLEST), np.float32(1 - _SMALLEST))
        odds: Floats = np.log(inside) - np.log1p(-inside)
        return odds
    if len(logits) == 1 or overlapping:
        return logits
    if len(logits) == 2:
        rest = logits[::-1]
        return logits - rest
    top = logits.max(axis=0)
    logs = logits - (top + np.log(np.exp(logits - top).sum(axis=0)))
    softened: Floats = logs - np.log(-np.expm1(np.minimum(logs, np.float32(-_SMALLEST))))
    return softened


def _given(logits: Floats, odds: Floats, *, overlapping: bool) -> NDArray[np.bool_]:
    """Return which class each pixel is given to: argmax, or all from probability 0.5 on."""
    if overlapping or len(logits) == 1:
        return odds > 0
    given = np.zeros(logits.shape, np.bool_)
    np.put_along_axis(given, logits.argmax(axis=0)[None], values=True, axis=0)
    return given


class _Pixels(NamedTuple):
    """Of all classes (classes, pixels), or of one (pixels,); weights (pixels,), and where updates end."""

    odds: Floats
    holds: NDArray[np.bool_]
    given: NDArray[np.bool_]
    weights: NDArray[np.int64]
    ends: NDArray[np.int64]

    def of(self, index: int) -> "_Pixels":
        return self._replace(odds=self.odds[index], holds=self.holds[index], given=self.given[index])


def _class(name: str, of_class: _Pixels) -> ClassNumbers:
    odds, holds, given, weights, ends = of_class
    total = max(int(weights.sum()), 1)
    pixels = int(np.count_nonzero(holds & (weights > 0)))
    chance = 1 / (1 + np.exp(-np.clip(odds, -30, 30)))
    spreads = [_spread(*pair) for pair in zip(np.split(odds, ends), np.split(weights, ends), strict=True)]
    known = [spread for spread in spreads if spread is not None]
    prevalence = int(weights[holds].sum()) / total
    enough = pixels >= _FEWEST and prevalence < 1
    return ClassNumbers(
        name=name,
        pixels=pixels,
        prevalence=prevalence,
        average_precision=_average_precision(odds, holds, weights) if enough else None,
        deviation=float(np.mean(known)) if known else 0.0,
        predicted_share=int(weights[given].sum()) / total,
        mean_probability=float((chance * weights).sum()) / total,
    )


def _spread(odds: Floats, weights: NDArray[np.int64]) -> float | None:
    """Return the deviation inside one update: a bias that drifts from update to update is no spread over pixels."""
    total = int(weights.sum())
    if not total:
        return None
    # In float64: of logits near 1e4, float32 squares would invent a spread.
    values = odds.astype(np.float64)
    middle = float((values * weights).sum()) / total
    return math.sqrt(float((weights * (values - middle) ** 2).sum()) / total)


def _average_precision(odds: Floats, holds: NDArray[np.bool_], weights: NDArray[np.int64]) -> float | None:
    """Return average precision of weighted pixels: histograms of each weight, multiplied by it and added."""
    if float(np.abs(odds).max()) > REACH:
        # The order alone counts, and what lies beyond the histogram's reach would lose it.
        odds = np.arcsinh(odds)
    curve = ScoreHistogram.empty(1)
    for weight in np.unique(weights[weights > 0]):
        part = weights == weight
        # With bit sets, bit 0 alone is one class against the rest.
        counted = ScoreHistogram.count(
            np.ascontiguousarray(odds[part])[None, None], holds[part].astype(np.uint8)[None], overlapping=True
        )
        curve = curve + ScoreHistogram(counted.positives * weight, counted.negatives * weight)
    return curve.average_precision()[0]


def _cross_entropy(
    odds: Floats, members: NDArray[np.bool_], weights: NDArray[np.int64], readings: Readings
) -> float | None:
    """Return nats per pixel: of the true class, or summed over overlapping ones' yes-or-no questions."""
    total = int(weights.sum())
    if not total:
        return None
    # -ln p of the true answer is softplus(-log-odds); of a wrong "yes", softplus(log-odds).
    right = np.where(members, -odds, odds)
    each = np.logaddexp(0, right)
    counted = each if readings.overlapping or len(members) == 1 else np.where(members, each, 0)
    return float((counted.sum(axis=0) * weights).sum()) / total
