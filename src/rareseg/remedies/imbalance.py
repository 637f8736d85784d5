"""Decisions about imbalance: loss, class weights, sampling and the start of the last layer.

Each function takes facts and what the user asked for (None = nothing), and returns a Choice whose
`because` holds the numbers it was decided by. The rules are those that measured best, see DESIGN.md.
"""

import math
from collections.abc import Mapping, Sequence
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.records.audit import CROP_SIZES, ClassFacts, PartFacts
from rareseg.records.overrides import unknown
from rareseg.records.plan import InitialisationChoice, LossChoice, SamplingChoice, WeightRule, WeightsChoice
from rareseg.remedies import priors
from rareseg.remedies import weights as class_weights

LOSSES = ("cross_entropy", "focal", "dice", "tversky", "lovasz")
PIXELWISE = ("cross_entropy", "focal")
"""Losses that take class weights."""

SELDOM = 0.05
"""Share below which one of several exclusive classes is left out by unweighted cross-entropy (CamVid)."""
MISSED = 0.3
"""Chance of a crop to hold a class below which crops are centred on it."""


def loss_choice(facts: PartFacts, asked: str | None) -> LossChoice:
    """Choose the loss; raises SettingError on an unknown one."""
    rarest = rarest_class(facts)
    name = "cross_entropy" if asked is None else asked
    settings = loss_settings(name)
    constant = facts.constant_predictor
    because = (
        f"{rarest.name} covers {rarest.share:.2%}: unaided cross-entropy stalls near its floor of "
        f"{constant.entropy:.3f} nats, but it ranks pixels best and keeps probabilities honest once the "
        "last layer starts at the prior; Dice on top of that gained nothing"
    )
    return LossChoice(
        name=name,
        gamma=settings.get("gamma"),
        false_positive_weight=settings.get("false_positive_weight"),
        false_negative_weight=settings.get("false_negative_weight"),
        because=because,
        reference="Lin 2017, arXiv:1708.02002, sec. 4.1; measured in DESIGN.md",
    )


def loss_terms(name: str) -> tuple[str, ...]:
    """Split a "+"-joined loss name into its terms; raises SettingError on an unknown or repeated one."""
    terms = tuple(term.strip() for term in name.split("+"))
    for position, term in enumerate(terms):
        if term not in LOSSES:
            raise SettingError(unknown("loss", term, LOSSES))
        if term in terms[:position]:
            message = f"loss.name={name} names {term} twice: name each term of the sum once."
            raise SettingError(message)
    return terms


def loss_settings(name: str) -> dict[str, float]:
    """Return the settings that the terms of a loss take, each at its usual value."""
    terms = loss_terms(name)
    settings: dict[str, float] = {}
    if "focal" in terms:
        settings |= {"gamma": 2.0}
    if "tversky" in terms:
        settings |= {"false_positive_weight": 0.3, "false_negative_weight": 0.7}
    return settings


def weights_choice(
    facts: PartFacts, *, overlapping: bool, loss: LossChoice, asked: str | None, given: Sequence[float] | None
) -> WeightsChoice:
    """Choose class weights for the pixelwise terms of the loss.

    Raises:
        SettingError: if there is no such rule, if weights are asked for and the loss has no term that takes
            them, or if `given` does not hold one usable weight per class.
    """
    takes_weights = any(term in PIXELWISE for term in loss_terms(loss.name))
    rule = asked if asked is not None or given is None else "given"
    if rule not in (None, *get_args(WeightRule)):
        raise SettingError(unknown("weights.rule", str(rule), get_args(WeightRule)))
    if rule not in (None, "none") and not takes_weights:
        raise SettingError(idle_weights(str(rule), loss.name))
    seldom = [entry for entry in facts.classes if 0 < entry.share < SELDOM]
    several = len(facts.classes) > 2 and not overlapping
    decided = "sqrt_inverse" if several and seldom and takes_weights else "none"
    return WeightsChoice(
        rule=cast("WeightRule", rule or decided),
        values=_weights(rule or decided, facts, given),
        because=_weights_because(facts, several=several, seldom=seldom, takes_weights=takes_weights),
        reference="measured in DESIGN.md",
    )


def idle_weights(rule: str, loss: str) -> str:
    """Return the sentence for class weights that no term of the loss takes."""
    return (
        f"weights.rule={rule} has no effect on loss.name={loss}: add a term that takes class weights "
        f"({', '.join(PIXELWISE)}), or set weights.rule=none."
    )


def sampling_choice(facts: PartFacts, *, crop: int, asked: str | None) -> SamplingChoice:
    """Choose where crops lie: centred on rare classes only where a uniform crop would mostly miss them.

    Raises:
        SettingError: if there is no such rule.
    """
    if asked not in (None, "uniform", "class_centred"):
        raise SettingError(unknown("sampling.rule", str(asked), ("uniform", "class_centred")))
    rare = [
        (label, entry) for label, entry in enumerate(facts.classes) if entry.pixels and entry.share < SELDOM
    ]
    looked_at = _measured_crop(facts, crop)
    chances = {label: _crop_chance(facts, entry, looked_at) for label, entry in rare}
    missed = {label: chance for label, chance in chances.items() if chance < MISSED}
    because = _sampling_because(facts, chances, looked_at)
    rule = asked or ("class_centred" if missed else "uniform")
    if rule == "uniform":
        return SamplingChoice(rule="uniform", because=because, reference="measured in DESIGN.md")
    labels = tuple(missed) or tuple(chances) or (facts.classes.index(rarest_class(facts)),)
    return SamplingChoice(
        rule="class_centred",
        share=0.33,
        labels=labels,
        because=because,
        reference="Isensee 2021 (nnU-Net), 33 % foreground crops",
    )


