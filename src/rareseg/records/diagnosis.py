"""The Diagnosis: the causes that evidence points to, likeliest first, with what to do about each."""

from typing import Annotated, Literal

from msgspec import Meta

from rareseg.records.codec import Record
from rareseg.records.evidence import Evidence

Confidence = Annotated[float, Meta(ge=0, le=1)]
State = Literal["causes found", "healthy", "cannot tell"]


class Sign(Record, frozen=True, kw_only=True):
    """One number that speaks for a cause, beside the limit it is judged by."""

    what: str
    """What was measured, with its unit."""
    found: str
    limit: str
    """What would be expected of a healthy one."""


class Prescription(Record, frozen=True, kw_only=True):
    """What to do, as code that runs."""

    framework: Literal["torch", "keras", "rareseg", "any"]
    code: str


class Finding(Record, frozen=True, kw_only=True):
    """One cause."""

    cause: str
    """Its name, such as "learning_rate_too_high"; `rareseg diagnose --causes` lists them."""
    mode: int
    """Its number in docs/diagnose.md."""
    title: str
    """In words."""
    confidence: Confidence
    because: str
    """One sentence with the numbers."""
    signs: tuple[Sign, ...]
    prescription: str
    """What to do, in words."""
    code: tuple[Prescription, ...] = ()
    apart: str | None = None
    """What would tell it from the next candidate."""


class Diagnosis(Record, frozen=True, kw_only=True):
    """The answer to "why does it predict only the biggest class?"."""

    state: State
    summary: str
    """One or two sentences: the answer."""
    findings: tuple[Finding, ...]
    next_steps: tuple[str, ...]
    """What to measure or do next, where it cannot be told yet."""
    seconds: float
    evidence: Evidence
