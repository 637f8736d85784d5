"""Whether probabilities can be believed: of the pixels given 30 %, do 30 % hold the class?

Read from the histogram of log-odds (measures.curves), so it merges over windows, images and machines like
everything else, and costs nothing beside it. What that leaves open is small and known: a pixel's probability
is taken at the middle of its histogram bin, off by at most RESOLUTION, and edges between the bins of a
reliability curve lie at edges of the histogram, at most RESOLUTION from where they were asked for. So the
calibration error differs by at most RESOLUTION from the exact one over the same bins.

Each class is looked at on its own, one against the rest (classwise), because the usual error of the likeliest
class alone says next to nothing about a class that is hardly ever the likeliest.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.curves import BINS, REACH, ScoreHistogram

Binning = Literal["equal_width", "equal_mass"]

USUAL_BINS = 15
"""Bins of a reliability curve (Guo 2017)."""
RESOLUTION = 0.25 * REACH / BINS
"""Largest error of a pixel's probability, 7.7e-5: half a histogram bin, where the sigmoid is steepest (1/4)."""


class ReliabilityBin(NamedTuple):
    """Pixels given similar probabilities: what they were given on average, and how many hold the class."""

    mean_probability: float
    """0..1"""
    frequency: float
    """Share of these pixels that hold the class, 0..1."""
    pixels: int
    """At least 1."""


def reliability(
    curve: ScoreHistogram, index: int, *, bins: int = USUAL_BINS, binning: Binning = "equal_width"
) -> tuple[ReliabilityBin, ...]:
    """Return the reliability curve of class `index`, by rising probability; bins without a pixel are left out.

    "equal_width" cuts the probabilities 0..1 into `bins` (1 to 1000) equal ranges. Of a rare class nearly all
    pixels lie in the first; "equal_mass" has about equally many pixels in each bin instead, fewer bins where
    many pixels share one probability.

    Raises:
        SettingError: if there are no such bins, binning or class.

    Reference: Niculescu-Mizil & Caruana 2005; Guo et al. 2017, arXiv:1706.04599, sec. 2 (equal width);
    Nguyen & O'Connor 2015, arXiv:1508.05154 (equal mass).
    """
    _check(curve, index, bins, binning)
    every = curve.positives[index] + curve.negatives[index]
    edges = _widths(bins) if binning == "equal_width" else _masses(every, bins)
    starts = np.unique(np.concatenate([[0], edges]))
    starts = starts[starts < BINS]
    counts = np.add.reduceat(every, starts)
    hits = np.add.reduceat(curve.positives[index], starts)
    given = np.add.reduceat(every * _PROBABILITIES, starts)
    return tuple(
        ReliabilityBin(float(total / count), float(hit / count), int(count))
        for total, hit, count in zip(given, hits, counts, strict=True)
        if count
    )


def calibration_error(
    curve: ScoreHistogram, *, bins: int = USUAL_BINS, binning: Binning = "equal_width"
) -> tuple[float | None, ...]:
    r"""Return each class's expected calibration error, 0..1, None if nothing is counted.

    .. math:: ECE = \sum_b \frac{n_b}{n} |\text{frequency}_b - \text{mean probability}_b|

    A class that no pixel holds has an error too: the mean probability that it was given.
    Arguments and errors as in `reliability`.

    Reference: Naeini et al. 2015 (AAAI); Guo et al. 2017, arXiv:1706.04599, eq. 3; per class as in Nixon et al.
    2019, arXiv:1904.01685.
    """
    classes = range(len(curve.positives))
    return tuple(_error(reliability(curve, index, bins=bins, binning=binning)) for index in classes)


def expected_share(curve: ScoreHistogram) -> tuple[float | None, ...]:
    """Return each class's mean probability over counted pixels, 0..1, None if nothing is counted.

    It is the share of the class that the map expects. Plain calibration error is dominated by easy background;
    this over the true share is not: 2 means that twice as much of the class is announced as there is.
    """
    every = curve.positives + curve.negatives
    totals = every.sum(axis=1)
    means = (every * _PROBABILITIES).sum(axis=1) / np.maximum(totals, 1)
    return tuple(float(mean) if total else None for mean, total in zip(means, totals, strict=True))


def _error(curve: tuple[ReliabilityBin, ...]) -> float | None:
    if not curve:
        return None
    total = sum(held.pixels for held in curve)
    return sum(held.pixels / total * abs(held.frequency - held.mean_probability) for held in curve)


def middles() -> NDArray[np.float64]:
    """Return the probability at the middle of each bin of a ScoreHistogram, (65536,) float64."""
    log_odds = (np.arange(BINS) + 0.5) * (2 * REACH / BINS) - REACH
    return np.asarray(1 / (1 + np.exp(-log_odds)))


_PROBABILITIES = middles()


def _widths(bins: int) -> NDArray[np.int64]:
    """Return the histogram bins at which the 2nd, 3rd, ... of `bins` equal ranges of probability begin."""
    inner = np.arange(1, bins) / bins
    log_odds = np.log(inner) - np.log1p(-inner)
    return np.rint((log_odds + REACH) * (BINS / (2 * REACH))).astype(np.int64)


def _masses(every: NDArray[np.int64], bins: int) -> NDArray[np.int64]:
    """Return the histogram bins at which the 2nd, 3rd, ... of `bins` parts of equally many pixels begin."""
    up_to = np.cumsum(every)
    wanted = up_to[-1] * np.arange(1, bins) / bins
    return np.asarray(np.searchsorted(up_to, wanted, side="left") + 1, np.int64)


def _check(curve: ScoreHistogram, index: int, bins: int, binning: str) -> None:
    if not 1 <= bins <= 1000:
        message = f"Expected 1 to 1000 bins of a reliability curve, got {bins}. {USUAL_BINS} are usual."
        raise SettingError(message)
    if binning not in ("equal_width", "equal_mass"):
        message = f"Expected the binning equal_width or equal_mass, got {binning!r}. Name one of these."
        raise SettingError(message)
    if not 0 <= index < len(curve.positives):
        message = f"Expected a class index from 0 to {len(curve.positives) - 1}, got {index}."
        raise SettingError(message)
