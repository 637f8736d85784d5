"""Areas without photo: white, black or any other constant fill, told from bright sky, roofs and dark water.

A fill is decided over the whole set (`find_nodata`, from what `measure_fills` saw in each image) and then
found in any window by a local rule (`no_photo`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.records.dataset import VOID, DataSpec, NoData

SQUARE = 32
"""px: smaller constant areas are taken for photo; white roofs at 1 m per pixel are smaller."""
REACH = 16
"""px beyond a fill in which `measure_fills` looks; the nearest half is left to compression artefacts."""
_TOLERANCE = 4
"""Levels of uint8 by which JPEG's rounding was seen to move a white fill, far from its edge."""
_LEAST_SHARE = 0.01
_LEAST_BORDER = 0.02
_FADING = 0.1
_CANDIDATES = 2

Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Fill:
    """One constant value in one image. Counts are pixels, and add up over strips of the image."""

    value: int
    image: int
    """All pixels looked at."""
    border: int
    """Pixels of the image border."""
    border_filled: int
    exact: int
    """Pixels filled, with the value held exactly."""
    filled: int
    """The same with the tolerance."""
    ring: int
    """Photo pixels 9 to 16 px outside the fill."""
    ring_near: int
    """Of these, pixels that are nearly of the value in all bands."""
    far: int
    """Photo pixels further away."""
    far_near: int
    raw: dict[int, int]
    """Raw mask values over the fill, and their pixels."""

    def __add__(self, other: "Fill") -> "Fill":
        """Add up two measurements of one value."""
        names = (
            "image",
            "border",
            "border_filled",
            "exact",
            "filled",
            "ring",
            "ring_near",
            "far",
            "far_near",
        )
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        raw = Counter(self.raw)
        raw.update(other.raw)
        return Fill(value=self.value, raw=dict(raw), **sums)

    @property
    def evident(self) -> bool:
        """Whether it takes a real share of the image, with the value held exactly, and of its border."""
        return self.exact >= _LEAST_SHARE * self.image and self.border_filled >= _LEAST_BORDER * self.border


def no_photo(photo: Values, nodata: NoData) -> NDArray[np.bool_]:
    """Mark the pixels that belong to a square wholly filled with one of the no-data values.

    Args:
        photo: (bands, height, width) in the file's own units. What lies outside counts as filled, so that
            slivers along the image border are found; for a window, pass a margin of `nodata.square` px.
        nodata: the values, how far off they may be, and the side of the square.

    Returns:
        (height, width) bool, True where there is no photo.
    """
    marked = np.zeros(photo.shape[1:], dtype=np.bool_)
    for value in nodata.values:
        marked |= _in_squares(_within(photo, value, nodata.tolerance), nodata.square)
    return marked


def border_values(lines: Iterable[Values]) -> tuple[int, ...]:
    """Return the at most two whole numbers that all bands hold most often along an image's border.

    Args:
        lines: the border's pixels, each (bands, n). Values on less than 2 % of it are left out.
    """
    joined = np.concatenate([line.reshape(line.shape[0], -1) for line in lines], axis=1)
    constant = joined[0][(joined == joined[0]).all(axis=0)]
    values, counts = np.unique(constant, return_counts=True)
    frequent = counts >= _LEAST_BORDER * joined.shape[1]
    ranked = sorted(zip(-counts[frequent], values[frequent].tolist(), strict=True))
    return tuple(int(value) for _, value in ranked if value == int(value))[:_CANDIDATES]


