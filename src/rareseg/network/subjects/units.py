"""Which units of a network never answer, and which sit at the end of their range: modules and plain functions alike."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rareseg.network.subjects.outputs import main_tensor
from rareseg.records.evidence import LayerUnits

_SMALL = 1e-6
"""GELU and SiLU never give exactly 0 for long: below this everywhere a unit is dead."""
_END = 0.01
"""Within this share of the range of an end a unit is saturated."""
_MOST_PIXELS = 0.99
"""A unit is saturated that is so at this share of the pixels."""
_RECENT = 4
"""How many activations before the end of a pass may be the one that gives the answers: heads may follow it."""

_Named = dict[Callable[..., Any], str]
_ACTIVATIONS: _Named = {
    functional.relu: "relu", torch.relu: "relu", torch.relu_: "relu", Tensor.relu: "relu", Tensor.relu_: "relu",
    functional.relu6: "relu",
    functional.leaky_relu: "leaky", functional.elu: "leaky", functional.selu: "leaky", functional.celu: "leaky",
    functional.prelu: "leaky", functional.rrelu: "leaky",
    functional.gelu: "smooth", functional.silu: "smooth", functional.mish: "smooth", functional.hardswish: "smooth",
    functional.sigmoid: "sigmoid", torch.sigmoid: "sigmoid", torch.sigmoid_: "sigmoid", Tensor.sigmoid: "sigmoid",
    Tensor.sigmoid_: "sigmoid", functional.hardsigmoid: "sigmoid",
    functional.tanh: "tanh", torch.tanh: "tanh", torch.tanh_: "tanh", Tensor.tanh: "tanh", Tensor.tanh_: "tanh",
    functional.softmax: "softmax", torch.softmax: "softmax", Tensor.softmax: "softmax",
    functional.log_softmax: "log-softmax", torch.log_softmax: "log-softmax", Tensor.log_softmax: "log-softmax",
    functional.logsigmoid: "log-sigmoid",
}  # fmt: skip
_LAYERS = {"relu", "leaky", "smooth", "sigmoid", "tanh"}
_CHANNELS_LAST: tuple[Callable[..., Any], ...] = (functional.linear, functional.layer_norm)
_CHANNELS_FIRST: tuple[Callable[..., Any], ...] = (
    functional.conv1d, functional.conv2d, functional.conv3d, functional.batch_norm, functional.group_norm,
    functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d, functional.instance_norm,
)  # fmt: skip


@final
class _Counts:
    """Of one layer, over all batches: units that answered, and how often each was near an end."""

    def __init__(self, units: int) -> None:
        self.units = units
        self.alive = torch.zeros(units, dtype=torch.bool)
        self.near_end = torch.zeros(units, dtype=torch.float64)
        self.pixels = 0

    def add(self, kind: str, rows: Tensor) -> None:
        """Note (pixels, units) of one pass."""
        if kind in {"sigmoid", "tanh"}:
            low, high = (_END, 1 - _END) if kind == "sigmoid" else (2 * _END - 1, 1 - 2 * _END)
            self.near_end += ((rows < low) | (rows > high)).sum(dim=0).cpu()
            self.alive[:] = True
        elif kind == "leaky":
            self.alive[:] = True
        else:
            # Written as a negation, so that NaN, which is not dead, counts as alive.
            silent = rows.abs() < _SMALL if kind == "smooth" else rows <= 0
            self.alive |= (~silent.all(dim=0)).cpu()
        self.pixels += len(rows)

    def layer(self, name: str) -> LayerUnits:
        """Return what was counted."""
        saturated = self.near_end >= _MOST_PIXELS * max(self.pixels, 1)
        return LayerUnits(
            layer=name,
            units=self.units,
            dead=1.0 - float(self.alive.float().mean()),
            saturated=float(saturated.float().mean()) if bool(self.near_end.any()) else 0.0,
        )


@final
class ActivationWatch(TorchFunctionMode):
    """Sees every activation of a pass: those of nn.ReLU and its kin, and those that `forward` calls as functions."""

    def __init__(self, model: nn.Module) -> None:
        """Watch `model`."""
        super().__init__()
        self._model = model
        self._names = {module: name for name, module in model.named_modules()}
        self._inside: list[nn.Module] = []
        self._calls: Counter[str] = Counter()
        self._counts: dict[str, _Counts] = {}
        self._channel = 1
        # Tensors are held, so that no other can take their place in memory before the pass ends.
        self._recent: deque[tuple[str, str, Tensor]] = deque(maxlen=_RECENT)
        self._ends: dict[str, str] = {}

    def watch(self, images: Any) -> Any:
        """Return what the model answers, and count its activations on the way."""
        self._inside.clear()
        self._calls.clear()
        self._recent.clear()
        with _places(self._model, self._inside), self:
            output = self._model(images)
        answer = main_tensor(output)
        for name, kind, activation in self._recent:
            if _storage(activation) == _storage(answer):
                self._ends[name] = kind
        return output

    def layers(self) -> list[LayerUnits]:
        """Return what was counted, in the order of the pass; without the activation that gives the answers."""
        return [counts.layer(name) for name, counts in self._counts.items() if name not in self._ends]

    @property
    def last_activation(self) -> str | None:
        """Return which activation gives the answers, such as "sigmoid" or "softmax"; None where none does."""
        return next(iter(self._ends.values()), None)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, and look at what it returns if it is an activation."""
        given = kwargs or {}
        result = func(*args, **given)
        if func in _CHANNELS_LAST:
            self._channel = -1
        elif func in _CHANNELS_FIRST:
            self._channel = 1
        kind = _kind(func, args, given)
        if kind is not None and isinstance(result, Tensor):
            self._see(kind, func.__name__.strip("_"), result)
        return result

    def _see(self, kind: str, function: str, output: Tensor) -> None:
        name = self._name(function)
        self._recent.append((name, "relu" if kind == "leaky" else kind, output))
        if kind not in _LAYERS or output.ndim < 2 or not output.is_floating_point():
            return
        axis = self._channel if output.ndim > 2 else 1
        rows = output.detach().movedim(axis, -1).reshape(-1, output.shape[axis])
        # At once: later layers may write into the same memory.
        counts = self._counts.setdefault(name, _Counts(rows.shape[1]))
        if counts.units == rows.shape[1]:
            counts.add(kind, rows)

    def _name(self, function: str) -> str:
        """Return the path of the module, the function where the module does more, and which call of it it is."""
        module = self._inside[-1] if self._inside else self._model
        path = self._names.get(module, "") or type(module).__name__
        own = not any(True for _ in module.children()) and type(module).__module__.startswith("torch.nn")
        name = path if own else f"{path}.{function}()"
        self._calls[name] += 1
        return name if self._calls[name] == 1 else f"{name}, call {self._calls[name]}"


def _kind(func: Callable[..., Any], args: Any, given: dict[str, Any]) -> str | None:
    """Return what kind of activation a call is; None if it is none."""
    if func is functional.hardtanh:
        # nn.ReLU6 is a hard tanh from 0 to 6; one from -1 to 1 has no silent side.
        low = given.get("min_val", args[1] if len(args) > 1 else -1.0)
        return "relu" if low == 0 else "leaky"
    return _ACTIVATIONS.get(func)


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else id(tensor)


@contextmanager
def _places(model: nn.Module, inside: list[nn.Module]) -> Iterator[None]:
    """Keep `inside` the modules that are being run, the innermost last."""

    def enter(module: nn.Module, _inputs: Any) -> None:
        inside.append(module)

    def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
        inside.pop()

    hooks = []
    try:
        for module in model.modules():
            if isinstance(module, torch.jit.ScriptModule):
                # Compiled code runs without Python: there is nothing to see inside it.
                continue
            hooks += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
        yield
    finally:
        for hook in hooks:
            hook.remove()
