"""Rasters in and out: PNG, JPEG, TIFF and GeoTIFF, window by window. The only importer of rasterio.

Reading is strict: a truncated or damaged file is an error that names it, never a grey strip. No other format
is opened, whatever GDAL could read, because some (VRT and the like) refer to other files or run expressions.
"""

import secrets
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, final

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window as RasterioWindow

from rareseg.errors import SettingError
from rareseg.imagery import formats, ground
from rareseg.imagery.tiles import Window, check_inside
from rareseg.records.codec import refuse_existing

__all__ = ["Georeference", "RasterInfo", "RasterWriter", "Window", "describe", "read", "read_mask",
           "read_values"]  # fmt: skip

_STRICT = {"GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE"}
# warnings.catch_warnings swaps process-wide state, so threads take turns at opening (not at reading).
_opening = threading.Lock()


@dataclass(frozen=True, slots=True)
class Georeference:
    """Where pixels lie on Earth: the CRS as WKT (None if unknown) and the affine transform.

    `transform` is (a, b, c, d, e, f): x = a * col + b * row + c, y = d * col + e * row + f.
    """

    crs: str | None
    transform: tuple[float, float, float, float, float, float]

    def metres_per_pixel(self, height: int) -> float | None:
        """Return `ground.metres_per_pixel` of an image of so many rows; None without a CRS on Earth."""
        crs = CRS.from_wkt(self.crs) if self.crs else None
        if crs is None or not (crs.is_projected or crs.is_geographic):
            return None
        unit = float(crs.linear_units_factor[1]) if crs.is_projected else None
        return ground.metres_per_pixel(self.transform, height, unit=unit, projection=crs.to_dict())

    def disagreement(self, other: "Georeference", height: int, width: int) -> str | None:
        """Say how `other` differs, or None if no corner is further off than a tenth of a pixel."""
        if self.crs and other.crs and CRS.from_wkt(self.crs) != CRS.from_wkt(other.crs):
            return f"CRS {CRS.from_wkt(other.crs).to_string()} against {CRS.from_wkt(self.crs).to_string()}"
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=np.float64).T
        ours, theirs = (np.reshape((*one.transform, 0.0, 0.0, 1.0), (3, 3)) for one in (self, other))
        shift = float(np.hypot(*(np.linalg.solve(ours, theirs @ corners) - corners)[:2]).max())
        return None if shift <= 0.1 else f"transform shifted by up to {shift:.4g} px"


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What the head of a raster file says."""

    path: Path
    height: int
    width: int
    bands: int
    """As stored, alpha not counted."""
    dtype: str
    alpha: bool
    """True if the last band is marked as alpha."""
    palette: dict[int, tuple[int, int, int]] | None
    nodata: float | None
    """The file's own no-data value (of its first band)."""
    georeference: Georeference | None

    @property
    def photo_bands(self) -> int:
        """Bands that `read` returns: a palette is expanded to red, green, blue."""
        return 3 if self.palette is not None else self.bands


def describe(path: Path) -> RasterInfo:
    """Read the head of a raster.

    Raises:
        DataError: if the file is missing, is no PNG, JPEG or TIFF, or has an unsupported dtype.
    """
    with _opened(path) as source:
        alpha = source.colorinterp[-1] == ColorInterp.alpha and source.count > 1
        colours = _colour_table(source)
        palette = {value: colour[:3] for value, colour in colours.items()} if colours else None
        wkt = source.crs.to_wkt() if source.crs is not None else None
        located = wkt is not None or not source.transform.is_identity
        reference = Georeference(wkt, tuple(source.transform)[:6]) if located else None
        return RasterInfo(path, source.height, source.width, source.count - int(alpha),
                          source.dtypes[0], alpha, palette, source.nodata, reference)  # fmt: skip


