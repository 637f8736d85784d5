r"""The Lovasz loss: a convex stand-in for 1 - IoU, exact at hard answers.

Errors of one class are sorted from worst to best; the i-th weighs as much as IoU falls when it joins the
errors before it. With G pixels of the class, after i errors, of which m are missed pixels and f = i - m false
alarms:

    IoU after i errors = (G - m) / (G + f)
    a missed pixel weighs 1 / (G + f),   a false alarm (G - m) / ((G + f) (G + f - 1))

These closed forms equal the differences of successive IoUs, without subtracting nearly equal numbers.
"""

import numpy as np
import torch
from torch import Tensor

from rareseg.network.losses.targets import check_shapes, in_full_precision, spread


def lovasz(logits: Tensor, labels: Tensor, *, overlapping: bool = False) -> Tensor:
    r"""Lovasz-softmax over the classes present, or for overlapping classes the Lovasz hinge over all classes.

    All counted pixels of the batch are one set. Softmax: the error of a pixel is 1 - p for its class and p
    for the others; classes that the batch lacks are left out, and their false positives cost through the
    classes that they are taken from. Hinge: the error is max(0, 1 - logit) where the class holds and
    max(0, 1 + logit) elsewhere; a class that the batch lacks costs its single worst false positive. The loss
    follows few pixels at first, so it serves best after, or added to, cross-entropy.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`; VOID is left out.
        overlapping: A pixel may belong to several classes: hinge instead of softmax.

    Returns:
        Scalar, 0..1 for softmax, >= 0 for the hinge; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.

    Reference: Berman et al. 2018, arXiv:1705.08790, algorithm 1, eq. 11 (softmax) and eq. 9 (hinge).
    """
    check_shapes(logits, labels, overlapping=overlapping)
    holds, counted = spread(labels, logits.shape[1], overlapping=overlapping)
    scores = in_full_precision(logits)
    count = counted.flatten()
    if overlapping:
        losses = [
            _weighted_errors(
                _hinge_errors(scores[:, label], holds[:, label]), [holds[:, label].flatten()], count
            )
            for label in range(logits.shape[1])
        ]
        return torch.stack(losses).mean()
    present = holds.any(dim=3).any(dim=2).any(dim=0).tolist()
    if not any(present):
        return scores.sum() * 0  # 0, and still connected to the logits
    members = [holds[:, label].flatten() for label in range(logits.shape[1])]
    if logits.shape[1] == 2:
        # Both classes have the same errors, so one sort serves both; the difference of logits loses no digit.
        errors = torch.sigmoid(torch.where(holds[:, 1], -1, 1) * (scores[:, 1] - scores[:, 0]))
        losses = [_weighted_errors(errors, [members[label] for label in range(2) if present[label]], count)]
    else:
        probabilities = scores.softmax(dim=1)
        losses = [
            _weighted_errors(
                (holds[:, label].to(scores.dtype) - probabilities[:, label]).abs(), [member], count
            )
            for label, member in enumerate(members)
            if present[label]
        ]
    return torch.stack(losses).sum().div(sum(present))


def _hinge_errors(scores: Tensor, holds: Tensor) -> Tensor:
    return 1 - torch.where(holds, scores, -scores)


def _weighted_errors(errors: Tensor, members: list[Tensor], counted: Tensor) -> Tensor:
    """Return the Lovasz extension of 1 - IoU at `errors`, summed over `members`; below 0 they count as 0."""
    flat = errors.flatten()
    with torch.no_grad():
        order = _worst_first(flat.detach().masked_fill(~counted, -torch.inf))
        falls = torch.stack([_falls(member.index_select(0, order), flat.dtype) for member in members]).sum(
            dim=0
        )
        # The weights go back to where their pixels are: no gradient has to pass through the sort.
        weights = torch.empty_like(flat).scatter_(0, order, falls).mul_(counted)
    return (flat.clamp(min=0) * weights).sum()


def _falls(member: Tensor, dtype: torch.dtype) -> Tensor:
    """Return by how much IoU falls at each rank, given whether the pixel of that rank is of the class."""
    missed = member.cumsum(0)
    size = missed[-1:]
    false = torch.arange(1, len(member) + 1, device=member.device) - missed
    union = (size + false).to(dtype)
    left = (size - missed).to(dtype)
    falls = torch.where(member, 1 / union, left / (union * (union - 1).clamp(min=1)))
    # In a class without pixels IoU falls from 1 to 0 at the first false alarm.
    falls[0] = torch.where(size[0] == 0, torch.ones_like(falls[0]), falls[0])
    return falls


def _worst_first(errors: Tensor) -> Tensor:
    """Return the order that sorts errors downwards; NumPy's sort is several times torch's on a processor."""
    if errors.device.type == "cpu":
        return torch.from_numpy(np.argsort(-errors.numpy()))
    return errors.argsort(descending=True)