def measure_fills(
    photo: Values,
    valid: NDArray[np.bool_],
    values: Sequence[int],
    *,
    core: slice,
    whole_height: int,
    first_row: int,
    count_raw_at: Callable[[NDArray[np.bool_]], Mapping[int, int]],
) -> dict[int, Fill]:
    """Measure constant values in a full-width strip of an image.

    Args:
        photo: (bands, rows, width): the strip with a margin of SQUARE + REACH px where the image goes on.
        valid: (rows, width), False where the file itself says that there is no photo.
        values: the values to look for, from `border_values` or from the user.
        core: rows of `photo` to count, the strip without its margin.
        whole_height: rows of the image.
        first_row: row of the image where `photo` begins.
        count_raw_at: counts the raw mask values of the strip's core where a (rows, width) mask is True.
    """
    inner = np.zeros(valid.shape, dtype=np.bool_)
    inner[max(0, 1 - first_row) : max(0, whole_height - 1 - first_row), 1:-1] = True
    fills = {}
    for value in values:
        # Rounding is tolerated only at the ends of the scale: around mid-grey that would take flat walls.
        tolerance = _TOLERANCE if photo.dtype == np.uint8 and value in (0, 255) else 0
        exact = _in_squares(_within(photo, value, 0) & valid, SQUARE) & valid
        filled = _in_squares(_within(photo, value, tolerance) & valid, SQUARE) & valid
        near = _within(photo, value, _nearness(photo, valid & ~filled)) & valid
        beyond = valid & ~_grown(filled, REACH // 2)
        far = valid & ~_grown(filled, REACH)
        counts = {
            "image": valid,
            "border": ~inner & valid,
            "border_filled": ~inner & filled,
            "exact": exact,
            "filled": filled,
            "ring": beyond & ~far,
            "ring_near": beyond & ~far & near,
            "far": far,
            "far_near": far & near,
        }
        sums = {name: int(np.count_nonzero(where[core])) for name, where in counts.items()}
        raw = dict(count_raw_at(filled[core])) if sums["filled"] else {}
        fills[value] = Fill(value=value, raw=raw, **sums)
    return fills


def find_nodata(
    fills: Iterable[Fill],
    totals: Mapping[int, int],
    label_of: Callable[[int], int] | None,
    spec: DataSpec,
    classes: Sequence[str],
) -> NoData:
    """Decide over the set which values mean that there is no photo.

    A value does if it fills at least 1 % of an image and 2 % of its border, unless its edges fade into the
    photo as over-exposed sky or deep water does, or unless the masks call it one particular class.

    Args:
        fills: one measurement per image and value.
        totals: raw mask value -> pixels over the set.
        label_of: class index or VOID of a raw mask value; None if classes overlap, then masks are not asked.
        spec: the TOML, whose `nodata` may settle it.
        classes: names, for the reason.
    """
    if spec.nodata == "none":
        return NoData(because="the TOML says nodata = none")
    pooled: dict[int, list[Fill]] = {}
    for fill in fills:
        if fill.evident or isinstance(spec.nodata, tuple):
            pooled.setdefault(fill.value, []).append(fill)
    sums = {value: sum(found[1:], found[0]) for value, found in sorted(pooled.items())}
    if isinstance(spec.nodata, tuple):
        tolerance = _tolerance(sums.values())
        return NoData(
            values=spec.nodata, tolerance=tolerance, square=SQUARE, because="the TOML names the values"
        )
    accepted, reasons = [], []
    for value, total in sums.items():
        doubt = _fades(total) or _is_content(total, totals, label_of, classes)
        share = total.filled / total.image
        where = f"{value} fills {share:.1%} of {_images(len(pooled[value]))} up to the border"
        if doubt is None:
            accepted.append(total)
            reasons.append(f"{where}, with sharp edges")
        else:
            reasons.append(
                f"{where}, but {doubt}, so it counts as photo (nodata = [{value}] would leave it out)"
            )
    because = "; ".join(reasons) or "no constant value fills 1 % of an image and 2 % of its border"
    values = tuple(fill.value for fill in accepted)
    return NoData(values=values, tolerance=_tolerance(accepted), square=SQUARE, because=because)


def _fades(fill: Fill) -> str | None:
    """Say so if the photo just outside is far more often nearly of the value than the rest is."""
    near = fill.ring_near / max(1, fill.ring)
    elsewhere = fill.far_near / max(1, fill.far)
    if near <= _FADING or near <= 2 * elsewhere:
        return None
    return f"its edges fade into the photo ({near:.0%} of the pixels just outside are nearly {fill.value})"


def _is_content(
    fill: Fill,
    totals: Mapping[int, int],
    label_of: Callable[[int], int] | None,
    classes: Sequence[str],
) -> str | None:
    """Say so if the masks give the fill to one class that is at least twice as rare elsewhere."""
    if label_of is None:
        return None
    inside, outside = Counter[int](), Counter[int]()
    for raw, pixels in totals.items():
        held = fill.raw.get(raw, 0)
        inside[label_of(raw)] += held
        outside[label_of(raw)] += pixels - held
    del inside[VOID], outside[VOID]
    if not inside.total() or not outside.total():
        return None
    label, pixels = inside.most_common(1)[0]
    share, elsewhere = pixels / inside.total(), outside[label] / outside.total()
    if share < 0.9 or share < 2 * elsewhere:
        return None
    return f"the masks call {share:.0%} of it {classes[label]!r}, which is {elsewhere:.0%} of the rest"


def _tolerance(fills: Iterable[Fill]) -> int:
    """Tolerate values off by a few levels only where that finds over 1 % more: the fill was compressed."""
    found = list(fills)
    lossy = sum(fill.filled for fill in found) > 1.01 * sum(fill.exact for fill in found)
    return _TOLERANCE if lossy else 0


def _within(photo: Values, value: float, distance: float) -> NDArray[np.bool_]:
    """Where all bands lie within `distance` of `value`, (height, width)."""
    low, high = value - distance, value + distance
    if photo.dtype.kind in "iu":
        # Comparing with Python numbers outside of the dtype is an error in NumPy 2.
        limits = np.iinfo(photo.dtype)
        if high < limits.min or low > limits.max:
            return np.zeros(photo.shape[1:], dtype=np.bool_)
        low, high = int(max(np.floor(low), limits.min)), int(min(np.ceil(high), limits.max))
    held = np.ones(photo.shape[1:], dtype=np.bool_)
    for band in photo:
        held &= (band >= low) & (band <= high) if low < high else band == low
    return held


def _nearness(photo: Values, outside: NDArray[np.bool_]) -> float:
    """How far a pixel may be off the fill to be nearly of its value: an eighth of the photo's range."""
    if photo.dtype == np.uint8:
        return 32.0
    if not outside.any():
        return 0.0
    low, high = np.percentile(photo[:, outside], (1, 99))
    return float(high - low) / 8


def _in_squares(held: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Morphological opening by a square; what lies outside counts as held."""
    if not held.any():
        return held
    # Padding lets squares stick out of the image by all but one row.
    padded = np.pad(held, side, constant_values=True).astype(np.uint8)
    kernel = np.ones((side, side), dtype=np.uint8)
    anchor = side // 2
    constant = cv2.BORDER_CONSTANT
    eroded = cv2.erode(padded, kernel, anchor=(anchor, anchor), borderType=constant, borderValue=1)
    # OpenCV does not reflect the kernel: the mirrored anchor puts an even square back where it was.
    back = (side - 1 - anchor, side - 1 - anchor)
    opened = cv2.dilate(eroded, kernel, anchor=back, borderType=constant, borderValue=0)
    return np.asarray(opened[side:-side, side:-side] != 0) & held


def _grown(held: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    kernel = np.ones((2 * distance + 1, 2 * distance + 1), dtype=np.uint8)
    return np.asarray(cv2.dilate(held.astype(np.uint8), kernel) != 0)


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"
