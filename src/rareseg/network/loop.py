"""The training loop: the only one."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from lightning_fabric import Fabric
from msgspec.structs import replace
from torch import Tensor, nn

from rareseg.errors import TrainingError
from rareseg.measures.collapse import verdict
from rareseg.network.batches import Batch, Batches
from rareseg.network.checkpoint import BEST, LAST, averaged, save_state, save_tensors
from rareseg.network.logs import TrainingLog
from rareseg.network.optimizers import Stepper
from rareseg.network.probes import CollapseWatch
from rareseg.progress import Progress
from rareseg.records.plan import Plan
from rareseg.records.run import CollapseCheck, Outcome, TrainingState, Validation

_LOG_EVERY = 10
"""Steps between lines of the log."""

Loss = Callable[[Tensor, Tensor], Tensor]
Validate = Callable[[int, float], Validation]
"""Scores the kept weights, given the step and the seconds so far."""


@final
@dataclass(slots=True)
class Clock:
    """How much of the budget is used: by steps if they are planned, else by time."""

    plan: Plan
    before: float
    """Seconds that earlier sessions of this run took."""
    started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Return the seconds trained so far."""
        return self.before + time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Return the share of the budget that is used, from 0; 1 and more means it is used up."""
        if self.plan.budget.steps is not None:
            return step / self.plan.budget.steps
        return self.seconds() / (60 * (self.plan.budget.minutes or math.inf))


@final
@dataclass(slots=True)
class Trainee:
    """What training changes: the network, its optimizers, and the averaged weights that are kept."""

    model: nn.Module
    stepper: Stepper
    average: dict[str, Tensor]
    state: TrainingState

    @contextmanager
    def kept_weights(self) -> Iterator[nn.Module]:
        """Lend the model with its averaged weights; those being trained come back afterwards."""
        trained = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average)
        try:
            yield self.model
        finally:
            self.model.load_state_dict(trained)


@final
@dataclass(frozen=True, slots=True)
class Course:
    """Everything that training reads."""

    plan: Plan
    batches: Batches
    loss: Loss
    watch: CollapseWatch
    validate: Validate
    folder: Path
    rare_class: int
    """The class whose average precision is shown while training."""


def fit(course: Course, trainee: Trainee, fabric: Fabric, log: TrainingLog, progress: Progress) -> Outcome:
    """Train until the budget is used up or Ctrl-C; leaves best, last and state in the run's folder.

    Raises:
        TrainingError: if the loss is no longer finite; the best weights so far stay on disk.
    """
    plan, state = course.plan, trainee.state
    clock = Clock(plan, before=state.seconds)
    outcome: Outcome = "finished"
    recent: list[tuple[float, float]] = []
    done = clock.progress(state.step)
    validated = math.floor(done * plan.watch.validations)
    with progress.task("training", 1.0) as task:
        task.advance(min(done, 1.0))
        try:
            for batch in course.batches:
                loss, norm = _backward(course, trainee, fabric, batch)
                rate = trainee.stepper.step(min(clock.progress(state.step), 1.0))
                if not state.step:
                    state = replace(state, initial_loss=loss)
                averaged(trainee.average, trainee.model, decay=plan.optimizer.ema_decay, step=state.step)
                state = replace(state, step=state.step + 1, seconds=clock.seconds())
                recent.append((loss, norm))
                before, done = done, clock.progress(state.step)
                task.advance(min(done, 1.0) - min(before, 1.0), note=_note(course, state, loss))
                if len(recent) == _LOG_EVERY:
                    losses, norms = zip(*recent, strict=True)
                    log.step(state.step, state.seconds, _mean(losses), rate, _mean(norms))
                    recent.clear()
                if state.step % plan.watch.every_steps == 0:
                    state = _watched(course, trainee, state, log, progress)
                if min(done, 1.0) * plan.watch.validations >= validated + 1:
                    validated = math.floor(min(done, 1.0) * plan.watch.validations)
                    state = _validated(course, trainee, state, log)
                trainee.state = state
                if done >= 1:
                    break
        except KeyboardInterrupt:
            outcome = "interrupted"
            progress.say(f"Stopped at step {state.step}: keeping what was trained.")
            state = _validated(course, trainee, state, log)
            trainee.state = state
    return outcome


def _backward(course: Course, trainee: Trainee, fabric: Fabric, batch: Batch) -> tuple[float, float]:
    """Take the gradient of one batch, clipped; return the loss and the gradient's norm before clipping."""
    trainee.model.train()
    logits = trainee.model(batch.images.to(fabric.device))
    loss = course.loss(logits, batch.labels.to(fabric.device))
    fabric.backward(loss)
    norm = nn.utils.clip_grad_norm_(trainee.model.parameters(), course.plan.optimizer.clip_norm)
    value = float(loss.detach())
    if not math.isfinite(value) or not math.isfinite(float(norm)):
        rate = course.plan.optimizer.learning_rate
        message = (
            f"At step {trainee.state.step + 1} the loss is {value} and its gradient {float(norm)}: no finite numbers. "
            f"The best weights so far stay in {course.folder}. Train again with a lower rate "
            f"(--set optimizer.learning_rate={rate / 10:g}) or in full precision (--set precision.name=32-true)."
        )
        raise TrainingError(message)
    return value, float(norm)


def _watched(
    course: Course, trainee: Trainee, state: TrainingState, log: TrainingLog, progress: Progress
) -> TrainingState:
    check = course.watch.look(trainee.model, state.step)
    log.check(check)
    _warn(check, state, progress)
    return replace(state, checks=(*state.checks, check))


def _warn(check: CollapseCheck, state: TrainingState, progress: Progress) -> None:
    """Say what the watch sees once per kind of trouble; slow starts are no trouble yet."""
    found = verdict(check)
    told = {verdict(earlier).state for earlier in state.checks}
    if (
        found.state in ("dead units", "constant output", "does not follow the labels")
        and found.state not in told
    ):
        progress.say(f"Watch: {found.reason}")


def _validated(course: Course, trainee: Trainee, state: TrainingState, log: TrainingLog) -> TrainingState:
    """Score the kept weights, and write them: always as last, as best if they are."""
    with trainee.kept_weights():
        scores = course.validate(state.step, state.seconds)
    log.validation(scores)
    state = replace(state, validations=(*state.validations, scores))
    if scores.score >= state.best_score:
        state = replace(state, best_score=scores.score, best_step=state.step)
        save_tensors(course.folder / BEST, trainee.average)
    save_tensors(course.folder / LAST, trainee.average)
    save_state(course.folder, trainee.model, trainee.average, trainee.stepper, state)
    return state


def _note(course: Course, state: TrainingState, loss: float) -> str:
    name = course.plan.classes[course.rare_class]
    latest = state.validations[-1].average_precision[course.rare_class] if state.validations else None
    score = "-" if latest is None else f"{latest:.3f}"
    return f"step {state.step}  loss {loss:.3f}  {name} AP {score}"


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)
