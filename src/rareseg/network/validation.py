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
from rareseg.measures.relaxed import RelaxedCounts, relaxed_counts
from rareseg.measures.samples import PixelSample
from rareseg.measures.tally import members
from rareseg.network.crops import CropStore
from rareseg.network.forward import Mapper
from rareseg.network.probes import to_log_odds
from rareseg.records.dataset import VOID

RELAXED_PX = 3
"""Slack of the relaxed scores, px (Mnih 2013)."""


def decide(
    probabilities: NDArray[np.float32],
    thresholds: tuple[float | None, ...],
    *,
    decision: str,
    overlapping: bool,
    weights: tuple[float, ...] | None = None,
) -> NDArray[np.uint8]:
    """Turn probabilities (classes, rows, cols) into a class map (rows, cols) uint8.

    "argmax": the likeliest class, after multiplying by `weights` (one per class, above 0; only for argmax). Honest
    probabilities hardly ever make a rare class the likeliest; the weights that training undid do.
    "threshold": of two exclusive classes, the second from its threshold on;
    of overlapping ones, every class from its own threshold on (bit sets). A class whose threshold could not
    be chosen (None) is given from 0.5 on.

    Raises:
        SettingError: if there are weights for a decision by thresholds, or not one per class.
    """
    if weights is not None and (decision != "argmax" or len(weights) != len(probabilities)):
        message = (
            f"Expected decision weights for argmax only, one for each of {len(probabilities)} classes; got "
            f"{len(weights)} for {decision}. Use those of the same run."
        )
        raise SettingError(message)
    if weights is not None and len(set(weights)) > 1:
        return _heaviest(probabilities, weights)
    if decision == "argmax":
        likeliest: NDArray[np.uint8] = probabilities.argmax(axis=0).astype(np.uint8)
        return likeliest
    cuts = [0.5 if threshold is None else threshold for threshold in thresholds]
    if not overlapping:
        second: NDArray[np.uint8] = (probabilities[1] >= cuts[1]).astype(np.uint8)
        return second
    bits = np.zeros(probabilities.shape[1:], np.uint8)
    for label, cut in enumerate(cuts):
        bits |= (probabilities[label] >= cut).astype(np.uint8) << np.uint8(label)
    return bits


def _heaviest(probabilities: NDArray[np.float32], weights: tuple[float, ...]) -> NDArray[np.uint8]:
    """Return the class whose probability times weight is largest, the first of equal ones."""
    factors = (np.asarray(weights) / max(weights)).astype(np.float32)
    best = probabilities[0] * factors[0]
    found = np.zeros(best.shape, np.uint8)
    # Class by class: a weighted copy of all of them would take the memory of the block once more.
    for label in range(1, len(weights)):
        score = probabilities[label] * factors[label]
        found[score > best] = label
        np.maximum(best, score, out=best)
    return found


@final
@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What scoring counts; `+` merges blocks, images and machines."""

    curve: ScoreHistogram
    confusion: Confusion | None
    """None until thresholds are known."""
    relaxed: tuple[RelaxedCounts, ...]
    """Per class; empty until thresholds are known."""
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
        relaxed = tuple(a + b for a, b in zip(self.relaxed, other.relaxed, strict=True))
        return type(self)(
            self.curve + other.curve,
            both,
            relaxed,
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
        counted = labels != VOID
        loss = self._log_loss(probabilities, labels)
        uncounted = int(labels.size - counted.sum())
        if self.thresholds is None and self.decision == "threshold":
            return Counted(curve, None, (), loss, uncounted)
        cuts = self.thresholds or (None,) * self.classes
        given = decide(
            probabilities,
            cuts,
            decision=self.decision,
            overlapping=self.overlapping,
            weights=self.decision_weights,
        )
        confusion = Confusion.count(given, labels, classes=self.classes, overlapping=self.overlapping)
        # Relaxed scores take as long as all others together, and choosing thresholds needs none.
        scored = range(self.classes) if self.thresholds is not None else ()
        relaxed = tuple(
            relaxed_counts(
                members(given, label, overlapping=self.overlapping),
                members(labels, label, overlapping=self.overlapping),
                counted,
                RELAXED_PX,
            )
            for label in scored
        )
        return Counted(curve, confusion, relaxed, loss, uncounted)

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
