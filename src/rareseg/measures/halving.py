"""Successive halving: many candidates get a short training, the best of them a longer one.

Every rung trains its candidates anew, each for the same number of steps: a one-cycle schedule fits one budget
only, so a short training cannot be taken up by a longer one. From rung to rung the steps grow by ETA, and
of the challengers the best 1 / ETA go on. Yardsticks are never dropped.

Reference: Jamieson & Talwalkar 2016, arXiv:1502.07943; Li et al. 2018 (Hyperband), arXiv:1603.06560.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from rareseg.errors import SettingError

ETA = 3
LEAST_STEPS = 50
"""A rung shorter than this would rank candidates by their first wobbles."""
LEAST_CHALLENGERS = 2
"""So many candidates besides the yardsticks reach the last rung, if there are as many."""
SLACK = 0.92
"""Share of the time that is planned: trials differ, and the report takes time too."""
_MOST_RUNGS = 4


class Cost(NamedTuple):
    """What trials take, s: `per_trial` for setting up, validating and scoring, `per_step` for each step."""

    per_step: float
    per_trial: float

    def of(self, steps: int) -> float:
        """Return the seconds of a trial of so many steps."""
        return self.per_trial + self.per_step * steps


class Tier(NamedTuple):
    """One rung as planned: how many candidates are trained for how many steps, with how many seeds each."""

    steps: int
    candidates: int
    seeds: int

    @property
    def trials(self) -> int:
        """Trainings in this rung."""
        return self.candidates * self.seeds


def usual_rungs(challengers: int) -> int:
    """Return the number of rungs after which LEAST_CHALLENGERS are left, if each keeps 1 / ETA of them."""
    if challengers <= LEAST_CHALLENGERS:
        return 1
    # 18 / 2 = 9 is two halvings: the rounding guards the exact powers.
    falls = math.ceil(round(math.log(challengers / LEAST_CHALLENGERS, ETA), 9))
    return min(_MOST_RUNGS, 1 + falls)


def rungs_for(top: int) -> int:
    """Return how many rungs `top` steps allow, if none is shorter than LEAST_STEPS; at least 1."""
    return 1 + max(0, math.floor(math.log(max(top, 1) / LEAST_STEPS, ETA) + 1e-9))


def tiers(top: int, *, rungs: int, challengers: int, yardsticks: int, seeds: int) -> tuple[Tier, ...]:
    """Return `rungs` rungs that end with `top` steps; earlier ones have fewer seeds as well as fewer steps."""
    return tuple(
        Tier(
            steps=max(1, round(top * _length(rung, rungs))),
            candidates=yardsticks + kept(challengers, rung),
            seeds=math.ceil(seeds * (rung + 1) / rungs),
        )
        for rung in range(rungs)
    )


def kept(challengers: int, rung: int) -> int:
    """Return how many of the challengers are in rung 0, 1, ...: the best 1 / ETA of the rung before."""
    return min(challengers, max(LEAST_CHALLENGERS, math.ceil(challengers * float(ETA) ** -rung - 1e-9)))


def _length(rung: int, rungs: int) -> float:
    """Return the length of a rung's trainings, in those of the last one."""
    return float(ETA) ** (rung + 1 - rungs)


def within(
    seconds: float, cost: Cost, *, challengers: int, yardsticks: int, seeds: int, extra_last: float = 0.0
) -> tuple[Tier, ...]:
    """Return the rungs that use up SLACK of `seconds`: as many as halving calls for and the time allows.

    `extra_last` is what each trial of the last rung takes besides `cost`, s.

    Raises:
        SettingError: if even the cheapest schedule of at least LEAST_STEPS per trial takes longer.
    """
    needed = math.inf
    for rungs in range(usual_rungs(challengers), 0, -1):
        shape = tiers(
            ETA**_MOST_RUNGS, rungs=rungs, challengers=challengers, yardsticks=yardsticks, seeds=seeds
        )
        fixed = sum(tier.trials for tier in shape) * cost.per_trial + shape[-1].trials * extra_last
        # Trials, counted in trainings of the top length.
        lengths = sum(tier.trials * _length(place, rungs) for place, tier in enumerate(shape))
        least_top = LEAST_STEPS * ETA ** (rungs - 1)
        top = (seconds * SLACK - fixed) / (lengths * cost.per_step)
        if top >= least_top:
            return tiers(int(top), rungs=rungs, challengers=challengers, yardsticks=yardsticks, seeds=seeds)
        needed = min(needed, (fixed + least_top * lengths * cost.per_step) / SLACK)
    message = (
        f"Comparing {challengers + yardsticks} candidates with {seeds} seeds takes at least "
        f"{needed / 60:.1f} minutes here (a step takes {cost.per_step:.2f} s, and each training "
        f"{cost.per_trial:.1f} s besides); {seconds / 60:.1f} are left. Give more --minutes, or fewer "
        "--remedies or --seeds."
    )
    raise SettingError(message)


def refitted(
    left: Sequence[Tier], seconds: float, cost: Cost, *, done: int, extra_last: float = 0.0
) -> tuple[Tier, ...]:
    """Return the rungs that are still `left`, with steps that fit into `seconds` as trials now cost.

    `done` is the steps of the rung just finished: a rung of less than 1.5 times as many would repeat it, and is
    left out; the last one stays, with at least `done` steps.
    """
    fixed = sum(tier.trials for tier in left) * cost.per_trial + left[-1].trials * extra_last
    lengths = sum(tier.trials * _length(place, len(left)) for place, tier in enumerate(left))
    top = max(done, int((seconds * SLACK - fixed) / (lengths * cost.per_step)))
    steps = [max(1, round(top * _length(place, len(left)))) for place in range(len(left))]
    scaled = [tier._replace(steps=count) for tier, count in zip(left, steps, strict=True)]
    if scaled[0].steps < 1.5 * done and len(left) > 1:
        return refitted(left[1:], seconds, cost, done=done, extra_last=extra_last)
    return tuple(scaled)


def survivors(ranked: Sequence[str], *, yardsticks: Sequence[str], challengers: int) -> tuple[str, ...]:
    """Return who goes on: the yardsticks, and the first `challengers` of the others in `ranked` (best first)."""
    others = [name for name in ranked if name not in yardsticks]
    going = {*others[:challengers], *yardsticks}
    return tuple(name for name in ranked if name in going)
