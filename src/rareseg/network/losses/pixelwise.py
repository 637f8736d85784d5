r"""Losses that add up over pixels: cross-entropy and focal.

Both are a weighted mean over counted pixels of -log p_t, where p_t is the probability given to the pixel's
label; focal fades the pixels that are sure already.

Exclusive classes: p_t = softmax(logits)_label; a pixel weighs as its class, and the sum is divided by the
summed weight of the counted pixels (so weights of any scale give the same loss).
Overlapping classes: each class is a yes-or-no question with p_t = sigmoid(logit) or 1 - sigmoid(logit), and
a pixel's loss is the sum of its questions, in nats per pixel like the audit's entropy. Class k's question
weighs w_k / mean(w) in both answers, so the best answer to each stays the honest probability.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from rareseg.errors import DataError, SettingError
from rareseg.network.losses.targets import check_shapes, in_full_precision, out_of_range, spread
from rareseg.records.dataset import VOID

Weights = Sequence[float] | None


def cross_entropy(
    logits: Tensor, labels: Tensor, *, overlapping: bool = False, weights: Weights = None
) -> Tensor:
    r"""Mean of -log p_t over counted pixels: the log-likelihood of the labels.

    Its minimum is the true probability of each class, so its probabilities are honest where classes are not
    weighted; with weights w they are off by the factor w. See the module for the exact normalisation.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`; VOID is left out.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        weights: One per class, finite and >= 0, or None for equal weights.

    Returns:
        Scalar in nats per pixel, >= 0; 0 with zero gradient if no pixel is counted (or all weigh 0).

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if there is not one usable weight per class.
    """
    if overlapping:
        return _sigmoid_mean(logits, labels, gamma=0.0, weights=weights)
    check_shapes(logits, labels, overlapping=False)
    table = _weight_table(weights, logits)
    # Not PyTorch's own mean, which is 0 / 0 where no pixel counts.
    total = _softmax_cross_entropy(logits, labels, table, reduction="sum")
    return total / (_count(labels) if table is None else _positive(_pixel_weights(labels, table).sum()))


def focal(
    logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 2.0,
    overlapping: bool = False,
    weights: Weights = None,
) -> Tensor:
    r"""Mean of -(1 - p_t)^gamma log p_t over counted pixels: cross-entropy that fades where it is sure.

    gamma = 0 is cross-entropy. Use it when many easy pixels drown the few hard ones; it pulls probabilities
    towards the middle, so thresholds must be chosen anew.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`; VOID is left out.
        gamma: Exponent, finite and >= 0.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        weights: One per class, finite and >= 0, or None for equal weights; normalised as in cross-entropy.

    Returns:
        Scalar, >= 0; 0 with zero gradient if no pixel is counted (or all weigh 0).

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if gamma or the weights are out of range.

    Reference: Lin et al. 2017, arXiv:1708.02002, eq. 4 (its alpha is `weights`).
    """
    if not 0 <= gamma < float("inf"):
        message = f"Expected focal's gamma to be a finite number >= 0; received {gamma}."
        raise SettingError(message)
    if overlapping:
        return _sigmoid_mean(logits, labels, gamma=gamma, weights=weights)
    check_shapes(logits, labels, overlapping=False)
    table = _weight_table(weights, logits)
    # Pixels that are not counted come out as 0, and fading keeps them 0.
    surprise = _softmax_cross_entropy(logits, labels, None, reduction="none")
    faded = _fade(surprise, gamma)
    if table is None:
        return faded.sum() / _count(labels)
    pixels = _pixel_weights(labels, table)
    return (faded.flatten() * pixels).sum() / _positive(pixels.sum())


def _softmax_cross_entropy(logits: Tensor, labels: Tensor, table: Tensor | None, *, reduction: str) -> Tensor:
    weight = None if table is None else table[: logits.shape[1]]
    try:
        return F.cross_entropy(
            in_full_precision(logits), labels.long(), weight, ignore_index=VOID, reduction=reduction
        )
    except IndexError as error:
        raise DataError(out_of_range(labels, logits.shape[1], overlapping=False)) from error


def _sigmoid_mean(logits: Tensor, labels: Tensor, *, gamma: float, weights: Weights) -> Tensor:
    check_shapes(logits, labels, overlapping=True)
    table = _weight_table(weights, logits)
    holds, counted = spread(labels, logits.shape[1], overlapping=True)
    scores = in_full_precision(logits)
    surprise = F.binary_cross_entropy_with_logits(scores, holds.to(scores.dtype), reduction="none")
    per_class = (_fade(surprise, gamma) * counted).sum(dim=(0, 2, 3))
    if table is not None:
        weight = table[: logits.shape[1]]
        per_class = per_class * (weight / weight.mean())
    return per_class.sum() / _count(labels)


def _fade(surprise: Tensor, gamma: float) -> Tensor:
    """Return (1 - p_t)^gamma times -log p_t, given the latter."""
    if gamma == 0:
        return surprise
    # Kept above 0, because for gamma < 1 the slope at 0 is infinite and would meet a gradient of 0 as NaN.
    doubt = (-torch.expm1(-surprise)).clamp(min=torch.finfo(surprise.dtype).tiny)
    return doubt**gamma * surprise


def _weight_table(weights: Weights, logits: Tensor) -> Tensor | None:
    """Return the weights by label value, 0 beyond the classes (so for VOID), or None for equal weights."""
    if weights is None:
        return None
    usable = len(weights) == logits.shape[1] and all(0 <= weight < float("inf") for weight in weights)
    if not usable or sum(weights) == 0:
        message = (
            f"Expected {logits.shape[1]} class weights, one per class, finite, >= 0 and not all 0; "
            f"received {tuple(weights)}."
        )
        raise SettingError(message)
    values = [*weights, *[0.0] * (VOID + 1 - len(weights))]
    return torch.tensor(values, dtype=in_full_precision(logits[:0]).dtype, device=logits.device)


def _pixel_weights(labels: Tensor, table: Tensor) -> Tensor:
    """Return the weight of every pixel, flat; index_select is ten times as fast here as indexing."""
    return table.index_select(0, labels.flatten().long())


def _count(labels: Tensor) -> Tensor:
    """Return the number of counted pixels, at least 1."""
    return (labels != VOID).sum().clamp(min=1)


def _positive(total: Tensor) -> Tensor:
    """Return a divisor that is not 0: where the total is 0, so is what it divides."""
    return torch.where(total > 0, total, torch.ones_like(total))
