"""Raw mask values: counted, and turned into class indices as the reading of the whole set says."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import MaskReadingError
from rareseg.imagery.formats import HIGHEST, LOWEST
from rareseg.imagery.masks.raw_values import (
    MOST_CLASSES,
    MaskCounts,
    show_range,
    toml_lines,
)
from rareseg.imagery.masks.readings import decide_reading
from rareseg.records.dataset import VOID, MaskReading

__all__ = [
    "MaskCounts",
    "apply_reading",
    "count_raw",
    "decide_reading",
    "reading_rows",
    "toml_lines",
]

_UNKNOWN = MOST_CLASSES
_COLOUR_BANDS = 3
_EXACT_IN_FLOAT32 = 2**24
_STRANGE_SHOWN = 5


def count_raw(raw: NDArray[Any], *, colours: bool, where: str = "mask") -> dict[int, int]:
    """Count the raw values of one mask.

    Args:
        raw: shape (bands, height, width), any integer dtype, or float that holds whole numbers.
        colours: count packed 0xRRGGBB colours of 3 bands of 0..255; else the values of all bands together.
        where: what to call the mask in an error.

    Returns:
        Raw value -> pixels, ascending, without values that do not occur.

    Raises:
        MaskReadingError: not 3 dimensions, values that are not whole numbers, or colours outside 3 x 0..255.
    """
    whole = _whole(raw, where)
    if colours and (whole.dtype != np.uint8 or whole.shape[0] != _COLOUR_BANDS):
        whole = _as_colour_bytes(whole, where)
    if not colours:
        return _count(whole)
    if _bands_agree(whole):
        return {grey * 0x010101: pixels for grey, pixels in _count(whole[:1]).items()}
    return _count_by_runs(_packed(whole))


def apply_reading(raw: NDArray[Any], reading: MaskReading, where: str) -> NDArray[np.uint8]:
    """Turn raw mask values into class indices.

    Args:
        raw: shape (bands, height, width), any integer dtype, or float that holds whole numbers.
        reading: how the set is read.
        where: file (and window) to name in an error.

    Returns:
        Shape (height, width), uint8: class indices, 255 for not counted; for kind "bands", bit k = class k.

    Raises:
        MaskReadingError: a value that the reading does not know, with its pixels, or bands that do not fit.
    """
    whole = _whole(raw, where)
    if reading.kind == "bands":
        return _bits(whole, reading, where)
    if reading.kind == "rgb":
        return _by_runs(_packed(_as_colour_bytes(whole, where)), reading, where)
    if whole.shape[0] != 1 and not (whole.shape[0] == _COLOUR_BANDS and _bands_agree(whole)):
        message = (
            f"{where}: expected a mask of 1 band, or of 3 equal ones, as in the set whose reading is used; "
            f"got {whole.shape[0]} bands. Save the mask like the others."
        )
        raise MaskReadingError(message)
    band = np.ascontiguousarray(whole[0])
    look_up = _by_table if band.dtype in (np.uint8, np.uint16) else _by_runs
    return look_up(band, reading, where)


def reading_rows(classes: Sequence[str], reading: MaskReading) -> list[tuple[str, str, int, str]]:
    """Return (raw value, class name or "not counted", pixels, because) for each range of the reading."""
    colours = reading.kind == "rgb"
    prefix = "band " if reading.kind == "bands" else ""
    return [
        (
            prefix + show_range(entry.low, entry.high, colours=colours),
            "not counted" if entry.label == VOID else classes[entry.label],
            entry.pixels,
            entry.because,
        )
        for entry in reading.ranges
    ]


def _whole(raw: NDArray[Any], where: str) -> NDArray[Any]:
    """Return integers of the same values; floats only where they hold whole numbers."""
    if raw.ndim != 3:
        message = f"{where}: expected a mask of shape (bands, height, width), got shape {raw.shape}."
        raise MaskReadingError(message)
    if raw.dtype == np.bool_:
        return raw.view(np.uint8)
    if raw.dtype.kind in "iu":
        return raw
    if raw.dtype.kind != "f":
        message = (
            f"{where}: expected whole numbers in the mask, got {raw.dtype}. Save class indices as integers."
        )
        raise MaskReadingError(message)
    fine = np.isfinite(raw) & (raw == np.floor(raw)) & (raw >= LOWEST) & (raw <= HIGHEST)
    if not fine.all():
        message = (
            f"{where}: expected whole numbers in the mask, got {raw[~fine].flat[0]} "
            f"({np.count_nonzero(~fine)} pixels of {raw.dtype} are none). "
            "Save class indices as integers; probabilities are no labels."
        )
        raise MaskReadingError(message)
    return raw.astype(np.int64)


def _as_colour_bytes(raw: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if raw.shape[0] != _COLOUR_BANDS:
        message = (
            f"{where}: expected a colour mask of 3 bands (alpha not counted), as in the set whose reading is "
            f"used; got {raw.shape[0]}. Save the mask like the others."
        )
        raise MaskReadingError(message)
    if raw.dtype == np.uint8:
        return raw
    if raw.size and (raw.min() < 0 or raw.max() > 255):
        message = (
            f"{where}: expected colours of 8 bits (0..255 in each band), got {raw.min()}..{raw.max()}. "
            "Save the mask with 8 bits per band."
        )
        raise MaskReadingError(message)
    return raw.astype(np.uint8)


def _bands_agree(raw: NDArray[Any]) -> bool:
    return bool(np.array_equal(raw[0], raw[1]) and np.array_equal(raw[0], raw[2]))


def _packed(raw: NDArray[np.uint8]) -> NDArray[np.uint32]:
    red, green, blue = (band.astype(np.uint32) for band in raw)
    packed: NDArray[np.uint32] = red << 16 | green << 8 | blue
    return packed


def _count(raw: NDArray[Any]) -> dict[int, int]:
    """Count over all bands. OpenCV's histogram is some 60 times as fast as np.bincount on bytes."""
    if raw.dtype not in (np.uint8, np.uint16):
        return _count_by_runs(raw)
    bins = int(np.iinfo(raw.dtype).max) + 1
    total = np.zeros(bins, dtype=np.int64)
    rows = np.ascontiguousarray(raw).reshape(-1, max(raw.shape[2], 1))
    step = max(1, _EXACT_IN_FLOAT32 // max(rows.shape[1], 1))  # calcHist answers in float32
    for start in range(0, len(rows) if rows.size else 0, step):
        part = cv2.calcHist([rows[start : start + step]], [0], None, [bins], [0, bins])
        total += part.ravel().astype(np.int64)
    return {int(value): int(total[value]) for value in np.flatnonzero(total)}


def _count_by_runs(values: NDArray[Any]) -> dict[int, int]:
    run_values, lengths = _runs(values)
    distinct, index = np.unique(run_values, return_inverse=True)
    pixels = np.bincount(index, weights=lengths)
    return {int(value): int(count) for value, count in zip(distinct, pixels, strict=True)}


def _runs(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return value and length of each run of equal neighbours in reading order.

    Masks are made of areas, so there are far fewer runs than pixels, and sorting them is cheap.
    """
    flat = values.ravel()
    if flat.size == 0:
        return flat, np.zeros(0, dtype=np.int64)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    return flat[starts], np.diff(starts, append=flat.size)


def _by_table(band: NDArray[Any], reading: MaskReading, where: str) -> NDArray[np.uint8]:
    """Look up 8- and 16-bit values in a table of all of them."""
    size = int(np.iinfo(band.dtype).max) + 1
    table = np.full(size, _UNKNOWN, dtype=np.uint8)
    for entry in reading.ranges:
        table[max(entry.low, 0) : max(entry.high + 1, 0)] = entry.label
    by_opencv = band.dtype == np.uint8 and band.size > 0
    labels: NDArray[Any] = cv2.LUT(band, table) if by_opencv else table[band]
    unknown = labels == _UNKNOWN
    if unknown.any():
        raise _strange(band[unknown], reading, where)
    return labels


def _by_runs(values: NDArray[Any], reading: MaskReading, where: str) -> NDArray[np.uint8]:
    """Look up values of any width by bisection, once per run of equal neighbours."""
    run_values, lengths = _runs(values)
    ranges = sorted(reading.ranges, key=lambda entry: entry.low)
    lows = np.array([entry.low for entry in ranges], dtype=np.int64)
    highs = np.array([entry.high for entry in ranges], dtype=np.int64)
    names = np.array([entry.label for entry in ranges], dtype=np.uint8)
    wide = run_values.astype(np.int64)
    place = np.searchsorted(lows, wide, side="right") - 1
    known = (place >= 0) & (wide <= highs[place])
    if not known.all():
        strange = np.repeat(wide[~known], lengths[~known])
        raise _strange(strange, reading, where)
    return np.repeat(names[place], lengths).reshape(values.shape)


def _strange(strange: NDArray[Any], reading: MaskReading, where: str) -> MaskReadingError:
    colours = reading.kind == "rgb"
    values, counts = np.unique(strange, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_STRANGE_SHOWN]
    names = [show_range(int(value), int(value), colours=colours) for value in values[order]]
    shown = [f"{name} on {count:,} pixels" for name, count in zip(names, counts[order], strict=True)]
    more = f" and {len(values) - len(shown)} more values" if len(values) > len(shown) else ""
    known = [show_range(entry.low, entry.high, colours=colours) for entry in reading.ranges]
    message = (
        f"{where}: the mask holds {', '.join(shown)}{more}, which the reading of the set does not know. "
        f"It knows {', '.join(known)}. Add it to a class or to `void` in the TOML, or correct the mask."
    )
    return MaskReadingError(message)


def _bits(raw: NDArray[Any], reading: MaskReading, where: str) -> NDArray[np.uint8]:
    needed = max(entry.low for entry in reading.ranges)
    if raw.shape[0] < needed:
        message = (
            f"{where}: expected {needed} mask bands, one per class, got {raw.shape[0]}. "
            "Save the mask like the others."
        )
        raise MaskReadingError(message)
    labels = np.zeros(raw.shape[1:], dtype=np.uint8)
    for entry in reading.ranges:
        labels |= (raw[entry.low - 1] != 0).astype(np.uint8) << np.uint8(entry.label)
    return labels
