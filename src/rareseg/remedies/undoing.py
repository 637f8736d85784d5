"""What a plan's training does to probabilities, and so what has to be taken back before 0.3 means 30 %."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from rareseg.records.plan import LossChoice, Plan
from rareseg.remedies import loss_sums, priors


class Shift(NamedTuple):
    """How far training moves the logits, and what moves them."""

    causes: tuple[str, ...]
    """Such as "class weights" and "sampling"; empty if probabilities come out honest."""
    logits: tuple[float, ...] | None
    """Per class, nats by which its logit is too high; None where no formula says."""


def of_training(plan: Plan, drawn: Sequence[float] | None) -> Shift:
    """Return the shift of probabilities that the plan's training causes.

    Only cross-entropy and its adjusted forms, each alone and without smoothing, have their minimum at a known
    function of the true probabilities; after any other loss the shift must be fitted.

    Args:
        plan: The plan that was trained.
        drawn: Share of each class among the labelled pixels that were trained on, or None if it is not known;
            only read where the plan's sampling is not uniform.

    Raises:
        SettingError: if the loss is unknown, or `drawn` does not hold one share per class.
    """
    inexact = _inexact(plan.loss)
    sampled = plan.sampling.rule != "uniform"
    weighted = not plan.overlapping and _weighted(plan)
    adjustment = _adjustment(plan.loss)
    causes = (
        *([f"the loss ({', '.join(inexact)})"] if inexact else []),
        *(["class weights"] if weighted else []),
        *(["sampling"] if sampled else []),
        *(["the loss's own adjustment"] if adjustment else []),
    )
    if inexact or (sampled and not any(drawn or ())):
        return Shift(causes, None)
    if not causes:
        return Shift((), (0.0,) * len(plan.classes))
    logits = priors.shift(
        plan.shares,
        overlapping=plan.overlapping,
        weights=plan.weights.values if weighted else None,
        drawn=drawn if sampled else None,
        adjustment=adjustment,
    )
    return Shift(causes, tuple(logits.tolist()))


def _inexact(loss: LossChoice) -> tuple[str, ...]:
    """Return the terms because of which no formula says where the probabilities are."""
    names = tuple(term.remedy.name for term in loss_sums.terms(loss.name))
    unknown = tuple(
        name for name in names if name not in ("cross_entropy", "logit_adjusted", "balanced_softmax")
    )
    if unknown:
        return unknown
    if loss.settings.get("cross_entropy.smoothing"):
        return ("label smoothing",)
    # Each has its own minimum, and their sum lies somewhere between.
    return names if len(names) > 1 else ()


def _weighted(plan: Plan) -> bool:
    """Whether unequal class weights reach the loss."""
    weights = plan.weights
    used = {value for value, share in zip(weights.values, plan.shares, strict=True) if share}
    takes = any(term.remedy.takes_weights for term in loss_sums.terms(plan.loss.name))
    return takes and len(used) > 1 and (weights.deferred is None or weights.deferred < 1)


def _adjustment(loss: LossChoice) -> float:
    """Return tau, by which the loss adds tau ln p to the logits that it is given."""
    if any(term.remedy.name == "balanced_softmax" for term in loss_sums.terms(loss.name)):
        return 1.0
    return cast("float", loss.settings.get("logit_adjusted.temperature", 0.0))
