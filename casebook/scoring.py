"""How good is the diagnosis? Sensitivity, false alarms and confusion, as of a medical test."""

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from casebook.case import CANNOT_TELL
from casebook.runner import Outcome

SURE = 0.5
"""Confidence from which a finding counts as an alarm."""
NOTHING = "healthy"
REMARKS = "only what stands beside"
"""Findings are true, but none of them names the cause."""


class Tally(NamedTuple):
    """Scores of one kind of case."""

    kind: str
    cases: int
    first: float
    """Share whose first finding is right; of healthy ones, whose answer has no false alarm."""
    strict: float
    """Share whose first finding, remarks that are true beside it passed over, is an expected cause itself."""
    third: float
    """Share with an expected or acceptable cause among the first three."""
    all_found: float
    """Share with every expected cause among the first three."""
    cannot_tell: float
    crashes: int
    median_seconds: float
    longest_seconds: float


def said(outcome: Outcome) -> list[str]:
    """Return the answers in order, what is true beside the cause passed over; what is said where no cause is found."""
    if outcome.state == "crash":
        return ["crash"]
    ranked = [cause for cause, _, _ in outcome.findings if cause not in outcome.beside]
    if outcome.state == CANNOT_TELL and CANNOT_TELL not in outcome.beside:
        return [CANNOT_TELL, *ranked]
    return ranked or [REMARKS if outcome.findings else NOTHING]


def false_alarms(outcome: Outcome) -> list[str]:
    """Return causes found for sure that are neither there nor granted."""
    granted = {*outcome.expected, *outcome.acceptable, *outcome.beside}
    return [cause for cause, sure, _ in outcome.findings if sure >= SURE and cause not in granted]


def right_first(outcome: Outcome) -> bool:
    """Return whether the first answer is right; of a healthy case, whether nothing false is alleged."""
    if not outcome.expected:
        return outcome.state != "crash" and not false_alarms(outcome)
    return said(outcome)[0] in {*outcome.expected, *outcome.acceptable}


def strictly_right(outcome: Outcome) -> bool:
    """Return whether the first answer is an expected cause itself; of a healthy case, whether it is called so."""
    return said(outcome)[0] in outcome.expected if outcome.expected else said(outcome)[0] == NOTHING


def right_in_three(outcome: Outcome) -> bool:
    """Return whether an expected or acceptable answer is among the first three."""
    if not outcome.expected:
        return right_first(outcome)
    return bool({*outcome.expected, *outcome.acceptable} & set(said(outcome)[:3]))


def all_in_three(outcome: Outcome) -> bool:
    """Return whether every expected cause is among the first three."""
    if not outcome.expected:
        return right_first(outcome)
    return set(outcome.expected) <= set(said(outcome)[:3])


def tally(kind: str, outcomes: Sequence[Outcome]) -> Tally | None:
    """Count the built cases of one kind; None where none was built."""
    built = [one for one in outcomes if one.built]
    if not built:
        return None
    seconds = [one.seconds for one in built]
    return Tally(
        kind=kind,
        cases=len(built),
        first=statistics.mean(map(right_first, built)),
        strict=statistics.mean(map(strictly_right, built)),
        third=statistics.mean(map(right_in_three, built)),
        all_found=statistics.mean(map(all_in_three, built)),
        cannot_tell=statistics.mean(one.state == CANNOT_TELL for one in built),
        crashes=sum(one.state == "crash" for one in built),
        median_seconds=statistics.median(seconds),
        longest_seconds=max(seconds),
    )


def confusion(outcomes: Sequence[Outcome]) -> dict[str, Counter[str]]:
    """Return, per kind of case, how often each answer came first."""
    table: dict[str, Counter[str]] = {}
    for one in outcomes:
        if one.built:
            table.setdefault(one.kind, Counter())[said(one)[0]] += 1
    return table


def misses(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the cases that were answered wrongly."""
    return [one for one in outcomes if one.built and not right_first(one)]
