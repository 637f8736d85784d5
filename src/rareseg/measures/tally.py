"""Counting labels and photos: what the audit knows about the data is a sum of these.

`Counts` form a monoid under `add` with `empty` as zero, so windows, images, processes and machines may
count in any order. Pixel counts and band sums of an image equal the sums over its windows; regions,
widths and crop positions are measured inside each window, so a region cut by a window's edge counts
once on either side.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.histogram import histogram
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
) -> Counts:
    """Count one image, or one window of it.

    Args:
        labels: (height, width), class indices or, if `overlapping`, bit sets (bit k = class k); 255 = void.
        has_photo: (height, width), False where the photo has no data.
        photo: (bands, height, width) in the file's own units; values that are not finite stay out of
            the band sums.
        classes: number of classes; at most 7 if overlapping.
        overlapping: whether a pixel may belong to several classes.

    Raises:
        SettingError: if the shapes do not fit together, or there are too many overlapping classes.
        DataError: if a label is neither a class nor void.
    """
    _check_shapes(labels, has_photo, photo, classes, overlapping)
    everywhere = histogram(labels, 256)
    with_photo = everywhere if has_photo.all() else histogram(labels, 256, has_photo)
    _check_values(everywhere, classes, overlapping)
    without = everywhere - with_photo
    void, labelled = int(with_photo[VOID]), int(with_photo[:VOID].sum())
    pixels = _class_pixels(with_photo, classes, overlapping)
    seen = np.where(has_photo, labels, np.uint8(VOID))
    shapes = [_shape(seen, k, overlapping) if pixels[k] else _absent() for k in range(classes)]
    sums = _band_sums(photo, has_photo)
    return Counts(
        images=1,
        pixels=pixels,
        images_with=tuple(int(count > 0) for count in pixels),
        labelled=labelled,
        void=void,
        nodata=int(without.sum()),
        nodata_labelled=int(without[1:VOID].sum()),
        objects=tuple(sum(shape[0]) for shape in shapes),
        size_histogram=tuple(shape[0] for shape in shapes),
        width_histogram=tuple(shape[1] for shape in shapes),
        crop_holds=tuple(shape[2] for shape in shapes),
        crop_positions=tuple(crop_positions((labels.shape[0], labels.shape[1]), side) for side in CROP_SIZES),
        band_count=sums[0],
        band_sum=sums[1],
        band_sum_squares=sums[2],
    )


def members(labels: NDArray[np.uint8], index: int, *, overlapping: bool) -> NDArray[np.bool_]:
    """Return where `labels` (any shape) hold class `index`; void holds none."""
    if not overlapping:
        return np.asarray(labels == index)
    return np.asarray(((labels & np.uint8(1 << index)) != 0) & (labels != VOID))


_Shape = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def _shape(seen: NDArray[np.uint8], index: int, overlapping: bool) -> _Shape:
    """Return one class's size histogram, width histogram and crops that hold it."""
    mask = members(seen, index, overlapping=overlapping)
    blocks = presence(mask)
    box = np.ascontiguousarray(mask[bounding_box(mask)])
    sizes = size_histogram(region_areas(box))
    widths = width_histogram(ridge_widths(box))
    holds = tuple(crops_holding(blocks, side) for side in CROP_SIZES)
    return tuple(sizes.tolist()), tuple(widths.tolist()), holds


def _absent() -> _Shape:
    return (0,) * SIZE_BINS, (0,) * WIDTH_BINS, (0,) * len(CROP_SIZES)


def _class_pixels(by_label: NDArray[np.int64], classes: int, overlapping: bool) -> tuple[int, ...]:
    if not overlapping:
        return tuple(by_label[:classes].tolist())
    values = np.arange(VOID)
    return tuple(int(by_label[:VOID][(values >> k) & 1 == 1].sum()) for k in range(classes))


def _band_sums(
    photo: NDArray[Any], has_photo: NDArray[np.bool_]
) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
    """Return the pixels summed, and per band the sum and the sum of squares."""
    if photo.dtype in (np.uint8, np.uint16):
        values = np.arange(np.iinfo(photo.dtype).max + 1, dtype=np.int64)
        counts = [histogram(band, values.size, has_photo) for band in photo]
        sums = tuple(float(count @ values) for count in counts)
        squares = tuple(float(count @ values**2) for count in counts)
        return int(np.count_nonzero(has_photo)), sums, squares
    flat, valid = photo.reshape(len(photo), -1), has_photo.ravel()
    number, total, total_squares = 0, np.zeros(len(photo)), np.zeros(len(photo))
    for start in range(0, valid.size, _CHUNK):
        part = flat[:, start : start + _CHUNK].astype(np.float64)
        part = part[:, valid[start : start + _CHUNK] & np.isfinite(part).all(axis=0)]
        number += part.shape[1]
        total += part.sum(axis=1)
        total_squares += np.square(part).sum(axis=1)
    return number, tuple(total.tolist()), tuple(total_squares.tolist())


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
