"""Counting labels and photos: what the audit knows about the data is a sum of these.

`Counts` form a monoid under `add` with `empty` as zero, so windows, images, processes and machines may
count in any order. Pixel counts and band sums of an image equal the sums over its windows; regions,
widths and crop positions are measured inside each window, so a region cut by a window's edge counts
once on either side.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.histogram import histogram
from rareseg.measures.orientation import ROW_BANDS, row_pixels
from rareseg.measures.regions import (
    SIZE_BINS,
    WIDTH_BINS,
    bounding_box,
    crop_positions,
    crops_holding,
    presence,
    region_areas,
    ridge_widths,
    size_histogram,
    width_histogram,
)
from rareseg.records.audit import CROP_SIZES, Counts
from rareseg.records.dataset import VOID

MOST_OVERLAPPING = 7
"""Overlapping classes that a label of 8 bits can hold: with all eight bits it would read as void."""

# Rows of photos whose values cannot index a histogram are summed in chunks of this many pixels.
_CHUNK = 1 << 20


def empty(classes: int, bands: int) -> Counts:
    """Return the counts of nothing: the zero of `add`."""
    zeros = (0,) * classes
    return Counts(
        images=0,
        pixels=zeros,
        images_with=zeros,
        labelled=0,
        void=0,
        nodata=0,
        nodata_labelled=0,
        objects=zeros,
        width_histogram=((0,) * WIDTH_BINS,) * classes,
        size_histogram=((0,) * SIZE_BINS,) * classes,
        row_pixels=((0,) * ROW_BANDS,) * classes,
        crop_holds=((0,) * len(CROP_SIZES),) * classes,
        crop_positions=(0,) * len(CROP_SIZES),
        band_count=0,
        band_sum=(0.0,) * bands,
        band_sum_squares=(0.0,) * bands,
    )


def add(a: Counts, b: Counts) -> Counts:
    """Return the counts of two disjoint sets of pixels taken together.

    Raises:
        SettingError: if the two do not count the same classes and bands.
    """
    shapes = [(len(counts.pixels), len(counts.band_sum)) for counts in (a, b)]
    if shapes[0] != shapes[1]:
        message = (
            f"Counts of {shapes[0][0]} classes and {shapes[0][1]} bands cannot be added to counts of "
            f"{shapes[1][0]} classes and {shapes[1][1]} bands. Count both with the same Dataset."
        )
        raise SettingError(message)
    return Counts(**{name: _sum(getattr(a, name), getattr(b, name)) for name in Counts.__struct_fields__})


def one_image(windows: Counts) -> Counts:
    """Return the added counts of all windows of one image, as those of one image."""
    held = tuple(min(images, 1) for images in windows.images_with)
    return msgspec.structs.replace(windows, images=min(windows.images, 1), images_with=held)


def tally(
    labels: NDArray[np.uint8],
    has_photo: NDArray[np.bool_],
    photo: NDArray[Any],
    *,
    classes: int,
    overlapping: bool,
    rows: tuple[int, int] | None = None,
) -> Counts:
    """Count one image, or one window of it.

    Args:
        labels: (height, width), class indices or, if `overlapping`, bit sets (bit k = class k); 255 = void.
        has_photo: (height, width), False where the photo has no data.
        photo: (bands, height, width) in the file's own units; values that are not finite stay out of
            the band sums.
        classes: number of classes; at most 7 if overlapping.
        overlapping: whether a pixel may belong to several classes.
        rows: of a window, its first row in the image and the image's height; None for whole images.

    Raises:
        SettingError: if the shapes do not fit together, or there are too many overlapping classes.
        DataError: if a label is neither a class nor void.
    """
    _check_shapes(labels, has_photo, photo, classes, overlapping)
    by_label = histogram(labels, 256)
    _check_values(by_label, classes, overlapping)
    with_photo = by_label if has_photo.all() else histogram(labels, 256, has_photo)
    without = by_label - with_photo
    pixels = _class_pixels(with_photo, classes, overlapping)
    seen = np.where(has_photo, labels, np.uint8(VOID))
    top, height = rows or (0, labels.shape[0])
    shapes = [_shape(seen, k, overlapping, top, height) if pixels[k] else _ABSENT for k in range(classes)]
    return Counts(
        images=1,
        pixels=pixels,
        images_with=tuple(int(count > 0) for count in pixels),
        labelled=int(with_photo[:VOID].sum()),
        void=int(with_photo[VOID]),
        nodata=int(without.sum()),
        nodata_labelled=int(without[1:VOID].sum()),
        objects=tuple(sum(shape.sizes) for shape in shapes),
        size_histogram=tuple(shape.sizes for shape in shapes),
        width_histogram=tuple(shape.widths for shape in shapes),
        row_pixels=tuple(shape.rows for shape in shapes),
        crop_holds=tuple(shape.crops for shape in shapes),
        crop_positions=tuple(crop_positions((labels.shape[0], labels.shape[1]), side) for side in CROP_SIZES),
        **_band_sums(photo, has_photo),
    )


def members(labels: NDArray[np.uint8], index: int, *, overlapping: bool) -> NDArray[np.bool_]:
    """Return where `labels` (any shape) hold class `index`; void holds none."""
    if not overlapping:
        return np.asarray(labels == index)
    return np.asarray(((labels & np.uint8(1 << index)) != 0) & (labels != VOID))


class _Shape(NamedTuple):
    """One class in one window: its size and width histograms, its rows, and the crops that hold it."""

    sizes: tuple[int, ...]
    widths: tuple[int, ...]
    rows: tuple[int, ...]
    crops: tuple[int, ...]


_ABSENT = _Shape((0,) * SIZE_BINS, (0,) * WIDTH_BINS, (0,) * ROW_BANDS, (0,) * len(CROP_SIZES))


def _shape(seen: NDArray[np.uint8], index: int, overlapping: bool, top: int, height: int) -> _Shape:
    mask = members(seen, index, overlapping=overlapping)
    blocks = presence(mask)
    box = np.ascontiguousarray(mask[bounding_box(mask)])
    return _Shape(
        sizes=tuple(size_histogram(region_areas(box)).tolist()),
        widths=tuple(width_histogram(ridge_widths(box)).tolist()),
        rows=row_pixels(mask, top=top, image_height=height),
        crops=tuple(crops_holding(blocks, side) for side in CROP_SIZES),
    )


def _class_pixels(by_label: NDArray[np.int64], classes: int, overlapping: bool) -> tuple[int, ...]:
    if not overlapping:
        return tuple(by_label[:classes].tolist())
    values = np.arange(VOID)
    return tuple(int(by_label[:VOID][(values >> k) & 1 == 1].sum()) for k in range(classes))


def _band_sums(photo: NDArray[Any], has_photo: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the fields of Counts about the bands: pixels summed, sums and sums of squares."""
    if photo.dtype in (np.uint8, np.uint16):
        values = np.arange(np.iinfo(photo.dtype).max + 1, dtype=np.int64)
        counts = [histogram(band, values.size, has_photo) for band in photo]
        sums = tuple(float(count @ values) for count in counts)
        squares = tuple(float(count @ values**2) for count in counts)
        number = int(np.count_nonzero(has_photo))
        return {"band_count": number, "band_sum": sums, "band_sum_squares": squares}
    flat, valid = photo.reshape(len(photo), -1), has_photo.ravel()
    number, total, total_squares = 0, np.zeros(len(photo)), np.zeros(len(photo))
    for start in range(0, valid.size, _CHUNK):
        part = flat[:, start : start + _CHUNK].astype(np.float64)
        part = part[:, valid[start : start + _CHUNK] & np.isfinite(part).all(axis=0)]
        number += part.shape[1]
        total += part.sum(axis=1)
        total_squares += np.square(part).sum(axis=1)
    sums, squares = tuple(total.tolist()), tuple(total_squares.tolist())
    return {"band_count": number, "band_sum": sums, "band_sum_squares": squares}


