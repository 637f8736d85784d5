"""What the user says of predictions or of a saved model, checked: each setting belongs to one of the two."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from rareseg.errors import SettingError
from rareseg.imagery.answers.names import Kind
from rareseg.imagery.answers.written import Written
from rareseg.measures.preparations import LAYOUTS, SCALES
from rareseg.probing.saved_model import Fed
from rareseg.records.evidence import Activation

_ACTIVATIONS = tuple(name for name in get_args(Activation) if name != "constant")


def said_of_files(filed: Mapping[str, Any]) -> tuple[Written, Fed]:
    """Return what is known of the predictions, and of the model.

    Args:
        filed: predictions, model, kind, scale, channels, layout, reversed_bands and activation; None where not given.

    Raises:
        SettingError: if a setting belongs to what was not brought, or has no such value.
    """
    scale, channels = filed["scale"], filed["channels"]
    if filed["predictions"] is None:
        _unless(filed, ("kind", "channels"), "predictions")
    if filed["model"] is None:
        _unless(filed, ("layout", "reversed_bands", "activation"), "model")
    if filed["predictions"] is not None:
        _one_of("kind", filed["kind"], get_args(Kind))
        full = None if scale is None else _number(scale)
        return Written(filed["kind"], full, None if channels is None else tuple(channels)), Fed()
    if filed["model"] is None:
        _unless(filed, ("scale",), "predictions or model")
    for name, known in (("layout", LAYOUTS), ("scale", tuple(SCALES)), ("activation", _ACTIVATIONS)):
        _one_of(name, filed[name], known)
    return Written(), Fed(filed["layout"], scale, filed["reversed_bands"], filed["activation"])


def _unless(filed: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    named = [name for name in names if filed[name] is not None]
    if named:
        message = (
            f"{', '.join(named)}: expected {what} beside, as it says how these are read; received none. Give {what} "
            f"as well, or leave {' and '.join(named)} out."
        )
        raise SettingError(message)


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        message = f"{name}: expected one of {', '.join(known)}; received {value!r}."
        raise SettingError(message)


def _number(scale: Any) -> float:
    try:
        full = float(scale)
    except (TypeError, ValueError):
        full = 0.0
    if not 0 < full < float("inf"):
        message = (
            f"scale: expected the value that predictions store for probability 1, such as 1, 100 or 255; received "
            f"{scale!r}."
        )
        raise SettingError(message)
    return full
