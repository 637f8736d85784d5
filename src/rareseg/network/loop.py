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
from rareseg.network.logs import Recent, TrainingLog
from rareseg.network.optimizers import Stepper
from rareseg.network.probes import CollapseWatch
from rareseg.progress import Progress, Task
from rareseg.records.plan import Plan
from rareseg.records.run import CollapseCheck, Outcome, TrainingState, Validation
from rareseg.remedies import loss_sums
from rareseg.remedies.catalogue import own

Loss = Callable[[Tensor, Tensor, float], Tensor]
"""Logits, labels and the share of the budget that is used, to a scalar."""
Validate = Callable[[int, float], Validation]
"""Scores the kept weights, given the step and the seconds so far."""


def _now() -> float:
    return time.monotonic()


@final
@dataclass(slots=True)
class Clock:
    """How much of the budget is used: by steps if they are planned, else by time."""

    plan: Plan
    before: float
    """Seconds that earlier sessions of this run took."""
    started: float = field(default_factory=_now)

    def seconds(self) -> float:
        """Return the seconds trained so far."""
        return self.before + _now() - self.started

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

    A training whose budget is used up already, taken up again, is left as it is.

    Raises:
        TrainingError: if the loss is no longer finite; the best weights so far stay on disk.
    """
    with progress.task("training", 1.0) as task:
        try:
            _train(course, trainee, fabric, log, _Shown(progress, task))
        except KeyboardInterrupt:
            _keep(course, trainee)
            progress.say(
                f"Stopped at step {trainee.state.step}: what was trained is kept, and scored once more."
            )
            _validate_unless_stopped(course, trainee, log, progress)
            return "interrupted"
    return "finished"


@final
@dataclass(frozen=True, slots=True)
class _Shown:
    """Where training shows how far it is."""

    progress: Progress
    task: Task
    told: set[str] = field(default_factory=set)

    def warn(self, check: CollapseCheck) -> None:
        """Say what the watch sees, once per kind of trouble; ranking weakly is none yet."""
        found = verdict(check)
        trouble = found.state in ("dead units", "constant output", "does not follow the labels")
        if trouble and found.state not in self.told:
            self.told.add(found.state)
            self.progress.say(f"Watch: {found.reason}")


def _train(course: Course, trainee: Trainee, fabric: Fabric, log: TrainingLog, shown: _Shown) -> None:
    plan = course.plan
    clock = Clock(plan, before=trainee.state.seconds)
    done = clock.progress(trainee.state.step)
    shown.task.advance(min(done, 1.0))
    if done >= 1:
        return
    validated = _milestone(done, plan)
    recent = Recent(log)
    try:
        for batch in course.batches:
            loss, norm, rate = _step(course, trainee, fabric, batch, clock)
            recent.add(trainee.state, loss, rate, norm)
            before, done = done, min(clock.progress(trainee.state.step), 1.0)
            shown.task.advance(done - before, note=_note(course, trainee.state, loss))
            if trainee.state.step % plan.watch.every_steps == 0:
                check = _watch(course, trainee, log)
                # While the rate still rises, any network that starts at the prior is constant.
                if done >= plan.optimizer.warmup:
                    shown.warn(check)
            if _milestone(done, plan) > validated:
                validated = _milestone(done, plan)
                _validate(course, trainee, log)
            if done >= 1:
                break
    finally:
        recent.write()


def _milestone(done: float, plan: Plan) -> int:
    """Return how many of the planned validations are due at a share `done` of the budget."""
    # 29 of 100 steps are 0.28999... of the budget.
    return math.floor(min(done, 1.0) * plan.watch.validations + 1e-9)


def _step(
    course: Course, trainee: Trainee, fabric: Fabric, batch: Batch, clock: Clock
) -> tuple[float, float, float]:
    """Take one step of the optimizer and of the averaged weights; return loss, gradient norm and rate."""
    state = trainee.state
    done = min(clock.progress(state.step), 1.0)
    loss, norm = _backward(course, trainee, fabric, batch, done)
    rate = trainee.stepper.step(done)
    averaged(trainee.average, trainee.model, decay=course.plan.optimizer.ema_decay, step=state.step)
    trainee.state = replace(
        state,
        step=state.step + 1,
        seconds=clock.seconds(),
        initial_loss=state.initial_loss if state.step else loss,
        drawn=course.batches.drawn,
    )
    return loss, norm, rate


def _backward(
    course: Course, trainee: Trainee, fabric: Fabric, batch: Batch, done: float
) -> tuple[float, float]:
    """Take the gradient of one batch, clipped; return the loss and the gradient's norm before clipping."""
    trainee.model.train()
    logits = trainee.model(batch.images.to(fabric.device))
    loss = course.loss(logits, batch.labels.to(fabric.device), done)
    fabric.backward(loss)
    norm = nn.utils.clip_grad_norm_(trainee.model.parameters(), course.plan.optimizer.clip_norm)
    value = float(loss.detach())
    if not math.isfinite(value) or not math.isfinite(float(norm)):
        best = f"The best weights so far stay in {course.folder}. " if trainee.state.validations else ""
        message = (
            f"At step {trainee.state.step + 1} the loss is {value} and its gradient {float(norm)}: no finite "
            f"numbers. {best}Train again {_ways_out(course.plan)}."
        )
        raise TrainingError(message)
    return value, float(norm)


