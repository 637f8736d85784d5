"""Copy-paste: whole objects of a rare class, cut out of one crop and pasted into another, labels too.

Reference: Ghiasi 2021, arXiv:2012.07177. For classes of separate, compact objects (see
remedies.sampling.blob_like): a piece of road pasted into a field leads nowhere.
"""

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.measures.tally import members
from rareseg.records.dataset import VOID

_SCALES = (0.5, 2.0)
"""Scale of pasted objects, drawn evenly in its logarithm."""
_MOST = 8
"""Objects pasted at most."""
_LARGEST = 0.5
"""Sides of a pasted object at most, as a share of the crop's."""
_RIM = 2
"""Pixels around an object that its edge is mixed with."""
_FEATHER = 0.7
"""Standard deviation, px, of the blur of its edge."""

_Cut = tuple[NDArray[np.generic], NDArray[np.uint8]]


class CutOut(NamedTuple):
    """One object with a rim around it: photo (bands, rows, cols), labels and mask (rows, cols)."""

    photo: NDArray[np.generic]
    labels: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def paste_objects(
    source: _Cut,
    target: _Cut,
    label: int,
    *,
    overlapping: bool,
    mirror: Literal["none", "horizontal", "both"],
    rng: np.random.Generator,
) -> _Cut | None:
    """Return `target` with some of the objects of class `label` in `source`; None if there was none to paste.

    Objects are 8-connected regions that lie wholly inside the source, with no void beside them. Each is scaled by
    0.5 to 2, mirrored as `mirror` allows, and laid at a random place. Void pixels stay as they are. `source`
    and `target` are photo (bands, rows, cols) and labels (rows, cols); neither is changed.
    """
    largest = _LARGEST * min(target[1].shape)
    objects = cut_outs(*source, label, overlapping=overlapping, largest=largest / _SCALES[0])
    if not objects:
        return None
    photo, labels = target[0].copy(), target[1].copy()
    wanted = int(rng.integers(1, min(len(objects), _MOST) + 1))
    pasted = 0
    for number in rng.permutation(len(objects))[:wanted]:
        changed = _varied(objects[int(number)], mirror, largest, rng)
        place = [
            int(rng.integers(side - own + 1))
            for side, own in zip(labels.shape, changed.mask.shape, strict=True)
        ]
        pasted += paste(photo, labels, changed, label, overlapping=overlapping, row=place[0], col=place[1])
    return (photo, labels) if pasted else None


def cut_outs(
    photo: NDArray[np.generic], labels: NDArray[np.uint8], label: int, *, overlapping: bool, largest: float
) -> list[CutOut]:
    """Return the whole objects of class `label` whose sides are at most `largest` px.

    An object that touches the crop's edge or a void pixel may go on there: it is left out.
    """
    mask = members(labels, label, overlapping=overlapping)
    # Grana's algorithm is three times as fast as the one that OpenCV chooses with statistics.
    count, numbered, boxes, _ = cv2.connectedComponentsWithStatsWithAlgorithm(
        mask.view(np.uint8), 8, cv2.CV_32S, cv2.CCL_GRANA
    )
    if count == 1:
        return []
    unknown = np.pad((labels == VOID).view(np.uint8), 1, constant_values=1)
    near = cv2.dilate(unknown, np.ones((3, 3), np.uint8))[1:-1, 1:-1].astype(bool)
    cut_off = np.zeros(count, bool)
    cut_off[np.unique(numbered[near])] = True
    found = []
    for number in range(1, count):
        left, top, width, height = (int(side) for side in boxes[number, :4])
        if cut_off[number] or max(width, height) > largest:
            continue
        rows = slice(max(top - _RIM, 0), top + height + _RIM)
        cols = slice(max(left - _RIM, 0), left + width + _RIM)
        found.append(CutOut(photo[:, rows, cols], labels[rows, cols], numbered[rows, cols] == number))
    return found


def _varied(
    cut: CutOut, mirror: Literal["none", "horizontal", "both"], largest: float, rng: np.random.Generator
) -> CutOut:
    """Scale and mirror an object; none becomes larger than `largest` px."""
    low, high = _SCALES
    scale = min(float(np.exp(rng.uniform(np.log(low), np.log(high)))), largest / max(cut.mask.shape))
    cut = scaled(cut, scale)
    if mirror != "none" and rng.random() < 0.5:
        cut = CutOut(cut.photo[..., ::-1], cut.labels[:, ::-1], cut.mask[:, ::-1])
    if mirror == "both" and rng.random() < 0.5:
        cut = CutOut(cut.photo[:, ::-1], cut.labels[::-1], cut.mask[::-1])
    return cut


def scaled(cut: CutOut, scale: float) -> CutOut:
    """Return an object `scale` times as large: photo and mask interpolated, labels not."""
    rows, cols = (max(1, round(side * scale)) for side in cut.mask.shape)
    shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR

    def resized(band: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.resize(band, (cols, rows), interpolation=shrinking), np.float32)

    photo = np.stack([resized(np.ascontiguousarray(band, np.float32)) for band in cut.photo])
    labels = cv2.resize(np.ascontiguousarray(cut.labels), (cols, rows), interpolation=cv2.INTER_NEAREST)
    mask = resized(cut.mask.astype(np.float32)) >= 0.5
    return CutOut(_stored(photo, cut.photo.dtype), np.asarray(labels, np.uint8), mask)


def paste(
    photo: NDArray[np.generic],
    labels: NDArray[np.uint8],
    cut: CutOut,
    label: int,
    *,
    overlapping: bool,
    row: int,
    col: int,
) -> int:
    """Lay an object into `photo` and `labels`, in place, its first pixel at (row, col); return the pixels labelled.

    Its edge is mixed with what lies beside it over about a pixel. Void pixels keep photo and label.
    """
    rows, cols = slice(row, row + cut.mask.shape[0]), slice(col, col + cut.mask.shape[1])
    known = labels[rows, cols] != VOID
    weight = cv2.GaussianBlur(cut.mask.astype(np.float32), (0, 0), _FEATHER, borderType=cv2.BORDER_CONSTANT)
    weight = np.where(known, weight, 0)
    under = photo[:, rows, cols].astype(np.float32)
    mixed = under + weight * (cut.photo.astype(np.float32) - under)
    # Where nothing is laid, the pixel stays exactly what it was, whatever its type can hold.
    photo[:, rows, cols] = np.where(weight > 0, _stored(mixed, photo.dtype), photo[:, rows, cols])
    here = cut.mask & known
    new = (
        np.where(cut.labels == VOID, np.uint8(0), cut.labels) | np.uint8(1 << label) if overlapping else label
    )
    labels[rows, cols] = np.where(here, new, labels[rows, cols])
    return int(np.count_nonzero(here))


def _stored(values: NDArray[np.float32], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Return `values` in a photo's own type, rounded and kept within its range if that is of integers."""
    if np.issubdtype(dtype, np.floating):
        return values.astype(dtype)
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    return np.clip(np.rint(values.astype(np.float64)), limits.min, limits.max).astype(dtype)
