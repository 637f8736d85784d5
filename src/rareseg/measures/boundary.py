"""Boundary IoU: how well outlines agree, whatever the size of what they enclose.

Cheng, Girshick, Dollár, Berg & Kirillov 2021, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation",
arXiv:2103.16562, eq. 2. Counts of whole images are exact, and so are those of windows that bring `width` px of their
surroundings along and say which part of them counts (measures.cores.haloed).
"""

import math
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.cores import Core, check_core, check_shapes, cut
from rareseg.measures.nearness import box_of, within

SHARE = 0.02
"""Usual width of a boundary, share of the image's diagonal (the paper's code)."""

_PIECE = 256


@final
@dataclass(frozen=True, slots=True)
class BoundaryCounts:
    """Counts of one class; `+` merges windows, images and machines."""

    given: int = 0
    """Predicted pixels within the width of the predicted outline."""
    true: int = 0
    """True pixels within the width of the true outline."""
    both: int = 0
    """Pixels that are both."""

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels."""
        return type(self)(self.given + other.given, self.true + other.true, self.both + other.both)

    @property
    def iou(self) -> float | None:
        """Boundary IoU, 0..1; None if there is no true outline."""
        return self.both / (self.given + self.true - self.both) if self.true else None

    @property
    def f1(self) -> float | None:
        """Boundary F1 (Dice), 0..1; None if there is no true outline. IoU = F1 / (2 - F1)."""
        return 2 * self.both / (self.given + self.true) if self.true else None


def boundary_width(height: int, width: int, *, share: float = SHARE) -> int:
    """Return the width of a boundary for an image of height x width px: its diagonal's share, 1 px at least.

    Raises:
        SettingError: if a side is below 1 px, or the share is not above 0 and at most 1.
    """
    if height < 1 or width < 1 or not 0 < share <= 1:
        message = (
            "Expected an image of at least 1 x 1 px and a share of its diagonal above 0 and at most 1, got "
            f"{height} x {width} px and {share}. {SHARE} is usual."
        )
        raise SettingError(message)
    return max(1, round(share * math.hypot(height, width)))


def boundary_counts(
    given: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_] | None,
    width: int,
    core: Core | None = None,
) -> BoundaryCounts:
    """Count one window and class.

    A mask's boundary are its pixels at most `width` px (the larger of rows and columns) from a pixel outside it.
    Beyond the window all is outside, so that pixels at the image's edge are boundary, as in the paper's code. Pixels
    that do not count are boundary of nothing, and make none.

    Args:
        given: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; None: everywhere.
        width: px, 1 or more; of the whole image, see `boundary_width`.
        core: the part of the window that counts; None: all of it.

    Raises:
        SettingError: if the width is below 1, the shapes differ, or the core leaves the window.
    """
    if width < 1:
        message = (
            f"Expected a boundary at least 1 px wide, got {width}. See boundary_width for the usual one."
        )
        raise SettingError(message)
    there = {} if counted is None else {"counted": counted}
    check_core(core, check_shapes(given=given, truth=truth, **there))
    guess, real = _boundary(given, counted, width, core), _boundary(truth, counted, width, core)
    return BoundaryCounts(
        given=int(np.count_nonzero(guess)),
        true=int(np.count_nonzero(real)),
        both=int(np.count_nonzero(guess & real)),
    )


def _boundary(
    mask: NDArray[np.bool_], counted: NDArray[np.bool_] | None, width: int, core: Core | None
) -> NDArray[np.bool_]:
    """Return where the core holds boundary."""
    void = None if counted is None or counted.all() else ~counted
    held = mask if void is None else mask & ~void
    found = within(held, core)
    box = box_of(found, width)
    if box is not None:
        # Void neither ends a mask nor is part of one.
        solid = held[box] if void is None else held[box] | void[box]
        found = found.copy() if found is mask else found
        np.greater(found[box], _deep(solid, width), out=found[box])
    return cut(found, core)


def _deep(solid: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Return the pixels whose square of 2 * width + 1 px is all solid; beyond the array nothing is."""
    deep = np.zeros_like(solid)
    rows, cols = (side - 2 * width for side in solid.shape)
    if rows <= 0 or cols <= 0:
        return deep
    tall = np.empty((rows, solid.shape[1]), np.bool_)
    # Pieces that stay in the processor's cache: columns first, then rows.
    for left in range(0, solid.shape[1], _PIECE):
        part = slice(left, left + _PIECE)
        tall[:, part] = _runs(solid[:, part], 2 * width + 1)
    for top in range(0, rows, _PIECE):
        square = _runs(tall[top : top + _PIECE].T, 2 * width + 1)
        deep[width + top : width + top + square.shape[1], width : width + cols] = square.T
    return deep


def _runs(solid: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """Return (rows - length + 1, cols): where a column of `length` px that starts there is all solid.

    Runs double from step to step, so that ten steps reach 1000 px.
    """
    ready, other = solid.copy(order="K"), np.empty_like(solid)
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        left = len(ready) - step
        np.logical_and(ready[:left], ready[step:], out=other[:left])
        ready, other = other[:left], ready
        reach += step
    return ready
