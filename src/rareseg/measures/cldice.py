"""clDice of masks: is the middle line of each map inside the other?

Shit et al. 2021, clDice: a novel topology-preserving loss function for tubular structure segmentation,
arXiv:2003.07311, equations 1 and 2, with the skeletons of whole masks.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.ground import checked, with_void_filled
from rareseg.measures.harmonic import harmonic
from rareseg.measures.thinning import middle_line


@final
@dataclass(frozen=True, slots=True)
class ClDiceCounts:
    """Pixels of skeletons; `+` merges images."""

    predicted: int = 0
    """Pixels of the predicted skeleton."""
    predicted_inside: int = 0
    """Of these, inside the true mask."""
    true: int = 0
    """Pixels of the true skeleton."""
    true_inside: int = 0
    """Of these, inside the predicted mask."""

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two images."""
        return type(self)(
            self.predicted + other.predicted,
            self.predicted_inside + other.predicted_inside,
            self.true + other.true,
            self.true_inside + other.true_inside,
        )

    @property
    def precision(self) -> float | None:
        """Topology precision, 0..1, 0 if nothing is predicted; None if the class is absent."""
        if not self.true:
            return None
        return self.predicted_inside / self.predicted if self.predicted else 0.0

    @property
    def sensitivity(self) -> float | None:
        """Topology sensitivity, 0..1; None if the class is absent."""
        return self.true_inside / self.true if self.true else None

    @property
    def score(self) -> float | None:
        """clDice, 0..1: harmonic mean of both; None if the class is absent."""
        precision, sensitivity = self.precision, self.sensitivity
        if precision is None or sensitivity is None:
            return None
        return harmonic(precision, sensitivity)


def cldice_counts(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
) -> ClDiceCounts:
    """Count one image and class; whole images, because windows cut skeletons.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; in others the prediction is taken as the truth, so that skeletons run on
            through them, and no pixel is counted.

    Raises:
        SettingError: if shapes differ. A mask that is true throughout has no skeleton.
    """
    checked(predicted, truth, counted)
    filled = with_void_filled(predicted, truth, counted)
    ours, theirs = middle_line(predicted) & counted, middle_line(filled) & counted
    return ClDiceCounts(
        predicted=int(np.count_nonzero(ours)),
        predicted_inside=int(np.count_nonzero(ours & filled)),
        true=int(np.count_nonzero(theirs)),
        true_inside=int(np.count_nonzero(theirs & predicted)),
    )
