"""What a case is: a failing (or healthy) training, what is wrong with it, and the question to the diagnosis."""

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Framework = Literal["torch", "keras", "files"]

CANNOT_TELL = "cannot tell"
"""Stands in `acceptable` where too little is known for any answer but this."""
LONGEST = 12.0
"""Processor seconds after which a case is not drawn anew."""


class NotSick(Exception):
    """This draw did not become what it was meant to be; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One patient.

    `expected` holds the causes that are really there, the main one first; none of a healthy one.
    `acceptable` holds answers that are right too and enough; `beside` ones that are true but explain nothing
    by themselves, so that they are passed over in the ranking.
    """

    expected: tuple[str, ...]
    framework: Framework
    diagnose: Callable[[], Any]
    acceptable: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    drawn: dict[str, str] = field(default_factory=dict)
    """Particulars, and the numbers that show that the disease is there."""


def told(**particulars: object) -> dict[str, str]:
    """Return particulars as short text."""
    return {name: _short(value) for name, value in particulars.items()}


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def redrawn(name: str, seed: int, draw: Callable[[np.random.Generator], Case], *, attempts: int = 8) -> Case:
    """Draw until the disease holds.

    Raises:
        NotSick: with the last reason, after `attempts` draws or `LONGEST` processor seconds.
    """
    start, reasons = time.process_time(), ["nothing drawn"]
    for attempt in range(attempts):
        if time.process_time() - start > LONGEST:
            break
        try:
            return draw(np.random.default_rng((zlib.crc32(name.encode()), seed, attempt)))
        except NotSick as reason:
            reasons.append(str(reason))
    message = f"not built in {len(reasons) - 1} draws: {reasons[-1]}"
    raise NotSick(message)


def hold(condition: bool, reason: str) -> None:
    """Raise NotSick with `reason` unless `condition` holds."""
    if not condition:
        raise NotSick(reason)
