"""The terms of losses on overlap: from sums over pixels to a scalar; the formulas are written out in `overlap`.

A set is the batch, or with `per_image` one image. Sums are (batch, classes), those of sets (sets, classes).
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rareseg.errors import SettingError
from rareseg.network.losses.terms import OverlapTerm, Sums, Term
from rareseg.network.losses.weighting import check_range, listed

Classes = Sequence[int] | None
Weighting = Literal["inverse_square", "inverse", "uniform"]

SMOOTHING = 0.5
"""s in pixels. Half a pixel in Tversky is one pixel in Dice's usual form, (2 TP + 1) / (2 TP + FP + FN + 1):
too little to shift the loss of a class that the batch holds, enough to push false positives of one that it
lacks."""
GENERALISED_SMOOTHING = 0.5
"""px of the rarest class."""
NEARLY_RIGHT = 1e-6
"""A power of 1 - index goes on as a straight line below this: exponents below 1 have no finite slope at 0."""


class Sets(NamedTuple):
    """Sums over the counted pixels of each set, (sets, classes)."""

    hits: Tensor
    claimed: Tensor
    present: Tensor
    counted: Tensor
    """(sets, 1): 1 if the set has a counted pixel, else 0."""


def gathered(sums: Sums, *, squared: bool, per_image: bool, classes: Classes) -> Sets:
    """Return the sums of each set, of the chosen classes."""
    claimed = sums.squares if squared and sums.squares is not None else sums.claimed
    parts = [sums.hits, claimed, sums.present, sums.pixels.unsqueeze(1)]
    if not per_image:
        parts = [part.sum(dim=0, keepdim=True) for part in parts]
    hits, claimed, present, pixels = parts
    if classes is not None:
        numbers = torch.tensor(checked(classes, hits.shape[1]), device=hits.device)
        hits, claimed, present = (part.index_select(1, numbers) for part in (hits, claimed, present))
    return Sets(hits, claimed, present, (pixels > 0).to(hits.dtype))


def checked(classes: Sequence[int], count: int | None = None) -> tuple[int, ...]:
    """Return class indices; raises SettingError unless they are different, of `count` classes, and some."""
    given = listed(classes, "classes to be class indices")
    chosen = tuple(int(label) for label in given)
    within = all(label >= 0 and (count is None or label < count) for label in chosen)
    if not within or chosen != given or len(set(chosen)) < len(chosen) or not chosen:
        span = "of 0 and above" if count is None else f"0..{count - 1}"
        message = (
            f"Expected classes to be different class indices {span}, at least one, or none for all; "
            f"received {given}."
        )
        raise SettingError(message)
    return chosen


def mean(losses: Tensor, sets: Sets) -> Tensor:
    """Return the mean over sets with a counted pixel, then over classes; a set without one has lost nothing."""
    return (losses.sum(dim=0) / sets.counted.sum().clamp(min=1)).mean()


def lost(hits: Tensor, whole: Tensor, smoothing: float) -> Tensor:
    """Return 1 - (hits + s) / (whole + s), 0 where the divisor is 0."""
    # As (whole - hits) / (whole + s) it keeps its digits near 0.
    divisor = whole + smoothing
    return (whole - hits) / torch.where(divisor > 0, divisor, torch.ones_like(divisor))


def dice(sums: Sums, *, squared: bool, per_image: bool, smoothing: float, classes: Classes) -> Tensor:
    """Return mean 1 - Dice."""
    sets = gathered(sums, squared=squared, per_image=per_image, classes=classes)
    return mean(lost(sets.hits, (sets.claimed + sets.present) / 2, smoothing), sets)


def jaccard(sums: Sums, *, squared: bool, per_image: bool, smoothing: float, classes: Classes) -> Tensor:
    """Return mean 1 - IoU."""
    sets = gathered(sums, squared=squared, per_image=per_image, classes=classes)
    return mean(lost(sets.hits, sets.claimed + sets.present - sets.hits, smoothing), sets)


def generalised_dice(sums: Sums, *, weighting: Weighting, per_image: bool, classes: Classes) -> Tensor:
    """Return mean 1 - generalised Dice over sets."""
    sets = gathered(sums, squared=False, per_image=per_image, classes=classes)
    powers = {"inverse_square": 2, "inverse": 1, "uniform": 0}
    # u_k / max(u) = (smallest G / G_k)^power, and 1 for classes that the set lacks.
    size = torch.where(sets.present > 0, sets.present, torch.full_like(sets.present, torch.inf))
    least = size.amin(dim=1, keepdim=True)
    weights = torch.where(sets.present > 0, (least / size) ** powers[weighting], torch.ones_like(size))
    hits = (weights * sets.hits).sum(dim=1, keepdim=True)
    whole = (weights * (sets.claimed + sets.present)).sum(dim=1, keepdim=True) / 2
    return mean(lost(hits, whole, GENERALISED_SMOOTHING), sets)


def tversky(
    sums: Sums,
    *,
    false_positive_weight: float,
    false_negative_weight: float,
    exponent: float,
    per_image: bool,
    smoothing: float,
    classes: Classes,
) -> Tensor:
    """Return mean (1 - Tversky index)^exponent."""
    sets = gathered(sums, squared=False, per_image=per_image, classes=classes)
    false = false_positive_weight * (sets.claimed - sets.hits)
    missed = false_negative_weight * (sets.present - sets.hits)
    return mean(raised(lost(sets.hits, sets.hits + false + missed, smoothing), exponent), sets)


def raised(loss: Tensor, exponent: float) -> Tensor:
    """Return loss^exponent for loss >= 0, with a finite slope at 0."""
    if exponent == 1:
        return loss
    power = loss.clamp(min=NEARLY_RIGHT) ** exponent
    return torch.where(loss > NEARLY_RIGHT, power, loss * NEARLY_RIGHT ** (exponent - 1))


def check_error_weights(false_positive_weight: float, false_negative_weight: float) -> None:
    """Raise SettingError unless both weights are finite and >= 0 and at least one is above 0."""
    weights = (false_positive_weight, false_negative_weight)
    if not all(0 <= weight < float("inf") for weight in weights) or sum(weights) == 0:
        message = (
            "Expected false_positive_weight and false_negative_weight to be finite, >= 0 and not both 0; "
            f"received {false_positive_weight} and {false_negative_weight}."
        )
        raise SettingError(message)


def check_overlap(smoothing: float, classes: Classes) -> None:
    """Raise SettingError on a smoothing or class indices that fit no network."""
    check_range(smoothing, "smoothing", low=0)
    if classes is not None:
        checked(classes)


def dice_terms(
    *, squared: bool = False, per_image: bool = False, smoothing: float = SMOOTHING, classes: Classes = None
) -> tuple[Term, ...]:
    """Return the term of `dice`."""
    check_overlap(smoothing, classes)
    formula = partial(dice, squared=squared, per_image=per_image, smoothing=smoothing, classes=classes)
    return (OverlapTerm(formula, squared),)


def jaccard_terms(
    *, squared: bool = False, per_image: bool = False, smoothing: float = SMOOTHING, classes: Classes = None
) -> tuple[Term, ...]:
    """Return the term of `jaccard`."""
    check_overlap(smoothing, classes)
    formula = partial(jaccard, squared=squared, per_image=per_image, smoothing=smoothing, classes=classes)
    return (OverlapTerm(formula, squared),)


def generalised_dice_terms(
    *, weighting: Weighting = "inverse_square", per_image: bool = False, classes: Classes = None
) -> tuple[Term, ...]:
    """Return the term of `generalised_dice`."""
    check_overlap(SMOOTHING, classes)
    if weighting not in ("inverse_square", "inverse", "uniform"):
        message = (
            "Expected generalised_dice's weighting to be inverse_square, inverse or uniform; "
            f"received {weighting!r}."
        )
        raise SettingError(message)
    formula = partial(generalised_dice, weighting=weighting, per_image=per_image, classes=classes)
    return (OverlapTerm(formula),)


def tversky_terms(
    *,
    false_positive_weight: float = 0.3,
    false_negative_weight: float = 0.7,
    per_image: bool = False,
    smoothing: float = SMOOTHING,
    classes: Classes = None,
) -> tuple[Term, ...]:
    """Return the term of `tversky`."""
    return focal_tversky_terms(
        false_positive_weight=false_positive_weight,
        false_negative_weight=false_negative_weight,
        exponent=1.0,
        per_image=per_image,
        smoothing=smoothing,
        classes=classes,
    )


def focal_tversky_terms(
    *,
    false_positive_weight: float = 0.3,
    false_negative_weight: float = 0.7,
    exponent: float = 0.75,
    per_image: bool = False,
    smoothing: float = SMOOTHING,
    classes: Classes = None,
) -> tuple[Term, ...]:
    """Return the term of `focal_tversky`."""
    check_error_weights(false_positive_weight, false_negative_weight)
    check_range(exponent, "exponent", low=0, open_low=True)
    check_overlap(smoothing, classes)
    formula = partial(
        tversky,
        false_positive_weight=false_positive_weight,
        false_negative_weight=false_negative_weight,
        exponent=exponent,
        per_image=per_image,
        smoothing=smoothing,
        classes=classes,
    )
    return (OverlapTerm(formula),)