def _sum(a: Any, b: Any) -> Any:
    if isinstance(a, tuple):
        return tuple(_sum(x, y) for x, y in zip(a, b, strict=True))
    return a + b


def _check_shapes(
    labels: NDArray[np.uint8],
    has_photo: NDArray[np.bool_],
    photo: NDArray[Any],
    classes: int,
    overlapping: bool,
) -> None:
    if labels.ndim != 2 or has_photo.shape != labels.shape or photo.shape[1:] != labels.shape:
        message = (
            "Expected labels (height, width), has_photo of the same shape and photo (bands, height, width); "
            f"got {labels.shape}, {has_photo.shape} and {photo.shape}."
        )
        raise SettingError(message)
    if overlapping and classes > MOST_OVERLAPPING:
        message = (
            f"Overlapping classes are kept as bits of one byte, so there can be {MOST_OVERLAPPING} of them; "
            f"got {classes}. Merge classes, or train on some of them at a time."
        )
        raise SettingError(message)


def _check_values(by_label: NDArray[np.int64], classes: int, overlapping: bool) -> None:
    most = (1 << classes) if overlapping else classes
    strange = np.flatnonzero(by_label[most:VOID]) + most
    if strange.size:
        shown = ", ".join(str(value) for value in strange[:5].tolist())
        message = (
            f"Expected labels 0..{most - 1} or {VOID} (void) for {classes} classes, but "
            f"{by_label[strange].sum()} pixels hold {shown}. Say in the TOML how the mask values are read, "
            "or name the missing classes."
        )
        raise DataError(message)
