"""What a copy of the training does: some steps as it was brought, one batch again and again, and a fresh start.

Three courses tell causes apart that look alike from outside. From the weights that were brought: does it still learn,
how large are its updates, which units are dead? From weights drawn anew at the given learning rate: is it the rate
that kills units, or is it too small to move anything? On one batch: can the set-up learn anything at all?
"""

import math
import time
from typing import NamedTuple

from rareseg.probing.clock import Clock
from rareseg.probing.scoring import Read, Scored, gather, scored
from rareseg.probing.silence import dead_share, saturated_share
from rareseg.probing.subject import Batch, Floats, ProbeError, Step, Subject
from rareseg.progress import Progress
from rareseg.records.evidence import LearningEvidence

STEPS = 30
MOST_STEPS = 500
FIT_STEPS = 150
SLOWER = (0.1, 0.01)
FASTER = (10.0, 100.0, 1000.0)
_FEW, _MANY = 4, 64
"""Batches that are looked at."""
_PIXELS = 1 << 15
SLOW_FALL = 0.06
"""Of the loss over the steps: below this larger rates are tried."""
DEAD = 0.3
"""Of a network's units: from here on a slower rate is tried."""


class Course(NamedTuple):
    """One training of a copy."""

    losses: tuple[float, ...]
    fall: float
    """Of the loss on fixed batches, relative to its start."""
    precision_before: float | None
    ratios: tuple[tuple[float, ...], ...]
    finite: bool
    dead: float | None
    precision: float | None
    prevalence: float
    deviation: float
    predicted: float


class Trainer:
    """Trains copies of the subject on its own batches."""

    def __init__(self, subject: Subject, batches: list[Batch], rare: int, read: Read, clock: Clock) -> None:
        """Keep what all courses share."""
        self._subject, self._batches, self.rare = subject, batches, rare
        self._read, self._clock = read, clock
        self._seconds: float | None = None
        self._few = telling(batches, rare)
        self.raised: str | None = None
        """What the set-up raised on some batch first; such batches are left out."""

    def step_seconds(self) -> float:
        """Return how long a step takes, measured on the second one."""
        if self._seconds is None:
            with self._subject.kept():
                self._trained(self._batches, 1)
                started = time.monotonic()
                self._trained(self._batches, 1)
                self._seconds = time.monotonic() - started
        return self._seconds

    def affordable(self, most: int, share: float) -> int:
        """Return how many steps fit in a share of the time that is left."""
        return self._clock.steps(most, self.step_seconds(), share)

    def course(
        self, steps: int, *, rate: float = 1.0, fresh: bool = False, batches: list[Batch] | None = None
    ) -> Course | None:
        """Train a copy and look at it; None if weights cannot be drawn anew, or nothing can be trained."""
        given = self._batches if batches is None else batches
        if not steps:
            return None
        with self._subject.kept():
            if fresh and not self._subject.renew():
                return None
            if rate != 1:
                self._subject.scale_rate(rate)
            few = self._few if batches is None else batches
            before = self._seen(few)
            done = self._trained(given, steps)
            return self._looked_at(done, few, before) if done else None

    def _trained(self, given: list[Batch], steps: int) -> list[Step]:
        """Take steps, until one is not finite; a batch that raises, as for a single label of no class, is left out."""
        usable, done = list(given), list[Step]()
        while usable and len(done) < steps:
            place = len(done) % len(usable)
            try:
                done.append(self._subject.step(usable[place]))
            except ProbeError as error:
                self.raised = self.raised or str(error)
                del usable[place]
                continue
            if not (done[-1].finite and math.isfinite(done[-1].loss)):
                break
        return done

    def _seen(self, few: list[Batch]) -> tuple[float, Scored]:
        """Return the loss on fixed batches, and how the rare class is ranked there."""
        answers = [self._subject.answers(batch) for batch in few]
        pairs = zip(few, answers, strict=True)
        losses = [loss for pair in pairs if (loss := self._loss(*pair)) is not None]
        loss = sum(losses) / len(losses) if losses else math.nan
        return loss, scored(gather(few, answers, self._read), self.rare)

    def _loss(self, batch: Batch, answers: Floats) -> float | None:
        try:
            return self._subject.loss(batch, answers)
        except ProbeError as error:
            self.raised = self.raised or str(error)
            return None

    def _looked_at(self, done: list[Step], few: list[Batch], before: tuple[float, Scored]) -> Course:
        loss, found = self._seen(few)
        return Course(
            losses=tuple(step.loss for step in done if math.isfinite(step.loss)),
            fall=_relative(before[0], loss),
            precision_before=before[1].average_precision,
            ratios=tuple(step.ratios for step in done),
            finite=all(step.finite and math.isfinite(step.loss) for step in done),
            dead=dead_share(self._subject.units(few)),
            precision=found.average_precision,
            prevalence=found.prevalence,
            deviation=found.deviation,
            predicted=found.predicted_share,
        )


