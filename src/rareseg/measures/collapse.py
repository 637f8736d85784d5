"""Collapse: a network that has stopped telling the rare class from the rest, and which kind of it.

Three numbers at held-out pixels separate the kinds: how far average precision lies above chance, how
much the rare logit varies from pixel to pixel, and how many units answer nothing anywhere.
"""

import math
from typing import Literal, NamedTuple

from rareseg.records.run import CollapseCheck

State = Literal[
    "healthy",
    "ranks well, threshold off",
    "ranks weakly",
    "under-trained",
    "dead units",
    "constant output",
    "does not follow the labels",
    "cannot tell",
]

# Chance has lift 1 and skill 0. At prevalences near one half the lift cannot exceed 2, at small ones the
# skill is small for useful rankings too: ranking is denied only where both are near chance. Of 60 trainings from
# 20 % down to 0.05 % (docs/remedies.md) the nine with a lift up to 2.1 mapped nothing of the class on other scenes.
NO_LIFT, NO_SKILL = 2.5, 0.1
GOOD_LIFT, GOOD_SKILL = 3.0, 0.5
# Standard deviation, in logits, of the rare logit minus the majority logit over pixels.
CONSTANT_DEVIATION, VARIED_DEVIATION = 0.01, 0.5
DEAD_SHARE = 0.3
# A map gives the class far too seldom or too often from this factor of its prevalence on.
FAR_OFF = 10.0


class Verdict(NamedTuple):
    """What a check shows, and one sentence with the numbers and what to do next."""

    state: State
    reason: str


def skill(average_precision: float, prevalence: float) -> float:
    """Return (AP - prevalence) / (1 - prevalence): 0 is chance, 1 is perfect, at every prevalence below 1."""
    return (average_precision - prevalence) / (1 - prevalence)


def margin(average_precision: float | None, prevalence: float) -> float:
    """Return how far a class is from collapse: below 1 it has collapsed; infinite where not measurable.

    Of several classes, the one with the least margin is worst off. Skill alone would always point at the
    rarest one, whose skill stays small even where its ranking is far above chance.
    """
    if average_precision is None or not 0 < prevalence < 1:
        return math.inf
    return max(average_precision / prevalence / NO_LIFT, skill(average_precision, prevalence) / NO_SKILL)


def collapsed(check: CollapseCheck) -> bool:
    """Return whether the network ranks pixels no better than chance would.

    False where that cannot be told: the looked-at pixels hold none of the class, or nothing else.
    """
    return margin(check.average_precision, check.prevalence) < 1


def verdict(check: CollapseCheck) -> Verdict:
    """Name what a check shows."""
    if check.average_precision is None or not 0 < check.prevalence < 1:
        return Verdict("cannot tell", _cannot_tell(check))
    state = _unranked_state(check) if collapsed(check) else _ranked_state(check, check.average_precision)
    return Verdict(state, f"{_numbers(check, check.average_precision)}: {_ADVICE[state]}.")


def _unranked_state(check: CollapseCheck) -> State:
    if check.spatial_deviation >= VARIED_DEVIATION:
        return "does not follow the labels"
    if check.dead_share > DEAD_SHARE:
        return "dead units"
    # Before the first step a prior-bias start is constant by design.
    if check.step > 0 and check.spatial_deviation < CONSTANT_DEVIATION:
        return "constant output"
    return "under-trained"


def _ranked_state(check: CollapseCheck, average_precision: float) -> State:
    lift = average_precision / check.prevalence
    if lift < GOOD_LIFT and skill(average_precision, check.prevalence) < GOOD_SKILL:
        return "ranks weakly"
    too_few = check.predicted_share * FAR_OFF < check.prevalence
    too_many = check.predicted_share > FAR_OFF * check.prevalence
    return "ranks well, threshold off" if too_few or too_many else "healthy"


_ADVICE: dict[State, str] = {
    "healthy": "the class is told from the rest; nothing to do",
    "ranks well, threshold off": (
        "the ranking is good and only the cut is wrong; choose the threshold on validation data, "
        "no new training is needed"
    ),
    "ranks weakly": "better than chance, but not by much; train longer before changing anything else",
    "under-trained": (
        "no ranking yet, but the units are alive; train longer, with the head's bias at the class shares"
    ),
    "dead units": (
        "the units are dead and do not come back; start again with a tenth of the learning rate and a warm-up"
    ),
    "constant output": (
        "the same answer everywhere with living units; check that the encoder is trained and its input "
        "scaled, then change the learning rate"
    ),
    "does not follow the labels": (
        "the output varies, but not with the class; check that photos and masks belong together, "
        "then look for overfitting"
    ),
    "cannot tell": "no verdict",
}


def _numbers(check: CollapseCheck, average_precision: float) -> str:
    lift = average_precision / check.prevalence
    return (
        f'At step {check.step}, class "{check.rare_class}" has average precision {average_precision:.3g} at '
        f"prevalence {check.prevalence:.3g} (lift {lift:.2f}), its logit deviates by "
        f"{check.spatial_deviation:.2g} over pixels, {100 * check.dead_share:.0f} % of units are dead and "
        f"{100 * check.predicted_share:.2g} % of pixels are given to it"
    )


def _cannot_tell(check: CollapseCheck) -> str:
    what = "nothing else" if check.average_precision is not None and check.prevalence > 0 else "none of it"
    return (
        f'At step {check.step}, the looked-at pixels of class "{check.rare_class}" hold {what}, so its '
        "ranking cannot be measured: look at more held-out pixels."
    )
