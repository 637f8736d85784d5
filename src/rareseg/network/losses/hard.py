r"""Cross-entropy of the hardest pixels only: top-k and online hard example mining.

Exclusive classes: a pixel's loss is l = -log p_y and its weight a = w_y (1 without weights). Overlapping classes,
or a single channel: l = sum_k w_k / mean(w) (-log p_t) over its questions, and a = 1. Then, over the n counted
pixels of the batch, with T the chosen ones,

    loss = sum_T a l / sum_T a
    top_k: T = the ceil(share n) pixels of largest l
    ohem:  T = the pixels with e^-l < threshold, or the ceil(least_share n) of largest l if these are more

The choice looks at l, not at a l: weights say what a chosen pixel counts. Pixels that tie for the last places (to
8 units in the last digit) share them evenly. Choosing all pixels gives cross-entropy.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rareseg.network.losses.one_pass import surprises
from rareseg.network.losses.targets import Labels, check_shapes, in_full_precision, read
from rareseg.network.losses.terms import PlainTerm, Term
from rareseg.network.losses.weighting import Weights, check_range, class_weights
from rareseg.records.dataset import VOID

Choice = Callable[[Tensor, int], Tensor]
"""From the losses of all pixels, -1 where not counted, and the number counted, to what share of each is chosen."""


def top_k(
    logits: Tensor,
    labels: Tensor,
    *,
    share: float = 0.1,
    weights: Weights = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Mean of -log p_t over the hardest `share` of the counted pixels: easy background no longer counts.

    With label noise the hardest pixels are the mislabelled ones, and it learns the noise.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        share: Share of the batch's counted pixels that is kept, 0 < share <= 1; 1 is cross-entropy.
        weights: One per class, finite and >= 0, or None for equal weights.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in nats per pixel, >= 0; 0 with zero gradient if no pixel is counted (or all chosen weigh 0).

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if share or the weights are out of range.

    Reference: Wu et al. 2016, arXiv:1605.06885, section 3.3 (bootstrapping).
    """
    check_range(share, "top_k's share", low=0, high=1, open_low=True)
    check_shapes(logits, labels, overlapping=overlapping, valid=valid)
    seen = read(labels, logits.shape[1], overlapping=overlapping, ignore_index=ignore_index, valid=valid)
    return _mean_of_chosen(logits, seen, weights, partial(_largest, share=share))


def ohem(
    logits: Tensor,
    labels: Tensor,
    *,
    threshold: float = 0.7,
    least_share: float = 0.0625,
    weights: Weights = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Mean of -log p_t over pixels whose label gets less than `threshold`, and over a least share of them.

    Unlike top-k it stops caring for what is already right, and keeps all that is not. With label noise it learns
    the noise.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        threshold: Probability of the label (overlapping: of all its answers) below which a pixel is hard, in
            0 < threshold <= 1.
        least_share: Share of the batch's counted pixels that is kept however easy, 0 < least_share <= 1.
        weights: One per class, finite and >= 0, or None for equal weights.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in nats per pixel, >= 0; 0 with zero gradient if no pixel is counted (or all chosen weigh 0).

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting or the weights are out of range.

    Reference: Shrivastava et al. 2016, arXiv:1604.03540; by threshold and least number as in mmsegmentation, whose
        least number of 100,000 pixels is all of a small crop: hence a share.
    """
    check_range(threshold, "ohem's threshold", low=0, high=1, open_low=True)
    check_range(least_share, "ohem's least_share", low=0, high=1, open_low=True)
    check_shapes(logits, labels, overlapping=overlapping, valid=valid)
    seen = read(labels, logits.shape[1], overlapping=overlapping, ignore_index=ignore_index, valid=valid)
    choice = partial(_unsure, threshold=threshold, least_share=least_share)
    return _mean_of_chosen(logits, seen, weights, choice)


def top_k_terms(*, share: float = 0.1, weights: Weights = None) -> tuple[Term, ...]:
    """Return the term of `top_k`."""
    check_range(share, "top_k's share", low=0, high=1, open_low=True)
    return (PlainTerm(partial(top_k, share=share, weights=weights)),)


def ohem_terms(
    *, threshold: float = 0.7, least_share: float = 0.0625, weights: Weights = None
) -> tuple[Term, ...]:
    """Return the term of `ohem`."""
    check_range(threshold, "ohem's threshold", low=0, high=1, open_low=True)
    check_range(least_share, "ohem's least_share", low=0, high=1, open_low=True)
    return (PlainTerm(partial(ohem, threshold=threshold, least_share=least_share, weights=weights)),)


def _mean_of_chosen(logits: Tensor, labels: Labels, weights: Weights, choice: Choice) -> Tensor:
    losses = surprises(logits, labels)
    table = None if weights is None else class_weights(weights, labels).to(losses.dtype)
    amounts: Tensor | None = None
    if labels.yes_or_no:
        losses = (losses if table is None else losses * (table / table.mean()).unsqueeze(1)).sum(dim=1)
    elif table is not None:
        amounts = table.index_select(0, labels.values.flatten())
    number = int(labels.pixels.sum())
    if number == 0:
        return in_full_precision(logits).sum() * 0
    losses = losses.flatten()
    ranked = losses.detach()
    if labels.counted is not None:
        ranked = ranked.masked_fill(~labels.counted.flatten(), -1)
    chosen = choice(ranked, number)
    chosen = chosen if amounts is None else chosen * amounts
    whole = chosen.sum(dtype=labels.wide)
    whole = torch.where(whole > 0, whole, torch.ones_like(whole))
    return (losses * (chosen / whole.to(chosen.dtype))).sum()


def _largest(losses: Tensor, counted: int, share: float) -> Tensor:
    number = math.ceil(share * counted)
    if number == len(losses):
        return torch.ones_like(losses)
    if losses.device.type == "cpu":
        # NumPy parts by vector instructions; torch's topk takes many times as long.
        place = len(losses) - number
        last = losses.new_tensor(np.partition(losses.numpy(), place)[place])
    else:
        last = losses.topk(number, sorted=False).values.amin()
    # Equal logits may differ in the last digit: vector instructions end where a row does.
    margin = 8 * torch.finfo(losses.dtype).eps * last
    above = losses > last + margin
    level = (losses >= last - margin) & ~above
    ties = (number - above.sum()) / level.sum()
    return torch.where(level, ties.to(losses.dtype), above.to(losses.dtype))


def _unsure(losses: Tensor, counted: int, threshold: float, least_share: float) -> Tensor:
    # Pixels that are not counted have -1 here, a probability above every threshold.
    unsure = losses.neg().exp_() < threshold
    if int(unsure.sum()) >= math.ceil(least_share * counted):
        return unsure.to(losses.dtype)
    return _largest(losses, counted, least_share)
