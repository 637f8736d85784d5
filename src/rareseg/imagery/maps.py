"""The files of one mapped photo: class raster, probability raster, preview."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.colours import overlay, palette
from rareseg.imagery.rasters import RasterInfo, RasterWriter, Window
from rareseg.records.dataset import VOID

_LONGEST = 40
"""Letters of a class name that stand in a file name; file systems take 255 bytes in all."""
PREVIEW_PX = 2048
"""Longest side of a preview."""


@final
@dataclass(frozen=True, slots=True)
class MapFiles:
    """Names of one photo's maps.

    TIFF photos give one float32 probability raster with a band per shown class; PNG and JPEG photos give one
    uint8 PNG (0..255 for 0..1) per shown class. Of two exclusive classes only the second is shown.
    """

    classes: Path
    probabilities: tuple[Path, ...]
    preview: Path
    shown: tuple[int, ...]
    """Class indices whose probabilities are written."""

    @classmethod
    def planned(cls, photo: Path, folder: Path, names: tuple[str, ...], *, overlapping: bool) -> Self:
        """Name the maps of `photo` in `folder`."""
        tiff = photo.suffix.lower() in (".tif", ".tiff")
        ending = ".tif" if tiff else ".png"
        shown = (1,) if len(names) == 2 and not overlapping else tuple(range(len(names)))
        stem = photo.stem
        if tiff or len(shown) == 1:
            probabilities: tuple[Path, ...] = (folder / f"{stem}_probability{ending}",)
        else:
            probabilities = tuple(folder / f"{stem}_probability_{ending}.png" for ending in _in_files(names))
        return cls(folder / f"{stem}_classes{ending}", probabilities, folder / f"{stem}_preview.png", shown)

    def all(self) -> tuple[Path, ...]:
        """Return every file, the class raster first."""
        return (self.classes, *self.probabilities, self.preview)


@final
@dataclass(slots=True)
class MapWriter:
    """Writes one photo's maps block by block; nothing stays behind if the `with` block ends by an error."""

    files: MapFiles
    info: RasterInfo
    classes: int
    overlapping: bool
    centre: tuple[float, ...]
    """Mean of each photo band, for the preview's brightness."""
    spread: tuple[float, ...]
    """Standard deviation of each photo band."""
    overwrite: bool = False
    _stack: ExitStack = field(default_factory=ExitStack)
    _labels: RasterWriter = field(init=False)
    _probabilities: list[RasterWriter] = field(init=False, default_factory=list)
    _preview: RasterWriter = field(init=False)
    _step: int = field(init=False, default=1)

    def __enter__(self) -> Self:
        """Open every file under a temporary name."""
        tiff = self.files.classes.suffix == ".tif"
        self._step = -(-max(self.info.height, self.info.width) // PREVIEW_PX)
        colours = None if self.overlapping else dict(palette(self.classes))
        with ExitStack() as stack:
            self._labels = stack.enter_context(self._writer(self.files.classes, 1, "uint8", VOID, colours))
            bands, dtype, nodata = (len(self.files.shown), "float32", np.nan) if tiff else (1, "uint8", None)
            for path in self.files.probabilities:
                self._probabilities.append(
                    stack.enter_context(self._writer(path, bands, dtype, nodata, None))
                )
            height, width = (-(-side // self._step) for side in (self.info.height, self.info.width))
            self._preview = stack.enter_context(
                RasterWriter(
                    self.files.preview,
                    height=height,
                    width=width,
                    bands=3,
                    dtype="uint8",
                    overwrite=self.overwrite,
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give every file its name, or remove all of them after an error."""
        self._stack.__exit__(kind, error, trace)

    def write(
        self,
        window: Window,
        labels: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
        photo: NDArray[np.generic],
        has_photo: NDArray[np.bool_],
    ) -> None:
        """Write one block.

        Args:
            window: where it lies.
            labels: (height, width), class indices or bit sets, 255 without photo.
            probabilities: (classes, height, width), 0..1.
            photo: (bands, height, width), raw units.
            has_photo: (height, width).
        """
        self._labels.write(window, labels[None])
        shown = probabilities[list(self.files.shown)]
        if self.files.classes.suffix == ".tif":
            self._probabilities[0].write(window, np.where(has_photo, shown, np.float32(np.nan)))
        else:
            scaled = (np.where(has_photo, shown, 0) * 255).round().astype(np.uint8)
            for writer, plane in zip(self._probabilities, scaled, strict=True):
                writer.write(window, plane[None])
        self._write_preview(window, labels, photo)

    def _write_preview(self, window: Window, labels: NDArray[np.uint8], photo: NDArray[np.generic]) -> None:
        step = self._step
        first_row, first_col = -window.row % step, -window.col % step
        small_labels = labels[first_row::step, first_col::step]
        if not small_labels.size:
            return
        small = self._viewable(photo[:, first_row::step, first_col::step])
        target = Window(-(-window.row // step), -(-window.col // step), *small_labels.shape)
        self._preview.write(target, overlay(small, small_labels, self.classes, overlapping=self.overlapping))

    def _viewable(self, photo: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Return the first three bands (or the first, thrice) as uint8; other dtypes shown over mean +- 2.5 std."""
        bands = photo[:3] if len(photo) >= 3 else photo[[0, 0, 0]]
        if bands.dtype == np.uint8:
            return bands.astype(np.uint8)
        chosen = [0, 1, 2] if len(photo) >= 3 else [0, 0, 0]
        centre = np.array([self.centre[band] for band in chosen])[:, None, None]
        spread = np.array([self.spread[band] or 1.0 for band in chosen])[:, None, None]
        scaled = np.nan_to_num((bands.astype(np.float64) - centre) / (5 * spread) + 0.5)
        viewable: NDArray[np.uint8] = (scaled.clip(0, 1) * 255).round().astype(np.uint8)
        return viewable

    def _writer(
        self,
        path: Path,
        bands: int,
        dtype: str,
        nodata: float | None,
        colours: dict[int, tuple[int, int, int]] | None,
    ) -> RasterWriter:
        return RasterWriter(
            path,
            height=self.info.height,
            width=self.info.width,
            bands=bands,
            dtype=dtype,
            georeference=self.info.georeference,
            nodata=nodata if path.suffix == ".tif" else None,
            palette=colours,
            overwrite=self.overwrite,
        )


def _in_files(names: tuple[str, ...]) -> list[str]:
    """Return class names with all that file systems dislike replaced by "-", and numbered if they then agree."""
    plain = [
        "".join(letter if letter.isalnum() or letter in "_-" else "-" for letter in name[:_LONGEST])
        for name in names
    ]
    if len({name.casefold() for name in plain}) == len(plain):
        return plain
    # Every number differs and ends at the first "_", so no two of these agree.
    return [f"{label}_{name}" for label, name in enumerate(plain)]
