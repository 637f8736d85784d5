"""Settings given as text, such as "loss.name=dice", put into a record with its own types and ranges."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec

from rareseg.errors import SettingError

R = TypeVar("R", bound=msgspec.Struct)


def parse(pairs: Iterable[str]) -> dict[str, str]:
    """Turn "section.field=value" texts into a mapping; raises SettingError on any other form."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or (key.strip() != "seed" and key.count(".") != 1):
            message = f"Expected a setting as section.field=value, such as loss.name=dice; received {pair!r}."
            raise SettingError(message)
        found[key.strip()] = value.strip()
    return found


def override(record: R, settings: Mapping[str, str]) -> R:
    """Return `record` with "field" -> text settings converted to the fields' types.

    "none" gives None where the field allows it; a tuple takes comma-separated values.

    Raises:
        SettingError: on a field that does not exist or a value out of its type or range.
    """
    fields = {field.name: field for field in msgspec.structs.fields(record)}
    changes: dict[str, Any] = {}
    for name, text in settings.items():
        if name not in fields:
            raise SettingError(unknown("setting", name, fields))
        changes[name] = _convert(text, fields[name].type, name)
    return msgspec.structs.replace(record, **changes)


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for an unknown name: what came, the nearest, and all that are known."""
    known = list(known)
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known)}."


def _convert(text: str, kind: Any, name: str) -> Any:
    if text.lower() == "none":
        return _checked(None, kind, name, text)
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        listed = "tuple[" in str(kind)
        return _checked([part.strip() for part in text.split(",")] if listed else text, kind, name, text)


def _checked(value: Any, kind: Any, name: str, text: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        message = f"{name}={text}: {error}."
        raise SettingError(message) from error
