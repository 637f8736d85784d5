r"""What each error weighs in the Lovasz extension of 1 - IoU, in PyTorch: on any device, exact or by a histogram.

Errors, ranks and weights are as in `ranked_errors`. The histogram takes all errors of a bin for equal. Missed
pixels of one bin then weigh the mean of what they weigh if they stand before all false alarms of the bin and if
they stand behind them, and so do false alarms. With F0, M0 false alarms and missed pixels before the bin, F1, M1
after it, and G pixels of the class:

    a missed pixel weighs (1 / (G + F0) + 1 / (G + F1)) / 2
    a false alarm weighs  (2 G - M0 - M1) / (2 (G + F0) (G + F1))

The value is the sum of the true errors times these weights. The extension is the largest such sum over all
weights that some order of the pixels, or a mean of orders, gives (1 - IoU is submodular): so the value is never
above the exact one. The weights are best for errors at the lower edges of their bins, no error lies more than a
bin's width above that, and weights add up to 1: so the value is at most one width below the exact one.

    exact - width <= value <= exact

Reference: Berman et al. 2018, arXiv:1705.08790, algorithm 1 and proposition 1; Bach 2013, arXiv:1111.6453,
section 3 (the extension as a maximum).
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Pixels(NamedTuple):
    """Scores of one class on one set of pixels."""

    scores: Tensor
    """(pixels,) float32 or float64."""
    member: Tensor
    """(pixels,) bool: labelled as the class; False where not counted."""
    counted: Tensor | None
    """(pixels,) bool; None if all are."""
    margin: float
    """Added to the score of a pixel that is not of the class: its error."""


def by_sorting(pixels: Pixels) -> tuple[Tensor, Tensor]:
    """Return the Lovasz extension of 1 - IoU, a scalar, and (pixels,) d value / d score."""
    errors = _errors(pixels)
    ranked, order = errors.sort(descending=True)
    member = pixels.member[order]
    missed = member.cumsum(0)
    size = missed[-1]
    false = torch.arange(1, len(member) + 1, device=member.device) - missed
    unions = (size + false).to(errors.dtype)
    left = (size - missed).to(errors.dtype)
    falls = torch.where(member, 1 / unions, left / (unions * (unions - 1).clamp(min=1)))
    falls[0] = torch.where(size == 0, torch.ones_like(falls[0]), falls[0])
    falls = falls * (ranked > 0)
    weights = torch.empty_like(falls).scatter_(0, order, falls)
    return (ranked * falls).sum(), torch.where(pixels.member, -weights, weights)


def by_histogram(pixels: Pixels, bins: int) -> tuple[Tensor, Tensor]:
    """Return the extension to within one bin's width, a scalar, and (pixels,) d value / d score.

    Args:
        pixels: Scores and labels.
        bins: Bins over errors 0..1 for a margin of 0, else over 0..the largest error; >= 1.
    """
    errors = _errors(pixels)
    top = (
        errors.max().clamp(min=torch.finfo(errors.dtype).tiny)
        if pixels.margin
        else torch.ones_like(errors[0])
    )
    # Bins count downwards, so that the worst come first; a NaN goes anywhere and still makes the value NaN.
    bin_of = ((1 - errors / top) * bins).long().clamp(0, bins - 1)
    index = 2 * bin_of + pixels.member
    if pixels.counted is not None:
        index = index.masked_fill(~pixels.counted, 2 * bins)
    counts = torch.bincount(index, minlength=2 * bins + 1)[: 2 * bins].view(bins, 2)
    weights = _bin_weights(counts.to(errors.dtype)).take(index) * (errors > 0)
    return (errors * weights).sum(), torch.where(pixels.member, -weights, weights)


def _bin_weights(counts: Tensor) -> Tensor:
    """Return (2 bins + 1,) what a false alarm and a missed pixel of each bin weigh, and 0 for pixels left out.

    Args:
        counts: (bins, 2) float: false alarms and missed pixels, worst bin first.
    """
    after = counts.cumsum(0)
    false_after, missed_after = after[:, 0], after[:, 1]
    false_before, missed_before = false_after - counts[:, 0], missed_after - counts[:, 1]
    size = missed_after[-1]
    unions, unions_before = size + false_after, size + false_before
    # Without pixels of the class, the false alarms of the worst bin that has any share the weight of 1.
    alone = (false_before == 0) / unions.clamp(min=1)
    false = (2 * size - missed_before - missed_after) / (2 * (unions * unions_before).clamp(min=1))
    missed = (1 / unions_before.clamp(min=1) + 1 / unions.clamp(min=1)) / 2
    weights = torch.stack([torch.where(size == 0, alone, false), missed], dim=1)
    return torch.cat([weights.flatten(), torch.zeros_like(weights[:1, 0])])


def _errors(pixels: Pixels) -> Tensor:
    """Return errors, at least 0, and 0 where not counted."""
    errors = torch.where(pixels.member, 1 - pixels.scores, pixels.scores + pixels.margin).clamp(min=0)
    return errors if pixels.counted is None else errors.masked_fill(~pixels.counted, 0)