def initialisation_choice(
    facts: PartFacts, weights: WeightsChoice, *, overlapping: bool, asked: bool | None
) -> InitialisationChoice:
    """Start the last layer at the prior that the (weighted) loss sees."""
    shares = np.array([entry.share for entry in facts.classes], np.float64)
    weight = np.array(weights.values, np.float64)
    seen = shares if overlapping else shares * weight
    prior = seen if overlapping else seen / seen.sum()
    listed = ", ".join(
        f"{entry.name} {share:.2%}" for entry, share in zip(facts.classes, prior, strict=True) if share
    )
    weighted = "" if overlapping or weights.rule == "none" else " after weighting"
    return InitialisationChoice(
        prior_bias=True if asked is None else asked,
        prior=tuple(float(value) for value in prior),
        because=(
            f"shares{weighted} are {listed}: starting there, cross-entropy begins at its floor for a "
            f"constant map ({_floor(prior, weight, overlapping=overlapping):.3f} nats), and no step is spent "
            "on learning the prior"
        ),
        reference="Lin 2017, arXiv:1708.02002, sec. 4.1",
    )


def rarest_class(facts: PartFacts) -> ClassFacts:
    """Return the class with the fewest pixels among those that occur; raises SettingError if none does."""
    present = [entry for entry in facts.classes if entry.pixels]
    if not present:
        message = (
            f"Not one labelled pixel of the {facts.part} part belongs to a class: there is nothing to learn. "
            "Check how the audit reads the masks, and its split."
        )
        raise SettingError(message)
    return min(present, key=lambda entry: entry.pixels)


def _weights(rule: str, facts: PartFacts, given: Sequence[float] | None) -> tuple[float, ...]:
    classes = facts.classes
    if rule == "given":
        usable = given is not None and all(math.isfinite(value) and value >= 0 for value in given)
        if given is None or not usable or len(given) != len(classes):
            message = (
                f"weights.rule=given needs weights.values with {len(classes)} numbers, one per class, "
                f"finite and not below 0; received {given}."
            )
            raise SettingError(message)
        if not any(value for value, entry in zip(given, classes, strict=True) if entry.pixels):
            message = f"weights.values={given} gives every class that occurs the weight 0: raise one of them."
            raise SettingError(message)
        return tuple(given)
    if given is not None:
        message = f"weights.values is set, but weights.rule={rule} computes them: set weights.rule=given."
        raise SettingError(message)
    # Not by_rule: that gives an absent class 0, and "none" promises that nothing is weighted.
    return (1.0,) * len(classes) if rule == "none" else class_weights.by_rule(rule, facts.counts)


def _weights_because(
    facts: PartFacts, *, several: bool, seldom: Sequence[ClassFacts], takes_weights: bool
) -> str:
    if not takes_weights:
        return "the loss has no term that takes class weights"
    if not several:
        rarest = rarest_class(facts)
        return (
            f"{rarest.name} covers {rarest.share:.2%}, but each class is decided by its own threshold: "
            "chosen on validation data, that does what weights would, and probabilities stay honest"
        )
    if not seldom:
        rarest = rarest_class(facts)
        return f"no class is below {SELDOM:.0%}: the rarest, {rarest.name}, covers {rarest.share:.2%}"
    names = ", ".join(f"{entry.name} {entry.share:.2%}" for entry in seldom)
    return f"{len(facts.classes)} classes compete for one answer, and unweighted these seldom win it: {names}"


def _measured_crop(facts: PartFacts, crop: int) -> int | None:
    """Return the largest measured crop size not above `crop` (or the smallest), None if none was measured."""
    measured = [
        size for size, positions in zip(CROP_SIZES, facts.counts.crop_positions, strict=True) if positions
    ]
    return max((size for size in measured if size <= crop), default=measured[0] if measured else None)


def _crop_chance(facts: PartFacts, entry: ClassFacts, looked_at: int | None) -> float:
    """Return the chance that a crop holds the class; images too small to be measured are crops themselves."""
    chance = None if looked_at is None else entry.crop_chance[CROP_SIZES.index(looked_at)]
    return entry.images / facts.counts.images if chance is None else chance


def _sampling_because(facts: PartFacts, chances: Mapping[int, float], looked_at: int | None) -> str:
    crop = "an image" if looked_at is None else f"a random crop of {looked_at} px"
    if not chances:
        rarest = rarest_class(facts)
        return f"no class is below {SELDOM:.0%}: the rarest, {rarest.name}, covers {rarest.share:.2%}"
    worst = min(chances, key=lambda label: chances[label])
    name, chance = facts.classes[worst].name, chances[worst]
    if chance < MISSED:
        return (
            f"{crop} holds {name} with a chance of only {chance:.0%}: a third of the crops is centred on "
            "such classes"
        )
    return f"{crop} holds {name}, the class most often missed, with a chance of {chance:.0%}"


def _floor(prior: NDArray[np.float64], weight: NDArray[np.float64], *, overlapping: bool) -> float:
    """Return cross-entropy's value at the prior, nats per pixel, scaled as in network.losses.pixelwise."""
    if not overlapping:
        return priors.entropy(prior)
    surprise = np.array([priors.entropy([share, 1 - share]) for share in prior])
    return float((surprise * weight / weight.mean()).sum())
