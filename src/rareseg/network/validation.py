"""Scoring labelled samples with a network: counts that add up, image by image, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.imagery.tiles import Window, blocks
from rareseg.measures.confusion import Confusion, mean_of_present
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.decisions import decide
from rareseg.measures.samples import PixelSample
from rareseg.measures.tally import members
from rareseg.network.crops import CropStore
from rareseg.network.forward import Mapper
from rareseg.network.probes import to_log_odds
from rareseg.records.dataset import VOID


@final
@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What scoring counts; `+` merges blocks, images and machines."""

    curve: ScoreHistogram
    confusion: Confusion | None
    """None until thresholds are known."""
    log_loss: float
    """Sum over counted pixels of -log p of their class, nats."""
    uncounted: int
    """Pixels that are void or without photo."""

    @property
    def counted(self) -> int:
        """Pixels that are counted."""
        return int(self.curve.positives[0].sum() + self.curve.negatives[0].sum())

    def class_map(self) -> Confusion:
        """Return the confusion counts; raises SettingError if pixels were counted without thresholds."""
        if self.confusion is None:
            message = "These counts hold no class map. Score with thresholds."
            raise SettingError(message)
        return self.confusion

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels."""
        if (self.confusion is None) != (other.confusion is None):
            message = (
                "Counts with a class map and counts without one cannot be added. Score both with thresholds."
            )
            raise SettingError(message)
        both = None if self.confusion is None or other.confusion is None else self.confusion + other.confusion
        return type(self)(
            self.curve + other.curve,
            both,
            self.log_loss + other.log_loss,
            self.uncounted + other.uncounted,
        )


@final
@dataclass(frozen=True, slots=True)
class Scorer:
    """How maps are scored: the classes, and the class map's decision if thresholds are known."""

    classes: int
    overlapping: bool
    decision: str
    thresholds: tuple[float | None, ...] | None
    """None: only what needs no class map, for choosing thresholds."""
    decision_weights: tuple[float, ...] | None = None
    """argmax: see `decide`."""

    def count(self, probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> Counted:
        """Count one block: probabilities (classes, rows, cols), labels (rows, cols) with 255 for not counted."""
        curve = ScoreHistogram.count(to_log_odds(probabilities), labels, overlapping=self.overlapping)
        loss = self._log_loss(probabilities, labels)
        uncounted = int(np.count_nonzero(labels == VOID))
        if self.thresholds is None and self.decision == "threshold":
            return Counted(curve, None, loss, uncounted)
        cuts = self.thresholds or (None,) * self.classes
        given = decide(
            probabilities,
            cuts,
            decision=self.decision,
            overlapping=self.overlapping,
            weights=self.decision_weights,
        )
        confusion = Confusion.count(given, labels, classes=self.classes, overlapping=self.overlapping)
        return Counted(curve, confusion, loss, uncounted)

    def _log_loss(self, probabilities: NDArray[np.float32], labels: NDArray[np.uint8]) -> float:
        total = 0.0
        for label, plane in enumerate(probabilities):
            holds = members(labels, label, overlapping=self.overlapping)
            total -= float(np.log(np.maximum(plane[holds], 1e-7)).sum())
            if self.overlapping:
                rest = plane[(labels != VOID) & ~holds]
                total -= float(np.log1p(-np.minimum(rest, 1 - 1e-7)).sum())
        return total


def score_store(
    mapper: Mapper, store: CropStore, scorer: Scorer, sample: PixelSample | None = None
) -> Iterator[Counted]:
    """Yield the counts of every image of `store`, in order; `sample` takes of its pixels what it wants."""
    for number, pair in enumerate(store.pairs):
        total: Counted | None = None

        def read(window: Window, image: int = number) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
            photo, labels = store.crop(image, window)
            return photo, np.ones(labels.shape, np.bool_)

        for block in mapper.map_blocks(read, pair.height, pair.width):
            _, labels = store.crop(number, block.window)
            found = scorer.count(block.probabilities, labels)
            if sample is not None:
                sample.add(block.probabilities, labels)
            total = found if total is None else total + found
        if total is not None:
            yield total


def sample_windows(store: CropStore, *, side: int, pixels: int, seed: int) -> list[tuple[int, Window]]:
    """Return (image, window) of windows of at most `side` px that cover the store, or a seeded part of them.

    As many as hold about `pixels` px in all, so that scoring while training takes little time.
    """
    every = [
        (image, window)
        for image, pair in enumerate(store.pairs)
        for window in blocks(pair.height, pair.width, side)
    ]
    order = np.random.default_rng(seed).permutation(len(every))
    chosen: list[tuple[int, Window]] = []
    left = pixels
    for place in order:
        image, window = every[int(place)]
        chosen.append((image, window))
        left -= window.height * window.width
        if left <= 0:
            break
    return chosen


def score_windows(
    mapper: Mapper, store: CropStore, windows: list[tuple[int, Window]], scorer: Scorer
) -> Iterator[Counted]:
    """Yield the counts of windows, each mapped on its own."""
    for image, window in windows:
        photo, labels = store.crop(image, window)
        yield scorer.count(mapper.map_image(photo, np.ones(labels.shape, np.bool_)), labels)


def macro_iou(counted: Counted, *, decision: str) -> tuple[tuple[float | None, ...], float]:
    """Return IoU per class and its mean over the classes present: at the best threshold, or by argmax."""
    if decision == "argmax" and counted.confusion is not None:
        ious = counted.confusion.iou()
    else:
        ious = tuple(None if best is None else best.iou for best in counted.curve.best())
    mean = mean_of_present(ious)
    return ious, 0.0 if mean is None else mean


def summed(counts: Iterator[Counted]) -> Counted | None:
    """Return the sum of counts; None if there are none."""
    total: Counted | None = None
    for found in counts:
        total = found if total is None else total + found
    return total
