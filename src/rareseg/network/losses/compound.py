r"""Sums of a pixelwise and an overlap part whose settings belong together: combo and unified focal.

n is the number of counted pixels, K of classes; p, g, TP, P and G as in `overlap`, over the batch; s is smoothing.

combo = c B + (1 - c) mean_k (1 - Dice_k),   c = balance, b = false_negative_weight, Dice_k = (TP + s) / (P/2 + G/2 + s)
    yes-or-no questions   B = 1/(n K) sum_i sum_k -b g log p - (1 - b) (1 - g) log(1 - p)
    exclusive classes     B = 1/n sum_i -b_y log p_y,   b_0 = 1 - b for the background, class 0, and b for the others
Two exclusive classes and a single channel agree in B: the paper's form for one foreground. (Asking K exclusive classes
one against the rest would leave b without effect for two, as each pixel would be asked once from either side.)
The paper subtracts Dice; 1 - Dice differs by a constant and keeps the loss >= 0.

unified_focal = c F + (1 - c) T,   c = balance, d = delta, y the label, 0 the background's index
    exclusive classes     F = 1/n sum_i d_y (1 - p_y)^(gamma_y) (-log p_y),   T = 1/K sum_k (1 - TI_k)^(1 - gamma'_k)
                          TI_k = (TP + s) / (TP + d FN + (1 - d) FP + s),   s = 1/2
                          d_y = 1 - d for the background and d for the others
        symmetric         gamma_y = gamma'_k = gamma for all classes
        asymmetric        gamma_y = gamma for the background and 0 for the others, gamma'_k the other way round
    yes-or-no questions   each class and what is not of it (g' = 1 - g, p' = 1 - p) are two exclusive classes, the
                          latter the background; the mean over the K pairs of F and of T
Below 1 - TI = 1e-6 the power goes on as a straight line, because its slope has no bound at 0.
"""

from functools import partial

import torch
from torch import Tensor

from rareseg.errors import SettingError
from rareseg.network.losses.overlap_terms import SMOOTHING, dice, lost, raised
from rareseg.network.losses.targets import Labels
from rareseg.network.losses.terms import OverlapTerm, PixelTerm, Sums, Term, total
from rareseg.network.losses.weighting import check_range
from rareseg.records.dataset import VOID


