r"""Losses that add up over pixels: cross-entropy and focal.

Both are a weighted mean over counted pixels of -log p_t, where p_t is the probability given to the pixel's
label; focal fades the pixels that are sure already. With y the label, n counted pixels and w_k the class weights:

Exclusive classes, p = softmax(z):
    cross-entropy = sum_i w_y (1 - e) (-log p_y) + e/K sum_k w_k (-log p_k)   over   sum_i w_y
    focal         = sum_i w_y alpha_y (1 - p_y)^gamma (-log p_y)              over   sum_i w_y
so weights of any scale give the same loss, and e is PyTorch's label smoothing. With K = 2 and alpha None, focal is
the sigmoid form for the difference of the two logits.

Overlapping classes, or a single channel, p = sigmoid(z) and g = 1 for yes: each class is a question, and a pixel's
loss is the sum of its questions, in nats per pixel like the audit's entropy:
    cross-entropy = 1/n sum_i sum_k w_k / mean(w) (-t log p_k - (1 - t) log(1 - p_k)),   t = g (1 - e) + e/2
    focal         = 1/n sum_i sum_k w_k / mean(w) a_k (1 - p_t)^gamma (-log p_t),
                    a_k = alpha_k for yes and 1 - alpha_k for no (1 for both if alpha is None)
Class k's question weighs w_k in both answers, so the best answer to each stays the honest probability.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from rareseg.errors import SettingError
from rareseg.network.losses.targets import Labels, in_full_precision, read
from rareseg.network.losses.terms import PixelTerm, PlainTerm, Term, total
from rareseg.network.losses.weighting import Weights, check_range, class_weights, listed, mean_factors
from rareseg.records.dataset import VOID


def cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    smoothing: float = 0.0,
    weights: Weights = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Mean of -log p_t over counted pixels: the log-likelihood of the labels.

    Its minimum is the true probability of each class, so its probabilities are honest where classes are not
    weighted; with weights w they are off by the factor w. See the module for the exact normalisation.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        smoothing: Share of the label that is spread evenly over all classes (or over yes and no), 0 <= e < 1.
        weights: One per class, finite and >= 0, or None for equal weights.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in nats per pixel, >= 0; 0 with zero gradient if no pixel is counted (or all weigh 0).

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if smoothing is out of range or there is not one usable weight per class.

    Reference: Szegedy et al. 2016, arXiv:1512.00567, section 7 (smoothing).
    """
    terms = cross_entropy_terms(smoothing=smoothing, weights=weights)
    parts = [(1.0, terms)]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def focal(
    logits: Tensor,
    labels: Tensor,
    *,
    gamma: float = 2.0,
    alpha: Sequence[float] | None = None,
    weights: Weights = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Mean of -alpha_t (1 - p_t)^gamma log p_t over counted pixels: cross-entropy that fades where it is sure.

    gamma = 0 is cross-entropy. Use it when many easy pixels drown the few hard ones; it pulls probabilities
    towards the middle, so thresholds must be chosen anew. Beware: the usual alpha = 0.25 weighs the rare class
    LESS than the rest, 0.25 against 0.75; it was tuned for detection, together with gamma = 2.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        gamma: Exponent, finite and >= 0.
        alpha: One per class, 0..1: factor of the class's pixels, not normalised. Sigmoid: alpha for yes and
            1 - alpha for no. None: no factors.
        weights: One per class, finite and >= 0, or None for equal weights; normalised as in cross-entropy.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar, >= 0; 0 with zero gradient if no pixel is counted (or all weigh 0).

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if gamma, alpha or the weights are out of range.

    Reference: Lin et al. 2017, arXiv:1708.02002, eq. 5.
    """
    parts = [(1.0, focal_terms(gamma=gamma, alpha=alpha, weights=weights))]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def cross_entropy_terms(*, smoothing: float = 0.0, weights: Weights = None) -> tuple[Term, ...]:
    """Return the terms of `cross_entropy`."""
    check_range(smoothing, "cross_entropy's smoothing", low=0, high=1, open_high=True)
    if smoothing:
        return (PlainTerm(partial(_smoothed, smoothing=smoothing, weights=weights)),)
    return (PixelTerm(0.0, partial(mean_factors, weights)),)


def focal_terms(
    *, gamma: float = 2.0, alpha: Sequence[float] | None = None, weights: Weights = None
) -> tuple[Term, ...]:
    """Return the terms of `focal`."""
    check_range(gamma, "focal's gamma", low=0)
    return (PixelTerm(gamma, partial(_focal_factors, alpha, weights)),)


def _focal_factors(alpha: Sequence[float] | None, weights: Weights, labels: Labels) -> Tensor:
    factors = mean_factors(weights, labels)
    if alpha is None:
        return factors
    alpha = listed(alpha, "focal's alpha, one number per class")
    if len(alpha) != labels.classes or not all(0 <= share <= 1 for share in alpha):
        message = (
            f"Expected focal's alpha to be one number in 0..1 for each of {labels.classes} classes, or none; "
            f"received {tuple(alpha)}."
        )
        raise SettingError(message)
    table = torch.tensor(alpha, dtype=factors.dtype, device=factors.device)
    return factors * torch.stack([1 - table, table], dim=1) if labels.yes_or_no else factors * table


def _smoothed(
    logits: Tensor,
    labels: Tensor,
    *,
    smoothing: float,
    weights: Weights,
    overlapping: bool,
    ignore_index: int,
    valid: Tensor | None,
) -> Tensor:
    seen = read(labels, logits.shape[1], overlapping=overlapping, ignore_index=ignore_index, valid=valid)
    factors = mean_factors(weights, seen)
    scores = in_full_precision(logits).flatten(2)
    if seen.yes_or_no:
        aims = seen.holds().to(scores.dtype) * (1 - smoothing) + smoothing / 2
        questions = F.binary_cross_entropy_with_logits(scores, aims, reduction="none")
        if seen.counted is not None:
            questions = questions * seen.counted.unsqueeze(1)
        return (questions.sum(dim=(0, 2)) * factors.squeeze(1)).sum().to(scores.dtype)
    indices = seen.values if seen.counted is None else seen.values.masked_fill(~seen.counted, -1)
    table = None if weights is None else class_weights(weights, seen).to(scores.dtype)
    found = F.cross_entropy(
        scores, indices, table, ignore_index=-1, label_smoothing=smoothing, reduction="sum"
    )
    # The sum holds the weights already; what is left is the division by their sum.
    whole = seen.all_pixels if table is None else (seen.present.sum(dim=0) * table).sum()
    return (found / torch.where(whole > 0, whole, torch.ones_like(whole))).to(scores.dtype)
