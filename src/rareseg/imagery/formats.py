"""Which files are rasters, told by their first bytes, whether a PNG is whole, and what masks may hold."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, Problem, SettingError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Endings of the files that count as rasters, in lower case."""
OTHER_IMAGES = (".bmp", ".gif", ".jp2", ".webp", ".ppm", ".pgm", ".tga", ".heic", ".npy", ".img", ".vrt")
"""Endings of images that are not read: said in an error rather than passed over."""

WRITABLE = (".tif", ".tiff", ".png")
"""Endings of the files that are written."""
DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
"""Pixel types that are read."""
BEYOND_MEASURE = 1e30
"""No photo measures so much: floats from here on, either sign, are fills that the file does not mark."""
LOWEST, HIGHEST = -(2**31), 2**32 - 1
"""Range of raw mask values that can be counted."""

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"II*\x00", "GTiff"),
    (b"MM\x00*", "GTiff"),
    (b"II+\x00", "GTiff"),
    (b"MM\x00+", "GTiff"),
)
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


def format_of(path: Path) -> str:
    """Return GDAL's name of a raster's format: "PNG", "JPEG" or "GTiff", whatever the file's ending.

    Raises:
        DataError: if the file cannot be opened, is none of these, or is a PNG without its end.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - len(_PNG_END)))
            tail = stream.read()
    except OSError as error:
        raise unusable(path, f"cannot be opened ({error.strerror})") from error
    name = next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)
    if name is None:
        raise unusable(path, "is no PNG, JPEG or TIFF by its first bytes" if head else "is empty")
    # GDAL's fast path for whole PNGs fills what is missing with arbitrary memory and reports nothing.
    if name == "PNG" and tail != _PNG_END and not _png_has_end(path):
        raise unusable(path, "unreadable or truncated (the PNG stops before its IEND chunk)")
    return name


def tiled(bands: int, dtype: str, *, palette: bool) -> dict[str, Any]:
    """Return GDAL's settings for a TIFF that is tiled and compressed without loss."""
    colours = "RGB" if bands == 3 and dtype in ("uint8", "uint16") else "MINISBLACK"
    return {
        "driver": "GTiff", "count": bands, "dtype": dtype,
        "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate",
        "predictor": 3 if dtype.startswith("float") else 2, "bigtiff": "IF_SAFER", "sparse_ok": True,
        # Without photometric, GDAL marks the fourth of four bands as alpha.
        "photometric": "PALETTE" if palette else colours,
    }  # fmt: skip


def check_writable(path: Path, bands: int, dtype: str) -> None:
    """Check that a raster of `bands` bands of `dtype` can be written to `path`.

    Raises:
        SettingError: if the ending is not .tif, .tiff or .png, or PNG cannot hold these bands.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        message = (
            f"{path}: rasters are written as {', '.join(WRITABLE)}, not as {path.suffix or 'no ending'}."
        )
        raise SettingError(message)
    if suffix == ".png" and (dtype not in ("uint8", "uint16") or bands not in (1, 3)):
        # A second or fourth band of a PNG is alpha by definition.
        message = f"{path}: PNG holds 1 or 3 bands of uint8 or uint16, not {bands} of {dtype}. Use .tif."
        raise SettingError(message)


def unusable(path: Path, reason: str) -> DataError:
    """Return the error for one raster that cannot be used, naming the file and the reason."""
    message = "Expected intact PNG, JPEG, TIFF or GeoTIFF rasters. Replace or remove this one:"
    # A name that is not UTF-8 holds lone surrogates, which no terminal or log can show.
    name = str(path).encode("utf-8", "backslashreplace").decode()
    return DataError(message, [Problem(name, reason)])


def as_whole(
    stored: NDArray[Any], nodata: float | None, path: Path
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a mask's values as integers: as they are, or int64 for floats that hold only whole numbers.

    Beside them (height, width) bool, where floats hold a `nodata` that no integer can: it is returned as 0.

    Raises:
        DataError: if another number is not whole, or beyond 32 bits, naming it.
    """
    marked = np.zeros(stored.shape[1:], dtype=np.bool_)
    if stored.dtype.kind != "f":
        return stored, marked
    if nodata is not None and not LOWEST <= nodata <= HIGHEST:
        marked = (np.isnan(stored) if np.isnan(nodata) else stored == nodata).all(axis=0)
        stored = np.where(marked, stored.dtype.type(0), stored)
    whole = (stored == np.rint(stored)) & (stored >= LOWEST) & (stored <= HIGHEST)
    if not whole.all():
        reason = (
            f"a mask must hold whole numbers within {LOWEST}..{HIGHEST}, but this one holds "
            f"{stored[~whole].flat[0]:g}; probabilities are no labels, and what is not counted must be marked "
            "as the file's nodata value"
        )
        raise unusable(path, reason)
    return stored.astype(np.int64), marked


def only_measured(photo: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a photo with 0 for what is no measurement, and (height, width) where all bands are one."""
    if photo.dtype.kind != "f":
        return photo, np.ones(photo.shape[1:], dtype=np.bool_)
    measured = np.abs(photo) < BEYOND_MEASURE  # False for NaN
    return np.where(measured, photo, photo.dtype.type(0)), np.asarray(measured.all(axis=0))


def holds_nodata(bands: NDArray[Any], values: tuple[float | None, ...]) -> NDArray[np.bool_]:
    """Where the file's own no-data value stands, (height, width) bool."""
    marked = [(band, value) for band, value in zip(bands, values, strict=False) if value is not None]
    if len(marked) < len(bands):
        return np.zeros(bands.shape[1:], dtype=np.bool_)
    # NaN is left to the check for finite numbers.
    held = np.stack([band == value for band, value in marked])
    some = any(value < 0 for _, value in marked)
    return np.asarray(held.any(axis=0) if some else held.all(axis=0))


def sidecar(path: Path) -> Path:
    """Return the name of the file beside a raster in which GDAL keeps what the raster has no place for."""
    return path.with_name(path.name + ".aux.xml")


def _png_has_end(path: Path) -> bool:
    """Walk the chunks: some writers leave bytes after the last one."""
    with path.open("rb") as stream:
        stream.seek(8)
        while len(head := stream.read(8)) == 8:
            if head[4:] == b"IEND":
                return True
            stream.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False
