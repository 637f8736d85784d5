"""What is counted of one class beside its pixels and its curve: nearness, edges, lines, objects; and their scores."""

from dataclasses import dataclass, field
from typing import Self, final

from rareseg.measures.boundary import BoundaryCounts
from rareseg.measures.objects import ObjectCounts
from rareseg.measures.relaxed import RelaxedCounts
from rareseg.measures.shape_counts import ShapeCounts
from rareseg.measures.topology import TopologyCounts

UNBOUNDED = frozenset({"lines.breaks", "lines.false_branches"})
"""Scores that are no share: they may be above 1."""
PLAIN = ("relaxed_f1", "relaxed_precision", "relaxed_recall", "boundary_iou")
LINES = ("apls", "topo_precision", "topo_recall", "topo_f1", "cldice", "completeness", "correctness")
RATES = ("breaks", "false_branches")
OBJECTS = ("precision", "recall", "f1")
NAMES = (
    *PLAIN,
    *(f"lines.{name}" for name in (*LINES, *RATES)),
    *(f"objects.{name}" for name in OBJECTS),
)
"""Of the scores that `ratios` gives, as they stand in ClassScores."""


@final
@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Counts of one class; `+` merges images."""

    relaxed: RelaxedCounts = field(default_factory=RelaxedCounts)
    boundary: BoundaryCounts = field(default_factory=BoundaryCounts)
    shape: ShapeCounts = field(default_factory=ShapeCounts)

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two sets of images."""
        return type(self)(
            self.relaxed + other.relaxed, self.boundary + other.boundary, self.shape + other.shape
        )


def ratios(counts: ClassCounts) -> dict[str, float | None]:
    """Return the scores of `NAMES`: 0..1, but rates per unit of true line; None where they are not measurable."""
    near, shape = counts.relaxed, counts.shape
    edges = counts.boundary.iou if near.true else None
    plain: tuple[float | None, ...] = (near.f1, near.precision, near.recall, edges)
    return dict(zip(NAMES, (*plain, *_of_lines(shape.lines), *_of_objects(shape.objects)), strict=True))


def _of_lines(counts: TopologyCounts | None) -> tuple[float | None, ...]:
    if counts is None:
        return (None,) * (len(LINES) + len(RATES))
    topo, found = counts.topo, counts.connections
    return (
        counts.apls.score,
        topo.precision,
        topo.recall,
        topo.f1,
        counts.cldice.score,
        found.completeness,
        found.correctness,
        found.breaks_per_km,
        found.false_branches_per_km,
    )


def _of_objects(counts: ObjectCounts | None) -> tuple[float | None, ...]:
    return (None,) * len(OBJECTS) if counts is None else (counts.precision, counts.recall, counts.f1)
