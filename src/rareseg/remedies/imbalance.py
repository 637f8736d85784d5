"""Decisions about imbalance: loss, class weights, sampling and the start of the last layer.

Each function takes facts and what the user asked for (None = nothing), and returns a Choice whose
`because` holds the numbers it was decided by. The rules are those that measured best; DESIGN.md has the table.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import convert
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
    """Choose the loss."""
    rarest = rarest_class(facts)
    name = asked or "cross_entropy"
    terms = loss_terms(name)
    constant = facts.constant_predictor
    because = (
        f"{rarest.name} covers {rarest.share:.2%}: unaided cross-entropy stalls near its floor of "
        f"{constant.entropy:.3f} nats, but it ranks pixels best and keeps probabilities honest once the "
        "last layer starts at the prior; Dice on top of that gained nothing"
    )
    return LossChoice(
        name=name,
        gamma=2.0 if "focal" in terms else None,
        false_positive_weight=0.3 if "tversky" in terms else None,
        false_negative_weight=0.7 if "tversky" in terms else None,
        because=because,
        reference="Lin 2017, arXiv:1708.02002, sec. 4.1; measured in DESIGN.md",
    )


def loss_terms(name: str) -> tuple[str, ...]:
    """Split a "+"-joined loss name into its terms; raises SettingError on an unknown one."""
    terms = tuple(term.strip() for term in name.split("+"))
    for term in terms:
        if term not in LOSSES:
            raise SettingError(unknown("loss", term, LOSSES))
    return terms


def weights_choice(
    facts: PartFacts, *, overlapping: bool, loss: LossChoice, asked: str | None, given: Sequence[float] | None
) -> WeightsChoice:
    """Choose class weights for the pixelwise terms of the loss.

    Raises:
        SettingError: if weights are asked for and the loss has no term that takes them, or if `given`
            does not hold one weight per class.
    """
    takes_weights = any(term in PIXELWISE for term in loss_terms(loss.name))
    rule = asked or ("given" if given is not None else None)
    if rule not in (None, "none") and not takes_weights:
        message = (
            f"weights.rule={rule} has no effect on loss.name={loss.name}: add a term that takes class weights "
            f"({', '.join(PIXELWISE)}), or set weights.rule=none."
        )
        raise SettingError(message)
    seldom = [entry for entry in facts.classes if 0 < entry.share < SELDOM]
    several = len(facts.classes) > 2 and not overlapping
    decided = "sqrt_inverse" if several and seldom and takes_weights else "none"
    return WeightsChoice(
        rule=convert(rule or decided, WeightRule),
        values=_weights(rule or decided, facts, given),
        because=_weights_because(facts, several=several, seldom=seldom, takes_weights=takes_weights),
        reference="square root of inverse frequency"
        if decided == "sqrt_inverse"
        else "measured in DESIGN.md",
    )


def sampling_choice(facts: PartFacts, *, crop: int, asked: str | None) -> SamplingChoice:
    """Choose where crops lie: centred on rare classes only where a uniform crop would mostly miss them."""
    rare = [
        (label, entry) for label, entry in enumerate(facts.classes) if entry.pixels and entry.share < SELDOM
    ]
    chances = {label: _crop_chance(entry, crop) for label, entry in rare}
    missed = {label: chance for label, chance in chances.items() if chance < MISSED}
    rule = asked or ("class_centred" if missed else "uniform")
    if missed:
        worst = min(missed, key=lambda label: missed[label])
        because = (
            f"a random crop of {crop} px holds {facts.classes[worst].name} with a chance of only "
            f"{missed[worst]:.0%}: a third of the crops is centred on such classes"
        )
    else:
        lowest = min(chances.values(), default=1.0)
        because = f"a random crop of {crop} px holds every class with a chance of at least {lowest:.0%}"
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
    seen = shares if overlapping else shares * np.array(weights.values)
    prior = seen if overlapping else seen / seen.sum()
    listed = ", ".join(
        f"{entry.name} {share:.2%}" for entry, share in zip(facts.classes, prior, strict=True) if share
    )
    weighted = "" if weights.rule == "none" else " after weighting"
    return InitialisationChoice(
        prior_bias=True if asked is None else asked,
        prior=tuple(float(value) for value in prior),
        because=(
            f"shares{weighted} are {listed}: starting there, the loss begins at its floor for a constant map "
            f"({_entropy(prior, overlapping=overlapping):.3f} nats), and no step is spent on learning the prior"
        ),
        reference="Lin 2017, arXiv:1708.02002, sec. 4.1",
    )


def rarest_class(facts: PartFacts) -> ClassFacts:
    """Return the class with the fewest pixels among those that occur."""
    return min((entry for entry in facts.classes if entry.pixels), key=lambda entry: entry.pixels)


def _weights(rule: str, facts: PartFacts, given: Sequence[float] | None) -> tuple[float, ...]:
    shares = [entry.share for entry in facts.classes]
    if rule == "given":
        if given is None or len(given) != len(shares):
            message = f"weights.rule=given needs weights.values with {len(shares)} numbers; received {given}."
            raise SettingError(message)
        return tuple(given)
    if given is not None:
        message = f"weights.values is set, but weights.rule={rule} computes them: set weights.rule=given."
        raise SettingError(message)
    return class_weights.by_rule(rule, facts.counts)


def _weights_because(
    facts: PartFacts, *, several: bool, seldom: Sequence[ClassFacts], takes_weights: bool
) -> str:
    if not takes_weights:
        return "the loss has no term that takes class weights"
    if not several:
        return "a threshold chosen on validation data does what weights would, and probabilities stay honest"
    if not seldom:
        return f"no class is below {SELDOM:.0%}"
    names = ", ".join(f"{entry.name} {entry.share:.2%}" for entry in seldom)
    return f"{len(facts.classes)} classes compete for one answer, and unweighted these seldom win it: {names}"


def _crop_chance(entry: ClassFacts, crop: int) -> float:
    """Return the chance at the largest measured crop size that is not above `crop`."""
    fitting = [
        chance
        for size, chance in zip(CROP_SIZES, entry.crop_chance, strict=True)
        if size <= max(crop, CROP_SIZES[0]) and chance is not None
    ]
    return fitting[-1] if fitting else 1.0


def _entropy(prior: NDArray[np.float64], *, overlapping: bool) -> float:
    if overlapping:
        return float(sum(priors.entropy([share, 1 - share]) for share in prior))
    return priors.entropy(prior)
