"""One photo with its labels, whole or a window of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.masks.labels import apply_reading
from rareseg.imagery.photos import no_photo
from rareseg.imagery.rasters import Window, describe, read, read_mask
from rareseg.imagery.tiles import check_inside
from rareseg.records.dataset import VOID, Dataset, NoData, Pair


@dataclass(frozen=True, slots=True)
class Sample:
    """Pixels and labels of one place.

    photo: (bands, height, width), the file's dtype and units.
    labels: (height, width) uint8, class indices (bit sets if classes overlap), VOID where the mask is void
    or transparent.
    has_photo: (height, width) bool, False where the photo has no data.
    """

    photo: NDArray[Any]
    labels: NDArray[np.uint8]
    has_photo: NDArray[np.bool_]

    @property
    def counted(self) -> NDArray[np.uint8]:
        """The labels, with VOID also where there is no photo: what loss, sampling and scores see."""
        return np.where(self.has_photo, self.labels, np.uint8(VOID))


def read_sample(root: Path, dataset: Dataset, pair: Pair, window: Window | None = None) -> Sample:
    """Read one pair, or a window of it.

    Args:
        root: the folder that the pair's paths are relative to.
        dataset: says how masks are read and what has no data.
        pair: the photo and its mask.
        window: what to read; None reads all.

    Raises:
        DataError: if a file cannot be read, or its mask holds a value that the reading does not know.
    """
    photo, has_photo = read_photo(root / pair.image, dataset.nodata, window)
    raw, visible = read_mask(root / pair.mask, window, keep_alpha=dataset.overlapping)
    if visible.all():
        return Sample(photo, apply_reading(raw, dataset.reading, pair.mask), has_photo)
    # What lies under alpha 0 was not counted for the reading, so it may hold values unknown to it.
    labels = np.full(visible.shape, VOID, dtype=np.uint8)
    labels[visible] = apply_reading(raw[:, visible][:, None, :], dataset.reading, pair.mask)[0]
    return Sample(photo, labels, has_photo)


def read_photo(
    path: Path, nodata: NoData, window: Window | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read a photo (bands, height, width) and where it has data (height, width).

    A window gives the same as that part of the whole image: the no-data rule sees a margin around it.

    Raises:
        DataError: if the file cannot be read.
        SettingError: if the window does not lie within the photo.
    """
    if window is None or not nodata.values:
        photo, valid = read(path, window)
        return photo, valid & ~no_photo(photo, nodata)
    wide, inner = _with_margin(path, window, nodata.square)
    photo, valid = read(path, wide)
    has_photo = valid & ~no_photo(photo, nodata)
    return np.ascontiguousarray(photo[:, *inner]), np.ascontiguousarray(has_photo[inner])


def _with_margin(path: Path, window: Window, margin: int) -> tuple[Window, tuple[slice, slice]]:
    """Widen a window within its image, and say where it lies in the wider one."""
    info = describe(path)
    check_inside(window, info.height, info.width, str(path))
    top, left = max(0, window.row - margin), max(0, window.col - margin)
    bottom = min(info.height, window.row + window.height + margin)
    right = min(info.width, window.col + window.width + margin)
    rows = slice(window.row - top, window.row - top + window.height)
    columns = slice(window.col - left, window.col - left + window.width)
    return Window(top, left, bottom - top, right - left), (rows, columns)
