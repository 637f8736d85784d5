"""How long a comparison has taken, what its trials cost, and what still fits into its time."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import final

from rareseg.measures import halving
from rareseg.measures.halving import Cost, Tier
from rareseg.records.comparison import Trial


@final
@dataclass(slots=True)
class Timetable:
    """Time used and rungs to come. With `minutes`, rungs are fitted into what is left of them."""

    minutes: float | None
    """Budget; None: the rungs stand as they are."""
    seeds: int
    before: float = 0.0
    """Seconds that earlier sessions took."""
    test_per_val: float = 0.0
    """Pixels of the test part over those of the validation part: what scoring it takes."""
    clock: Callable[[], float] = time.monotonic
    left: tuple[Tier, ...] = ()
    """Rungs to come."""
    costs: dict[str, Cost] = field(default_factory=dict)
    """Of each candidate, as its last trial showed."""
    _scoring: float = 0.0
    _begun: float = 0.0

    def __post_init__(self) -> None:
        """Start the clock."""
        self._begun = self.clock()

    @property
    def seconds(self) -> float:
        """Seconds used so far, over all sessions."""
        return self.before + self.clock() - self._begun

    @property
    def seconds_left(self) -> float:
        """Seconds left of the budget; infinite without one."""
        return float("inf") if self.minutes is None else 60 * self.minutes - self.seconds

    def note(self, trial: Trial) -> None:
        """Learn from a trial what its candidate costs; one that failed shows nothing."""
        if trial.outcome == "failed":
            return
        per_step = trial.seconds_per_step or trial.seconds / trial.steps
        in_test = trial.test.seconds if trial.test else 0.0
        rest = trial.seconds - in_test - per_step * trial.steps
        self.costs[trial.candidate] = Cost(per_step, max(0.0, rest))
        self._scoring = trial.val.seconds if trial.val else self._scoring

    def open(self, *, challengers: int, yardsticks: int, steps: int | None) -> None:
        """Lay out the rungs: up to `steps`, or into the minutes left, as the trials so far have cost.

        Raises:
            SettingError: if they do not fit into the minutes.
        """
        if steps is not None:
            rungs = min(halving.usual_rungs(challengers), halving.rungs_for(steps))
            self.left = halving.tiers(
                steps, rungs=rungs, challengers=challengers, yardsticks=yardsticks, seeds=self.seeds
            )
            return
        self.left = halving.within(
            self.seconds_left,
            self._mean(self.costs),
            challengers=challengers,
            yardsticks=yardsticks,
            seeds=self.seeds,
            extra_last=self._test_seconds,
        )

    def refit(self, *, done: int, names: Iterable[str]) -> None:
        """Fit the rungs left into the minutes left, for candidates `names`; `done` is the last rung's steps."""
        if self.minutes is not None and self.left:
            cost = self._mean(names)
            self.left = halving.refitted(
                self.left, self.seconds_left, cost, done=done, extra_last=self._test_seconds
            )

    def fits(self, name: str, steps: int, *, last: bool) -> bool:
        """Return whether one more trial fits into the minutes left."""
        return self.expected(name, steps, last=last) <= self.seconds_left

    def expected(self, name: str, steps: int, *, last: bool) -> float:
        """Return the seconds that a trial will take, as far as can be known; `last`: in the last rung."""
        cost = self.costs.get(name) or self._mean(self.costs)
        return cost.of(steps) + (self._test_seconds if last else 0.0)

    def share_done(self, to_come: Sequence[tuple[str, int]], *, last: bool, within: float = 0.0) -> float:
        """Return the share 0..1 of the whole comparison that is done.

        `to_come` are the trials (candidate, steps) of this rung, the running one first, and `within` the share
        of its training that is done.
        """
        if not self.costs:
            return 0.0
        ahead = sum(self.expected(name, steps, last=last) for name, steps in to_come)
        if to_come:
            ahead -= (
                within * to_come[0][1] * (self.costs.get(to_come[0][0]) or self._mean(self.costs)).per_step
            )
        mean = self._mean(self.costs)
        for tier in self.left:
            extra = self._test_seconds if tier is self.left[-1] else 0.0
            ahead += tier.trials * (mean.of(tier.steps) + extra)
        return self.seconds / max(self.seconds + ahead, 1e-9)

    @property
    def _test_seconds(self) -> float:
        return self._scoring * self.test_per_val

    def _mean(self, names: Iterable[str] | Mapping[str, Cost]) -> Cost:
        """Return the mean cost of candidates, or of all if none of them was tried."""
        held = [self.costs[name] for name in names if name in self.costs] or list(self.costs.values())
        if not held:
            return Cost(0.0, 0.0)
        return Cost(fmean(cost.per_step for cost in held), fmean(cost.per_trial for cost in held))
