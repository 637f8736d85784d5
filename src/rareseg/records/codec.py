"""Strict reading and writing of records: typed JSON out, typed JSON or TOML in, never code.

A record is a frozen `msgspec.Struct` that forbids unknown fields. Writing goes to a temporary
name beside the target and is renamed, so that a crash leaves the old file or the new one, never half.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import msgspec

from rareseg.errors import OutputExistsError, RecordError

T = TypeVar("T")

_UNKNOWN = re.compile(r"unknown field `(?P<field>.*?)`(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)

# RecursionError and ValueError: Python's TOML parser on deep nesting and on numbers of thousands of digits.
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


HTML: dict[type, Callable[[Any], str]] = {}
"""How notebooks show records: from a kind to its HTML. Whoever draws a kind enters it here; records draw nothing."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every record: frozen, unknown fields are errors. Subclasses repeat `kw_only=True`."""

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows, drawn by what is entered for this kind, or for Record; None: the text."""
        drawn = HTML.get(type(self), HTML.get(Record))
        return None if drawn is None else drawn(self)


def encode(record: msgspec.Struct) -> bytes:
    """Return the record as indented UTF-8 JSON with a final newline; NaN and infinity become null.

    Raises:
        RecordError: if a text in it is not Unicode, such as the name of a file in another encoding.
    """
    return msgspec.json.format(_json(record), indent=1) + b"\n"


def decode(data: bytes, kind: type[T], where: str) -> T:
    """Parse strict JSON into `kind`; a key that stands twice is an error.

    Raises:
        RecordError: naming `where`, the key, and the keys that are known there.
    """
    try:
        record = msgspec.json.decode(data, type=kind)
    except _UNREADABLE as error:
        raise RecordError(_explain(error, kind, where, data)) from error
    # msgspec keeps the last of two equal keys. What it has accepted, json can parse: numbers stay text.
    json.loads(data, parse_int=str, parse_float=str, object_pairs_hook=partial(_unrepeated, where))
    return record


def decode_toml(data: bytes, kind: type[T], where: str) -> T:
    """Parse strict TOML into `kind`; raises RecordError like `decode`."""
    try:
        return msgspec.toml.decode(data, type=kind)
    except _UNREADABLE as error:
        raise RecordError(_explain(error, kind, where, data)) from error


def digest(record: msgspec.Struct) -> str:
    """Return 16 hex digits that name the record's content (SHA-256 of its canonical JSON)."""
    return hashlib.sha256(_json(record, order="deterministic")).hexdigest()[:16]


def read(path: Path, kind: type[T]) -> T:
    """Read one JSON record from disk.

    Raises:
        RecordError: if the file is missing, unreadable or does not fit `kind`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"{path}: expected a {kind.__name__} record, but it cannot be read ({error.strerror})."
        raise RecordError(message) from error
    return decode(data, kind, str(path))


def write(path: Path, record: msgspec.Struct, *, overwrite: bool = False) -> None:
    """Write one record as JSON.

    Raises:
        OutputExistsError: if `path` exists and `overwrite` is false.
    """
    write_bytes(path, encode(record), overwrite=overwrite)


def write_bytes(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write bytes under a temporary name, then rename to `path`.

    Raises:
        OutputExistsError: if `path` is a folder, or exists and `overwrite` is false.
    """
    refuse_existing(path, overwrite=overwrite)
    if path.is_dir():
        message = (
            f"{path} is a folder, and a file is to be written. Name a file, such as {path / 'NAME.json'}."
        )
        raise OutputExistsError(message)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        give_usual_mode(Path(temporary))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def give_usual_mode(path: Path) -> None:
    """Give a file that was made private, as temporary files are, the mode that open() would have given."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise OutputExistsError if `path` exists and may not be replaced."""
    if path.exists() and not overwrite:
        message = f"{path} exists already. Choose another name with -o, or pass --overwrite (overwrite=True)."
        raise OutputExistsError(message)


def _json(record: msgspec.Struct, order: Literal["deterministic"] | None = None) -> bytes:
    try:
        return msgspec.json.encode(record, order=order)
    except UnicodeEncodeError as error:
        message = (
            f"The {type(record).__name__} record holds {error.object!r}, which is not Unicode and cannot be "
            "written. If it is the name of a file or folder, rename that."
        )
        raise RecordError(message) from error


def _unrepeated(where: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        message = f"{where}: the key `{repeated}` stands twice in one object. Keep one of them."
        raise RecordError(message)
    return found


def _explain(error: Exception, kind: type[Any], where: str, data: bytes) -> str:
    match = _UNKNOWN.search(str(error))
    if match is None:
        return f"{where} is not a valid {kind.__name__} record: {_reason(error, data)}."
    known = _known_fields(kind, match["path"] or "")
    place = f" at {match['path']}" if match["path"] else ""
    return f"{where}: unknown key `{match['field']}`{place}. Known keys: {', '.join(known)}."


def _reason(error: Exception, data: bytes) -> str:
    # Looked at here, as parsers say it in words of their own.
    try:
        data.decode()
    except UnicodeDecodeError as found:
        return f"it is not UTF-8 text (byte {data[found.start]:#04x} at {found.start})"
    if isinstance(error, RecursionError):
        return "its lists are nested too deeply"
    if isinstance(error, msgspec.DecodeError):
        return str(error)
    return f"it holds a number that cannot be read ({error})"


def _known_fields(kind: Any, path: str) -> list[str]:
    """Follow a msgspec error path such as `classes[...].values` to the struct it names."""
    for step in re.findall(r"[^.\[\]]+|\[[^\]]*\]", path):
        kind = _inner(kind) if step.startswith("[") else _field_type(_struct_of(kind), step)
    struct = _struct_of(kind)
    return [field.encode_name for field in msgspec.structs.fields(struct)] if struct else []


def _field_type(struct: Any, name: str) -> Any:
    types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)} if struct else {}
    return types.get(name)


def _inner(kind: Any) -> Any:
    arguments = [argument for argument in get_args(kind) if argument not in (type(None), Ellipsis)]
    nested = [part for argument in arguments for part in (get_args(argument) or (argument,))]
    return next((part for part in [*arguments[-1:], *nested] if _struct_of(part)), None)


def _struct_of(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    candidates = [part for part in get_args(kind) if isinstance(part, type)]
    return next((part for part in candidates if issubclass(part, msgspec.Struct)), None)
