"""What losses on shapes start from: the map and the mask of each class that they look at.

A plane is one class of one image. Losses on distances and skeletons are computed plane by plane.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rareseg.errors import SettingError
from rareseg.network.losses.overlap_terms import checked
from rareseg.network.losses.targets import asks_each_class, check_shapes, in_full_precision, spread
from rareseg.records.dataset import VOID

Classes = Sequence[int] | None


class Planes(NamedTuple):
    """Probabilities and labels of the classes looked at."""

    chance: Tensor
    """(batch, looked at, rows, cols) float32 or float64, 0..1: sigmoid, or softmax over all classes."""
    holds: Tensor
    """The same shape, bool: the pixel is labelled as the class; False where not counted."""
    counted: Tensor
    """(batch, 1, rows, cols) bool."""


def read_planes(
    logits: Tensor,
    labels: Tensor,
    *,
    classes: Classes,
    overlapping: bool,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Planes:
    """Return the planes of `classes`; None means all, but of exclusive classes all but the first.

    The first of exclusive classes is the background, and a background has no outline or skeleton to keep.
    One channel, and each channel of overlapping classes, is a yes-or-no question.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if `classes` are not different class indices of the network's.
    """
    check_shapes(logits, labels, overlapping=overlapping, valid=valid)
    count = logits.shape[1]
    each = asks_each_class(count, overlapping=overlapping)
    chosen = list(range(0 if each else 1, count) if classes is None else checked(classes, count))
    holds, counted = spread(labels, count, overlapping=overlapping, ignore_index=ignore_index, valid=valid)
    scores = in_full_precision(logits)
    if not each and count == 2 and len(chosen) == 1:
        # One sigmoid instead of a softmax of two planes, of which one would be thrown away.
        chance = (scores[:, chosen] - scores[:, [1 - chosen[0]]]).sigmoid()
    else:
        chance = _select(scores.sigmoid() if each else scores.softmax(dim=1), chosen)
    return Planes(chance, _select(holds, chosen), counted)


def check_whole(value: int, name: str, *, low: int, high: int) -> None:
    """Raise SettingError, naming the setting and its range, unless `value` is a whole number within it."""
    if type(value) is not int or not low <= value <= high:
        message = f"Expected {name} to be a whole number, {low}..{high}; received {value}."
        raise SettingError(message)


def _select(tensor: Tensor, chosen: list[int]) -> Tensor:
    """Return the chosen classes, without a copy where they are neighbours in order."""
    first, last = chosen[0], chosen[-1]
    if chosen == list(range(first, last + 1)):
        return tensor[:, first : last + 1]
    return tensor[:, chosen]


def each_plane(work: Callable[[tuple[int, ...]], None], shape: torch.Size) -> None:
    """Call work((image, class)) for every plane of (batch, classes, ...), in as many threads as PyTorch has.

    NumPy and OpenCV let other threads run while they compute. What the calls write must not overlap.
    """
    planes = list(np.ndindex(*shape[:2]))
    threads = min(torch.get_num_threads(), len(planes))
    if threads <= 1:
        for plane in planes:
            work(plane)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, planes):
            pass  # an error in a thread is raised here
