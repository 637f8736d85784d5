"""Relaxed precision and recall: a pixel counts as hit within rho pixels of the other map.

Volodymyr Mnih, Machine Learning for Aerial Image Labeling, PhD thesis, University of Toronto, 2013.
Road masks drawn from maps lie some pixels beside the road in the photo; plain scores punish that.
"""

from dataclasses import dataclass
from typing import Self, final

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError


@final
@dataclass(frozen=True, slots=True)
class RelaxedCounts:
    """Counts of one class; `+` merges images."""

    predicted: int = 0
    """Predicted pixels."""
    predicted_near: int = 0
    """Of these, pixels within rho of a true one."""
    true: int = 0
    """True pixels."""
    true_near: int = 0
    """Of these, pixels within rho of a predicted one."""

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two images."""
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
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def relaxed_counts(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], counted: NDArray[np.bool_], rho: float
) -> RelaxedCounts:
    """Count one image and class.

    Whole images give exact counts; of windows, hits across their edges are missed.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; others neither count nor make a neighbour a hit.
        rho: reach, px, Euclidean; 0 gives plain precision and recall.

    Raises:
        SettingError: if rho is negative or the shapes differ.
    """
    if rho < 0:
        message = f"Expected a relaxed distance of 0 px or more, got {rho}. The usual one is 3."
        raise SettingError(message)
    if not predicted.shape == truth.shape == counted.shape:
        message = (
            "Expected predicted, truth and counted of one shape, got "
            f"{predicted.shape}, {truth.shape} and {counted.shape}. Map the photo that belongs to this mask."
        )
        raise SettingError(message)
    guess, real = predicted & counted, truth & counted
    return RelaxedCounts(
        predicted=int(np.count_nonzero(guess)),
        predicted_near=int(np.count_nonzero(guess & _near(real, rho))),
        true=int(np.count_nonzero(real)),
        true_near=int(np.count_nonzero(real & _near(guess, rho))),
    )


def _near(mask: NDArray[np.bool_], rho: float) -> NDArray[np.bool_]:
    """Return the pixels within `rho` px of `mask`."""
    if not mask.any():
        return mask
    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # Distances are roots of whole numbers, kept in float32: the slack is below their smallest gap.
    return np.asarray(distance <= rho + 1e-4)
