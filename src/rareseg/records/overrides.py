"""Settings given as text, such as "loss.name=dice", put into a record with its own types and ranges."""

import math
import re
from collections.abc import Container, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from rareseg.errors import SettingError

R = TypeVar("R", bound=msgspec.Struct)

_KEY = re.compile(r"seed|[^.\s]+(\.[^.\s]+){1,2}")


def parse(pairs: Iterable[str]) -> dict[str, str]:
    """Turn "section.field=value" texts into a mapping; raises SettingError on other forms, repeated keys."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, _, value = (part.strip() for part in pair.partition("="))
        if not value or not _KEY.fullmatch(key):
            message = f"Expected a setting as section.field=value, such as loss.name=dice; received {pair!r}."
            raise SettingError(message)
        if key in found:
            message = f"{key} is set twice: to {found[key]!r} and to {value!r}. Keep one."
            raise SettingError(message)
        found[key] = value
    return found


def override(record: R, settings: Mapping[str, str], *, section: str = "", fixed: Container[str] = ()) -> R:
    """Return `record` with "field" -> text settings converted to the fields' types.

    "none" gives None where the field allows it; a tuple takes comma-separated values. `section` is
    what messages put before a field's name; fields in `fixed` cannot be set.

    Raises:
        SettingError: on a field that does not exist or a value out of its type or range.
    """
    prefix = f"{section}." if section else ""
    types = settable(type(record), fixed=fixed)
    changes: dict[str, Any] = {}
    for name, text in settings.items():
        if name not in types:
            raise SettingError(unknown("setting", name, types, prefix=prefix))
        changes[name] = _convert(text, types[name], f"{prefix}{name}={text}")
    return msgspec.structs.replace(record, **changes)


def settable(kind: type[msgspec.Struct], *, fixed: Container[str] = ()) -> dict[str, Any]:
    """Return the types of the fields of a record that are not `fixed`, by name, in their order."""
    return {field.name: field.type for field in msgspec.structs.fields(kind) if field.name not in fixed}


def unknown(kind: str, name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Return the sentence for an unknown name: what came, the nearest, and all that are known.

    `prefix` is put before every name, and does not count when the nearest is looked for.
    """
    known = list(known)
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {prefix + near[0]!r}?" if near else ""
    return f"Unknown {kind} {prefix + name!r}.{hint} Known: {', '.join(prefix + entry for entry in known)}."


def _convert(text: str, kind: Any, setting: str) -> Any:
    if text.lower() == "none" and type(None) in get_args(kind):
        return None
    listed = any(get_origin(part) is tuple for part in _alternatives(kind))
    given = [part.strip() for part in text.split(",")] if listed else text
    try:
        value = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        message = f"{setting}: {_expected(kind, error)}."
        raise SettingError(message) from error
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and not math.isfinite(number):
            message = f"{setting}: Expected a finite number."
            raise SettingError(message)
    return value


def _expected(kind: Any, error: Exception) -> str:
    """Say what was expected, in the words of a command line, on which everything is a `str`."""
    alternatives = _alternatives(kind)
    choices = [
        str(choice) for part in alternatives if get_origin(part) is Literal for choice in get_args(part)
    ]
    if bool in alternatives:
        choices = ["true", "false"]
    if choices:
        return f"Expected one of {', '.join(choices)}{', none' if type(None) in alternatives else ''}"
    said = str(error).replace(", got `str`", "").replace("| null`", "| none`")
    return re.sub(r" - at `\$\[(\d+)\]`", lambda match: f" as number {int(match[1]) + 1} of the list", said)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if type(None) in get_args(kind) else (kind,)
