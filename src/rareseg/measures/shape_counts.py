"""What is counted of whole images: networks of lines, compact objects, and the widths that are found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.objects import ObjectCounts, object_counts
from rareseg.measures.tally import members
from rareseg.measures.topology import TopologyCounts, topology_counts
from rareseg.measures.widths import WidthCounts, width_counts
from rareseg.records.dataset import VOID

One = TypeVar("One", TopologyCounts, ObjectCounts, WidthCounts)
Shape = Literal["lines", "objects"]
MOST_PIXELS = 1 << 26
"""Pixels of an image whose shapes are scored: both maps are held in memory."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class ShapeCounts:
    """Counts of one class; `+` merges images."""

    lines: TopologyCounts | None = None
    objects: ObjectCounts | None = None
    widths: WidthCounts | None = None

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two sets of images."""
        return type(self)(
            _both(self.lines, other.lines),
            _both(self.objects, other.objects),
            _both(self.widths, other.widths),
        )


def shape_counts(
    given: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    shapes: Mapping[int, Shape],
    *,
    overlapping: bool,
    pixel_size: float | None,
) -> dict[int, ShapeCounts]:
    """Count one image, both maps (rows, cols) uint8 with 255 for not counted in `labels`.

    `shapes` says which classes are looked at, by index, and as what; `pixel_size` is in metres, None if unknown.
    """
    counted = labels != VOID
    found = {}
    for label, shape in shapes.items():
        guess = members(given, label, overlapping=overlapping)
        truth = members(labels, label, overlapping=overlapping)
        if shape == "objects":
            found[label] = ShapeCounts(objects=object_counts(guess, truth, counted))
        else:
            lines = topology_counts(guess, truth, counted, pixel_size)
            found[label] = ShapeCounts(lines=lines, widths=width_counts(guess, truth, counted))
    return found


def _both(one: One | None, other: One | None) -> One | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other
