"""Training samples: kept in memory while they fit, read window by window when they do not."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.rasters import Window
from rareseg.imagery.samples import Sample, read_sample
from rareseg.imagery.tiles import blocks
from rareseg.measures.tally import members
from rareseg.progress import Progress, Silent
from rareseg.records.dataset import VOID, Dataset, Pair

INDEX_BLOCK = 32
"""Side in px of the blocks by which the class index remembers where a class lies."""
_READ_BLOCK = 4096


@final
class CropStore:
    """The samples of one part, from which crops are cut.

    Photos stay in their own dtype; labels are uint8 with VOID where the mask says so or there is no photo.
    """

    def __init__(
        self,
        root: Path,
        dataset: Dataset,
        pairs: Sequence[Pair],
        *,
        fill: Sequence[float],
        memory_bytes: int,
        progress: Progress | None = None,
    ) -> None:
        """Index every sample, and keep them all in memory if they take at most `memory_bytes`.

        `fill` holds the value per band (raw units) that stands where there is no photo.

        Raises:
            DataError: if a file can no longer be read.
        """
        self._root, self._dataset, self.pairs = root, dataset, tuple(pairs)
        self._fill = fill
        size = sum(pair.height * pair.width for pair in pairs)
        per_pixel = dataset.bands * np.dtype(dataset.dtype).itemsize + 1
        self.in_memory = size * per_pixel <= memory_bytes
        self._photos: list[NDArray[np.generic]] = []
        self._labels: list[NDArray[np.uint8]] = []
        self._index: list[list[NDArray[np.int32]]] = [[] for _ in dataset.classes]
        with (
            (progress or Silent()).task("loading samples", len(pairs)) as task,
            ThreadPoolExecutor(2) as pool,
        ):
            for number, sample in enumerate(pool.map(self._load, self.pairs)):
                if sample is not None:
                    self._photos.append(fill_missing(sample.photo, sample.has_photo, self._fill))
                    self._labels.append(sample.counted)
                    self._remember(number, sample.counted, 0, 0)
                else:
                    self._index_windows(number)
                task.advance()
        self._places = [
            np.concatenate(found) if found else np.empty((0, 3), np.int32) for found in self._index
        ]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pairs)

    def pixels(self) -> NDArray[np.float64]:
        """Return each image's pixel count, shape (images,)."""
        return np.array([pair.height * pair.width for pair in self.pairs], np.float64)

    def places(self, label: int) -> NDArray[np.int32]:
        """Return where class `label` lies: rows (image, top, left) of 32 px blocks that hold it, shape (n, 3)."""
        return self._places[label]

    def crop(self, image: int, window: Window) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
        """Return photo (bands, height, width) and labels (height, width) of a window inside the image."""
        if self.in_memory:
            rows = slice(window.row, window.row + window.height)
            cols = slice(window.col, window.col + window.width)
            return self._photos[image][:, rows, cols], self._labels[image][rows, cols]
        sample = read_sample(self._root, self._dataset, self.pairs[image], window)
        return fill_missing(sample.photo, sample.has_photo, self._fill), sample.counted

    def _load(self, pair: Pair) -> Sample | None:
        return read_sample(self._root, self._dataset, pair) if self.in_memory else None

    def _index_windows(self, number: int) -> None:
        pair = self.pairs[number]
        for window in blocks(pair.height, pair.width, _READ_BLOCK):
            sample = read_sample(self._root, self._dataset, pair, window)
            self._remember(number, sample.counted, window.row, window.col)

    def _remember(self, number: int, labels: NDArray[np.uint8], top: int, left: int) -> None:
        rows, cols = (-(-side // INDEX_BLOCK) for side in labels.shape)
        padded = np.full((rows * INDEX_BLOCK, cols * INDEX_BLOCK), VOID, np.uint8)
        padded[: labels.shape[0], : labels.shape[1]] = labels
        tiles = padded.reshape(rows, INDEX_BLOCK, cols, INDEX_BLOCK)
        for label in range(len(self._dataset.classes)):
            holds = members(tiles, label, overlapping=self._dataset.overlapping).any(axis=(1, 3))
            row, col = np.nonzero(holds)
            places = (np.full_like(row, number), row * INDEX_BLOCK + top, col * INDEX_BLOCK + left)
            self._index[label].append(np.stack(places, axis=1).astype(np.int32))


def fill_missing(
    photo: NDArray[np.generic], has_photo: NDArray[np.bool_], fill: Sequence[float]
) -> NDArray[np.generic]:
    """Return `photo` (bands, rows, cols) with `fill` (one value per band) where there is no photo.

    A network sees neither NaN nor a fill value such as -9999, in training and in mapping alike.
    """
    if has_photo.all():
        return photo
    values = np.asarray(fill, np.float64).astype(photo.dtype)
    filled: NDArray[np.generic] = np.where(has_photo, photo, values[:, None, None])
    return filled
