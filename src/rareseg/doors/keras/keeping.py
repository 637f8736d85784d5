"""Put a model back as it was, bit for bit: variables, statistics, metrics, gradients, modes and random states."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from rareseg.doors.keras.arrays import backend_module, values_of

_ABSENT = object()
_OF_MODEL = (
    "optimizer",
    "_compile_metrics",
    "train_step",
    "train_function",
    "test_function",
    "predict_function",
    "steps_per_execution",
    "stop_training",
    "stop_evaluating",
    "stop_predicting",
    "_jax_state",
    "_jax_state_synced",
    "_compiled_trainable_state",
)
_OF_LOSS = ("built", "_flat_losses", "_y_pred_build_structure", "_y_true_build_structure")
"""What Keras settles about a loss when it first sees shapes."""


@contextmanager
def kept_random() -> Iterator[None]:
    """Put the random states of Python, NumPy, PyTorch and Keras back on leaving."""
    states: list[Callable[[], object]] = []
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's generator, not ours
    states.append(lambda: random.setstate(python))
    states.append(lambda: np.random.set_state(numpy))  # noqa: NPY002
    torch = sys.modules.get("torch")
    if torch is not None:
        of_torch = torch.get_rng_state()
        states.append(lambda: torch.set_rng_state(of_torch))
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            of_devices = torch.cuda.get_rng_state_all()
            states.append(lambda: torch.cuda.set_rng_state_all(of_devices))
    states.append(_of_keras())
    try:
        yield
    finally:
        for put_back in states:
            put_back()


@contextmanager
def kept_loss(model: Any) -> Iterator[None]:
    """Leave what Keras settles on the first call of a loss unsettled, and totals of losses as they were."""
    loss = getattr(model, "_compile_loss", None)
    if loss is None:
        yield
        return
    settled = {name: getattr(loss, name, _ABSENT) for name in _OF_LOSS}
    totals = copies(loss.variables)
    try:
        yield
    finally:
        for name, value in settled.items():
            _set(loss, name, value)
        put(totals)


def copies(variables: list[Any]) -> list[tuple[Any, Any]]:
    """Return each variable once, with a copy of its value that no later step can reach."""
    found = {id(variable): variable for variable in variables}
    return [(variable, np.array(values_of(variable), copy=True)) for variable in found.values()]


def put(values: list[tuple[Any, Any]]) -> None:
    """Assign values to variables."""
    for variable, value in values:
        variable.assign(value)


def swap(owner: Any, name: str, value: Any) -> None:
    """Set an attribute past Keras, which would track it as one more part of the model."""
    object.__setattr__(owner, name, value)


class Snapshot:
    """All state of a model that training changes."""

    def __init__(self, model: Any, optimizer: Any) -> None:
        """Copy it.

        Args:
            model: Built.
            optimizer: The one whose variables are to be put back, or None.
        """
        self._model = model
        metrics = list(getattr(model, "metrics_variables", ()))
        tracker = getattr(model, "_loss_tracker", None)
        metrics += [] if tracker is None else tracker.variables
        self._values = copies(
            [*model.variables, *metrics, *([] if optimizer is None else optimizer.variables)]
        )
        self._attributes = {name: model.__dict__.get(name, _ABSENT) for name in _OF_MODEL}
        self._trainable = [(layer, layer.trainable) for layer in model._flatten_layers()]
        self._torch = _TorchSide(model, [v for v, _ in self._values]) if backend_module("torch") else None

    def put_back(self) -> None:
        """Restore it."""
        for name, value in self._attributes.items():
            _set(self._model, name, value)
        for layer, trainable in self._trainable:
            if layer.trainable != trainable:
                layer.trainable = trainable
        put(self._values)
        if self._torch is not None:
            self._torch.put_back()


class _TorchSide:
    """Modes, buffers of wrapped modules, and gradients, which PyTorch keeps beside Keras's variables."""

    def __init__(self, model: Any, variables: list[Any]) -> None:
        self._modes = [(module, module.training) for module in model.modules()]
        self._buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
        weights = [variable.value for variable in variables]
        self._gradients = [
            (weight, None if weight.grad is None else weight.grad.detach().clone(), weight.grad)
            for weight in weights
        ]

    def put_back(self) -> None:
        for module, training in self._modes:
            swap(module, "training", training)
        for buffer, value in self._buffers:
            buffer.copy_(value)
        for weight, value, gradient in self._gradients:
            if gradient is not None:
                gradient.copy_(value)
            weight.grad = gradient


def _set(owner: Any, name: str, value: Any) -> None:
    if value is not _ABSENT:
        swap(owner, name, value)
    elif name in owner.__dict__:
        object.__delattr__(owner, name)


def _of_keras() -> Callable[[], object]:
    """Return what puts back the generator that unseeded random operations of Keras share."""
    try:
        from keras.src.backend.common import global_state  # noqa: PLC0415 - no public way to it
        from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR  # noqa: PLC0415
    except ImportError:
        return lambda: None
    generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR)
    if generator is None:
        return lambda: global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, None)
    state = copies([generator.state])
    return lambda: put(state)
