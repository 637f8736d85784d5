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
from rareseg.measures.places import Holders, ImageTally, block_counts
from rareseg.progress import Progress, Silent
from rareseg.records.dataset import Dataset, Pair
from rareseg.records.places import ImagePlaces, Places

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
        places: Places | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Keep all samples in memory if they take at most `memory_bytes`.

        Args:
            root: the folder that the pairs' paths are relative to.
            dataset: says how masks are read.
            pairs: the samples.
            fill: the value per band (raw units) that stands where there is no photo.
            memory_bytes: most memory for photos and labels.
            places: where classes lie, as the audit counted it. Images that it lacks are counted here: from
                memory if they are kept there, else by reading them once.
            progress: whom to tell how far it is.

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
        self._holders: dict[int, Holders] = {}
        shown = progress or Silent()
        if self.in_memory:
            self._load(shown)
        self.images = self._find_places(places or {}, shown)
        """Where the classes of each image lie, in the order of `pairs`."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.pairs)

    def pixels(self) -> NDArray[np.float64]:
        """Return each image's pixel count, shape (images,)."""
        return np.array([pair.height * pair.width for pair in self.pairs], np.float64)

    def holders(self, layer: int) -> Holders:
        """Return the 32 px blocks that hold class `layer`, or any label at all if it is the number of classes."""
        if layer not in self._holders:
            self._holders[layer] = Holders(self.images, layer)
        return self._holders[layer]

    def share(self, label: int) -> float:
        """Return class `label`'s share of the labelled pixels, 0..1; 0 if none is labelled."""
        labelled = sum(image.total(len(self._dataset.classes)) for image in self.images)
        return sum(image.total(label) for image in self.images) / labelled if labelled else 0.0

    def places(self) -> dict[str, ImagePlaces]:
        """Return where the classes of each image lie, by the photo's path."""
        return {pair.image: image for pair, image in zip(self.pairs, self.images, strict=True)}

    def crop(self, image: int, window: Window) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
        """Return photo (bands, height, width) and labels (height, width) of a window inside the image."""
        if self.in_memory:
            rows = slice(window.row, window.row + window.height)
            cols = slice(window.col, window.col + window.width)
            return self._photos[image][:, rows, cols], self._labels[image][rows, cols]
        sample = read_sample(self._root, self._dataset, self.pairs[image], window)
        return fill_missing(sample.photo, sample.has_photo, self._fill), sample.counted

    def _load(self, progress: Progress) -> None:
        def read(pair: Pair) -> Sample:
            return read_sample(self._root, self._dataset, pair)

        with progress.task("loading samples", len(self.pairs)) as task, ThreadPoolExecutor(2) as pool:
            for sample in pool.map(read, self.pairs):
                self._photos.append(fill_missing(sample.photo, sample.has_photo, self._fill))
                self._labels.append(sample.counted)
                task.advance()

    def _find_places(self, known: Places, progress: Progress) -> list[ImagePlaces]:
        missing = [number for number, pair in enumerate(self.pairs) if pair.image not in known]
        counted: dict[int, ImagePlaces] = {}
        if missing:
            with progress.task("finding where classes lie", len(missing)) as task:
                for number in missing:
                    counted[number] = self._counted(number)
                    task.advance()
        return [
            counted[number] if number in counted else known[pair.image]
            for number, pair in enumerate(self.pairs)
        ]

    def _counted(self, number: int) -> ImagePlaces:
        pair, classes = self.pairs[number], len(self._dataset.classes)
        tallied = ImageTally(pair.height, pair.width, classes)
        for window in blocks(pair.height, pair.width, _READ_BLOCK):
            labels = self.crop(number, window)[1]
            overlapping = self._dataset.overlapping
            tallied.add(
                block_counts(labels, classes=classes, overlapping=overlapping, row=window.row, col=window.col)
            )
        return tallied.places()


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