def combo(
    logits: Tensor,
    labels: Tensor,
    *,
    balance: float = 0.5,
    false_negative_weight: float = 0.5,
    smoothing: float = SMOOTHING,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""A cross-entropy that weighs misses against false positives, and 1 - Dice; see the module for the formula.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices (0 is the background), or bit sets if `overlapping`.
        balance: Share of the cross-entropy, 0..1; the rest is Dice's.
        false_negative_weight: b, 0..1: weight of pixels of a class; those of the background get 1 - b.
        smoothing: s of Dice in pixels, finite and >= 0.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar, >= 0; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Taghanaki et al. 2018, arXiv:1805.02798, eq. 3.
    """
    terms = combo_terms(balance=balance, false_negative_weight=false_negative_weight, smoothing=smoothing)
    parts = [(1.0, terms)]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def unified_focal(
    logits: Tensor,
    labels: Tensor,
    *,
    asymmetric: bool = True,
    balance: float = 0.5,
    delta: float = 0.6,
    gamma: float = 0.5,
    background: int = 0,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Focal and focal Tversky loss with three settings for both; see the module for the formula.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        asymmetric: Fade the background only, and enhance the other classes only.
        balance: Share of the focal part, 0..1; the rest is focal Tversky's.
        delta: Weight of all classes but the background, and of misses, 0..1.
        gamma: How much sure pixels fade and nearly right classes are enhanced, 0 <= gamma < 1.
        background: Index of the majority class, of exclusive classes only.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar, >= 0; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range, or background is set where there is none.

    Reference: Yeung et al. 2021, arXiv:2102.04525, eq. 12-17, exponents as in the authors' code (the paper's text
        has 1 - gamma in the symmetric focal part; the same at 0.5). Smoothing 1/2 px here, 1e-7 there.
    """
    terms = unified_focal_terms(
        asymmetric=asymmetric, balance=balance, delta=delta, gamma=gamma, background=background
    )
    parts = [(1.0, terms)]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def combo_terms(
    *, balance: float = 0.5, false_negative_weight: float = 0.5, smoothing: float = SMOOTHING
) -> tuple[Term, ...]:
    """Return the terms of `combo`."""
    check_range(balance, "combo's balance", low=0, high=1)
    check_range(false_negative_weight, "combo's false_negative_weight", low=0, high=1)
    check_range(smoothing, "combo's smoothing", low=0)
    sides = (balance * (1 - false_negative_weight), balance * false_negative_weight)

    def overlap(sums: Sums) -> Tensor:
        return (1 - balance) * dice(sums, squared=False, per_image=False, smoothing=smoothing, classes=None)

    return (PixelTerm(0.0, partial(_side_factors, 0, *sides)), OverlapTerm(overlap))


def unified_focal_terms(
    *,
    asymmetric: bool = True,
    balance: float = 0.5,
    delta: float = 0.6,
    gamma: float = 0.5,
    background: int = 0,
) -> tuple[Term, ...]:
    """Return the terms of `unified_focal`."""
    check_range(balance, "unified_focal's balance", low=0, high=1)
    check_range(delta, "unified_focal's delta", low=0, high=1)
    check_range(gamma, "unified_focal's gamma", low=0, high=1, open_high=True)
    check_range(background, "unified_focal's background", low=0)
    rest, rare = balance * (1 - delta), balance * delta
    # One curve for both sides, or each its own.
    sides = [(gamma, rest, 0.0), (0.0, 0.0, rare)] if asymmetric else [(gamma, rest, rare)]
    pixelwise = [
        PixelTerm(power, partial(_side_factors, background, of_rest, of_rare))
        for power, of_rest, of_rare in sides
    ]

    def overlap(sums: Sums) -> Tensor:
        exponents = (1.0 if asymmetric else 1 - gamma, 1 - gamma)
        return (1 - balance) * _tversky(sums, delta, exponents, background)

    return (*pixelwise, OverlapTerm(overlap))


def _side_factors(background: int, rest: float, rare: float, labels: Labels) -> Tensor:
    """Return factors of pixels: `rest` for the background (or no) and `rare` for the others (or yes), over n."""
    share = 1 / labels.all_pixels
    if labels.yes_or_no:
        _check_background(background, labels.classes, yes_or_no=True)
        sides = share.new_tensor([[rest, rare]])
        return sides.expand(labels.classes, 2) * share / labels.classes
    _check_background(background, labels.classes, yes_or_no=False)
    factors = share.new_full((labels.classes,), rare)
    factors[background] = rest
    return factors * share


def _tversky(sums: Sums, delta: float, exponents: tuple[float, float], background: int) -> Tensor:
    """Return the mean of (1 - TI)^exponent, the background's exponent first."""
    hits, claimed, present = (part.sum(dim=0) for part in (sums.hits, sums.claimed, sums.present))
    missed, false = present - hits, claimed - hits
    losses = lost(hits, hits + delta * missed + (1 - delta) * false, SMOOTHING)
    if not sums.yes_or_no:
        rest, rare = (raised(losses, exponent) for exponent in exponents)
        number = torch.arange(len(losses), device=losses.device)
        return torch.where(number == background, rest, rare).mean()
    right = sums.pixels.sum() - claimed - missed
    # What one side misses is what the other claims falsely.
    opposite = lost(right, right + delta * false + (1 - delta) * missed, SMOOTHING)
    return (raised(opposite, exponents[0]) + raised(losses, exponents[1])).mean() / 2


def _check_background(background: int, classes: int, *, yes_or_no: bool) -> None:
    if yes_or_no and background != 0:
        message = (
            f"unified_focal's background={background} has no effect on one channel or overlapping classes, where "
            "the background of a class is what is not of it; leave it at 0."
        )
        raise SettingError(message)
    if background not in range(classes):
        message = f"Expected unified_focal's background to be a class index 0..{classes - 1}; received {background}."
        raise SettingError(message)
