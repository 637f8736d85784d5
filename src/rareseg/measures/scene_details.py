"""What was counted in each scene beside its pixels and curves: nearness, edges, lines, objects, and break-even.

Kept per scene so that all scores can be drawn over scenes anew, as measures.scene_counts does for pixels and curves.
Histograms within reach of the truth are coarsened from 65,536 to 512 bins of log-odds, each 0.08 wide: the break-even
moves by 0.002 at most where a thousand pixels hold the class, in all draws alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.break_even import crossings
from rareseg.measures.class_counts import NAMES, ClassCounts, ratios
from rareseg.measures.curves import BINS
from rareseg.measures.map_counts import MapCounts
from rareseg.measures.shape_counts import ShapeCounts
from rareseg.measures.sums import weighted

COARSE = 512
BREAK_EVEN = "break_even"


@final
@dataclass(slots=True, eq=False)
class SceneDetails:
    """Counts of each scene and class."""

    counts: list[list[ClassCounts]]
    """By scene and class."""
    curves: NDArray[np.int64] | None
    """(scenes, classes, 3, 512), by falling score: pixels near the truth, all pixels, and true pixels by the highest
    score within reach, as in RelaxedHistogram. None for maps of classes."""

    @classmethod
    def empty(cls, scenes: int, classes: int, *, ranked: bool) -> Self:
        """Return the counts of nothing, to be added to."""
        curves = np.zeros((scenes, classes, 3, COARSE), np.int64) if ranked else None
        return cls([[ClassCounts()] * classes for _ in range(scenes)], curves)

    def add(self, scene: int, found: MapCounts, shapes: Mapping[int, ShapeCounts]) -> None:
        """Add the counts of an image of scene number `scene`, in place; `shapes` by class."""
        self.counts[scene] = [
            before + ClassCounts(near, edge, shapes.get(label, ShapeCounts()))
            for label, (before, near, edge) in enumerate(
                zip(self.counts[scene], found.relaxed, found.boundary, strict=True)
            )
        ]
        if self.curves is not None and found.relaxed_curve is not None:
            near, far, reached = (
                _coarsened(side)
                for side in (found.relaxed_curve.near, found.relaxed_curve.far, found.relaxed_curve.reached)
            )
            self.curves[scene] += np.stack([near, near + far, reached], axis=1)

    def total(self, label: int) -> ClassCounts:
        """Return the counts of class number `label` in all scenes."""
        return reduce(add, (scene[label] for scene in self.counts), ClassCounts())

    def chosen(self, scenes: NDArray[np.bool_]) -> Self:
        """Return some of the scenes."""
        kept = [self.counts[place] for place in np.flatnonzero(scenes).tolist()]
        return type(self)(kept, None if self.curves is None else self.curves[scenes])

    def pooled(self, draws: NDArray[np.float64], classes: int) -> dict[str, NDArray[np.float64]]:
        """Score every draw, (draws, scenes), how often each scene counts.

        Returns by name (class_counts.NAMES and "break_even"), (draws, classes); NaN where it is not measurable.
        """
        found = {name: np.full((len(draws), classes), np.nan) for name in (*NAMES, BREAK_EVEN)}
        for label in range(classes):
            own = [scene[label] for scene in self.counts]
            for number, counts in enumerate(weighted(own, draws, self.total(label))):
                for name, value in ratios(counts).items():
                    if value is not None:
                        found[name][number, label] = value
            if self.curves is not None:
                found[BREAK_EVEN][:, label] = _break_even(self.curves[:, label], draws)
        return found


def _break_even(curves: NDArray[np.int64], draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the break-even of each draw, (draws,); `curves` (scenes, 3, 512)."""
    sums = np.tensordot(draws, curves.astype(np.float64), axes=1).cumsum(axis=-1)
    return crossings(sums[:, 0], sums[:, 1], sums[:, 2]).score


def _coarsened(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add up neighbouring bins, and turn them: (classes, 65536), rising, to (classes, 512), falling."""
    summed: NDArray[np.int64] = counts.reshape(len(counts), COARSE, BINS // COARSE).sum(axis=2)[:, ::-1]
    return summed
