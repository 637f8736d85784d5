"""What is counted of a map beside the truth, window by window: everything that needs no whole image.

`MapCounts` add up over windows, images, processes and machines. Windows with a halo of `pixel_counts.halo_of` px give
the counts of the whole image, to the pixel.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.boundary import BoundaryCounts, boundary_counts, boundary_width
from rareseg.measures.confusion import Confusion
from rareseg.measures.cores import Core, cut
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.pixel_counts import PixelCounts
from rareseg.measures.relaxed import RELAXED_PX, RelaxedCounts, relaxed_counts
from rareseg.measures.relaxed_curves import RelaxedHistogram
from rareseg.measures.tally import members
from rareseg.records.dataset import VOID

MOST_BOUNDARY = 15
"""px: 2 % of the diagonal is wider in images above half a megapixel, where the strip would swallow every road."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class MapCounts:
    """Counts of one map; `+` merges windows, images and machines."""

    confusion: Confusion
    curve: ScoreHistogram | None
    """None for maps of classes: they rank nothing."""
    relaxed_curve: RelaxedHistogram | None
    relaxed: tuple[RelaxedCounts, ...]
    """Per class, of the class map."""
    boundary: tuple[BoundaryCounts, ...]
    uncounted: int
    """Pixels that are void, without photo or without answer."""
    unanswered: int
    """Of these, labelled pixels that have no answer."""

    @classmethod
    def empty(cls, classes: int, *, overlapping: bool, ranked: bool) -> Self:
        """Return the counts of nothing."""
        return cls(
            Confusion.empty(classes, overlapping=overlapping),
            ScoreHistogram.empty(classes) if ranked else None,
            RelaxedHistogram.empty(classes) if ranked else None,
            (RelaxedCounts(),) * classes,
            (BoundaryCounts(),) * classes,
            0,
            0,
        )

    @classmethod
    def count(
        cls,
        log_odds: NDArray[np.float32] | None,
        given: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        *,
        classes: int,
        overlapping: bool,
        width: int,
        core: Core | None = None,
        unanswered: int = 0,
    ) -> Self:
        """Count one window.

        Args:
            log_odds: (classes, rows, cols), ln(p / (1 - p)); None for maps of classes.
            given: (rows, cols) uint8, class indices, or bit sets if `overlapping`.
            labels: The same of the truth; 255 counts nowhere.
            classes: How many there are.
            overlapping: Whether a pixel may belong to several classes.
            width: px, of the strip along edges that boundary IoU looks at; see `boundary_px`.
            core: What of the window counts, where it has a halo; None: all of it.
            unanswered: Labelled pixels of the core that have no answer.

        Raises:
            SettingError: if the shapes do not fit together.
            DataError: if a value is not a number, or no class.
        """
        inner = labels if core is None else cut(labels, core)
        relaxed = tuple(
            relaxed_counts(*sides, labels != VOID, RELAXED_PX, core)
            for sides in _sides(given, labels, classes, overlapping=overlapping)
        )
        void = int(np.count_nonzero(inner == VOID))
        if log_odds is None:
            confusion = Confusion.count(
                given if core is None else np.ascontiguousarray(cut(given, core)),
                np.ascontiguousarray(inner),
                classes=classes,
                overlapping=overlapping,
            )
            strips = tuple(
                boundary_counts(*sides, labels != VOID, width, core)
                for sides in _sides(given, labels, classes, overlapping=overlapping)
            )
            return cls(confusion, None, None, relaxed, strips, void, unanswered)
        pixels = PixelCounts.count(log_odds, given, labels, overlapping=overlapping, width=width, core=core)
        return cls(pixels.confusion, pixels.curve, pixels.relaxed, relaxed, pixels.boundary, void, unanswered)

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels."""
        curve = None if self.curve is None or other.curve is None else self.curve + other.curve
        near = (
            None
            if self.relaxed_curve is None or other.relaxed_curve is None
            else self.relaxed_curve + other.relaxed_curve
        )
        return type(self)(
            self.confusion + other.confusion,
            curve,
            near,
            tuple(a + b for a, b in zip(self.relaxed, other.relaxed, strict=True)),
            tuple(a + b for a, b in zip(self.boundary, other.boundary, strict=True)),
            self.uncounted + other.uncounted,
            self.unanswered + other.unanswered,
        )


def boundary_px(sizes: list[tuple[int, int]]) -> int:
    """Return the width of the strips along edges for images of these heights and widths, px: one for all.

    2 % of the mean diagonal (Cheng 2021), at most MOST_BOUNDARY: strips wider than the objects would give plain IoU.
    """
    widths = [boundary_width(height, width) for height, width in sizes]
    return min(MOST_BOUNDARY, max(1, round(sum(widths) / max(len(widths), 1))))


def _sides(
    given: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int, *, overlapping: bool
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return, per class, where it is given and where it is labelled."""
    return [
        (
            members(given, label, overlapping=overlapping),
            members(labels, label, overlapping=overlapping),
        )
        for label in range(classes)
    ]
