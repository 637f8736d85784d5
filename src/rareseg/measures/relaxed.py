"""Relaxed precision and recall: a pixel counts as hit within rho pixels of the other map.

Volodymyr Mnih, Machine Learning for Aerial Image Labeling, PhD thesis, University of Toronto, 2013.
Road masks drawn from maps lie some pixels beside the road in the photo; plain scores punish that.

Counts of whole images are exact, and so are those of windows that bring `halo(rho)` px of their surroundings along
and say which part of them counts (`core`); measures.cores.haloed gives both.
"""

import math
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.cores import Core, check_core, check_shapes, cut
from rareseg.measures.harmonic import harmonic
from rareseg.measures.nearness import box_of, near, within

RELAXED_PX = 3.0
"""Usual slack, px (Mnih 2013)."""


@final
@dataclass(frozen=True, slots=True)
class RelaxedCounts:
    """Counts of one class; `+` merges windows, images and machines."""

    predicted: int = 0
    """Predicted pixels."""
    predicted_near: int = 0
    """Of these, pixels within rho of a true one."""
    true: int = 0
    """True pixels."""
    true_near: int = 0
    """Of these, pixels within rho of a predicted one."""

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels."""
        return type(self)(
            self.predicted + other.predicted,
            self.predicted_near + other.predicted_near,
            self.true + other.true,
            self.true_near + other.true_near,
        )

    @property
    def precision(self) -> float | None:
        """Share of predicted pixels near a true one, 0 if none is predicted; None if the class is absent."""
        if not self.true:
            return None
        return self.predicted_near / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float | None:
        """Share of true pixels near a predicted one; None if the class is absent."""
        return self.true_near / self.true if self.true else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None if the class is absent."""
        precision, recall = self.precision, self.recall
        if precision is None or recall is None:
            return None
        return harmonic(precision, recall)


def halo(rho: float) -> int:
    """Return how far a window must look around for exact counts, whole px.

    Raises:
        SettingError: if rho is negative or not a number.
    """
    if not 0 <= rho < math.inf:
        message = f"Expected a relaxed distance of 0 px or more, got {rho}. The usual one is {RELAXED_PX:g}."
        raise SettingError(message)
    return int(rho + 1e-4)


def relaxed_counts(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    rho: float,
    core: Core | None = None,
) -> RelaxedCounts:
    """Count one window and class.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; others neither count nor make a neighbour a hit.
        rho: reach, px, Euclidean; 0 gives plain precision and recall.
        core: the part of the window that counts; None: all of it, so that hits across its edges are missed.

    Raises:
        SettingError: if rho is negative, the shapes differ, or the core leaves the window.
    """
    reach = halo(rho)
    check_core(core, check_shapes(predicted=predicted, truth=truth, counted=counted))
    guess, real = predicted & counted, truth & counted
    return RelaxedCounts(
        predicted=int(np.count_nonzero(cut(guess, core))),
        predicted_near=_hits(guess, real, rho, reach, core),
        true=int(np.count_nonzero(cut(real, core))),
        true_near=_hits(real, guess, rho, reach, core),
    )


def _hits(
    mask: NDArray[np.bool_], other: NDArray[np.bool_], rho: float, reach: int, core: Core | None
) -> int:
    """Return how many pixels of `mask` in the core lie within rho px of `other`."""
    inside = within(mask, core)
    # Only the surroundings of the mask can hold a hit: of a rare class, that is little.
    box = box_of(inside, reach)
    if box is None:
        return 0
    return int(np.count_nonzero(inside[box] & near(np.ascontiguousarray(other[box]), rho)))
