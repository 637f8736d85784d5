"""What a cause is, and the readings of evidence that several rules share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rareseg.records.diagnosis import Prescription, Sign
from rareseg.records.evidence import ClassAnswers, Evidence, LearningEvidence

Kind = Literal["labels", "wiring", "learning", "outcome", "remark"]
"""What it concerns. The earlier kinds explain the later ones away: whoever has wrong labels also learns badly."""

GOOD_LIFT, GOOD_SKILL = 3.0, 0.5
NO_LIFT, NO_SKILL = 2.5, 0.1
A_RATIO = 0.01
"""`dice_like` from which on a loss is no mean over pixels: those come out below 1e-6."""
DEAD = 0.3
"""Share of units that answer nothing at any pixel, from which on that is a fault."""
VARIED = 0.1
CONSTANT = 0.05
"""Standard deviation of log-odds over pixels below which an answer is the same everywhere."""


class Suspicion(NamedTuple):
    """What a rule finds."""

    confidence: float
    """0..1; a finding from 0.5 on."""
    because: str
    signs: tuple[Sign, ...]
    apart: str | None = None
    """What would tell it from the next candidate."""
    direct: bool = False
    """Measured by itself: no other cause explains it away."""


Rule = Callable[[Evidence], Suspicion | None]


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of failure."""

    name: str
    mode: int
    kind: Kind
    title: str
    rule: Rule
    prescription: str
    code: tuple[Prescription, ...] = ()


def sign(what: str, found: object, limit: str) -> Sign:
    """Return a sign, numbers spelled with three digits."""
    return Sign(what=what, found=spelled(found), limit=limit)


def spelled(value: object) -> str:
    """Spell a number with three significant digits."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def rare_answers(evidence: Evidence) -> ClassAnswers | None:
    """Return what is answered of the rarest class that can be ranked."""
    if evidence.answers is None:
        return None
    return worst(evidence)


def worst(evidence: Evidence) -> ClassAnswers | None:
    """Return the class that is ranked worst, the most frequent one left out where there are more than two."""
    if evidence.answers is None:
        return None
    found = [one for one in evidence.answers.classes if one.average_precision is not None]
    if not found:
        return None
    most = max(found, key=lambda one: one.prevalence)
    rare = [one for one in found if one is not most] or found
    return min(rare, key=lambda one: (skill(one), one.prevalence))


def skill(answers: ClassAnswers) -> float:
    """Return (AP - prevalence) / (1 - prevalence): 0 is chance, 1 is perfect."""
    if answers.average_precision is None or answers.prevalence >= 1:
        return 0.0
    return (answers.average_precision - answers.prevalence) / (1 - answers.prevalence)


def mean_skill(evidence: Evidence) -> float:
    """Return the mean skill over the classes but the most frequent."""
    if evidence.answers is None:
        return 0.0
    found = [one for one in evidence.answers.classes if one.average_precision is not None]
    most = max(found, key=lambda one: one.prevalence, default=None)
    rare = [skill(one) for one in found if one is not most]
    return sum(rare) / len(rare) if rare else 0.0


def ranks(answers: ClassAnswers) -> bool:
    """Tell whether a class is ranked well above chance, by answers that differ: fresh weights rank bright roads too."""
    if answers.deviation is not None and answers.deviation < VARIED:
        return False
    found = skill(answers)
    return found >= GOOD_SKILL or ((answers.lift or 0) >= GOOD_LIFT and found >= NO_SKILL)


def well(answers: ClassAnswers) -> bool:
    """Tell whether a class is ranked and mapped well."""
    return ranks(answers) and not missing(answers) and skill(answers) >= GOOD_SKILL


def at_chance(answers: ClassAnswers) -> bool:
    """Tell whether a class is ranked no better than chance."""
    return (answers.lift or 0) < NO_LIFT and skill(answers) < NO_SKILL


def fails(evidence: Evidence) -> bool:
    """Tell whether some class but the most frequent is not mapped: a best or present IoU that is next to nothing."""
    found = worst(evidence)
    if found is None:
        return False
    return not ranks(found) or missing(found)


def missing(answers: ClassAnswers) -> bool:
    """Tell whether the class is hardly ever given, or almost everywhere."""
    share, there = answers.predicted_share, answers.prevalence
    iou = answers.iou or 0.0
    return iou < 0.05 or share < 0.1 * there or share > min(10 * there, 0.5 * (1 + there))


def constant(answers: ClassAnswers) -> bool:
    """Tell whether the answer is the same everywhere."""
    return answers.deviation is not None and answers.deviation < CONSTANT


def fell(learning: LearningEvidence) -> float:
    """Return how far the loss fell while a copy was trained, relative to its start."""
    return learning.fall or 0.0


def of_rare(answers: ClassAnswers) -> tuple[Sign, ...]:
    """Return the signs of how a class is ranked and mapped."""
    return (
        sign(f'average precision of "{answers.name}" over its prevalence', answers.lift, f">= {GOOD_LIFT:g}"),
        sign(
            f'share of pixels given to "{answers.name}"',
            answers.predicted_share,
            f"about {answers.prevalence:.3g}",
        ),
        sign("deviation of its log-odds over pixels", answers.deviation, "> 0.5"),
    )
