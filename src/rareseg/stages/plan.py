"""Decide: from the Audit's facts and the machine to a Plan. Reads no pixel and trains nothing."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from rareseg.errors import SettingError
from rareseg.records.audit import Audit, PartFacts
from rareseg.records.codec import digest
from rareseg.records.machine import Machine
from rareseg.records.overrides import override, settable, unknown
from rareseg.records.plan import (
    BudgetChoice,
    Choice,
    InitialisationChoice,
    LossChoice,
    Plan,
    WeightsChoice,
)
from rareseg.remedies import consistency, imbalance, initialisation, loss_sums, training

C = TypeVar("C", bound=Choice)

_SECTIONS: dict[str, type[Choice]] = {
    name: kind for name, kind in settable(Plan).items() if isinstance(kind, type) and issubclass(kind, Choice)
}
_FIXED = (*Choice.__struct_fields__, "settings")
"""Fields that the plan writes itself; settings of a loss are set as loss.TERM.SETTING."""
_DECIDED_FIRST = ("model.name", "loss.name", "weights.rule", "optimizer.name", "sampling.rule")
"""Settings that other settings follow from: a model brings its own optimizer, a loss its own gamma."""
_CHOSEN = ("sampling.temperature", "sampling.labels")
"""Settings whose usual value in the catalogue, none, means that the rules choose them."""


def decide(
    audit: Audit,
    machine: Machine,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Plan:
    """Return the Plan for the training part of `audit` on `machine`.

    `settings` maps "section.field" to text and overrides the rules; such sections say "set by user".

    Raises:
        SettingError: on an unknown setting, a value out of range, or settings that contradict each other.
    """
    wishes = _known(settings)
    facts = audit.part("train")
    if facts is None or all(pair.part != "train" for pair in audit.dataset.pairs):
        message = "The audit has no training part: nothing can be planned. Check the split in the audit."
        raise SettingError(message)
    budget = _budget(wishes, minutes, steps) or training.budget_choice(None, None)
    plan = _by_rules(audit, facts, machine, wishes, budget)
    left_to_rules = [key for key in _CHOSEN if wishes.get(key, "").lower() == "none"]
    plan = _with_wishes(plan, wishes, followed=(*_DECIDED_FIRST, *left_to_rules))
    plan = checked(plan, classes=len(audit.dataset.classes))
    _check_prior_used(plan, wishes)
    _check_labels_occur(plan, facts)
    return plan


def amended(
    plan: Plan,
    *,
    classes: int,
    minutes: float | None = None,
    steps: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> Plan:
    """Return a given plan with another budget or other settings, checked; nothing else is decided anew.

    Raises:
        SettingError: as `decide`; also on a rule for class weights, as it needs the audit to compute them.
    """
    wishes = _known(settings)
    rule = wishes.get("weights.rule", plan.weights.rule)
    computed = {key for key in wishes if key.startswith("weights.")} - {"weights.deferred"}
    if rule not in ("none", "given") and computed:
        message = (
            f"weights.rule={rule} computes weights.values from the audit, and here a plan is given: make a "
            "new plan with that setting, or set weights.rule=given and weights.values."
        )
        raise SettingError(message)
    budget = _budget(wishes, minutes, steps)
    if budget is not None:
        plan = msgspec.structs.replace(plan, budget=budget)
    plan = checked(_with_wishes(plan, wishes), classes=classes)
    _check_prior_used(plan, wishes)
    return plan


def checked(plan: Plan, *, classes: int) -> Plan:
    """Return `plan` if its settings fit together; it may have been edited by hand.

    Raises:
        SettingError: naming the settings that contradict each other.
    """
    consistency.check(plan, classes=classes)
    return plan


def _by_rules(
    audit: Audit, facts: PartFacts, machine: Machine, wishes: Mapping[str, str], budget: BudgetChoice
) -> Plan:
    """Decide every section in the order in which they follow from each other."""
    dataset = audit.dataset
    model = training.model_choice(dataset.bands, wishes.get("model.name"))
    loss = imbalance.loss_choice(facts, wishes.get("loss.name"), _loss_settings(wishes))
    weights = _weights(facts, loss, wishes, overlapping=dataset.overlapping)
    train = [pair for pair in dataset.pairs if pair.part == "train"]
    crop = _as_wished(training.crop_choice(train), "crop", wishes)
    training.check_crop(crop.size, train)
    augmentation = _as_wished(training.augmentation_choice(facts), "augmentation", wishes)
    return Plan(
        audit_digest=digest(audit),
        classes=dataset.classes,
        overlapping=dataset.overlapping,
        shares=tuple(entry.share for entry in facts.classes),
        seed=0,
        model=model,
        loss=loss,
        weights=weights,
        sampling=imbalance.sampling_choice(facts, crop=crop.size, asked=wishes.get("sampling.rule")),
        initialisation=_initialisation(facts, loss, weights, wishes, overlapping=dataset.overlapping),
        optimizer=training.optimizer_choice(model, wishes.get("optimizer.name")),
        crop=crop,
        batch=training.batch_choice(machine),
        budget=budget,
        precision=training.precision_choice(machine),
        augmentation=augmentation,
        inference=training.inference_choice(
            model, augmentation, classes=len(dataset.classes), overlapping=dataset.overlapping
        ),
        watch=training.watch_choice(budget),
    )


def _weights(
    facts: PartFacts, loss: LossChoice, wishes: Mapping[str, str], *, overlapping: bool
) -> WeightsChoice:
    blank = WeightsChoice(rule="given", values=(), because="", reference="")
    given = {name: text for name, text in _own("weights", wishes).items() if name != "rule"}
    return imbalance.weights_choice(
        facts,
        overlapping=overlapping,
        loss=loss,
        asked=wishes.get("weights.rule"),
        wished=override(blank, given, section="weights") if given else None,
    )


def _initialisation(
    facts: PartFacts,
    loss: LossChoice,
    weights: WeightsChoice,
    wishes: Mapping[str, str],
    *,
    overlapping: bool,
) -> InitialisationChoice:
    decided = initialisation.initialisation_choice(
        facts, weights, loss=loss, overlapping=overlapping, asked=None
    )
    return _as_wished(decided, "initialisation", wishes)


def _loss_settings(wishes: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of the loss's terms, "term.setting" -> text."""
    return {field: text for field, text in _own("loss", wishes).items() if "." in field}


