r"""Soft skeletons: thinning written with minima and maxima, so that a gradient passes through it.

With erosion e = the smallest of a pixel and its four neighbours, dilation d = the largest of the 3x3 square:

    x_0 = x,  x_i = e(x_(i-1)),  ridge_i = max(0, x_i - d(x_(i+1))),  i = 0..n
    skeleton S = 1 - (1 - ridge_0)(1 - ridge_1)...(1 - ridge_n)

which is the published recursion S <- S + max(0, ridge - S ridge), written out. Pixels outside of the image
are unknown: minima and maxima leave them out. Pixels that are not counted are treated in the same way, so a
road does not end where the labels do, and the skeleton there is 0.

Here it is written with poolings, for any device and precision. On a processor and in float32 `plane_skeletons`
computes the same many times faster; they are tested against each other.

Reference: Shit et al. 2021, arXiv:2003.07311, algorithm 1.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from rareseg.network.losses.plane_skeletons import MOST_PIXELS, PlaneSums


class SkeletonSums(NamedTuple):
    """Sums over the counted pixels of the batch, (classes,) each; p chances, g labels, S their soft skeletons."""

    right: Tensor
    """sum S(p) g."""
    claimed: Tensor
    """sum S(p)."""
    found: Tensor
    """sum S(g) p."""
    present: Tensor
    """sum S(g)."""


def skeleton_sums(chance: Tensor, holds: Tensor, counted: Tensor, *, iterations: int) -> SkeletonSums:
    """Return what clDice is made of; gradients reach `chance` through `right`, `claimed` and `found`.

    Args:
        chance: (batch, classes, rows, cols) float32 or float64, 0..1.
        holds: The same shape, bool: the pixel is labelled as the class; False where it is not counted.
        counted: (batch, 1, rows, cols) bool.
        iterations: Erosions n, >= 0: enough once they reach half the width of the widest object.
    """
    rows, columns = chance.shape[-2:]
    if chance.device.type == "cpu" and chance.dtype == torch.float32 and 0 < rows * columns <= MOST_PIXELS:
        dense = chance.stride()[-2:] == (columns, 1)
        sums = PlaneSums.apply(chance if dense else chance.contiguous(), holds, counted, iterations)
        return SkeletonSums(*sums.unbind())
    truth = holds.to(chance.dtype)
    claim = soft_skeleton(chance, counted, iterations=iterations)
    line = soft_skeleton(truth, counted, iterations=iterations)
    products = (claim * truth, claim, line * chance * counted, line)
    return SkeletonSums(*(product.sum(dim=(0, 2, 3)) for product in products))


def soft_skeleton(image: Tensor, counted: Tensor, *, iterations: int) -> Tensor:
    """Return S, 0..1, of (batch, classes, rows, cols) values 0..1, by poolings; 0 where not `counted`."""
    if image.numel() == 0:
        return image  # poolings refuse planes without a pixel
    void = ~counted
    skeleton = torch.zeros_like(image)
    for _ in range(iterations + 1):
        opposite = -image.masked_fill(void, torch.inf)
        eroded = -torch.maximum(
            F.max_pool2d(opposite, (3, 1), 1, (1, 0)), F.max_pool2d(opposite, (1, 3), 1, (0, 1))
        )
        opened = F.max_pool2d(eroded.masked_fill(void, -torch.inf), 3, 1, 1)
        ridge = (image.masked_fill(void, 0) - opened.masked_fill(void, 0)).relu()
        skeleton = skeleton + ridge * (1 - skeleton)
        image = eroded
    return skeleton