def _ways_out(plan: Plan) -> str:
    """Return what may help where numbers are no longer finite."""
    ways = [f"with a lower rate (--set optimizer.learning_rate={plan.optimizer.learning_rate / 10:g})"]
    if plan.precision.name != "32-true":
        ways.append("in full precision (--set precision.name=32-true)")
    mine = [term.remedy.name for term in loss_sums.terms(plan.loss.name) if term.remedy.name in own.remedies]
    if mine:
        ways.append(
            f"after a look at your own loss {' and '.join(map(repr, mine))} (a logarithm or root of 0, a division by 0)"
        )
    return ", or ".join(ways)


def _watch(course: Course, trainee: Trainee, log: TrainingLog) -> CollapseCheck:
    """Look for collapse in the weights as trained."""
    state = trainee.state
    check = course.watch.look(trainee.model, state.step)
    log.check(check)
    trainee.state = replace(state, checks=(*state.checks, check))
    return check


def _validate(course: Course, trainee: Trainee, log: TrainingLog) -> None:
    """Score the kept weights, and write them: always as last, as best if they are."""
    state = trainee.state
    with trainee.kept_weights():
        scores = course.validate(state.step, state.seconds)
    log.validation(scores)
    state = replace(state, validations=(*state.validations, scores))
    if scores.score >= state.best_score:
        state = replace(state, best_score=scores.score, best_step=state.step)
        save_tensors(course.folder / BEST, trainee.average)
    trainee.state = state
    _keep(course, trainee)


def _validate_unless_stopped(course: Course, trainee: Trainee, log: TrainingLog, progress: Progress) -> None:
    """Score the kept weights, or, stopped by hand again, take them as best if there are no others."""
    try:
        _validate(course, trainee, log)
    except KeyboardInterrupt:
        progress.say("Stopped again: the last weights are kept, but not scored.")
        if not (course.folder / BEST).exists():
            save_tensors(course.folder / BEST, trainee.average)


def _keep(course: Course, trainee: Trainee) -> None:
    """Write the weights as last, and all that --resume needs."""
    save_tensors(course.folder / LAST, trainee.average)
    save_state(course.folder, trainee.model, trainee.average, trainee.stepper, trainee.state)


def _note(course: Course, state: TrainingState, loss: float) -> str:
    name = course.plan.classes[course.rare_class]
    latest = state.validations[-1].average_precision[course.rare_class] if state.validations else None
    score = "-" if latest is None else f"{latest:.3f}"
    return f"step {state.step}  loss {loss:.3f}  {name} AP {score}"