def read(path: Path, window: Window | None = None) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read a photo: pixels (bands, height, width) in the file's dtype without alpha, and what is valid.

    `valid` (height, width) is False where alpha is 0, where the file's mask says so, where a band is NaN or
    infinite or beyond 1e30 (unmarked fills such as -3.4e38), and where the file's no-data value stands: in
    all bands, or in any band if that value is negative, since no measured intensity is. Pixels that are not
    finite or beyond 1e30 are returned as 0, so that they cannot spread. A palette is expanded to red, green and blue.

    Raises:
        DataError: if the file cannot be read or is truncated.
        SettingError: if the window does not lie within the raster.
    """
    with _opened(path) as source:
        stored, place = _read_bands(source, window)
        stored, valid = _visible(source, stored, place)
        valid &= ~formats.holds_nodata(stored, source.nodatavals)
        colours = _colour_table(source)
    if colours:
        table = np.zeros((max(colours) + 1, 4), dtype=np.uint8)
        table[list(colours)] = list(colours.values())
        expanded = table[np.minimum(stored[0], len(table) - 1)]
        return np.ascontiguousarray(expanded[..., :3].transpose(2, 0, 1)), valid & (expanded[..., 3] != 0)
    stored, measured = formats.only_measured(stored)
    return stored, valid & measured


def read_mask(
    path: Path, window: Window | None = None, *, keep_alpha: bool = False
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read a mask's values as stored, (bands, height, width), integers; a palette stays indices.

    Beside them (height, width) what is visible: False where alpha is 0, where the file's own mask says so,
    and where float files hold a no-data value that no integer can: NaN, or beyond 32 bits. Other no-data
    values stay, for the reading of the whole set to decide. `keep_alpha` keeps a band marked as alpha and
    all pixels visible: TIFF writers mark the fourth of four bands so unasked, even where it is one class of
    four. Float files that hold only whole numbers become int64.

    Raises:
        DataError: if the file cannot be read, is truncated, or holds numbers that are not whole.
        SettingError: if the window does not lie within the raster.
    """
    with _opened(path) as source:
        stored, place = _read_bands(source, window)
        visible = np.ones(stored.shape[1:], dtype=np.bool_)
        if not keep_alpha:
            stored, visible = _visible(source, stored, place)
        nodata = source.nodata
    whole, marked = formats.as_whole(stored, nodata, path)
    return whole, visible & ~marked


def read_values(path: Path, window: Window | None = None, *, keep_alpha: bool = False) -> NDArray[Any]:
    """Return the values of `read_mask` alone; raises as it does."""
    return read_mask(path, window, keep_alpha=keep_alpha)[0]


