"""The loss of a plan as text, such as "cross_entropy + 0.5*dice": its terms, their weights and their settings."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from rareseg.errors import SettingError
from rareseg.records.overrides import unknown
from rareseg.records.plan import LossChoice
from rareseg.records.plan import Setting as Value
from rareseg.remedies.catalogue import Remedy, Setting, find_loss, names

RAMP = "ramp"
"""Setting of terms that may come in slowly: applied by the sum, not by the loss itself."""

_TERM = re.compile(r"(?:(?P<weight>[^*]*)\*)?(?P<name>[^*]*)")
_LARGE = re.compile(r"(?<![\w.])((?:\d+\.?\d*|\.\d+)[eE])\+(\d+\s*\*)")
"""A weight such as 1e+3, whose plus joins no terms."""


class Term(NamedTuple):
    """One term of the sum."""

    remedy: Remedy
    weight: float


def parts(name: str) -> list[str]:
    """Split a sum such as "1e+3*dice + focal" into what the plus signs join.

    Raises:
        SettingError: if a plus joins nothing.
    """
    found = [part.strip() for part in _LARGE.sub(r"\1\2", name).split("+")]
    if len(found) > 1 and not all(found):
        message = f"{name}: expected a term on either side of each +. Leave out the + that joins nothing."
        raise SettingError(message)
    return found


def canonical(name: str) -> str:
    """Return the same sum as every spelling of it has it: terms by name, each with its weight."""
    return " + ".join(sorted(f"{term.weight!r}*{term.remedy.name}" for term in terms(name)))


def terms(name: str) -> tuple[Term, ...]:
    """Split a loss's name into its terms.

    Raises:
        SettingError: on an unknown or repeated term, or a weight that is no number above 0.
    """
    found: list[Term] = []
    for part in parts(name):
        match = _TERM.fullmatch(part)
        # dice*0.5 names no loss 0.5.
        if match is None or re.match(r"[-.\d]", match["name"].strip()):
            message = (
                f"loss.name={name}: expected terms such as dice or 0.5*dice, joined by +; received {part!r}. "
                "A factor stands before its term."
            )
            raise SettingError(message)
        remedy = find_loss(match["name"].strip())
        if any(remedy.name == term.remedy.name for term in found):
            message = f"loss.name={name} names {remedy.name} twice: name each term of the sum once."
            raise SettingError(message)
        found.append(Term(remedy, _weight(match["weight"], part, name)))
    return tuple(found)


def settings(name: str, given: Mapping[str, str] | None = None) -> dict[str, Value]:
    """Return every setting of every term as "term.setting", at its usual value or as given in text.

    Raises:
        SettingError: on a setting that no term has, or a value out of its range.
    """
    found: dict[str, Value] = {
        f"{term.remedy.name}.{entry.name}": entry.default
        for term in terms(name)
        for entry in term.remedy.settings
    }
    for key, text in (given or {}).items():
        setting = _setting(key, name)
        found[key] = setting.parsed(text, f"loss.{key}")
    return found


def owners(field: str) -> tuple[str, ...]:
    """Return the settings of all losses that are called `field`, such as "focal.gamma" for "gamma"."""
    return tuple(f"{name}.{field}" for name in names("loss") if find_loss(name).setting(field) is not None)


def check(loss: LossChoice, *, classes: int, overlapping: bool) -> None:
    """Check that a loss has exactly the settings of its terms, each in its range.

    Raises:
        SettingError: naming what is missing, idle or out of range.
    """
    usual = settings(loss.name)
    for key in loss.settings:
        if key not in usual:
            raise SettingError(_stray(key, loss.name))
    for key, default in usual.items():
        if key not in loss.settings:
            message = (
                f"loss.name={loss.name} needs loss.{key}, which is not set: set it, for example to {default}."
            )
            raise SettingError(message)
        setting = _setting(key, loss.name)
        value = setting.checked(loss.settings[key], f"loss.{key}")
        _check_classes(key, value, loss, classes)
        if overlapping and setting.exclusive_only and value != default:
            message = f"loss.{key}={value} has no effect where classes overlap: leave it at {default}."
            raise SettingError(message)
    for term in terms(loss.name):
        if overlapping and term.remedy.exclusive_only:
            message = f"loss.name={loss.name}: {term.remedy.name} needs exclusive classes, and these overlap."
            raise SettingError(message)
    _check_together(loss, overlapping=overlapping)


def _check_together(loss: LossChoice, *, overlapping: bool) -> None:
    """Check settings that are legal one by one but not together."""
    named = [term.remedy.name for term in terms(loss.name)]
    if all(loss.settings.get(f"{name}.{RAMP}") for name in named):
        message = (
            f"loss.name={loss.name}: every term has a ramp, so the loss would begin at 0: add a term such as "
            "cross_entropy, or set the ramp to 0."
        )
        raise SettingError(message)
    for name in named:
        costs = [f"{name}.false_positive_weight", f"{name}.false_negative_weight"]
        if not any(loss.settings.get(cost, 1) for cost in costs):
            message = (
                f"loss.{costs[0]} and loss.{costs[1]} are both 0, so that no error costs anything: raise one."
            )
            raise SettingError(message)
    alpha = loss.settings.get("focal.alpha")
    if isinstance(alpha, tuple) and not any(alpha) and not overlapping:
        listed = ",".join(f"{n:g}" for n in alpha)
        message = f"loss.focal.alpha={listed} makes the loss 0 whatever the map says: raise one of them."
        raise SettingError(message)
    if "combo" in named:
        _check_combo(loss)


def _check_combo(loss: LossChoice) -> None:
    """Check that no setting belongs to the part of combo that its balance leaves out."""
    usual = settings("combo")
    for balance, idle in ((0, "false_negative_weight"), (1, "smoothing")):
        key = f"combo.{idle}"
        if loss.settings["combo.balance"] == balance and loss.settings[key] != usual[key]:
            message = (
                f"loss.{key}={loss.settings[key]} has no effect at loss.combo.balance={balance}, which leaves that "
                f"part of the loss out: leave it at {usual[key]}, or set the balance between 0 and 1."
            )
            raise SettingError(message)


def _check_classes(key: str, value: Value, loss: LossChoice, classes: int) -> None:
    kind = _setting(key, loss.name).kind
    if kind == "numbers" and isinstance(value, tuple) and len(value) != classes:
        message = (
            f"loss.{key}={','.join(f'{n:g}' for n in value)}: expected {classes} numbers, one per class."
        )
        raise SettingError(message)
    indices = value if kind == "class indices" and isinstance(value, tuple) else ()
    if key.endswith(".background") and isinstance(value, int):
        indices = (value,)
    if len(set(indices)) < len(indices) or any(index >= classes for index in indices):
        message = f"loss.{key}: expected different class indices from 0 to {classes - 1}; received {indices}."
        raise SettingError(message)


def _setting(key: str, name: str) -> Setting:
    owner, _, field = key.partition(".")
    for term in terms(name):
        found = term.remedy.setting(field) if term.remedy.name == owner else None
        if found is not None:
            return found
    raise SettingError(_stray(key, name))


def _stray(key: str, name: str) -> str:
    """Return the sentence for a setting that no term of the sum has."""
    owner, _, field = key.partition(".")
    absent = owner in names("loss") and all(term.remedy.name != owner for term in terms(name))
    if absent and find_loss(owner).setting(field) is not None:
        return f"loss.{key} has no effect on loss.name={name}: name {owner} in the sum, or leave the setting out."
    return unknown("setting", key, ("name", *settings(name)), prefix="loss.")


def _weight(text: str | None, part: str, name: str) -> float:
    if text is None:
        return 1.0
    try:
        # Python itself would take 1_0 as 10.
        weight = math.nan if "_" in text else float(text)
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        message = f"loss.name={name}: expected a number above 0 before the * of {part.strip()!r}; received {text!r}."
        raise SettingError(message)
    return weight
