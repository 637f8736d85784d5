"""Watch layers at work: which units are dead or saturated, and what the last layer does.

Each layer's `call` is wrapped for one run of the model outside of compiled functions, so nested and subclassed models
are seen too; afterwards the wrapping is gone.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from rareseg.doors.keras.arrays import values_of
from rareseg.records.evidence import LayerUnits

_ENDS = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "hard_tanh": (-1.0, 1.0)}
_RECTIFIERS = ("relu", "relu6")
_NEVER_DEAD = ("leaky_relu", "prelu", "elu", "selu", "celu")
_SMOOTH = ("gelu", "silu", "swish", "mish")
_SMALL = 1e-6
"""Smooth activations never give exactly 0 for long: below this everywhere a unit is dead."""
_OPERATIONS = {
    "Relu": "relu",
    "ReLU": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "hard_sigmoid",
    "Tanh": "tanh",
    "HardTanh": "hard_tanh",
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "LeakyReLU": "leaky_relu",
    "LeakyRelu": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "Elu": "elu",
    "Selu": "selu",
    "Gelu": "gelu",
    "Silu": "silu",
}
_NEAR_END = 0.01
"""Of the range."""
_MOST_PIXELS = 0.99

Call = tuple[Any, Any]
"""A layer or operation, and what it returned."""


@dataclass
class _Counts:
    """Of one layer, by unit."""

    name: str
    kind: str
    alive: NDArray[np.bool_]
    at_end: NDArray[np.float64]
    pixels: int = 0


@dataclass
class Watched:
    """What was seen of a model's layers over several runs."""

    counts: dict[int, _Counts] = field(default_factory=dict)

    def add(self, calls: list[Call]) -> None:
        """Count the units of one run, those of the last layer left out."""
        for part, output in calls[: _head(calls)]:
            kind = activation_of(part)
            if kind in (*_RECTIFIERS, *_NEVER_DEAD, *_SMOOTH, *_ENDS):
                self._count(part, str(kind), output)

    def units(self) -> list[LayerUnits]:
        """Return a row per layer, in the order of the calls."""
        return [_row(counts) for counts in self.counts.values()]

    def _count(self, part: Any, kind: str, output: Any) -> None:
        rank = len(output.shape)
        first = rank > 2 and _data_format(part) == "channels_first"
        axes = tuple(axis for axis in range(rank) if axis != (1 if first else rank - 1))
        values = keras.ops.cast(output, "float32")
        low, high = _ENDS.get(kind, (0.0 if kind in _RECTIFIERS else -np.inf, np.inf))
        if not _within(values, low, high):
            # The activation is not the last thing that this layer does.
            return
        # A NaN is not dead.
        silent = keras.ops.abs(values) <= (_SMALL if kind in _SMOOTH else 0.0)
        alive = values_of(keras.ops.logical_not(keras.ops.all(silent, axis=axes)))
        edge = _NEAR_END * (high - low) if kind in _ENDS else 0.0
        ends = (values <= low + edge) | (values >= high - edge)
        share = values_of(keras.ops.mean(keras.ops.cast(ends, "float32"), axis=axes)).astype(np.float64)
        pixels = int(np.prod([output.shape[axis] for axis in axes]))
        counts = self.counts.setdefault(
            id(part), _Counts(part.name, kind, np.zeros(len(alive), bool), np.zeros(len(alive)))
        )
        if len(counts.alive) == len(alive):
            counts.alive |= alive
            counts.at_end += share * pixels
            counts.pixels += pixels


def activation_of(part: Any) -> str | None:
    """Return the name of the activation that a layer or operation ends with; None if it has none that is known."""
    kind = type(part).__name__
    if kind in _OPERATIONS:
        leaks = kind == "ReLU" and (part.negative_slope or part.threshold < 0)
        return "leaky_relu" if leaks else _OPERATIONS[kind]
    if isinstance(part, keras.layers.RNN):
        return None
    found = getattr(part, "activation", None)
    return getattr(found, "__name__", None) if callable(found) else None


def last_activation(calls: list[Call]) -> str | None:
    """Return the activation of the last layer, "linear" if it has none, None if that cannot be told."""
    head = [part for part, _ in calls[_head(calls) :]]
    known = [activation_of(part) for part in head]
    found = [kind for kind in known if kind not in (None, "linear")]
    if found:
        return found[-1]
    return "linear" if head and all(_is_of_keras(part) for part in head) else None


@contextmanager
def recorded(model: Any) -> Iterator[list[Call]]:
    """Note what each layer returns, in the order of the calls, for as long as this is open."""
    calls: list[Call] = []
    parts = _parts(model)
    try:
        for part in parts:
            object.__setattr__(part, "call", _noting(part, part.call, calls))
        yield calls
    finally:
        for part in parts:
            if "call" in part.__dict__:
                object.__delattr__(part, "call")


def _noting(part: Any, call: Callable[..., Any], calls: list[Call]) -> Callable[..., Any]:
    @functools.wraps(call)
    def noted(*args: Any, **settings: Any) -> Any:
        output = call(*args, **settings)
        if hasattr(output, "shape") and len(output.shape) > 1:
            calls.append((part, output))
        return output

    return noted


def _parts(model: Any) -> list[Any]:
    """Return layers that hold no others, and operations such as keras.ops.relu in a graph."""
    found: dict[int, Any] = {}
    for layer in model._flatten_layers():
        if not layer._layers and layer is not model:
            found[id(layer)] = layer
        for operation in getattr(layer, "operations", ()):
            if not isinstance(operation, keras.layers.Layer):
                found[id(operation)] = operation
    # A layer whose call somebody wrapped already is left alone.
    return [part for part in found.values() if "call" not in part.__dict__]


def _head(calls: list[Call]) -> int:
    """Return the place of the last layer with weights: from there on it is the last layer and what shapes it."""
    weighted = [place for place, (part, _) in enumerate(calls) if getattr(part, "weights", ())]
    return weighted[-1] if weighted else len(calls)


def _row(counts: _Counts) -> LayerUnits:
    can_die = counts.kind in _RECTIFIERS or counts.kind in _SMOOTH
    saturated = counts.at_end >= _MOST_PIXELS * counts.pixels
    return LayerUnits(
        layer=counts.name,
        units=len(counts.alive),
        dead=float((~counts.alive).mean()) if can_die else 0.0,
        saturated=float(saturated.mean()) if counts.kind in _ENDS else 0.0,
    )


def _within(values: Any, low: float, high: float) -> bool:
    least, most = float(values_of(keras.ops.min(values))), float(values_of(keras.ops.max(values)))
    # A NaN is no reason to leave the layer out.
    return not (least < low or most > high)


def _data_format(part: Any) -> str:
    return str(getattr(part, "data_format", None) or keras.config.image_data_format())


def _is_of_keras(part: Any) -> bool:
    return type(part).__module__.startswith("keras.") and type(part).__name__ not in (
        "Lambda",
        "TorchModuleWrapper",
    )
