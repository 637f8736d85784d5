"""How sure a mean over seeds and scenes is: resampled scenes, spread of the seeds, and Student's t.

A score varies for two reasons. Other scenes would have given another score: their part of the variance
comes from drawing the scenes anew (bootstrap; pixels of one scene are no independent witnesses). Another seed
would have given another network: its part is the seeds' own variance over their number. Both numbers
are small, so the interval is as wide as Student's t asks at their effective degrees of freedom.

References: Rao & Wu 1988 (n - 1 of n drawn, so that the variance is not too small for few scenes);
Satterthwaite 1946 (degrees of freedom of a sum of variances).
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 500
LEVEL = 0.95
LEAST_SCENES = 3
LEAST_SEEDS = 2


class Interval(NamedTuple):
    """A mean and the interval that holds the true one with a chance of LEVEL; both ends None if unknown."""

    value: float
    low: float | None
    high: float | None

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign is certain; False where the interval is unknown."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def scene_draws(scenes: int, *, resamples: int = RESAMPLES, seed: int = 0) -> NDArray[np.float64]:
    """Return (resamples, scenes) how often each scene is drawn: `scenes` - 1 draws with replacement each.

    The same arguments give the same draws, so that scores of several networks are compared on the same
    scenes. A single scene is drawn once every time.
    """
    rng = np.random.default_rng((seed, scenes))
    even = np.full(scenes, 1 / scenes)
    return rng.multinomial(max(1, scenes - 1), even, size=resamples).astype(np.float64)


def interval(
    values: NDArray[np.float64],
    resampled: NDArray[np.float64],
    *,
    scenes: float,
    least: float = -math.inf,
    most: float = math.inf,
) -> Interval:
    """Return the mean of `values` and its interval.

    Args:
        values: (seeds,) the score of each seed, over all scenes.
        resampled: (seeds, resamples) the same over drawn scenes; NaN where a draw lacks the class.
        scenes: how many scenes tell of the score; not whole where they do so of its parts unequally.
        least, most: what no value can be below or above: 0 and 1 for shares, -1 and 1 for their differences.

    With one scene or one seed that part of the variance is unknown and left out; see `trusted`. With neither,
    or without a single measurable draw, both ends are None.
    """
    mean = float(values.mean())
    of_scenes, of_seeds = _variances(values, resampled, scenes)
    if of_scenes is None and of_seeds is None:
        return Interval(mean, None, None)
    parts = [
        (part, freedom) for part, freedom in ((of_scenes, scenes - 1), (of_seeds, len(values) - 1)) if part
    ]
    total = sum(part for part, _ in parts)
    # A variance of 0 (all scenes and seeds agree) leaves an interval of no width.
    freedom = total**2 / sum(part**2 / number for part, number in parts) if parts else 1.0
    reach = student(freedom) * math.sqrt(total) if parts else 0.0
    return Interval(mean, max(least, mean - reach), min(most, mean + reach))


def trusted(*, scenes: int, seeds: int) -> bool:
    """Return whether there are enough scenes and seeds for an interval to be believed."""
    return scenes >= LEAST_SCENES and seeds >= LEAST_SEEDS


def _variances(
    values: NDArray[np.float64], resampled: NDArray[np.float64], scenes: float
) -> tuple[float | None, float | None]:
    """Return the variance of the mean that comes from the scenes and from the seeds; None = cannot be known."""
    means = resampled.mean(axis=0)
    means = means[np.isfinite(means)]
    of_scenes = float(means.var(ddof=1)) if scenes > 1 and means.size > 1 else None
    of_seeds = float(values.var(ddof=1)) / len(values) if len(values) > 1 else None
    return of_scenes, of_seeds


def student(freedom: float, level: float = LEVEL) -> float:
    """Return the t within which Student's distribution of `freedom` > 0 degrees holds a share `level`.

    Read off the integral of the density over an angle, where it has no tails: with t = sqrt(v) tan(a), it is
    proportional to cos(a)^(v - 1). Freedom is taken as at least 1 and at most 1000, where t is 1.962 (1.960).
    """
    return _student(round(freedom, 2), level)


@cache
def _student(freedom: float, level: float) -> float:
    angles = np.linspace(0, math.pi / 2, 8_001)
    exponent = min(max(freedom, 1.0), 1000.0)
    density = np.cos(angles) ** (exponent - 1)
    share = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    angle = float(np.interp(level, share / share[-1], angles))
    return math.sqrt(exponent) * math.tan(angle)
