"""Which settings of a plan contradict each other: nothing that a run would ignore is let through.

A plan may have been edited by hand, or changed by settings given as text.
"""

from collections.abc import Mapping, Sequence

import msgspec

from rareseg.errors import SettingError
from rareseg.records.plan import Choice, Plan
from rareseg.remedies import imbalance, loss_sums, training
from rareseg.remedies.catalogue import Family, find, names
from rareseg.remedies.catalogue.other_remedies import DEFERRED

_TOLERANCE = 0.02
"""How far from 1 the sum of a prior may be, and the mean weight that a rule gives: numbers typed with two digits."""


def check(plan: Plan, *, classes: int) -> None:
    """Check every section of `plan` against the others and the number of classes of the data.

    Raises:
        SettingError: naming the settings that contradict each other.
    """
    _check_classes(plan, classes)
    _check_shares(plan)
    _check_names(plan)
    _check_weights(plan)
    _check_sampling(plan, classes)
    _check_prior(plan)
    _check_budget(plan)
    _check_inference(plan, classes)


def _check_classes(plan: Plan, classes: int) -> None:
    for name, values in (
        ("classes", plan.classes),
        ("shares", plan.shares),
        ("weights.values", plan.weights.values),
        ("initialisation.prior", plan.initialisation.prior),
    ):
        if len(values) != classes:
            message = (
                f"{name} must hold {classes} entries, one per class of the data; it holds {len(values)}."
            )
            raise SettingError(message)


def _check_shares(plan: Plan) -> None:
    if not any(plan.shares) or (not plan.overlapping and abs(sum(plan.shares) - 1) > _TOLERANCE):
        message = (
            f"shares={plan.shares} adds up to {sum(plan.shares):.3g}; the shares of exclusive classes add up to 1, and "
            "those of others to more than 0. Keep what the plan was made with."
        )
        raise SettingError(message)


def _check_names(plan: Plan) -> None:
    """Compare each section that has a name with what the rules give for that name: the same settings."""
    model = training.model_choice(0, plan.model.name)
    optional = () if model.pretrained is None else ("encoder_weights",)
    _check_fields("model", plan.model, msgspec.structs.asdict(model), optional)
    loss_sums.check(plan.loss, classes=len(plan.classes), overlapping=plan.overlapping)
    _check_neighbourhoods(plan)
    optimizer = training.optimizer_choice(plan.model, plan.optimizer.name)
    _check_fields("optimizer", plan.optimizer, msgspec.structs.asdict(optimizer))


def _check_neighbourhoods(plan: Plan) -> None:
    """Check that a crop holds one neighbourhood of the regional loss."""
    radius, pool = (plan.loss.settings.get(f"rmi.{name}") for name in ("radius", "pool"))
    if not isinstance(radius, int | float) or not isinstance(pool, int | float):
        return
    least = (radius - 1) * pool + 1
    if plan.crop.size < least:
        message = (
            f"loss.rmi.radius={radius} and loss.rmi.pool={pool} need crops of at least {least} px, but crop.size="
            f"{plan.crop.size}: lower one of them, or raise crop.size."
        )
        raise SettingError(message)


def _check_fields(
    section: str, choice: Choice, usual: Mapping[str, object], optional: Sequence[str] = ()
) -> None:
    """Check that `choice` sets the fields that are set in `usual`, and no others but the optional ones."""
    settings = msgspec.structs.asdict(choice)
    name = settings.pop("name")
    taken = [field for field in settings if usual.get(field) is not None]
    for field, value in settings.items():
        if field in (*Choice.__struct_fields__, *optional):
            continue
        if value is None and field in taken:
            message = (
                f"{section}.name={name} needs {section}.{field}, which is not set: set it, for example to "
                f"{usual[field]}."
            )
            raise SettingError(message)
        if value is not None and field not in taken:
            advice = f"set {section}.{field}=none"
            if field in ("encoder", "encoder_weights", "pretrained") and not name.startswith("smp:"):
                advice += ", or choose a model that takes it, such as model.name=smp:unet (--model smp:unet)"
            message = f"{section}.{field}={value} has no effect on {section}.name={name}: {advice}."
            raise SettingError(message)


