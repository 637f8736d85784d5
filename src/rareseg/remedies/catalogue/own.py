"""A user's own losses: named in Python, then used by name like any other."""

import inspect
import re
from collections.abc import Callable
from typing import Any

from rareseg.errors import SettingError
from rareseg.records.plan import Setting as Value
from rareseg.remedies.catalogue.entry import Kind, Remedy, Setting
from rareseg.remedies.catalogue.judging import untold

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GIVEN = ("overlapping", "weights", "shares")
"""Keyword arguments that training fills in, for functions that have them."""

functions: dict[str, Callable[..., Any]] = {}
"""The functions by name."""
remedies: dict[str, Remedy] = {}
"""What is known of each, by name."""


def register(name: str, function: Callable[..., Any], *, summary: str) -> None:
    """Remember a function and what its signature says; see `catalogue.add_loss`."""
    if not _NAME.fullmatch(name):
        message = f"Expected a name of letters, digits and underscores for the loss; received {name!r}."
        raise SettingError(message)
    parameters = _keywords(name, function)
    remedies[name] = Remedy(
        name=name,
        family="loss",
        summary=summary or (inspect.getdoc(function) or "a loss of your own").split("\n", 1)[0],
        formula="your own function",
        reference="",
        when="",
        traps=(),
        settings=tuple(_setting(name, given) for given in parameters if given.name not in _GIVEN),
        takes_weights=any(given.name == "weights" for given in parameters),
        takes_shares=any(given.name == "shares" for given in parameters),
        judge=untold("compare it with others, by `rareseg compare`"),
    )
    functions[name] = function


def takes(name: str, argument: str) -> bool:
    """Return whether the user's loss `name` has a keyword argument of that name."""
    return argument in inspect.signature(functions[name]).parameters


def _keywords(name: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = _parameters(name, function)
    keywords = [given for given in parameters if given.kind is inspect.Parameter.KEYWORD_ONLY]
    free = [given for given in parameters if given not in keywords]
    if len(free) != 2 or any(given.kind is inspect.Parameter.VAR_KEYWORD for given in free):
        message = (
            f"Expected loss {name!r} to be function(logits, labels, *, settings...); its arguments are "
            f"({', '.join(map(str, parameters))}). Make every other argument keyword-only."
        )
        raise SettingError(message)
    return keywords


def _parameters(name: str, function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        message = (
            f"Expected loss {name!r} to be a function whose arguments can be read; received {function!r}. "
            "Wrap it in a def of your own: def mine(logits, labels): return ..."
        )
        raise SettingError(message) from error


def _setting(loss: str, parameter: inspect.Parameter) -> Setting:
    default: Value = parameter.default
    kinds: dict[type, Kind] = {bool: "flag", int: "whole number", float: "number", tuple: "list"}
    kind = kinds.get(type(default))
    where = f"Argument {parameter.name!r} of loss {loss!r}"
    if parameter.name == "ramp":
        message = f"{where} has a name that sums of losses use for their weights: give it another."
        raise SettingError(message)
    if kind is None:
        message = (
            f"{where} needs a default that is a number, true or false, or a "
            "tuple of numbers, as plans hold no other values."
        )
        raise SettingError(message)
    setting = Setting(name=parameter.name, kind=kind, default=default, meaning="a setting of your own loss")
    setting.checked(default, where)
    return setting
