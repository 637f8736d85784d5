"""Objects: how many things are found, as things?

A predicted object and a true one match if their overlap over union is high enough; each is matched once.
Kirillov et al. 2019, Panoptic segmentation, arXiv:1801.00868: above 0.5 no object can match two others.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self, final

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.ground import checked
from rareseg.measures.matching import best_first

LEAST_IOU = 0.5
SIZES = 16
"""Size classes: 1-3, 4-15, 16-63, ... px; the last holds all from 4^15 px on."""

Counts = NDArray[np.int64]


class SizeScore(NamedTuple):
    """Scores of objects of `low` to `high` px (None: no end); None where the truth has none."""

    low: int
    high: int | None
    true: int
    found: int
    false: int
    """Predicted objects of this size without a true one."""
    precision: float | None
    recall: float | None
    f1: float | None


@final
@dataclass(frozen=True, slots=True, eq=False)
class ObjectCounts:
    """Objects by size class, (SIZES,) int64 each; `+` merges images.

    `true` and `found` (matched true objects) go by the true object's size, `false` (predicted objects without
    a match) by their own.
    """

    true: Counts
    found: Counts
    false: Counts

    @classmethod
    def empty(cls) -> Self:
        """Return the counts of no image."""
        zeros = np.zeros(SIZES, np.int64)
        return cls(zeros, zeros, zeros)

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two images."""
        return type(self)(self.true + other.true, self.found + other.found, self.false + other.false)

    @property
    def precision(self) -> float | None:
        """Share of predicted objects with a true one, 0 if none is predicted; None if the class is absent."""
        return self._all.precision

    @property
    def recall(self) -> float | None:
        """Share of true objects with a predicted one; None if the class is absent."""
        return self._all.recall

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None if the class is absent."""
        return self._all.f1

    @property
    def by_size(self) -> tuple[SizeScore, ...]:
        """Scores of every size class that holds an object."""
        scores = []
        for index in np.flatnonzero(self.true + self.false).tolist():
            high = None if index == SIZES - 1 else int(4 ** (index + 1) - 1)
            counts = (int(self.true[index]), int(self.found[index]), int(self.false[index]))
            scores.append(_score(int(4**index), high, *counts))
        return tuple(scores)

    @property
    def _all(self) -> SizeScore:
        return _score(1, None, int(self.true.sum()), int(self.found.sum()), int(self.false.sum()))


def _score(low: int, high: int | None, true: int, found: int, false: int) -> SizeScore:
    if not true:
        return SizeScore(low, high, true, found, false, None, None, None)
    precision = found / (found + false) if found + false else 0.0
    return SizeScore(
        low, high, true, found, false, precision, found / true, 2 * found / (true + found + false)
    )


def object_counts(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    *,
    least_iou: float = LEAST_IOU,
) -> ObjectCounts:
    """Count one image and class; whole images, because windows cut objects.

    Objects are 8-connected. Pairs are matched by falling overlap over union, each object once; at 0.5 and above
    that is the only way they can be, but for an object that is cut into exact halves.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; others belong to no true object and to no area, and a predicted object that
            lies in them by more than half is no mistake (as in Kirillov et al., section 4.2).
        least_iou: overlap over union of a match, 0..1; 0 takes any overlap.

    Raises:
        SettingError: if shapes differ or the overlap is no share.
    """
    checked(predicted, truth, counted)
    if not 0 <= least_iou <= 1:
        message = f"Expected least_iou from 0 (any overlap) to 1, got {least_iou}. The usual one is 0.5."
        raise SettingError(message)
    theirs, true_area = _numbered(truth & counted)
    ours, whole_area = _numbered(predicted)
    area = np.bincount(ours[counted], minlength=whole_area.size).astype(np.int64)
    one, other, shared = _overlaps(theirs, ours, truth & counted & predicted)
    iou = shared / (true_area[one] + area[other] - shared)
    kept = iou >= least_iou
    chosen = best_first(one[kept], other[kept], -iou[kept])
    matched_true, matched = one[kept][chosen], other[kept][chosen]
    false = 2 * area >= whole_area
    false[0] = False
    false[matched] = False
    return ObjectCounts(_by_size(true_area[1:]), _by_size(true_area[matched_true]), _by_size(area[false]))


def _numbered(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], Counts]:
    """Number the 8-connected objects of `mask` from 1; return their numbers and areas, px, (objects + 1,)."""
    if not mask.size:
        return np.zeros(mask.shape, np.int32), np.zeros(1, np.int64)
    _, numbers, facts, _ = cv2.connectedComponentsWithStats(
        mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S
    )
    return np.asarray(numbers, np.int32), facts[:, cv2.CC_STAT_AREA].astype(np.int64)


def _overlaps(
    theirs: NDArray[np.int32], ours: NDArray[np.int32], both: NDArray[np.bool_]
) -> tuple[Counts, Counts, Counts]:
    """Return the pairs of objects that overlap, and by how many px."""
    step = int(ours.max(initial=0)) + 1
    keys, shared = np.unique(theirs[both].astype(np.int64) * step + ours[both], return_counts=True)
    one, other = np.divmod(keys, step)
    return one, other, shared.astype(np.int64)


def _by_size(areas: Counts) -> Counts:
    """Count areas, px >= 1, into size classes."""
    # Whole logarithms of powers of two are exact, so that 4^k px always opens class k.
    classes = np.floor(np.log2(np.maximum(areas, 1)) / 2).astype(np.int64)
    return np.bincount(np.minimum(classes, SIZES - 1), minlength=SIZES).astype(np.int64)
