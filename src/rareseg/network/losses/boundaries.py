r"""Losses on distances to the edge of the mask: the farther off an error is, the more it costs.

With p the probability of a class, g its label (0 or 1), and distances of pixel centres over the diagonal of the
image, sqrt(rows^2 + cols^2), so that they are below 1 and losses do not grow with the image:

    boundary    mean of p phi,   phi = distance to the nearest pixel of the class - 1/2 px, where g = 0
                                       -(distance to the nearest other pixel - 1/2 px), where g = 1
    hausdorff   mean of (p - g)^2 (d_p^a + d_g^a),   d_m = distance to the nearest pixel of the other kind in m,
                                                     m = g, or m = the pixels with p > 1/2

Both are means over the counted pixels of the batch and over the classes looked at. Pixels that are not counted
are neither of the class nor of the rest: no distance is measured to them.

The edge of a mask lies between its pixels and the others, half a pixel from both. Published code lays it on the
outermost pixels of the class, which leaves phi = 0 on all of a road that is 2 px wide: missing it is free there.

Where there is nothing to measure a distance to, it is 1, the longest. Class absent: phi = 1. Nothing but the
class: phi = -1. A mask m that is empty or full: d_m = 1. Published code has 0 in these places, so the false
positives of an absent class are free, and an image that is all missed costs nothing in d_p.

No gradient passes through a distance.
"""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rareseg.network.losses.planes import Classes, Planes, each_plane, read_planes
from rareseg.network.losses.weighting import check_range
from rareseg.records.dataset import VOID

Mask = NDArray[np.bool_]
Distances = NDArray[Any]


def boundary(
    logits: Tensor,
    labels: Tensor,
    *,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Mean of probability times signed distance to the mask's edge, in diagonals of the image.

    Its smallest value is the same for many maps, and on a rare class "nothing anywhere" is close to it: use it
    only beside a loss on areas (generalised_dice, dice), with a weight that rises during training.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        classes: Class indices that the mean runs over; None: all, but of exclusive classes all but the first.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too; None leaves none out.

    Returns:
        Scalar in -1..1, below 0 for a good map; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if `classes` are not different class indices.

    Reference: Kervadec et al. 2019, arXiv:1812.07032, eq. 5 and 6.
    """
    planes = read_planes(
        logits, labels, classes=classes, overlapping=overlapping, ignore_index=ignore_index, valid=valid
    )
    distance = _fields(_signed_distance, planes.holds, planes)
    return _mean(planes.chance * distance, planes)


def hausdorff(
    logits: Tensor,
    labels: Tensor,
    *,
    exponent: float = 2.0,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Mean of squared errors, each times its distances to the edges of mask and map: a soft Hausdorff distance.

    An error right at the edge costs next to nothing, one far out the most. Use it after a warm-up beside dice:
    while maps are wrong everywhere, so are their edges.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        exponent: a, finite and > 0: how much more far errors cost than near ones.
        classes: Class indices that the mean runs over; None: all, but of exclusive classes all but the first.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too; None leaves none out.

    Returns:
        Scalar in 0..2; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Karimi and Salcudean 2019, arXiv:1904.10030, eq. 8.
    """
    check_range(exponent, "hausdorff's exponent", low=0, open_low=True)
    planes = read_planes(
        logits, labels, classes=classes, overlapping=overlapping, ignore_index=ignore_index, valid=valid
    )
    edges = _fields(_edge_distance, planes.holds, planes) ** exponent
    edges += _fields(_edge_distance, planes.chance.detach() > 0.5, planes) ** exponent
    return _mean((planes.chance - planes.holds.to(planes.chance)).square() * edges, planes)


def _mean(values: Tensor, planes: Planes) -> Tensor:
    """Return the mean over counted pixels and classes; 0, still connected to the logits, if there are none."""
    # 0 * value is not 0 for an infinite or missing value, and such a value of a void pixel must not count.
    counted = torch.where(planes.counted, values, 0).sum()
    return counted / (planes.counted.sum().clamp(min=1) * values.shape[1])


def _fields(field: Callable[[Mask, Mask, Distances], None], masks: Tensor, planes: Planes) -> Tensor:
    """Return what field(mask, counted, out) writes for every plane, px, in diagonals of the image, -1..1."""
    found = torch.empty(masks.shape, dtype=planes.chance.dtype)
    inputs, counted = masks.cpu().numpy(), planes.counted.cpu().numpy()
    diagonal = math.hypot(*masks.shape[2:])

    def work(at: tuple[int, ...]) -> None:
        out = found[at].numpy()
        field(inputs[at], counted[at[0], 0], out)
        out /= diagonal
        np.clip(out, -1, 1, out=out)

    each_plane(work, masks.shape)
    return found.to(masks.device)


def _signed_distance(mask: Mask, counted: Mask, out: Distances) -> None:
    """Write the distance to the edge of `mask`, which is counted: below 0 within it."""
    # A distance is 0 on what it is measured to, so of the two one is 0 at every counted pixel.
    np.subtract(_distance(mask, out.dtype), _distance(counted & ~mask, out.dtype), out=out)
    out += np.where(mask, out.dtype.type(0.5), out.dtype.type(-0.5))


def _edge_distance(mask: Mask, counted: Mask, out: Distances) -> None:
    """Write the distance to the nearest pixel that is not of `mask`, or in the rest that is."""
    inside, outside = mask & counted, counted & ~mask
    np.add(_distance(inside, out.dtype), _distance(outside, out.dtype), out=out)


def _distance(targets: Mask, dtype: np.dtype[Any]) -> Distances:
    """Return the distance of each pixel to the nearest of `targets`, px; beyond the diagonal if there is none."""
    if not targets.any():
        return np.full(targets.shape, 2 * sum(targets.shape), dtype)
    away = np.logical_not(targets).view(np.uint8)
    distances = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if dtype == np.float32:
        return np.asarray(distances, dtype)
    # OpenCV rounds roots to float32; the squares are whole numbers, from which exact roots come back.
    return np.sqrt(np.rint(np.square(distances, dtype=dtype)))
