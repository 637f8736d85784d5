"""Batches of training crops: drawn by the plan's sampling, turned, varied, standardised, one step ahead."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rareseg.measures.drawn import both_drawn, held_in, nothing_drawn
from rareseg.network.crops import CropStore
from rareseg.network.placing import CropSampler
from rareseg.records.plan import AugmentationChoice, Plan
from rareseg.records.run import Drawn, PhotoStatistics


class Batch(NamedTuple):
    """Images (batch, bands, rows, cols) float32, standardised; labels (batch, rows, cols) int64 with VOID."""

    images: Tensor
    labels: Tensor


def standardise(photo: NDArray[np.generic], statistics: PhotoStatistics) -> NDArray[np.float32]:
    """Return (photo - mean) / std per band, float32, shape (..., bands, rows, cols) as given."""
    mean = np.asarray(statistics.mean, np.float32)[:, None, None]
    # A band that never varies says nothing; dividing by 1 keeps it finite.
    std = np.asarray([value if value > 0 else 1.0 for value in statistics.std], np.float32)[:, None, None]
    scaled: NDArray[np.float32] = (photo.astype(np.float32) - mean) / std
    return scaled


@final
class Batches:
    """An endless stream of batches, the next one made in a thread while the network works.

    Batch n depends on the seed and on n alone, so a training that is taken up again goes on with the batches that it
    would have seen.
    """

    def __init__(
        self,
        store: CropStore,
        plan: Plan,
        statistics: PhotoStatistics,
        *,
        seed: int | tuple[int, ...],
        first: int = 0,
        drawn: Drawn | None = None,
    ) -> None:
        """Draw from `store`.

        Args:
            store: the samples of one part.
            plan: says where crops lie and what is varied in them.
            statistics: what photos are scaled with.
            seed: of all batches.
            first: number of the first batch: how many an earlier session of the training has seen.
            drawn: what those held, to which is added what comes; None for nothing.

        Raises:
            TrainingError: if the store holds no image.
        """
        self._plan, self._statistics = plan, statistics
        self._seed, self._number = seed, first
        self._sampler = CropSampler(store, plan)
        self.drawn = drawn or nothing_drawn(len(plan.classes))
        """What the batches handed out so far held."""

    def make(self) -> Batch:
        """Draw the next batch now."""
        batch, drawn = self._make(self._number)
        self._count(drawn)
        return batch

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches without end."""
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(self._make, self._number)
            while True:
                batch, drawn = coming.result()
                self._count(drawn)
                coming = pool.submit(self._make, self._number)
                yield batch

    def _count(self, drawn: Drawn) -> None:
        """Count a batch when it is handed out, not when it is made ahead: it may never be seen."""
        self._number += 1
        self.drawn = both_drawn(self.drawn, drawn)

    def _make(self, number: int) -> tuple[Batch, Drawn]:
        rng = np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(number,)))
        crops = [self._sampler.draw(rng) for _ in range(self._plan.batch.size)]
        turned = [self._turned(crop.photo, crop.labels, rng) for crop in crops]
        photos = standardise(np.stack([photo for photo, _ in turned]), self._statistics)
        images = torch.from_numpy(self._varied(photos, self._plan.augmentation, rng))
        labels = np.stack([labels for _, labels in turned])
        drawn = held_in(
            labels,
            placed=sum(crop.placed for crop in crops),
            classes=len(self._plan.classes),
            overlapping=self._plan.overlapping,
        )
        layout = torch.channels_last if self._plan.precision.channels_last else torch.contiguous_format
        batch = Batch(images.contiguous(memory_format=layout), torch.from_numpy(labels.astype(np.int64)))
        return batch, drawn

    def _turned(
        self, photo: NDArray[np.generic], labels: NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
        choice = self._plan.augmentation
        if choice.mirror != "none" and rng.random() < 0.5:
            photo, labels = photo[..., ::-1], labels[..., ::-1]
        if choice.mirror == "both" and rng.random() < 0.5:
            photo, labels = photo[..., ::-1, :], labels[..., ::-1, :]
        if choice.quarter_turns:
            turns = int(rng.integers(4))
            photo, labels = np.rot90(photo, turns, (-2, -1)), np.rot90(labels, turns, (-2, -1))
        return photo, labels

    @staticmethod
    def _varied(
        photos: NDArray[np.float32], choice: AugmentationChoice, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        count, bands = photos.shape[:2]
        if choice.contrast:
            photos *= (1 + choice.contrast * rng.standard_normal((count, 1, 1, 1))).astype(np.float32)
        if choice.brightness:
            photos += (choice.brightness * rng.standard_normal((count, bands, 1, 1))).astype(np.float32)
        return photos