def learning_evidence(
    trainer: Trainer, subject: Subject, batches: list[Batch], fullest: Batch, progress: Progress
) -> LearningEvidence:
    """Train copies and note what they do.

    Args:
        trainer: Of the subject.
        subject: The model under study.
        batches: Training batches.
        fullest: The batch with most of the rare class: the one that is learnt by heart.
        progress: Shows what is being done.
    """
    few = telling(batches, trainer.rare)
    layers = tuple(subject.units(few))
    progress.say("Training a copy for some steps.")
    # Small batches say little each: their steps are cheap, and more are made.
    most = max(STEPS, min(len(batches), MOST_STEPS))
    now = trainer.course(trainer.affordable(most, 0.2))
    progress.say("Training a copy on one batch.")
    fit = trainer.course(trainer.affordable(FIT_STEPS, 0.3), batches=[fullest])
    progress.say("Training a copy from fresh weights.")
    fresh = trainer.course(trainer.affordable(2 * most, 0.3), fresh=True)
    found = {
        "steps": 0 if now is None else len(now.losses),
        "losses": () if now is None else now.losses,
        "layers": layers,
        "dead_before": dead_share(list(layers)),
        "saturated_before": saturated_share(list(layers)),
        **_of_updates(now),
        **_of_fit(fit),
        **_of_fresh(fresh, _at_start(subject, few)),
        **_other_rates(trainer, now, fresh, dead_share(list(layers))),
    }
    return LearningEvidence(**found, raised=trainer.raised)  # type: ignore[arg-type]


def telling(batches: list[Batch], rare: int) -> list[Batch]:
    """Return batches to look at: those with most of the rare class, a few, or more where they are small."""
    full = sorted(batches, key=lambda batch: -int((batch.labels == rare).sum()))
    each = max(1, full[0].labels.size)
    return full[: max(_FEW, min(-(-_PIXELS // each), _MANY))]


def _relative(before: float, after: float) -> float:
    """Return the fall of a loss relative to its start."""
    return (
        (before - after) / max(abs(before), 1e-9) if math.isfinite(before) and math.isfinite(after) else 0.0
    )


def _at_start(subject: Subject, few: list[Batch]) -> float | None:
    """Return the dead share of fresh weights."""
    with subject.kept():
        return dead_share(subject.units(few)) if subject.renew() else None


def _of_updates(now: Course | None) -> dict[str, object]:
    if now is None:
        return {}
    every = [ratio for step in now.ratios for ratio in step if math.isfinite(ratio)]
    # Tensors that no optimizer holds stand still, and say nothing about the rate.
    ratios = sorted(ratio for ratio in every if ratio > 0) or every
    return {
        "not_finite": None if now.finite else "loss",
        "update_ratio": ratios[len(ratios) // 2] if ratios else None,
        "largest_update_ratio": ratios[-1] if ratios else None,
        "dead_after": now.dead,
        "fall": now.fall,
        "precision_before": now.precision_before,
        "precision_after": now.precision,
    }


def _of_fit(fit: Course | None) -> dict[str, object]:
    if fit is None:
        return {}
    return {
        "fit_steps": len(fit.losses),
        "fit_losses": fit.losses,
        "fit_average_precision": fit.precision,
        "fit_prevalence": fit.prevalence,
        "fit_deviation": fit.deviation,
    }


def _of_fresh(fresh: Course | None, dead: float | None) -> dict[str, object]:
    if fresh is None:
        return {"dead_at_start": dead}
    return {
        "dead_at_start": dead,
        "fresh_losses": fresh.losses,
        "fresh_fall": fresh.fall,
        "fresh_dead": fresh.dead,
        "fresh_average_precision": fresh.precision,
        "fresh_deviation": fresh.deviation,
    }


def _other_rates(
    trainer: Trainer, now: Course | None, fresh: Course | None, dead: float | None
) -> dict[str, object]:
    """Try a slower rate where units die or the loss leaps, a faster one where hardly anything moves."""
    if now is None:
        return {}
    if _suffers(fresh or now) or (dead or 0) > DEAD:
        return _slower(trainer)
    if now.fall < SLOW_FALL and (fresh is None or fresh.fall < SLOW_FALL):
        return _faster(trainer, now if fresh is None else fresh, fresh=fresh is not None)
    return {}


def _slower(trainer: Trainer) -> dict[str, object]:
    best: dict[str, object] = {}
    for factor in SLOWER:
        course = trainer.course(trainer.affordable(2 * STEPS, 0.4), rate=factor, fresh=True)
        if course is None:
            break
        best = {
            "slower_rate": factor,
            "slower_dead": course.dead,
            "slower_average_precision": course.precision,
        }
        if course.finite and (course.dead or 0) < DEAD:
            break
    return best


def _faster(trainer: Trainer, before: Course, *, fresh: bool) -> dict[str, object]:
    best: dict[str, object] = {}
    gain = max(before.fall, 1e-6)
    for factor in FASTER:
        course = trainer.course(trainer.affordable(STEPS, 0.4), rate=factor, fresh=fresh)
        if course is None or not course.finite:
            break
        found = course.fall / gain
        if found <= float(best.get("faster_gain", 1.0)):  # type: ignore[arg-type]
            break
        best = {"faster_rate": factor, "faster_gain": found}
    return best


def _suffers(course: Course) -> bool:
    leapt = len(course.losses) > 1 and max(course.losses) > 3 * abs(course.losses[0]) + 1e-6
    return not course.finite or (course.dead or 0) > DEAD or leapt


def tried(subject: Subject, batch: Batch) -> str | None:
    """Return what the first training step raises, None if it works."""
    try:
        with subject.kept():
            subject.step(batch)
    except ProbeError as error:
        return str(error)
    return None
