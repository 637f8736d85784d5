"""Training on trial: steps as `fit` would take them, after which the model is as it was, bit for bit.

Put back are weights, statistics of normalisation, states of random generators, the optimizer's variables and learning
rate, totals of metrics, gradients and modes of PyTorch, and what Keras compiled. Metrics are left out of the steps. An
optimizer that is not built yet stays so: a copy of the same settings trains in its place. Only where its settings do
not say all (a class of the user's own without `get_config`) is it built, and left at its first values.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rareseg.doors.keras import optimizers
from rareseg.doors.keras.arrays import values_of, without_gradients
from rareseg.doors.keras.keeping import Snapshot, copies, kept_loss, kept_random, put, swap
from rareseg.doors.keras.renewing import renewed
from rareseg.probing.subject import Step


@final
class Rehearsal:
    """Trains a model for a while."""

    def __init__(self, model: Any) -> None:
        """Nothing is touched before `kept` is entered."""
        self._model = model
        self._stand_in: Any = None
        self._first_values: list[Any] | None = None
        self._train_step: Any = None
        self._train_function: Any = None
        self._plain_step: Any = None
        self._rate: Any = None

    def step(self, images: Any, targets: Any, weights: Any) -> Step:
        """Train one step; arguments are tensors as `train_on_batch` takes them."""
        before = copies([v for v in self._model.trainable_variables if len(v.shape) > 1])
        logs = self._model.train_on_batch(images, targets, sample_weight=weights, return_dict=True)
        ratios = tuple(_ratio(value, values_of(variable)) for variable, value in before)
        finite = all(np.isfinite(values_of(variable)).all() for variable in self._model.weights)
        return Step(loss=_loss_of(logs), ratios=ratios, finite=bool(finite))

    def renew(self) -> bool:
        """Draw trainable weights anew and empty the optimizer; False where an initializer is not known."""
        optimizer = self._model.optimizer
        with without_gradients():
            self._settle(optimizer)
            if self._first_values is None or not renewed(self._model):
                return False
            optimizers.empty(optimizer, self._first_values)
        return True

    def scale_rate(self, factor: float) -> None:
        """Multiply the learning rate as it was brought by `factor`. Inside `kept`."""
        optimizers.set_rate(self._model.optimizer, self._rate, factor)
        if optimizers.has_schedule(self._model.optimizer):
            # A compiled step holds the old schedule.
            self._use_step(_own(self._plain_step), None)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put everything back on leaving."""
        model = self._model
        brought = model.optimizer
        stands_in = brought is not None and not brought.built and self._copied(brought)
        with kept_random(), kept_loss(model), without_gradients():
            optimizer = self._stand_in if stands_in else brought
            if optimizer is not None:
                self._settle(optimizer)
            snapshot = Snapshot(model, None if stands_in else brought)
            self._enter(optimizer, stands_in=stands_in)
            rate, schedule = self._rate, getattr(optimizers.rate_holder(optimizer), "_learning_rate", None)
        with kept_random(), kept_loss(model):
            try:
                yield
            finally:
                with without_gradients():
                    self._leave(optimizer, schedule)
                    snapshot.put_back()
                    self._rate = rate

    def _enter(self, optimizer: Any, *, stands_in: bool) -> None:
        model = self._model
        swap(model, "optimizer", optimizer)
        swap(model, "_compile_metrics", None)
        swap(model, "steps_per_execution", 1)
        self._plain_step = model.train_step
        if self._train_step is None:
            self._train_step = _own(self._plain_step)
        self._use_step(self._train_step, self._train_function)
        if optimizer is None:
            return
        if stands_in and self._first_values is not None:
            put(list(zip(optimizer.variables, self._first_values, strict=True)))
        self._rate = optimizers.brought_rate(optimizer)

    def _leave(self, optimizer: Any, schedule: Any) -> None:
        if optimizer is None:
            return
        holder = optimizers.rate_holder(optimizer)
        if holder._learning_rate is schedule:
            # Compiling a step anew takes seconds on JAX.
            self._train_function = self._model.train_function
        else:
            swap(holder, "_learning_rate", schedule)

    def _use_step(self, step: Any, compiled: Any) -> None:
        swap(self._model, "train_step", step)
        swap(self._model, "train_function", compiled)

    def _copied(self, optimizer: Any) -> bool:
        """Tell whether there is a copy of the optimizer to train with."""
        if self._stand_in is None:
            self._stand_in = optimizers.fresh(optimizer)
        return self._stand_in is not None

    def _settle(self, optimizer: Any) -> None:
        """Build the optimizer and note with what values it starts."""
        if not optimizer.built:
            optimizer.build(self._model.trainable_variables)
        if self._first_values is None:
            self._first_values = optimizers.first_values(optimizer, self._model.trainable_variables)


def _own(step: Any) -> Any:
    """Return a new function that does what `step` does: JAX keeps what it compiled by function, ours apart."""

    def train_step(*given: Any) -> Any:
        return step(*given)

    return train_step


def _ratio(before: NDArray[Any], after: NDArray[Any]) -> float:
    size = float(np.linalg.norm(before.astype(np.float32)))
    change = float(np.linalg.norm((after - before).astype(np.float32)))
    return change / size if size else (math.inf if change else 0.0)


def _loss_of(logs: Any) -> float:
    if isinstance(logs, dict):
        return float(logs.get("loss", next(iter(logs.values()), math.nan)))
    return float(logs)
