"""What an evaluation gathers, image by image: totals, counts of each scene, and a line for every image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.confusion import Confusion
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.map_counts import MapCounts
from rareseg.measures.scene_counts import SceneCounts, blocks
from rareseg.measures.scene_details import SceneDetails
from rareseg.measures.shape_counts import MOST_PIXELS, Shape, ShapeCounts, shape_counts
from rareseg.records.dataset import VOID
from rareseg.records.scores import ImageScores


@final
@dataclass(slots=True)
class ImageTally:
    """One image while its windows come in."""

    image: str
    scene: str
    pixel_size: float | None
    """m"""
    counts: MapCounts
    given: NDArray[np.uint8] | None
    """(rows, cols) the whole class map; None where shapes are not scored."""
    labels: NDArray[np.uint8] | None

    def add(
        self, found: MapCounts, given: NDArray[np.uint8], labels: NDArray[np.uint8], row: int, col: int
    ) -> None:
        """Take one window: its counts, and its two maps (rows, cols) without halo, which begin at `row`, `col`."""
        self.counts = self.counts + found
        if self.given is not None and self.labels is not None:
            place = (slice(row, row + given.shape[0]), slice(col, col + given.shape[1]))
            self.given[place], self.labels[place] = given, labels


@final
@dataclass(slots=True)
class Evaluation:
    """All that scores follow from."""

    classes: tuple[str, ...]
    overlapping: bool
    ranked: bool
    """Whether there are probabilities; maps of classes rank nothing."""
    shapes: Mapping[int, Shape]
    """Classes whose shapes are scored, by index."""
    scenes: Mapping[str, int]
    """Number of each scene; beyond 256 scenes several share one."""
    total: MapCounts
    by_scene: SceneCounts
    details: SceneDetails
    """What is beside pixels and curves, by scene too."""
    images: list[ImageScores] = field(default_factory=list)
    too_large: int = 0
    """Images whose shapes were left out for their size."""
    unsized: int = 0
    """Images whose pixels have no known size, where those of others have one: all lengths are in px then."""

    @classmethod
    def begun(
        cls,
        classes: Sequence[str],
        scenes: Sequence[str],
        *,
        overlapping: bool,
        ranked: bool,
        shapes: Mapping[int, Shape],
    ) -> "Evaluation":
        """Return the evaluation of nothing; `scenes` are the names of all that will come."""
        numbers = blocks(scenes)
        return cls(
            classes=tuple(classes),
            overlapping=overlapping,
            ranked=ranked,
            shapes=shapes,
            scenes=numbers,
            total=MapCounts.empty(len(classes), overlapping=overlapping, ranked=ranked),
            by_scene=SceneCounts.empty(len(set(numbers.values())), len(classes), overlapping=overlapping),
            details=SceneDetails.empty(len(set(numbers.values())), len(classes), ranked=ranked),
        )

    def image(
        self, image: str, scene: str, size: tuple[int, int], *, pixel_size: float | None = None
    ) -> ImageTally:
        """Return a tally for an image of `size` (rows, cols), to be filled with windows and given to `add`."""
        empty = MapCounts.empty(len(self.classes), overlapping=self.overlapping, ranked=self.ranked)
        whole = bool(self.shapes) and size[0] * size[1] <= MOST_PIXELS
        return ImageTally(
            image,
            scene,
            pixel_size,
            empty,
            np.zeros(size, np.uint8) if whole else None,
            np.full(size, VOID, np.uint8) if whole else None,
        )

    def add(self, tally: ImageTally) -> None:
        """Take an image whose windows are all there."""
        counts = tally.counts
        self.total = self.total + counts
        curve = counts.curve or ScoreHistogram.empty(len(self.classes))
        scene = self.scenes[tally.scene]
        self.by_scene.add(scene, curve, counts.confusion)
        self.details.add(scene, counts, self._shapes(tally))
        self.images.append(_line(tally, curve if self.ranked else None))

    def _shapes(self, tally: ImageTally) -> dict[int, ShapeCounts]:
        if tally.given is None or tally.labels is None:
            self.too_large += bool(self.shapes)
            return {}
        return shape_counts(
            tally.given,
            tally.labels,
            self.shapes,
            overlapping=self.overlapping,
            pixel_size=tally.pixel_size,
        )


def _line(tally: ImageTally, curve: ScoreHistogram | None) -> ImageScores:
    confusion = tally.counts.confusion
    none: tuple[float | None, ...] = (None,) * len(confusion.pixels)
    return ImageScores(
        image=tally.image,
        scene=tally.scene,
        pixels=confusion.pixels,
        given=given_pixels(confusion),
        counted=confusion.counted,
        iou=confusion.iou(),
        average_precision=none if curve is None else curve.average_precision(),
    )


def given_pixels(confusion: Confusion) -> tuple[int, ...]:
    """Return how many pixels the map gives to each class."""
    counts = confusion.counts
    columns = counts[:, :, 1].sum(axis=1) if confusion.overlapping else counts.sum(axis=0)
    return tuple(int(count) for count in columns)