def _budget(wishes: Mapping[str, str], minutes: float | None, steps: int | None) -> BudgetChoice | None:
    """Return the budget that is asked for, as an argument or a setting, or None."""
    own = _own("budget", wishes)
    if own and (minutes is not None or steps is not None):
        given = ", ".join(f"budget.{name}={text}" for name, text in own.items())
        message = f"The budget is given twice: as {given}, and as minutes or steps. Keep one."
        raise SettingError(message)
    asked = override(
        BudgetChoice(minutes=minutes, steps=steps, because="", reference=""), own, section="budget"
    )
    if asked.minutes is None and asked.steps is None:
        return None
    return training.budget_choice(asked.minutes, asked.steps)


def _check_prior_used(plan: Plan, wishes: Mapping[str, str]) -> None:
    if "initialisation.prior" in wishes and not plan.initialisation.prior_bias:
        message = (
            f"initialisation.prior={wishes['initialisation.prior']} has no effect on initialisation.prior_bias=false: "
            "leave it out, or set initialisation.prior_bias=true."
        )
        raise SettingError(message)


def _check_labels_occur(plan: Plan, facts: PartFacts) -> None:
    absent = [
        facts.classes[label].name for label in plan.sampling.labels or () if not facts.classes[label].pixels
    ]
    if absent:
        message = (
            f"sampling.labels={plan.sampling.labels} names {', '.join(absent)}, of which the training part "
            "holds no pixel: crops cannot be centred there. Leave it out."
        )
        raise SettingError(message)


def _known(settings: Mapping[str, str] | None) -> dict[str, str]:
    """Return the settings, refusing those that no plan has; numbers may come as such from Python."""
    wishes = {key: str(value).strip() for key, value in (settings or {}).items()}
    for key in wishes:
        section, _, field = key.partition(".")
        if key == "seed":
            continue
        if section not in _SECTIONS:
            raise SettingError(unknown("section", section, [*_SECTIONS, "seed"]))
        if field in _FIXED:
            message = f"{key} is written by the plan itself and cannot be set."
            raise SettingError(message)
        if section == "loss" and "." in field:
            continue  # a setting of one term: known once the terms are
        names = settable(_SECTIONS[section], fixed=_FIXED)
        if field not in names:
            raise SettingError(_unknown_field(section, field, names, wishes))
    return wishes


def _unknown_field(section: str, field: str, names: Iterable[str], wishes: Mapping[str, str]) -> str:
    """Return the sentence for a field that no section has; of a loss's setting, by which name it can be set."""
    owners = loss_sums.owners(field) if section == "loss" else ()
    if not owners:
        return unknown("setting", field, names, prefix=f"{section}.")
    named = re.findall(r"\w+", wishes.get("loss.name", ""))
    meant = [owner for owner in owners if owner.partition(".")[0] in named] or owners
    offers = " or ".join(f"loss.{owner}" for owner in meant)
    return f"Unknown setting 'loss.{field}': a setting of a loss names its term too. Did you mean {offers}?"


def _own(section: str, wishes: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of one section, by field."""
    prefix = f"{section}."
    return {key.removeprefix(prefix): text for key, text in wishes.items() if key.startswith(prefix)}


def _as_wished(choice: C, section: str, wishes: Mapping[str, str]) -> C:
    own = {field: text for field, text in _own(section, wishes).items() if "." not in field}
    return override(choice, own, section=section, fixed=_FIXED)


def _with_wishes(plan: Plan, wishes: Mapping[str, str], followed: Sequence[str] = ()) -> Plan:
    """Put settings into the plan; those in `followed` the rules have taken up already."""
    left = {key: text for key, text in wishes.items() if key not in followed}
    if "seed" in left:
        plan = override(plan, {"seed": left["seed"]})
    for section, before in plan.choices().items():
        if not _own(section, wishes):
            continue
        because = (
            before.because
            if before.set_by == "user"
            else f"set by user; the rule's reason was: {before.because}"
        )
        changed = _as_wished(before, section, left)
        if isinstance(changed, LossChoice):
            changed = _with_loss_settings(changed, _loss_settings(wishes))
        changed = msgspec.structs.replace(changed, set_by="user", because=because)
        plan = msgspec.structs.replace(plan, **{section: changed})
    return plan


def _with_loss_settings(loss: LossChoice, given: Mapping[str, str]) -> LossChoice:
    """Return `loss` with every setting of its terms: as given, else as it stood, else at its usual value."""
    usual = loss_sums.settings(loss.name)
    kept = {key: value for key, value in loss.settings.items() if key in usual}
    asked = {key: value for key, value in loss_sums.settings(loss.name, given).items() if key in given}
    return msgspec.structs.replace(loss, settings={**usual, **kept, **asked})
