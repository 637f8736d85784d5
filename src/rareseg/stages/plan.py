"""Decide: from the Audit's facts and the machine to a Plan. Reads no pixel and trains nothing."""

from collections.abc import Mapping, Sequence

import msgspec

from rareseg.errors import SettingError
from rareseg.records.audit import Audit, PartFacts
from rareseg.records.codec import digest
from rareseg.records.machine import Machine
from rareseg.records.overrides import override, unknown
from rareseg.records.plan import Choice, Plan
from rareseg.remedies import imbalance, training

_DECIDED_FIRST = ("model.name", "loss.name", "weights.rule", "optimizer.name", "sampling.rule")
"""Settings that other settings follow from: a model brings its own optimizer, a loss its own gamma."""


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
    wishes = dict(settings or {})
    facts = audit.part("train")
    if facts is None:
        message = "The audit has no training part: nothing can be planned. Check the split in the audit."
        raise SettingError(message)
    plan = _by_rules(audit, facts, machine, wishes, minutes, steps)
    return checked(_with_wishes(plan, wishes, followed=_DECIDED_FIRST), classes=len(audit.dataset.classes))


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
        SettingError: as `decide`.
    """
    if minutes is not None or steps is not None:
        plan = msgspec.structs.replace(plan, budget=training.budget_choice(minutes, steps))
    return checked(_with_wishes(plan, settings or {}), classes=classes)


def checked(plan: Plan, *, classes: int) -> Plan:
    """Return `plan` if its settings fit together; it may have been edited by hand.

    Raises:
        SettingError: naming the settings that contradict each other.
    """
    if (plan.budget.steps is None) == (plan.budget.minutes is None):
        message = f"Exactly one of budget.steps and budget.minutes must be set; received {plan.budget.steps} and {plan.budget.minutes}."
        raise SettingError(message)
    if plan.inference.overlap >= plan.inference.window:
        message = f"inference.overlap ({plan.inference.overlap} px) must be below inference.window ({plan.inference.window} px)."
        raise SettingError(message)
    if plan.inference.decision == "argmax" and plan.overlapping:
        message = (
            "inference.decision=argmax gives one class per pixel, but the classes overlap: use threshold."
        )
        raise SettingError(message)
    if plan.inference.decision == "threshold" and classes > 2 and not plan.overlapping:
        message = f"inference.decision=threshold needs two classes or overlapping ones; there are {classes} exclusive ones: use argmax."
        raise SettingError(message)
    centred = plan.sampling.rule == "class_centred"
    if centred == (plan.sampling.share is None or plan.sampling.labels is None):
        message = "sampling.share and sampling.labels belong to sampling.rule=class_centred: set both there, and neither with uniform."
        raise SettingError(message)
    if any(not 0 <= label < classes for label in plan.sampling.labels or ()):
        message = f"sampling.labels {plan.sampling.labels} must be class indices from 0 to {classes - 1}."
        raise SettingError(message)
    for name, values in (
        ("weights.values", plan.weights.values),
        ("initialisation.prior", plan.initialisation.prior),
    ):
        if len(values) != classes:
            message = f"{name} must hold {classes} numbers, one per class; it holds {len(values)}."
            raise SettingError(message)
    imbalance.loss_terms(plan.loss.name)
    return plan


def _by_rules(
    audit: Audit,
    facts: PartFacts,
    machine: Machine,
    wishes: Mapping[str, str],
    minutes: float | None,
    steps: int | None,
) -> Plan:
    dataset = audit.dataset
    pairs = [pair for pair in dataset.pairs if pair.part == "train"]
    model = training.model_choice(dataset.bands, wishes.get("model.name"))
    loss = imbalance.loss_choice(facts, wishes.get("loss.name"))
    given = wishes.get("weights.values")
    weights = imbalance.weights_choice(
        facts,
        overlapping=dataset.overlapping,
        loss=loss,
        asked=wishes.get("weights.rule"),
        given=None if given is None else _numbers(given),
    )
    crop = training.crop_choice(pairs)
    if "crop.size" in wishes:
        crop = override(crop, {"size": wishes["crop.size"]})
    bias = wishes.get("initialisation.prior_bias")
    augmentation = training.augmentation_choice(facts)
    budget = training.budget_choice(minutes, steps)
    return Plan(
        audit_digest=digest(audit),
        classes=dataset.classes,
        overlapping=dataset.overlapping,
        seed=0,
        model=model,
        loss=loss,
        weights=weights,
        sampling=imbalance.sampling_choice(facts, crop=crop.size, asked=wishes.get("sampling.rule")),
        initialisation=imbalance.initialisation_choice(
            facts, weights, overlapping=dataset.overlapping, asked=None if bias is None else _truth(bias)
        ),
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


def _with_wishes(plan: Plan, wishes: Mapping[str, str], followed: Sequence[str] = ()) -> Plan:
    """Put settings into the plan; those in `followed` the rules have taken up already."""
    sections = plan.choices()
    for key, text in wishes.items():
        if key == "seed":
            plan = override(plan, {"seed": text})
            continue
        section, _, field = key.partition(".")
        if section not in sections:
            raise SettingError(unknown("section", section, [*sections, "seed"]))
        if field in Choice.__struct_fields__:
            message = f"{key} is written by the plan itself and cannot be set."
            raise SettingError(message)
        before = getattr(plan, section)
        changed = before if key in followed else override(before, {field: text})
        because = (
            before.because
            if before.set_by == "user"
            else f"set by user; the rule's reason was: {before.because}"
        )
        changed = msgspec.structs.replace(changed, set_by="user", because=because)
        plan = msgspec.structs.replace(plan, **{section: changed})
    return plan


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        message = f"weights.values={text}: expected numbers with commas between, one per class."
        raise SettingError(message) from error


def _truth(text: str) -> bool:
    try:
        return msgspec.convert(text, bool, strict=False)
    except msgspec.ValidationError as error:
        message = f"initialisation.prior_bias={text}: expected true or false."
        raise SettingError(message) from error
