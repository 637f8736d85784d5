"""Files of predictions: rasters, and NumPy arrays without code. Heads, windows, and what values they hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, Problem
from rareseg.imagery.rasters import Georeference, Window, describe, read, read_mask

ARRAYS = (".npy",)
"""Endings of the files that hold one NumPy array."""

_KINDS = "buif"


class Head(NamedTuple):
    """What the head of a file of predictions says."""

    path: Path
    height: int
    width: int
    channels: int
    dtype: str
    coloured: bool
    """Stored values are indices of a palette, so that a viewer shows colours."""
    nodata: float | None
    georeference: Georeference | None
    last: bool = False
    """Of arrays: channels stand last, (rows, cols, channels)."""


def head_of(path: Path, height: int, width: int) -> Head:
    """Read the head of a file that answers for an image of height x width px.

    Raises:
        DataError: if it cannot be read, or an array is not of that size.
    """
    if path.suffix.lower() in ARRAYS:
        return _head_of_array(path, height, width)
    info = describe(path)
    floats = info.dtype.startswith("float")
    if info.alpha and floats and info.bands > 1:
        reason = (
            f"its band {info.bands + 1} is marked as alpha, so it would not be read as a class. "
            "Save it without alpha (rasterio: photometric='MINISBLACK'), or as .npy"
        )
        raise _unusable(path, reason)
    # TIFF writers mark the fourth of four bands of 8 bits as alpha unasked.
    channels = info.bands + int(info.alpha and info.bands > 1)
    return Head(
        path,
        info.height,
        info.width,
        channels,
        info.dtype,
        info.palette is not None,
        info.nodata,
        info.georeference,
    )


def values_of(head: Head, window: Window | None = None) -> NDArray[Any]:
    """Return the values as stored, (channels, rows, cols); NaN where a file of floats holds none.

    Raises:
        DataError: if the file cannot be read.
    """
    if head.path.suffix.lower() in ARRAYS:
        return _values_of_array(head, window)
    if not head.dtype.startswith("float"):
        return read_mask(head.path, window, keep_alpha=True)[0]
    values, valid = read(head.path, window)
    # A "no-data value" of 0 or 1 is a probability: writers set 0 unasked.
    if not valid.all() and not (head.nodata is not None and 0 <= head.nodata <= 1):
        values[:, ~valid] = np.nan
    return values


def stacked(heads: Sequence[Head], window: Window | None = None) -> NDArray[Any]:
    """Return the values of all files of one image, their channels in this order."""
    planes = [values_of(head, window) for head in heads]
    return planes[0] if len(planes) == 1 else np.concatenate(planes)


def _head_of_array(path: Path, height: int, width: int) -> Head:
    array = _array(path)
    shape = array.shape
    while len(shape) > 3 and shape[0] == 1:
        shape = shape[1:]
    first = len(shape) in (2, 3) and shape[-2:] == (height, width)
    last = len(shape) == 3 and shape[:2] == (height, width)
    if not first and not last:
        reason = (
            f"holds an array of shape {array.shape}; expected ({height}, {width}) as the image, with the classes "
            "before or after these two"
        )
        raise _unusable(path, reason)
    channels = 1 if len(shape) == 2 else shape[2] if last and not first else shape[0]
    return Head(path, height, width, channels, str(array.dtype), False, None, None, last and not first)


def _values_of_array(head: Head, window: Window | None) -> NDArray[Any]:
    array = _array(head.path)
    shape = (
        (head.height, head.width, head.channels) if head.last else (head.channels, head.height, head.width)
    )
    planes = array.reshape(shape)
    planes = planes.transpose(2, 0, 1) if head.last else planes
    if window is not None:
        planes = planes[:, window.row : window.row + window.height, window.col : window.col + window.width]
    return np.ascontiguousarray(planes)


def _array(path: Path) -> NDArray[Any]:
    """Map an array into memory; arrays of objects, which could run code, are refused."""
    try:
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError) as error:
        reason = f"is no NumPy array of numbers ({str(error).rstrip('.')})"
        raise _unusable(path, reason) from error
    if array.dtype.kind not in _KINDS or not array.size:
        raise _unusable(path, "is no NumPy array of numbers")
    return array


def _unusable(path: Path, reason: str) -> DataError:
    message = "Expected predictions as intact PNG, TIFF, GeoTIFF or .npy. Replace or remove this one:"
    return DataError(message, [Problem(str(path), reason)])