@final
class RasterWriter:
    """Write a raster window by window, under a temporary name until it is complete.

        with RasterWriter(path, height=h, width=w, bands=1, dtype="uint8") as writer:
            writer.write(Window(0, 0, 256, 256), pixels)

    TIFF is tiled, compressed without loss, and BigTIFF if needed; memory stays bounded. PNG is collected in a
    temporary TIFF, since it cannot be written in pieces. Leaving the block by an error removes everything.
    """

    def __init__(self, path: Path, *, height: int, width: int, bands: int, dtype: str,
                 georeference: Georeference | None = None, nodata: float | None = None,
                 palette: dict[int, tuple[int, int, int]] | None = None,
                 overwrite: bool = False) -> None:  # fmt: skip
        """Check the settings; nothing is created before the `with` block.

        Raises:
            SettingError: if the ending is not .tif, .tiff or .png, or PNG cannot hold these bands.
            OutputExistsError: if `path` exists and `overwrite` is false.
        """
        formats.check_writable(path, bands, dtype)
        refuse_existing(path, overwrite=overwrite)
        self._path = path
        self._shape = (bands, height, width)
        self._dtype = dtype
        self._palette = palette
        self._scratch = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.tif")
        self._profile = formats.tiled(bands, dtype, palette=palette is not None) | {
            "height": height, "width": width, "nodata": nodata,
            "crs": CRS.from_wkt(georeference.crs) if georeference and georeference.crs else None,
            "transform": Affine(*georeference.transform) if georeference else None,
        }  # fmt: skip

    def __enter__(self) -> Self:
        """Create the temporary file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with _quietly():
            self._target = rasterio.open(self._scratch, "w", **self._profile)
        if self._palette is not None:
            self._target.write_colormap(1, self._palette)
        return self

    def write(self, window: Window, pixels: NDArray[Any]) -> None:
        """Write `pixels` (bands, height, width) of the raster's dtype at `window`.

        Raises:
            SettingError: if shape or dtype differ from what the window and the raster need.
        """
        inside = _inside(window, *self._shape[1:], self._path)
        expected = (self._shape[0], window.height, window.width)
        if pixels.shape != expected or pixels.dtype != self._dtype:
            message = (
                f"{self._path}: expected {self._dtype} pixels of shape {expected} at {window}, "
                f"got {pixels.dtype} of shape {pixels.shape}."
            )
            raise SettingError(message)
        self._target.write(pixels, window=inside)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        """Give the file its name if all went well, else remove it."""
        scratch_png = self._scratch.with_suffix(".png")
        leftovers = (self._scratch, scratch_png, formats.sidecar(self._scratch), formats.sidecar(scratch_png))
        try:
            self._target.close()
            if kind is not None:
                return
            result = self._scratch
            if self._path.suffix.lower() == ".png":
                with _quietly():
                    rasterio.shutil.copy(self._scratch, scratch_png, driver="PNG")
                result = scratch_png
            if formats.sidecar(result).exists():
                # PNG has no place for a georeference; GDAL keeps it in a file beside, by the full name.
                formats.sidecar(result).replace(formats.sidecar(self._path))
            result.replace(self._path)
        finally:
            for leftover in leftovers:
                leftover.unlink(missing_ok=True)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep rasterio from warning that plain images have no georeference."""
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open for reading; turn what goes wrong, here or while reading, into a DataError."""
    driver = formats.format_of(path)
    try:
        with rasterio.Env(**_STRICT):
            with _quietly():
                source = rasterio.open(path, driver=driver)
            with source:
                if source.dtypes[0] not in formats.DTYPES:
                    raise formats.unusable(
                        path, f"holds {source.dtypes[0]}; expected one of {', '.join(formats.DTYPES)}"
                    )
                yield source
    except UnicodeEncodeError as error:
        raise formats.unusable(path, "its name is not UTF-8, which GDAL needs; rename it") from error
    except RasterioError as error:
        cause = error.__cause__ or error
        raise formats.unusable(path, f"unreadable or truncated ({str(cause).strip().rstrip('.')})") from error


def _read_bands(source: Any, window: Window | None) -> tuple[NDArray[Any], RasterioWindow | None]:
    place = None if window is None else _inside(window, source.height, source.width, Path(source.name))
    return source.read(window=place), place


def _visible(
    source: Any, stored: NDArray[Any], place: RasterioWindow | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Part the pixels from alpha, and say where alpha or the file's own mask shows them."""
    if source.colorinterp[-1] == ColorInterp.alpha and source.count > 1:
        return stored[:-1], stored[-1] != 0
    if MaskFlags.per_dataset in source.mask_flag_enums[0]:
        return stored, source.read_masks(1, window=place) != 0
    return stored, np.ones(stored.shape[1:], dtype=np.bool_)


def _inside(window: Window, height: int, width: int, path: Path) -> RasterioWindow:
    check_inside(window, height, width, str(path))
    return RasterioWindow(window.col, window.row, window.width, window.height)


def _colour_table(source: Any) -> dict[int, tuple[int, int, int, int]] | None:
    if source.count != 1 or source.colorinterp[0] != ColorInterp.palette:
        return None
    table: dict[int, tuple[int, int, int, int]] = source.colormap(1)
    return table
