"""Batches of training crops: drawn by the plan's sampling, turned, varied, standardised, one step ahead."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rareseg.errors import TrainingError
from rareseg.imagery.rasters import Window
from rareseg.measures.tally import members
from rareseg.network.crops import INDEX_BLOCK, CropStore
from rareseg.records.dataset import VOID
from rareseg.records.plan import AugmentationChoice, Plan
from rareseg.records.run import PhotoStatistics

_TRIES = 20
"""Crops drawn anew before the place is chosen by what is labelled, and again before any crop is accepted."""


class Batch(NamedTuple):
    """Images (batch, bands, rows, cols) float32, standardised; labels (batch, rows, cols) int64 with VOID."""

    images: Tensor
    labels: Tensor


@final
class CropSampler:
    """Draws crops from a store as `plan.sampling` says; every draw comes from one seeded generator."""

    def __init__(self, store: CropStore, plan: Plan, rng: np.random.Generator) -> None:
        """Prepare to draw; images are drawn in proportion to their pixels."""
        if len(store) == 0:
            message = "The training part holds no image. Check the split in the audit."
            raise TrainingError(message)
        self._store, self._plan, self._rng = store, plan, rng
        pixels = store.pixels()
        self._image_chance = pixels / pixels.sum()
        # A class without a pixel in this part has no place to centre on.
        self._present = [label for label in range(len(plan.classes)) if len(store.places(label))]
        self._centres = [label for label in plan.sampling.labels or () if label in self._present]

    def draw(self) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
        """Return photo (bands, size, size) and labels (size, size) of one crop that holds a counted pixel.

        If the rule is to centre it on a class, it holds a pixel of that class.
        """
        size = self._plan.crop.size
        centred = bool(self._centres) and self._rng.random() < (self._plan.sampling.share or 0.0)
        label = int(self._rng.choice(self._centres)) if centred else None
        for attempt in range(2 * _TRIES):
            if attempt == _TRIES and label is None and self._present:
                # Where next to everything is void, chance alone would go on missing what is labelled.
                label = int(self._rng.choice(self._present))
            photo, labels = self._store.crop(*self._place(label, size))
            if self._serves(labels, label):
                break
        return _padded(photo, labels, size)

    def _place(self, label: int | None, size: int) -> tuple[int, Window]:
        return self._anywhere(size) if label is None else self._around(label, size)

    def _serves(self, labels: NDArray[np.uint8], label: int | None) -> bool:
        if label is None:
            return bool((labels != VOID).any())
        return bool(members(labels, label, overlapping=self._plan.overlapping).any())

    def _anywhere(self, size: int) -> tuple[int, Window]:
        image = int(self._rng.choice(len(self._store), p=self._image_chance))
        pair = self._store.pairs[image]
        row = int(self._rng.integers(max(pair.height - size, 0) + 1))
        col = int(self._rng.integers(max(pair.width - size, 0) + 1))
        return image, Window(row, col, min(size, pair.height), min(size, pair.width))

    def _around(self, label: int, size: int) -> tuple[int, Window]:
        places = self._store.places(label)
        image, top, left = (int(value) for value in places[self._rng.integers(len(places))])
        pair = self._store.pairs[image]
        shift = self._rng.integers(0, INDEX_BLOCK, size=2)
        row = int(np.clip(top + int(shift[0]) - size // 2, 0, max(pair.height - size, 0)))
        col = int(np.clip(left + int(shift[1]) - size // 2, 0, max(pair.width - size, 0)))
        return image, Window(row, col, min(size, pair.height), min(size, pair.width))


def _padded(
    photo: NDArray[np.generic], labels: NDArray[np.uint8], size: int
) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
    """Enlarge a crop of a small image to (size, size): photo mirrored at its edge, labels void."""
    rows, cols = size - labels.shape[0], size - labels.shape[1]
    if rows == 0 and cols == 0:
        return photo, labels
    return (
        np.pad(photo, ((0, 0), (0, rows), (0, cols)), mode="symmetric"),
        np.pad(labels, ((0, rows), (0, cols)), constant_values=VOID),
    )


def standardise(photo: NDArray[np.generic], statistics: PhotoStatistics) -> NDArray[np.float32]:
    """Return (photo - mean) / std per band, float32, shape (..., bands, rows, cols) as given."""
    mean = np.asarray(statistics.mean, np.float32)[:, None, None]
    # A band that never varies says nothing; dividing by 1 keeps it finite.
    std = np.asarray([value if value > 0 else 1.0 for value in statistics.std], np.float32)[:, None, None]
    scaled: NDArray[np.float32] = (photo.astype(np.float32) - mean) / std
    return scaled


@final
class Batches:
    """An endless stream of batches, the next one made in a thread while the network works."""

    def __init__(
        self, store: CropStore, plan: Plan, statistics: PhotoStatistics, *, seed: int | tuple[int, ...]
    ) -> None:
        """Draw from `store` with a generator seeded by `seed`."""
        self._plan, self._statistics = plan, statistics
        self._rng = np.random.default_rng(seed)
        self._sampler = CropSampler(store, plan, self._rng)

    def make(self) -> Batch:
        """Draw one batch now."""
        crops = [self._turned(*self._sampler.draw()) for _ in range(self._plan.batch.size)]
        photos = standardise(np.stack([photo for photo, _ in crops]), self._statistics)
        images = torch.from_numpy(self._varied(photos, self._plan.augmentation))
        labels = torch.from_numpy(np.stack([labels for _, labels in crops]).astype(np.int64))
        layout = torch.channels_last if self._plan.precision.channels_last else torch.contiguous_format
        return Batch(images.contiguous(memory_format=layout), labels)

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches without end."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self.make)
            while True:
                batch = coming.result()
                coming = pool.submit(self.make)
                yield batch

    def _turned(
        self, photo: NDArray[np.generic], labels: NDArray[np.uint8]
    ) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
        choice = self._plan.augmentation
        if choice.mirror != "none" and self._rng.random() < 0.5:
            photo, labels = photo[..., ::-1], labels[..., ::-1]
        if choice.mirror == "both" and self._rng.random() < 0.5:
            photo, labels = photo[..., ::-1, :], labels[..., ::-1, :]
        if choice.quarter_turns:
            turns = int(self._rng.integers(4))
            photo, labels = np.rot90(photo, turns, (-2, -1)), np.rot90(labels, turns, (-2, -1))
        return photo, labels

    def _varied(self, photos: NDArray[np.float32], choice: AugmentationChoice) -> NDArray[np.float32]:
        count, bands = photos.shape[:2]
        if choice.contrast:
            photos *= (1 + choice.contrast * self._rng.standard_normal((count, 1, 1, 1))).astype(np.float32)
        if choice.brightness:
            photos += (choice.brightness * self._rng.standard_normal((count, bands, 1, 1))).astype(np.float32)
        return photos