def _check_weights(plan: Plan) -> None:
    rule, values = plan.weights.rule, plan.weights.values
    _check_rule("weights", plan.weights, rule)
    if rule == "none":
        if any(value != 1 for value in values):
            message = f"weights.rule=none weighs every class by 1, but weights.values is {values}: use given."
            raise SettingError(message)
        return
    if not any(values):
        message = f"weights.values={values} gives every class the weight 0: raise one of them."
        raise SettingError(message)
    mean = sum(weight * share for weight, share in zip(values, plan.shares, strict=True)) / sum(plan.shares)
    if rule != "given" and abs(mean - 1) > _TOLERANCE:
        message = (
            f"weights.values={values} are not those of weights.rule={rule}, which give a pixel the mean weight 1, not "
            f"{mean:.3g}: set weights.rule=given to use your own."
        )
        raise SettingError(message)
    if not any(term.remedy.takes_weights for term in loss_sums.terms(plan.loss.name)):
        raise SettingError(imbalance.idle_weights(rule, plan.loss.name))


def _check_rule(section: str, choice: Choice, rule: str) -> None:
    """Check that the settings of a rule, and no others, are set, each in the range of the catalogue."""
    settings = {"none": (), "uniform": (), "given": (DEFERRED,)}
    entries = settings[rule] if rule in settings else find(rule).settings
    known = {entry.name: entry for entry in entries}
    for field, value in msgspec.structs.asdict(choice).items():
        if field in (*Choice.__struct_fields__, "rule", "values"):
            continue
        where = f"{section}.{field}"
        if field not in known:
            if value is not None:
                idle = f"{where}={value} has no effect on {section}.rule={rule}: set {where}=none"
                message = f"{idle}, or choose a rule that takes it ({_takers(section, field)})."
                raise SettingError(message)
            continue
        if value is None and (known[field].default is not None or field in ("labels", "temperature")):
            example = "the indices of rare classes" if field == "labels" else known[field].default or 0.1
            message = (
                f"{section}.rule={rule} needs {where}, which is not set: set it, for example to {example}."
            )
            raise SettingError(message)
        known[field].checked(value, where)


def _takers(section: str, field: str) -> str:
    """Return the rules of a section that have a setting, as they are asked for."""
    family: Family = "weights" if section == "weights" else "sampling"
    return ", ".join(
        f"{section}.rule={name}" for name in names(family) if find(name).setting(field) is not None
    )


def _check_sampling(plan: Plan, classes: int) -> None:
    _check_rule("sampling", plan.sampling, plan.sampling.rule)
    labels = plan.sampling.labels or ()
    if len(set(labels)) < len(labels) or any(not 0 <= label < classes for label in labels):
        message = f"sampling.labels {labels} must be different class indices from 0 to {classes - 1}."
        raise SettingError(message)


def _check_prior(plan: Plan) -> None:
    prior = plan.initialisation.prior
    if not any(prior):
        message = f"initialisation.prior={prior} gives every class the share 0: raise one of them."
        raise SettingError(message)
    if not plan.overlapping and abs(sum(prior) - 1) > _TOLERANCE:
        message = (
            f"initialisation.prior={prior} adds up to {sum(prior):.3g}; the shares of exclusive classes add "
            "up to 1."
        )
        raise SettingError(message)


def _check_budget(plan: Plan) -> None:
    steps, minutes = plan.budget.steps, plan.budget.minutes
    if (steps is None) == (minutes is None):
        message = (
            f"Exactly one of budget.steps and budget.minutes must be set; received {steps} and {minutes}."
        )
        raise SettingError(message)


def _check_inference(plan: Plan, classes: int) -> None:
    inference = plan.inference
    if inference.overlap >= inference.window:
        message = (
            f"inference.overlap ({inference.overlap} px) must be below inference.window "
            f"({inference.window} px)."
        )
        raise SettingError(message)
    if inference.decision != "argmax" and inference.logit_adjustment is not None:
        message = (
            f"inference.logit_adjustment={inference.logit_adjustment} has no effect on inference.decision="
            f"{inference.decision}, whose thresholds are chosen on validation data: set it to none."
        )
        raise SettingError(message)
    if inference.decision == "argmax" and plan.overlapping:
        message = (
            "inference.decision=argmax gives one class per pixel, but the classes overlap: use threshold."
        )
        raise SettingError(message)
    if inference.decision == "threshold" and classes > 2 and not plan.overlapping:
        message = (
            "inference.decision=threshold needs two classes or overlapping ones; there are "
            f"{classes} exclusive ones: use argmax."
        )
        raise SettingError(message)
