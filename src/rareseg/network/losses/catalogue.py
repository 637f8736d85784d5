"""The losses by name, and the sum that a plan asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from rareseg.errors import SettingError
from rareseg.network.losses.lovasz import lovasz
from rareseg.network.losses.overlap import check_error_weights, dice, tversky
from rareseg.network.losses.pixelwise import cross_entropy, focal
from rareseg.records.overrides import unknown
from rareseg.records.plan import LossChoice, WeightsChoice

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits (batch, classes, rows, cols) and labels (batch, rows, cols) to a scalar."""

SETTINGS = ("gamma", "false_positive_weight", "false_negative_weight")
"""Fields of LossChoice that belong to single losses."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One loss: its function, the settings it needs, and whether it takes class weights."""

    function: Callable[..., Tensor]
    settings: tuple[str, ...] = ()
    takes_weights: bool = False


LOSSES: dict[str, Entry] = {
    "cross_entropy": Entry(cross_entropy, takes_weights=True),
    "focal": Entry(focal, ("gamma",), takes_weights=True),
    "dice": Entry(dice),
    "tversky": Entry(tversky, ("false_positive_weight", "false_negative_weight")),
    "lovasz": Entry(lovasz),
}


def build(loss: LossChoice, weights: WeightsChoice, *, overlapping: bool) -> Loss:
    """Return the plan's loss: the plain sum of its "+"-joined terms, each with weight 1.

    Args:
        loss: Names and settings. A setting must be given if a named term needs it, and only then.
        weights: Class weights of the pixelwise terms.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax, labels are bit sets.

    Raises:
        SettingError: on an unknown or repeated term, a setting that is missing, out of range or used by no
            term, and class weights that no term takes.
    """
    names = _terms(loss.name)
    _check_settings(loss, names)
    _check_weights(loss, weights, names)
    terms = [_term(LOSSES[name], loss, weights, overlapping=overlapping) for name in names]
    return terms[0] if len(terms) == 1 else partial(_sum, terms)


def _sum(terms: Sequence[Loss], logits: Tensor, labels: Tensor) -> Tensor:
    total = terms[0](logits, labels)
    for term in terms[1:]:
        total = total + term(logits, labels)
    return total


def _term(entry: Entry, loss: LossChoice, weights: WeightsChoice, *, overlapping: bool) -> Loss:
    settings: dict[str, Any] = {name: getattr(loss, name) for name in entry.settings}
    if entry.takes_weights:
        settings["weights"] = None if weights.rule == "none" else weights.values
    return partial(entry.function, overlapping=overlapping, **settings)


def _terms(name: str) -> list[str]:
    terms = [term.strip() for term in name.split("+")]
    for position, term in enumerate(terms):
        if term not in LOSSES:
            raise SettingError(unknown("loss", term, LOSSES))
        if term in terms[:position]:
            message = f"loss.name={name} names {term} twice; name each term of the sum once."
            raise SettingError(message)
    return terms


def _check_settings(loss: LossChoice, names: Sequence[str]) -> None:
    needed = {setting for name in names for setting in LOSSES[name].settings}
    for setting in SETTINGS:
        value = getattr(loss, setting)
        if value is None and setting in needed:
            message = f"loss.name={loss.name} needs loss.{setting}; received none. Set it in the plan."
            raise SettingError(message)
        if value is not None and setting not in needed:
            users = ", ".join(name for name, entry in LOSSES.items() if setting in entry.settings)
            message = (
                f"loss.{setting}={value} has no effect on loss.name={loss.name}: only {users} uses it. "
                f"Set loss.{setting}=none, or name {users}."
            )
            raise SettingError(message)
    if loss.false_positive_weight is not None and loss.false_negative_weight is not None:
        check_error_weights(loss.false_positive_weight, loss.false_negative_weight)


def _check_weights(loss: LossChoice, weights: WeightsChoice, names: Sequence[str]) -> None:
    if weights.rule == "none":
        if any(value != 1 for value in weights.values):
            message = (
                f"weights.rule=none means that every class weighs 1; received weights.values="
                f"{weights.values}. Set weights.rule=given to use them."
            )
            raise SettingError(message)
        return
    if not any(LOSSES[name].takes_weights for name in names):
        users = " or ".join(name for name, entry in LOSSES.items() if entry.takes_weights)
        message = (
            f"weights.rule={weights.rule} has no effect on loss.name={loss.name}: add {users}, "
            "or set weights.rule=none."
        )
        raise SettingError(message)
