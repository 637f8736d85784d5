"""Everything that is counted of a window's pixels, at once: what several scores need is made once.

`PixelCounts` form a monoid under `+`, of a size that depends on the classes only: 2.6 MB a class.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.boundary import BoundaryCounts, boundary_counts
from rareseg.measures.confusion import Confusion
from rareseg.measures.cores import Core, check_core, cut, haloed
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.relaxed import RELAXED_PX, halo
from rareseg.measures.relaxed_curves import RelaxedHistogram
from rareseg.measures.score_bins import count_bins, score_bins
from rareseg.measures.tally import members
from rareseg.records.dataset import VOID


@final
@dataclass(frozen=True, slots=True, eq=False)
class PixelCounts:
    """What was counted; `+` merges windows, images, processes and machines."""

    confusion: Confusion
    curve: ScoreHistogram
    relaxed: RelaxedHistogram
    boundary: tuple[BoundaryCounts, ...]
    """Per class."""

    @classmethod
    def empty(cls, classes: int, *, overlapping: bool, rho: float = RELAXED_PX) -> Self:
        """Return the counts of nothing."""
        return cls(
            Confusion.empty(classes, overlapping=overlapping),
            ScoreHistogram.empty(classes),
            RelaxedHistogram.empty(classes, rho),
            (BoundaryCounts(),) * classes,
        )

    @classmethod
    def count(
        cls,
        log_odds: NDArray[np.float32],
        given: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        *,
        overlapping: bool,
        width: int,
        rho: float = RELAXED_PX,
        core: Core | None = None,
        only: Collection[int] | None = None,
    ) -> Self:
        """Count one window.

        Args:
            log_odds: (classes, height, width), ln(p / (1 - p)) of each class against the rest; one plane, unless
                `overlapping`, is that of class 1 of two, and mirrored for class 0.
            given: (height, width), the class map: class indices, or bit sets if `overlapping`.
            labels: the same; 255 counts nowhere.
            overlapping: whether a pixel may belong to several classes.
            width: of boundaries, px, one for all windows of an image: `boundary.boundary_width` of the image.
            rho: slack of relaxed scores, px.
            core: the part of the window that counts, None: all of it. With `halo_of(width, rho)` px around it
                wherever the image goes on, the counts of windows add up to exactly those of the image.
            only: classes whose relaxed scores and boundaries are counted; None: all.

        Raises:
            SettingError: if the shapes do not fit together, a setting is out of range, or the core leaves the window.
            DataError: if a log-odds value is not a number, or a counted pixel's label or answer is not a class.
        """
        _check_shapes(log_odds, given, labels)
        check_core(core, labels.shape)
        classes = 2 if len(log_odds) == 1 and not overlapping else len(log_odds)
        total = cls.empty(classes, overlapping=overlapping, rho=rho)
        shaped = frozenset(range(classes) if only is None else only)
        boundary = list(total.boundary)
        counted = None if (labels != VOID).all() else labels != VOID
        # Boundaries look much further around than relaxed scores.
        outer, inner = haloed(core or (0, 0, *labels.shape), labels.shape, halo(rho))
        near = None if counted is None else cut(counted, outer)
        for index in range(classes)[::-1]:
            mirrored = index == 0 and len(log_odds) < classes
            if mirrored and index not in shaped:
                total._mirror_scores(index)
                continue
            bins = _bins(cut(log_odds, outer), index, mirrored=mirrored)
            holds = members(labels, index, overlapping=overlapping)
            there, relaxed = cut(holds, outer), index in shaped
            total._add_scores(index, bins, there, counted=near, core=inner, relaxed=relaxed)
            if relaxed:
                answer = members(given, index, overlapping=overlapping)
                boundary[index] = boundary_counts(answer, holds, counted, width, core)
        confusion = Confusion.count(
            cut(given, core), cut(labels, core), classes=classes, overlapping=overlapping
        )
        return cls(confusion, total.curve, total.relaxed, tuple(boundary))

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels.

        Raises:
            SettingError: if classes or the slack differ.
        """
        return type(self)(
            self.confusion + other.confusion,
            self.curve + other.curve,
            self.relaxed + other.relaxed,
            tuple(a + b for a, b in zip(self.boundary, other.boundary, strict=True)),
        )

    def _mirror_scores(self, index: int) -> None:
        """Fill in the curve of one of two classes from the other's, in place: log-odds negative, truth swapped."""
        self.curve.positives[index] = self.curve.negatives[1 - index][::-1]
        self.curve.negatives[index] = self.curve.positives[1 - index][::-1]

    def _add_scores(
        self,
        index: int,
        bins: NDArray[np.uint16],
        holds: NDArray[np.bool_],
        *,
        counted: NDArray[np.bool_] | None,
        core: Core,
        relaxed: bool,
    ) -> None:
        """Add the scores of one class in place; all arrays of one shape, `counted` None: everywhere."""
        where = None if counted is None else cut(counted, core)
        positives, every = count_bins(cut(bins, core), cut(holds, core), where)
        self.curve.positives[index] += positives
        self.curve.negatives[index] += every - positives
        if relaxed:
            self.relaxed.add(index, bins, holds, counted=counted, core=core, every=every)


def halo_of(width: int, rho: float = RELAXED_PX) -> int:
    """Return how far a window must look around for exact counts: boundaries of `width` px, slack of `rho` px."""
    return max(width, halo(rho))


def _bins(log_odds: NDArray[np.float32], index: int, *, mirrored: bool) -> NDArray[np.uint16]:
    """Return the bins of one class, (height, width)."""
    bins = score_bins(log_odds[min(index, len(log_odds) - 1)], f"class {index}")
    # Bins are even, so those of the negative log-odds count from the other end.
    return np.invert(bins, out=bins) if mirrored else bins


def _check_shapes(log_odds: NDArray[np.float32], given: NDArray[np.uint8], labels: NDArray[np.uint8]) -> None:
    if log_odds.ndim != 3 or not log_odds.shape[1:] == given.shape == labels.shape:
        message = (
            "Expected log-odds (classes, height, width), given classes and labels (height, width), got "
            f"{log_odds.shape}, {given.shape} and {labels.shape}. Map the photo that belongs to this mask."
        )
        raise SettingError(message)
