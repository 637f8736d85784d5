"""The training loop: budgets, validations, Ctrl-C, --resume, and a loss that is not finite."""

import csv
import dataclasses
import math
from contextlib import contextmanager
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from msgspec.structs import replace

from rareseg.errors import RecordError, StaleRecordError, TrainingError, WeightsError
from rareseg.network import loop
from rareseg.network.checkpoint import load_state, load_tensors, save_tensors
from rareseg.network.logs import TrainingLog
from rareseg.network.loop import fit
from rareseg.progress import Silent
from rareseg.records.plan import BudgetChoice
from rareseg.records.run import Validation

WHY = {"because": "test", "reference": ""}


class Watching:
    """Progress that remembers what it is told, and presses Ctrl-C at a call of `advance`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.calls, self.done, self.said, self.stop_at = 0, 0.0, [], stop_at

    @contextmanager
    def task(self, title, total):
        yield self

    def advance(self, amount=1.0, *, note=""):
        self.done += amount
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        self.calls += 1

    def say(self, message):
        self.said.append(message)


def with_budget(plan, *, steps=None, minutes=None, **watch):
    return replace(
        plan,
        budget=BudgetChoice(steps=steps, minutes=minutes, **WHY),
        watch=replace(plan.watch, **watch),
    )


def train(session, *, progress=None, resume=False):
    step = session.trainee.state.step
    classes = session.course.plan.classes
    with TrainingLog(session.course.folder, classes, resume=resume, step=step) as log:
        return fit(session.course, session.trainee, session.fabric, log, progress or Silent())


def logged(session):
    with (session.course.folder / "log.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(("steps", "validations"), [(6, 2), (7, 3), (1, 1), (49, 49), (4, 4)])
def test_steps_and_validations_are_exactly_those_planned(plan, set_up, steps, validations):
    session = set_up(with_budget(plan, steps=steps, validations=validations, every_steps=100))
    progress = Watching()
    assert train(session, progress=progress) == "finished"
    state = session.trainee.state
    assert state.step == steps
    assert len(state.validations) == validations
    assert state.validations[-1].step == steps
    assert progress.done == pytest.approx(1.0)


def test_the_watch_looks_as_often_as_planned(plan, set_up):
    session = set_up(with_budget(plan, steps=7, every_steps=3))
    train(session)
    assert [check.step for check in session.trainee.state.checks] == [3, 6]


def test_a_time_budget_is_kept(plan, set_up, monkeypatch):
    # Every look at the clock takes a hundredth of a second.
    session = set_up(with_budget(plan, minutes=0.01, validations=3))
    now = count(0.0, 0.01)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(now)))
    assert train(session) == "finished"
    state = session.trainee.state
    assert state.seconds == pytest.approx(0.6, abs=0.05)
    assert 10 < state.step < 60
    assert len(state.validations) == 3


def test_it_learns_and_the_best_weights_are_those_that_scored_best(plan, set_up):
    session = set_up(with_budget(plan, steps=60, validations=6, every_steps=100))
    train(session)
    state = session.trainee.state
    scores = [validation.score for validation in state.validations]
    assert scores[-1] > 0.9
    assert state.validations[-1].average_precision[1] > 0.95
    assert state.best_score == max(scores)
    assert state.best_step in [entry.step for entry in state.validations if entry.score == max(scores)]
    last = load_tensors(session.course.folder / "last.safetensors")
    assert all(torch.equal(value, session.trainee.average[name]) for name, value in last.items())


def test_best_is_not_replaced_by_worse(plan, set_up):
    session = set_up(with_budget(plan, steps=3, validations=3))
    real, scores = session.course.validate, iter((0.2, 0.9, 0.4))

    def validate(step, seconds):
        return replace(real(step, seconds), score=next(scores))

    averages = []

    def remembered(step, seconds):
        averages.append({name: value.clone() for name, value in session.trainee.average.items()})
        return validate(step, seconds)

    course = dataclasses.replace(session.course, validate=remembered)
    train(dataclasses.replace(session, course=course))
    assert (session.trainee.state.best_step, session.trainee.state.best_score) == (2, 0.9)
    for file, expected in (("best", averages[1]), ("last", averages[2])):
        kept = load_tensors(session.course.folder / f"{file}.safetensors")
        assert all(torch.equal(value, expected[name]) for name, value in kept.items())


def test_the_first_loss_is_kept(plan, set_up):
    session = set_up(with_budget(plan, steps=5))
    train(session)
    # The prior says 10 % and so does the untrained network; a crop may hold more of the squares or less.
    assert 0.05 < session.trainee.state.initial_loss < 1.0
    assert float(logged(session)[0]["loss"]) != pytest.approx(session.trainee.state.initial_loss)


def test_every_step_is_in_the_log_once(plan, set_up):
    session = set_up(with_budget(plan, steps=23))
    train(session)
    rows = logged(session)
    assert [int(row["step"]) for row in rows] == [10, 20, 23]
    assert all(math.isfinite(float(value)) for row in rows for value in row.values())
    assert len(list((session.course.folder / "tensorboard").glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_ctrl_c_and_resume_go_on_where_it_stopped(plan, set_up, name):
    rate = 0.02 if name == "muon" else None
    optimizer = replace(plan.optimizer, name=name, muon_learning_rate=rate)
    chosen = replace(with_budget(plan, steps=30, every_steps=100), optimizer=optimizer)
    session = set_up(chosen)
    progress = Watching(stop_at=12)
    assert train(session, progress=progress) == "interrupted"
    assert progress.said == ["Stopped at step 12: what was trained is kept, and scored once more."]
    stopped = session.trainee
    assert stopped.state.step == 12
    again = set_up(chosen, resume=True)
    assert again.trainee.state == stopped.state
    for one, other in (
        (again.trainee.model.state_dict(), stopped.model.state_dict()),
        (again.trainee.average, stopped.average),
        (again.trainee.stepper.tensors(), stopped.stepper.tensors()),
    ):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert train(again, resume=True) == "finished"
    state = again.trainee.state
    assert state.step == 30
    assert state.initial_loss == stopped.state.initial_loss
    assert [entry.step for entry in state.validations] == [12, 15, 30]
    assert [int(row["step"]) for row in logged(again)] == [10, 12, 22, 30]
    seconds = [float(row["seconds"]) for row in logged(again)]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("stop_at", [0, 1])
def test_ctrl_c_before_the_first_validation_keeps_weights_too(plan, set_up, stop_at):
    session = set_up(with_budget(plan, steps=30))
    assert train(session, progress=Watching(stop_at=stop_at)) == "interrupted"
    state, _ = load_state(session.course.folder)
    assert state.step == stop_at
    assert [entry.step for entry in state.validations] == [stop_at]
    assert {"best.safetensors", "last.safetensors", "state.safetensors"} <= {
        path.name for path in session.course.folder.iterdir()
    }


def test_resuming_a_finished_training_changes_nothing(plan, set_up):
    chosen = with_budget(plan, steps=5)
    train(set_up(chosen))
    again = set_up(chosen, resume=True)
    before = {name: value.clone() for name, value in again.trainee.model.state_dict().items()}
    assert train(again, resume=True) == "finished"
    assert again.trainee.state.step == 5
    assert all(torch.equal(value, before[name]) for name, value in again.trainee.model.state_dict().items())


def test_steps_that_a_killed_training_logged_after_its_state_are_logged_anew(plan, set_up):
    chosen = with_budget(plan, steps=30)
    session = set_up(chosen)
    train(session, progress=Watching(stop_at=12))
    with (session.course.folder / "log.csv").open("a") as stream:
        stream.write("20,1.0,0.5,0.01,1.0\r\n28,1.")
    again = set_up(chosen, resume=True)
    train(again, resume=True)
    assert [int(row["step"]) for row in logged(again)] == [10, 12, 22, 30]


def test_resume_refuses_another_plan(plan, set_up):
    train(set_up(with_budget(plan, steps=2)))
    with pytest.raises(
        StaleRecordError, match=r"was trained by plan \w{16}, but the plan given now is \w{16}"
    ):
        set_up(with_budget(plan, steps=3), resume=True)


def test_resume_without_a_state_says_so(plan, set_up):
    with pytest.raises(
        WeightsError, match=r"state\.safetensors: expected a safetensors file, but there is none"
    ):
        set_up(plan, resume=True)


def test_a_state_without_its_record_is_refused(plan, set_up, tmp_path):
    save_tensors(tmp_path / "run" / "state.safetensors", {"model/x": torch.zeros(1)})
    with pytest.raises(RecordError, match=r"state\.safetensors is not a valid TrainingState record"):
        set_up(plan, resume=True)


def test_advice_fits_the_plan(plan, monkeypatch):
    from rareseg.remedies.catalogue import add_loss, own

    monkeypatch.setattr(own, "remedies", dict(own.remedies))
    monkeypatch.setattr(own, "functions", dict(own.functions))
    add_loss("brier", lambda logits, labels: logits.sum())
    mixed = replace(plan, precision=replace(plan.precision, name="bf16-mixed"))
    assert loop._ways_out(mixed).endswith("or in full precision (--set precision.name=32-true)")
    mine = replace(plan, loss=replace(plan.loss, name="cross_entropy + 2*brier"))
    assert "precision" not in loop._ways_out(mine)
    assert "after a look at your own loss 'brier'" in loop._ways_out(mine)


@pytest.mark.parametrize(("after", "kept"), [(1, False), (4, True)])
def test_a_loss_that_is_not_finite_stops_with_advice(plan, set_up, after, kept):
    session = set_up(with_budget(plan, steps=6, validations=2))
    real, steps = session.course.loss, iter(range(100))

    def loss(logits, labels, progress):
        value = real(logits, labels, progress)
        return value * math.nan if next(steps) == after else value

    broken = dataclasses.replace(session, course=dataclasses.replace(session.course, loss=loss))
    advice = rf"At step {after + 1} the loss is nan .* --set optimizer.learning_rate=0.001\)\.$"
    with pytest.raises(TrainingError, match=advice.replace("--", ".*--")) as caught:
        train(broken)
    # It computes in full precision already, and the loss is the package's own.
    assert "precision" not in str(caught.value)
    assert "your own loss" not in str(caught.value)
    assert ("best weights so far stay in" in str(caught.value)) == kept
    assert (session.course.folder / "best.safetensors").exists() == kept
    # The weights themselves took no broken step.
    assert all(torch.isfinite(value).all() for value in session.trainee.model.state_dict().values())


def test_a_gradient_that_is_not_finite_stops_too(plan, set_up):
    session = set_up(plan)

    def loss(logits, labels, progress):
        return (logits * 0).sqrt().sum()

    broken = dataclasses.replace(session, course=dataclasses.replace(session.course, loss=loss))
    with pytest.raises(TrainingError, match=r"loss is 0\.0 and its gradient nan"):
        train(broken)


def test_the_kept_weights_are_lent_and_given_back(plan, set_up):
    trainee = set_up(plan).trainee
    trainee.average = {name: value + 1 for name, value in trainee.average.items()}
    before = {name: value.clone() for name, value in trainee.model.state_dict().items()}
    message = "stop"
    with pytest.raises(ValueError, match=message), trainee.kept_weights() as model:
        assert all(torch.equal(value, trainee.average[name]) for name, value in model.state_dict().items())
        raise ValueError(message)
    assert all(torch.equal(value, before[name]) for name, value in trainee.model.state_dict().items())


def test_the_watch_speaks_once_of_each_trouble(plan, set_up):
    session = set_up(with_budget(plan, steps=6, every_steps=1))
    # A network that is the same everywhere: nothing is learned from a loss without gradient.
    still = dataclasses.replace(session.course, loss=lambda logits, labels, progress: (logits * 0).sum())
    progress = Watching()
    train(dataclasses.replace(session, course=still), progress=progress)
    spoken = [line for line in progress.said if line.startswith("Watch:")]
    assert len(spoken) == 1
    # Not before the rate has risen (0.3 of 6 steps): any network that starts at the prior is constant then.
    assert spoken[0].startswith("Watch: At step 2,")
    assert "the same answer everywhere" in spoken[0]


def test_a_second_ctrl_c_while_scoring_loses_nothing(plan, set_up):
    session = set_up(with_budget(plan, steps=30))

    def stopped_again(step: int, seconds: float) -> Validation:
        raise KeyboardInterrupt

    course = dataclasses.replace(session.course, validate=stopped_again)
    session = dataclasses.replace(session, course=course)
    progress = Watching(stop_at=3)
    assert train(session, progress=progress) == "interrupted"
    assert progress.said[-1] == "Stopped again: the last weights are kept, but not scored."
    state, _ = load_state(session.course.folder)
    assert state.step == 3
    best = load_tensors(session.course.folder / "best.safetensors")
    assert all(torch.equal(best[name], value) for name, value in session.trainee.average.items())
