r"""Cross-entropy on logits that are moved by what is known of the classes' shares.

With p_k the share of class k among labelled pixels and cross-entropy as in `pixelwise`:

    logit_adjusted    CE(z_k + t log p_k);                    yes-or-no questions: z_k + t log(p_k / (1 - p_k))
    balanced_softmax  -log(p_y e^z_y / sum_k p_k e^z_k):      logit_adjusted at t = 1
    ldam              CE(s (z_k - m_k [k = y])), m_k = M (min p / p_k)^(1/4)
                      yes-or-no questions: s (z_k - m_yes) for yes and s (z_k + m_no) for no, where a class and the
                      rest of it are the two classes: m_yes = M (min(p, 1 - p) / p)^(1/4), m_no alike with 1 - p

The shift goes into the loss alone: the network's own logits learn to do without the prior (logit_adjusted,
balanced_softmax), so adding the shift again gives honest probabilities, or to leave the rarer class more room (ldam).
"""

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from rareseg.errors import SettingError
from rareseg.network.losses.pixelwise import cross_entropy
from rareseg.network.losses.targets import asks_each_class, check_shapes, in_full_precision, read
from rareseg.network.losses.terms import PlainTerm, Term
from rareseg.network.losses.weighting import Weights, check_range, listed
from rareseg.records.dataset import VOID


def logit_adjusted(
    logits: Tensor,
    labels: Tensor,
    *,
    shares: Sequence[float],
    temperature: float = 1.0,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Cross-entropy of logits plus `temperature` times the log of the prior.

    Do not combine it with class weights: both correct for the same prior. At use the raw logits favour rare
    classes as if all were equally frequent; add the shift to get probabilities.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        shares: One per class, 0 < share < 1: of the labelled pixels of the training part.
        temperature: Strength, finite and >= 0; 0 is cross-entropy.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in nats per pixel, >= 0; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if temperature or the shares are out of range.

    Reference: Menon et al. 2020, arXiv:2007.07314, eq. 10.
    """
    check_range(temperature, "logit_adjusted's temperature", low=0)
    check_shapes(logits, labels, overlapping=overlapping, valid=valid)
    known = _checked(shares, logits.shape[1], "logit_adjusted")
    each = asks_each_class(logits.shape[1], overlapping=overlapping)
    shift = [temperature * (math.log(share) - (math.log1p(-share) if each else 0.0)) for share in known]
    scores = in_full_precision(logits)
    moved = scores + scores.new_tensor(shift).view(1, -1, 1, 1)
    return cross_entropy(moved, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def balanced_softmax(
    logits: Tensor,
    labels: Tensor,
    *,
    shares: Sequence[float],
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Cross-entropy of a softmax whose classes are multiplied by their shares; exclusive classes only.

    Do not combine it with class weights or class-balanced sampling: each corrects for the prior again.

    Args:
        logits: (batch, classes, rows, cols), two channels or more, any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices.
        shares: One per class, 0 < share < 1: of the labelled pixels of the training part.
        overlapping: Must be False: a softmax has exclusive classes.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in nats per pixel, >= 0; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if classes are not exclusive or the shares are out of range.

    Reference: Ren et al. 2020, arXiv:2007.10740, eq. 3.
    """
    check_shapes(logits, labels, overlapping=overlapping, valid=valid)
    if asks_each_class(logits.shape[1], overlapping=overlapping):
        kind = "overlapping classes" if overlapping else "one channel"
        message = (
            f"Expected exclusive classes for balanced_softmax, one channel each; received {kind}. "
            "Use logit_adjusted, which has a form for yes-or-no questions."
        )
        raise SettingError(message)
    _checked(shares, logits.shape[1], "balanced_softmax")
    return logit_adjusted(logits, labels, shares=shares, ignore_index=ignore_index, valid=valid)


def ldam(
    logits: Tensor,
    labels: Tensor,
    *,
    shares: Sequence[float],
    max_margin: float = 0.5,
    scale: float = 1.0,
    weights: Weights = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Cross-entropy with a margin that the label must win by, wider the rarer its class is.

    The paper's scale of 30 belongs to a head whose logits are cosines, -1..1: on plain logits it makes steps
    explode. Its deferred reweighting is `weights` that start late.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        shares: One per class, 0 < share < 1: of the labelled pixels of the training part.
        max_margin: Margin of the rarest class, in logits, finite and >= 0.
        scale: Factor of the logits after the margin, finite and > 0.
        weights: One per class, finite and >= 0, or None for equal weights.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in nats per pixel, >= 0; 0 with zero gradient if no pixel is counted (or all weigh 0).

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting, the shares or the weights are out of range.

    Reference: Cao et al. 2019, arXiv:1906.07413, eq. 11-13.
    """
    check_range(max_margin, "ldam's max_margin", low=0)
    check_range(scale, "ldam's scale", low=0, open_low=True)
    check_shapes(logits, labels, overlapping=overlapping, valid=valid)
    known = _checked(shares, logits.shape[1], "ldam")
    seen = read(labels, logits.shape[1], overlapping=overlapping, ignore_index=ignore_index, valid=valid)
    scores = in_full_precision(logits).flatten(2)
    if seen.yes_or_no:
        pairs = [(min(share, 1 - share), share) for share in known]
        yes, no = (
            scores.new_tensor([max_margin * (rarer / side) ** 0.25 for rarer, side in sides]).view(1, -1, 1)
            for sides in (pairs, [(rarer, 1 - share) for rarer, share in pairs])
        )
        moved = scores - torch.where(seen.holds(), yes, -no)
    else:
        margins = scores.new_tensor([max_margin * (min(known) / share) ** 0.25 for share in known])
        amounts = margins.index_select(0, seen.values.flatten()).view(seen.values.shape)
        moved = scores.scatter_add(1, seen.values.unsqueeze(1), -amounts.unsqueeze(1))
    moved = (moved if scale == 1 else scale * moved).view(logits.shape)
    return cross_entropy(
        moved, labels, weights=weights, overlapping=overlapping, ignore_index=ignore_index, valid=valid
    )


def logit_adjusted_terms(*, shares: Sequence[float], temperature: float = 1.0) -> tuple[Term, ...]:
    """Return the term of `logit_adjusted`."""
    check_range(temperature, "logit_adjusted's temperature", low=0)
    return (PlainTerm(partial(logit_adjusted, shares=shares, temperature=temperature)),)


def balanced_softmax_terms(*, shares: Sequence[float]) -> tuple[Term, ...]:
    """Return the term of `balanced_softmax`."""
    return (PlainTerm(partial(balanced_softmax, shares=shares)),)


def ldam_terms(
    *, shares: Sequence[float], max_margin: float = 0.5, scale: float = 1.0, weights: Weights = None
) -> tuple[Term, ...]:
    """Return the term of `ldam`."""
    check_range(max_margin, "ldam's max_margin", low=0)
    check_range(scale, "ldam's scale", low=0, open_low=True)
    settings = partial(ldam, shares=shares, max_margin=max_margin, scale=scale, weights=weights)
    return (PlainTerm(settings),)


def _checked(shares: Sequence[float], classes: int, name: str) -> Sequence[float]:
    shares = listed(shares, f"{name}'s shares, one per class")
    if len(shares) != classes or not all(0 < share < 1 for share in shares):
        message = (
            f"Expected {name}'s shares to be {classes} numbers between 0 and 1, one per class, and none 0, because "
            f"its logarithm is added to the class's logits; received {tuple(shares)}. "
            "Leave out a class that the training part lacks."
        )
        raise SettingError(message)
    return shares
