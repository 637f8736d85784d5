"""A learning rate that kills units or makes answers constant."""

import math

from rareseg.causes.cause import (
    DEAD,
    Suspicion,
    at_chance,
    constant,
    mean_skill,
    of_rare,
    ranks,
    rare_answers,
    sign,
)
from rareseg.records.diagnosis import Sign
from rareseg.records.evidence import ClassAnswers, Evidence, LearningEvidence

HELPED = 0.15
"""Gain of average precision by which a slower rate is better."""
ENOUGH = 0.3
"""Mean skill of a network that learnt something: its rate is not what keeps it from the rest."""


def rate_too_high(evidence: Evidence) -> Suspicion | None:
    """Updates so large that units die or the output turns constant."""
    found, learning = rare_answers(evidence), evidence.learning
    if learning is None:
        return _dead_only(evidence, found)
    if found is not None and learning.not_finite is None and (ranks(found) or mean_skill(evidence) > ENOUGH):
        return None
    points = _points_of_harm(learning)
    if found is not None and (constant(found) or at_chance(found)):
        points += 0.1
    if points < 0.4:
        return None
    rate = evidence.wiring.learning_rate if evidence.wiring else None
    # What a slower rate was not seen to cure may have been killed by something else.
    most = 0.97 if _slower_helps(learning) else 0.95
    return Suspicion(
        min(0.35 + 0.6 * points, most),
        _story_of_harm(learning, rate),
        _signs_of_harm(learning),
        apart="Dead units do not come back: fresh weights at a tenth of the rate tell within 200 steps.",
    )


def _points_of_harm(learning: LearningEvidence) -> float:
    start = learning.dead_at_start if learning.dead_at_start is not None else 0.1
    points = 0.0
    points += 0.6 * ((learning.dead_before or 0) > max(DEAD, start + 0.2))
    points += 0.4 * ((learning.fresh_dead or 0) > max(DEAD, start + 0.2))
    points += 0.3 * (learning.not_finite is not None)
    points += 0.2 * ((learning.largest_update_ratio or 0) > 0.3)
    losses = learning.fresh_losses
    if len(losses) > 5 and all(map(math.isfinite, losses)):
        points += 0.3 * (max(losses[1:]) > 3 * abs(losses[0]))
    slower, fresh = learning.slower_average_precision, learning.fresh_average_precision
    if slower is not None and fresh is not None and learning.slower_rate is not None:
        points += 0.4 * (slower - fresh > HELPED and fresh < 0.5)
    points += 0.15 * (learning.fresh_deviation is not None and learning.fresh_deviation < 0.02)
    return points


def _slower_helps(learning: LearningEvidence) -> bool:
    """Tell whether fresh weights at a smaller rate keep their units and rank better."""
    slower, fresh = learning.slower_average_precision, learning.fresh_average_precision
    if slower is None or fresh is None:
        return False
    return (learning.slower_dead or 0) < DEAD and slower - fresh > HELPED


def _story_of_harm(learning: LearningEvidence, rate: float | None) -> str:
    at = "" if rate is None else f" at learning rate {rate:g}"
    parts = []
    if (learning.dead_before or 0) > DEAD:
        worst = max(learning.layers, key=lambda layer: layer.dead, default=None)
        named = "" if worst is None else f", most in {worst.layer} ({worst.dead:.0%})"
        parts.append(f"{learning.dead_before:.0%} of the units answer nothing at any pixel{named}")
    if learning.fresh_dead is not None and learning.fresh_dead > DEAD:
        parts.append(
            f"fresh weights{at} lose {learning.fresh_dead:.0%} of theirs in {len(learning.fresh_losses)} steps"
        )
    if learning.not_finite is not None:
        parts.append(f"the loss{at} stops being finite within {learning.steps} steps")
    if not parts:
        parts.append(
            f"updates{at} reach {learning.largest_update_ratio or 0:.2g} of a layer's weights in one step"
        )
    if learning.slower_rate is not None and learning.slower_dead is not None:
        slower = f"{learning.slower_rate:g} times the rate"
        if rate is not None:
            slower = f"learning rate {learning.slower_rate * rate:.2g}"
        parts.append(f"at {slower} {learning.slower_dead:.0%} are dead after as many")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _signs_of_harm(learning: LearningEvidence) -> tuple[Sign, ...]:
    return (
        sign("dead units as brought", learning.dead_before, f"< {DEAD}"),
        sign("dead units of fresh weights", learning.dead_at_start, "-"),
        sign("dead units of fresh weights after training at this rate", learning.fresh_dead, f"< {DEAD}"),
        sign("largest change of a layer in one step, relative", learning.largest_update_ratio, "< 0.1"),
    )


def _dead_only(evidence: Evidence, found: ClassAnswers | None) -> Suspicion | None:
    """Without training probes nothing tells a high rate but constant answers, which several causes share."""
    if found is None or evidence.wiring is None or not constant(found):
        return None
    return Suspicion(
        0.3, f'"{found.name}" gets the same answer at every pixel.', of_rare(found),
        apart="Bring loss and optimizer, so that a copy can be trained.",
    )  # fmt: skip
