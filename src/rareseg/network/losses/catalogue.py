"""The losses by name, and the weighted sum of them that a plan asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from torch import Tensor

from rareseg.errors import SettingError, TrainingError
from rareseg.network.losses.boundaries import boundary, hausdorff
from rareseg.network.losses.compound import combo, combo_terms, unified_focal, unified_focal_terms
from rareseg.network.losses.hard import ohem, ohem_terms, top_k, top_k_terms
from rareseg.network.losses.lovasz import lovasz
from rareseg.network.losses.overlap import dice, focal_tversky, generalised_dice, jaccard, tversky
from rareseg.network.losses.overlap_terms import (
    dice_terms,
    focal_tversky_terms,
    generalised_dice_terms,
    jaccard_terms,
    tversky_terms,
)
from rareseg.network.losses.pixelwise import cross_entropy, cross_entropy_terms, focal, focal_terms
from rareseg.network.losses.regions import rmi
from rareseg.network.losses.shifted import (
    balanced_softmax,
    balanced_softmax_terms,
    ldam,
    ldam_terms,
    logit_adjusted,
    logit_adjusted_terms,
)
from rareseg.network.losses.skeletons import cldice, skeleton_recall
from rareseg.network.losses.terms import PlainTerm, Term, total
from rareseg.records.plan import LossChoice, WeightsChoice
from rareseg.remedies import loss_sums
from rareseg.remedies.catalogue import own
from rareseg.remedies.imbalance import idle_weights
from rareseg.remedies.priors import LEAST_SHARE

LOSSES: dict[str, Callable[..., Tensor]] = {
    function.__name__: function
    for function in (
        cross_entropy,
        focal,
        top_k,
        ohem,
        logit_adjusted,
        balanced_softmax,
        ldam,
        dice,
        generalised_dice,
        jaccard,
        tversky,
        focal_tversky,
        combo,
        unified_focal,
        lovasz,
        boundary,
        hausdorff,
        cldice,
        skeleton_recall,
        rmi,
    )
}
"""The package's losses by the names under which the catalogue of remedies describes them."""


_TERMS: dict[str, Callable[..., Sequence[Term]]] = {
    "cross_entropy": cross_entropy_terms,
    "focal": focal_terms,
    "top_k": top_k_terms,
    "ohem": ohem_terms,
    "logit_adjusted": logit_adjusted_terms,
    "balanced_softmax": balanced_softmax_terms,
    "ldam": ldam_terms,
    "dice": dice_terms,
    "generalised_dice": generalised_dice_terms,
    "jaccard": jaccard_terms,
    "tversky": tversky_terms,
    "focal_tversky": focal_tversky_terms,
    "combo": combo_terms,
    "unified_focal": unified_focal_terms,
}
"""Losses that share one pass over the logits with the others of a sum."""


@final
@dataclass(frozen=True, slots=True)
class Addend:
    """One loss of the sum: its terms, its weight, and how slowly it comes in."""

    terms: Sequence[Term]
    before: Sequence[Term]
    """The same without class weights, for as long as these are deferred."""
    weight: float
    ramp: float
    """Share of the budget over which the weight rises from 0."""


@final
@dataclass(frozen=True, slots=True)
class LossSum:
    """A weighted sum of losses whose weights may depend on how far training is."""

    addends: tuple[Addend, ...]
    overlapping: bool
    deferred: float
    """Share of the budget before which every class weighs 1."""

    def __call__(self, logits: Tensor, labels: Tensor, progress: float = 1.0) -> Tensor:
        """Return the sum, a scalar.

        Args:
            logits: (batch, classes, rows, cols), any float.
            labels: (batch, rows, cols) integers: class indices, or bit sets of overlapping classes; 255 is left out.
            progress: Share of the budget that is used, 0..1.
        """
        parts = [
            (
                addend.weight * (min(progress / addend.ramp, 1.0) if addend.ramp else 1.0),
                addend.before if progress < self.deferred else addend.terms,
            )
            for addend in self.addends
        ]
        return total(parts, logits, labels, overlapping=self.overlapping)


