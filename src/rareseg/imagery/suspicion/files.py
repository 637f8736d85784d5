"""Images and masks of a folder for a look at them: read leniently, so that bad masks can be looked at too."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, LayoutError
from rareseg.imagery.formats import format_of
from rareseg.imagery.masks.labels import apply_reading
from rareseg.imagery.rasters import Georeference, RasterInfo, Window, describe, read, read_mask
from rareseg.imagery.sets.layouts import Layout
from rareseg.imagery.sets.pairs import Match, match, relative
from rareseg.imagery.suspicion.looks import VOID, Floats
from rareseg.imagery.suspicion.sharing import Place
from rareseg.records.dataset import VOID as FILE_VOID
from rareseg.records.dataset import Dataset, PartName

LARGEST = 2048
"""Rows and columns that are looked at of one image; the middle of larger ones, px."""
_COLOUR_BANDS = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """One image file and its mask file."""

    image: Path
    mask: Path
    name: str
    part: PartName


class RawMask(NamedTuple):
    """A mask's raw values (rows, cols): grey values, palette indices, or packed 0xRRGGBB colours."""

    values: NDArray[Any]
    coloured: bool
    palette: dict[int, tuple[int, int, int]] | None
    lossy: bool
    bands: NDArray[Any]
    """As stored, (bands, rows, cols)."""


def pieces_of(layout: Layout, dataset: Dataset | None) -> tuple[list[Piece], list[str]]:
    """Pair the files of a folder, and say what could not be paired.

    Args:
        layout: what lies where.
        dataset: says which image belongs to which part, if the folder could be audited.

    Raises:
        LayoutError: if not one image has a mask.
    """
    parts = {} if dataset is None else {pair.image: pair.part for pair in dataset.pairs}
    notes: list[str] = []
    try:
        matches = match(layout)
        found = list(matches.pairs)
        notes += [f"{problem.path} {problem.reason}." for problem in matches.problems[:8]]
        if len(matches.problems) > 8:
            notes.append(f"{len(matches.problems)} files in all stand alone or are not read.")
    except LayoutError:
        found = _by_order(layout)
        if not found:
            raise
        notes.append(
            "Not one image has a mask of its own name; they are as many, so they were paired in the order of "
            "their names, which may be wrong."
        )
    pieces = [
        Piece(pair.image, pair.mask, name, parts.get(name, pair.part or "train"))
        for pair in found
        for name in (relative(pair.image, layout.root),)
    ]
    return pieces, notes


def raw_mask(path: Path) -> RawMask | str:
    """Read a mask as it is stored, or say why that cannot be done."""
    try:
        info = describe(path)
        window = _middle(info)
        lossy = format_of(path) == "JPEG"
        try:
            bands, visible = read_mask(path, window)
        except DataError:
            # Numbers that are not whole, as probabilities and interpolation make, are looked at as well.
            bands, visible = read(path, window)
    except DataError as error:
        return error.problems[0].reason if error.problems else str(error)
    if not visible.all():
        bands = np.where(visible, bands, bands.dtype.type(0))
    if len(bands) == 1 or (len(bands) == _COLOUR_BANDS and (bands == bands[0]).all()):
        return RawMask(bands[0], False, info.palette, lossy, bands)
    if len(bands) != _COLOUR_BANDS:
        return f"holds {len(bands)} bands, which are not looked at as one mask"
    packed = sum(band.astype(np.int64) << shift for band, shift in zip(bands, (16, 8, 0), strict=True))
    return RawMask(np.asarray(packed), True, None, lossy, bands)


def picture(path: Path) -> tuple[Floats, RasterInfo] | str:
    """Read a photo as finite float32 (bands, rows, cols), at most its middle; or say why that cannot be done."""
    try:
        info = describe(path)
        photo, valid = read(path, _middle(info))
    except DataError as error:
        return error.problems[0].reason if error.problems else str(error)
    return np.ascontiguousarray(np.where(valid, photo, 0), np.float32), info


def read_labels(mask: RawMask, dataset: Dataset, name: str) -> NDArray[np.int16] | None:
    """Return class indices (rows, cols), -1 where void, as the audit reads them; None if it cannot."""
    if dataset.overlapping:
        return None
    try:
        labels = apply_reading(mask.bands, dataset.reading, name).astype(np.int16)
    except DataError:
        return None
    labels[labels == FILE_VOID] = VOID
    return labels


def ground_places(infos: Sequence[RasterInfo | None]) -> list[Place | None]:
    """Return where georeferenced images lie, north up or not, by the box around their corners."""
    return [None if info is None or info.georeference is None else _ground(info, info.georeference)
            for info in infos]  # fmt: skip


def _ground(info: RasterInfo, reference: Georeference) -> Place:
    a, b, c, d, e, f = reference.transform
    corners = [(col, row) for col in (0, info.width) for row in (0, info.height)]
    across = [a * col + b * row + c for col, row in corners]
    down = [d * col + e * row + f for col, row in corners]
    return Place(f"ground {reference.crs}", min(down), min(across), max(down), max(across))


def _middle(info: RasterInfo) -> Window | None:
    if max(info.height, info.width) <= LARGEST:
        return None
    rows, cols = min(info.height, LARGEST), min(info.width, LARGEST)
    return Window((info.height - rows) // 2, (info.width - cols) // 2, rows, cols)


def _by_order(layout: Layout) -> list[Match]:
    """Pair sorted images with sorted masks where their numbers are equal."""
    pairs = []
    for files in layout.files:
        if len(files.images) == len(files.masks):
            pairs += [
                Match(files.part, image.stem, image, mask)
                for image, mask in zip(files.images, files.masks, strict=True)
            ]
    return pairs
