"""Decisions about imbalance: loss, class weights and sampling.

Each function takes facts and what the user asked for (None = nothing), and returns a Choice whose
`because` holds the numbers it was decided by. The rules are those that measured best, see DESIGN.md.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from rareseg.errors import SettingError
from rareseg.records.audit import ClassFacts, PartFacts
from rareseg.records.overrides import unknown
from rareseg.records.plan import (
    LossChoice,
    SamplingChoice,
    SamplingRule,
    WeightRule,
    WeightsChoice,
)
from rareseg.remedies import loss_sums
from rareseg.remedies import weights as class_weights
from rareseg.remedies.catalogue import find, names
from rareseg.remedies.sampling import (
    MISSED,
    SELDOM,
    blob_reason,
    chosen_temperature,
    crop_chances,
    measured_crop,
)


def loss_choice(facts: PartFacts, asked: str | None, settings: Mapping[str, str] | None = None) -> LossChoice:
    """Choose the loss; `settings` maps "term.setting" to text. Raises SettingError as `loss_sums.settings`."""
    rarest = rarest_class(facts)
    name = "cross_entropy" if asked is None else asked
    constant = facts.constant_predictor
    because = (
        f"{rarest.name} covers {rarest.share:.2%}: unaided cross-entropy stalls near its floor of "
        f"{constant.entropy:.3f} nats, but it ranks pixels best and keeps probabilities honest once the "
        "last layer starts at the prior; on roads of 0.2 % no loss by itself reached an IoU above 0.11, and "
        "Dice on top gained nothing"
    )
    return LossChoice(
        name=name,
        settings=loss_sums.settings(name, settings),
        because=because,
        reference="Lin 2017, arXiv:1708.02002, sec. 4.1; measured: docs/remedies.md",
    )


def weights_choice(
    facts: PartFacts,
    *,
    overlapping: bool,
    loss: LossChoice,
    asked: str | None = None,
    wished: WeightsChoice | None = None,
) -> WeightsChoice:
    """Choose class weights for the terms of the loss that take them.

    `wished` holds the settings that the user gave (constant, beta, counted, cap, deferred, values); others None.

    Raises:
        SettingError: if there is no such rule, if weights are asked for and the loss has no term that takes
            them, or if settings do not belong to the rule.
    """
    takes_weights = any(term.remedy.takes_weights for term in loss_sums.terms(loss.name))
    given = wished.values if wished is not None and wished.values else None
    rule = asked if asked is not None or given is None else "given"
    if rule not in (None, *get_args(WeightRule)):
        raise SettingError(unknown("weights.rule", str(rule), get_args(WeightRule)))
    if rule not in (None, "none") and not takes_weights:
        raise SettingError(idle_weights(str(rule), loss.name))
    seldom = [entry for entry in facts.classes if 0 < entry.share < SELDOM]
    several = len(facts.classes) > 2 and not overlapping
    adjusted = [term.remedy.name for term in loss_sums.terms(loss.name) if term.remedy.takes_shares]
    decided = "sqrt_inverse" if several and seldom and takes_weights and not adjusted else "none"
    named = rule or decided
    values = _weights(named, facts, given, _rule_settings(named, wished))
    because = _weights_because(
        facts, several=several, seldom=seldom, takes_weights=takes_weights, adjusted=adjusted
    )
    if named not in ("none", "given"):
        because += class_weights.level_warning(named, facts.counts, values)
    return WeightsChoice(
        rule=cast("WeightRule", named),
        values=values,
        **_rule_settings(named, wished),
        deferred=None if wished is None or named == "none" else wished.deferred,
        because=because,
        reference="measured in DESIGN.md",
    )


def _rule_settings(rule: str, wished: WeightsChoice | None) -> dict[str, Any]:
    """Return the settings of a rule for class weights: as wished, else at their usual values."""
    if rule in ("none", "given"):
        return {}
    usual = {entry.name: entry.default for entry in find(rule).settings if entry.name != "deferred"}
    asked = {name: None if wished is None else getattr(wished, name) for name in usual}
    return {name: usual[name] if asked[name] is None else asked[name] for name in usual}


def idle_weights(rule: str, loss: str) -> str:
    """Return the sentence for class weights that no term of the loss takes."""
    return (
        f"weights.rule={rule} has no effect on loss.name={loss}: add a term that takes class weights "
        f"({', '.join(name for name in names('loss') if find(name).takes_weights)}), or set weights.rule=none."
    )


def sampling_choice(facts: PartFacts, *, crop: int, asked: str | None) -> SamplingChoice:
    """Choose where crops lie: centred on rare classes only where a uniform crop would mostly miss them.

    Raises:
        SettingError: if there is no such rule.
    """
    if asked not in (None, "uniform", *names("sampling")):
        raise SettingError(unknown("sampling.rule", str(asked), ("uniform", *names("sampling"))))
    looked_at, chances = measured_crop(facts, crop), crop_chances(facts, crop)
    missed = {label: chance for label, chance in chances.items() if chance < MISSED}
    because = _sampling_because(facts, chances, looked_at)
    rule = asked or ("class_centred" if missed else "uniform")
    if rule == "uniform":
        return SamplingChoice(rule="uniform", because=because, reference="measured: docs/remedies.md")
    remedy = find(rule)
    usual: dict[str, Any] = {entry.name: entry.default for entry in remedy.settings}
    if "labels" in usual:
        usual["labels"] = tuple(missed) or tuple(chances) or (facts.classes.index(rarest_class(facts)),)
    if "temperature" in usual:
        usual["temperature"] = chosen_temperature([entry.share for entry in facts.classes])
    if rule == "copy_paste":
        because += "; " + "; ".join(blob_reason(facts.classes[label]) for label in usual["labels"])
    reference = f"{remedy.reference}; measured: docs/remedies.md"
    return SamplingChoice(rule=cast("SamplingRule", rule), **usual, because=because, reference=reference)


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


def _weights(
    rule: str, facts: PartFacts, given: Sequence[float] | None, settings: Mapping[str, Any]
) -> tuple[float, ...]:
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
    return (1.0,) * len(classes) if rule == "none" else class_weights.by_rule(rule, facts.counts, **settings)


def _weights_because(
    facts: PartFacts,
    *,
    several: bool,
    seldom: Sequence[ClassFacts],
    takes_weights: bool,
    adjusted: Sequence[str],
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
    if adjusted:
        return (
            f"{' and '.join(adjusted)} corrects for rare classes already ({names}): weights would do so again"
        )
    return f"{len(facts.classes)} classes compete for one answer, and unweighted these seldom win it: {names}"


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
            "such classes, which on roads of 0.2 % raised IoU from 0.37 to 0.72"
        )
    return f"{crop} holds {name}, the class most often missed, with a chance of {chance:.0%}"