def build(loss: LossChoice, weights: WeightsChoice, *, shares: Sequence[float], overlapping: bool) -> LossSum:
    """Return the plan's loss.

    Args:
        loss: Names, weights and settings of the terms.
        weights: Class weights of the terms that take them.
        shares: (classes,) share of each class in the training part, for the terms that adjust for it.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax, labels are bit sets.

    Raises:
        SettingError: on an unknown or repeated term, a setting that is missing, out of range or used by no
            term, and class weights that no term takes.
    """
    loss_sums.check(loss, classes=len(shares), overlapping=overlapping)
    _check_weights(loss, weights)
    values = None if weights.rule == "none" else weights.values
    addends = tuple(_addend(term, loss, values, shares) for term in loss_sums.terms(loss.name))
    return LossSum(addends, overlapping, weights.deferred or 0.0)


def _addend(
    term: loss_sums.Term, loss: LossChoice, weights: Sequence[float] | None, shares: Sequence[float]
) -> Addend:
    remedy = term.remedy
    ramp = 0.0
    settings: dict[str, Any] = {}
    for entry in remedy.settings:
        value = loss.settings[f"{remedy.name}.{entry.name}"]
        if entry.name == loss_sums.RAMP and remedy.name in LOSSES and isinstance(value, int | float):
            ramp = float(value)
        else:
            settings[entry.name] = value
    if remedy.takes_shares:
        settings["shares"] = _positive_shares(remedy.name, shares)
    if not remedy.takes_weights:
        terms = _terms(remedy.name, settings)
        return Addend(terms, terms, term.weight, ramp)
    before = _terms(remedy.name, settings | {"weights": None})
    return Addend(_terms(remedy.name, settings | {"weights": weights}), before, term.weight, ramp)


def _positive_shares(name: str, shares: Sequence[float]) -> tuple[float, ...]:
    """Return the shares with something above 0 for a class that the training part lacks.

    For losses that adjust logits the same as where the shift is undone; for ldam the share of the rarest class that
    occurs, as a smaller one would shrink the margins of all others.
    """
    least = min(share for share in shares if share) if name == "ldam" else LEAST_SHARE
    return tuple(min(max(share, least), 1 - LEAST_SHARE) for share in shares)


def _terms(name: str, settings: dict[str, Any]) -> Sequence[Term]:
    if name in _TERMS:
        return _TERMS[name](**settings)
    if name in LOSSES:
        return (PlainTerm(partial(LOSSES[name], **settings)),)
    return (PlainTerm(partial(_own_loss, name, settings)),)


def _own_loss(
    name: str,
    settings: dict[str, Any],
    logits: Tensor,
    labels: Tensor,
    *,
    overlapping: bool,
    ignore_index: int,
    valid: Tensor | None,
) -> Tensor:
    """Call a user's own function; the sum leaves nothing out but label 255, which the function knows."""
    del ignore_index, valid
    given = {"overlapping": overlapping} if own.takes(name, "overlapping") else {}
    found = own.functions[name](logits, labels, **given, **settings)
    if not isinstance(found, Tensor) or found.numel() != 1:
        message = f"Loss {name!r} must return a scalar tensor; it returned {type(found).__name__}."
        raise SettingError(message)
    found = found.reshape(())
    if torch.is_grad_enabled() and logits.requires_grad and not found.requires_grad:
        return _without_gradient(name, found, logits)
    return found


def _without_gradient(name: str, found: Tensor, logits: Tensor) -> Tensor:
    """Return a loss of 0, as of a batch that holds nothing, connected to the logits; refuse others."""
    if found.item() != 0:
        message = (
            f"Loss {name!r} returned {found.item():g} without a gradient, so nothing can be learnt from it. Compute it "
            "from the logits by operations that have one: no argmax, comparison or rounding, no detach() or item()."
        )
        raise TrainingError(message)
    return found + logits[:0].sum()


def _check_weights(loss: LossChoice, weights: WeightsChoice) -> None:
    if weights.rule == "none":
        if any(value != 1 for value in weights.values):
            message = (
                f"weights.rule=none means that every class weighs 1; received weights.values="
                f"{weights.values}. Set weights.rule=given to use them."
            )
            raise SettingError(message)
    elif not any(term.remedy.takes_weights for term in loss_sums.terms(loss.name)):
        raise SettingError(idle_weights(weights.rule, loss.name))
