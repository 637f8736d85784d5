"""Optimizers and the learning-rate schedule, from the plan's OptimizerChoice."""

import math
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from rareseg.errors import SettingError
from rareseg.network.models.priors import last_layer
from rareseg.records.plan import OptimizerChoice

_START = 0.04
"""Share of the peak rate at which one-cycle starts (Smith 2018, arXiv:1708.07120, uses 1/25)."""
_END = 1e-4
"""Share of the peak rate that is left at the end."""


def one_cycle(progress: float, warmup: float) -> float:
    """Return the learning rate as a share of its peak at `progress` (0..1) of the budget.

    Rises by a cosine over the first `warmup` share, then falls by a cosine (Smith 2018, arXiv:1708.07120).
    """
    if progress < warmup:
        return _START + (1 - _START) * 0.5 * (1 - math.cos(math.pi * progress / warmup))
    falling = min(1.0, (progress - warmup) / (1 - warmup))
    return _END + (1 - _END) * 0.5 * (1 + math.cos(math.pi * falling))


@final
class Stepper:
    """The optimizers of one run, stepped together on one schedule.

    "adamw": AdamW (Loshchilov 2019, arXiv:1711.05101) on everything.
    "muon": Muon (Jordan 2024; torch.optim.Muon) on convolution weights, each taken as the matrix
    (out channels) x (in channels * kernel), and AdamW on the head, biases and normalisations.
    """

    def __init__(self, model: nn.Module, choice: OptimizerChoice) -> None:
        """Take every parameter of `model` that requires a gradient."""
        if choice.name == "adamw" and choice.muon_learning_rate is not None:
            message = "optimizer.muon_learning_rate has no effect on optimizer.name=adamw. Set it to none."
            raise SettingError(message)
        self._choice = choice
        trainable = [weight for weight in model.parameters() if weight.requires_grad]
        in_head = {id(weight) for weight in last_layer(model).parameters()}
        matrices = [weight for weight in trainable if weight.ndim >= 2 and id(weight) not in in_head]
        self._matrices = matrices if choice.name == "muon" else []
        self._last = [_shares_memory_channels_last(weight.data) for weight in self._matrices]
        self._views = [
            nn.Parameter(_as_matrix(weight.data, channels_last=last))
            for weight, last in zip(self._matrices, self._last, strict=True)
        ]
        self.optimizers: list[Optimizer] = []
        if self._views:
            self.optimizers.append(
                Muon(self._views, lr=_muon_rate(choice), weight_decay=choice.weight_decay, momentum=0.95)
            )
        as_matrix = {id(weight) for weight in self._matrices}
        rest = [weight for weight in trainable if id(weight) not in as_matrix]
        if rest:
            self.optimizers.append(AdamW(_decay_groups(rest, choice), lr=choice.learning_rate, fused=True))
        self._peaks = [
            [float(group["lr"]) for group in optimizer.param_groups] for optimizer in self.optimizers
        ]

    def step(self, progress: float) -> float:
        """Take one step at the rate for `progress` (0..1), clear gradients, return AdamW's rate."""
        factor = one_cycle(progress, self._choice.warmup)
        for optimizer, peaks in zip(self.optimizers, self._peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
        for view, weight, last in zip(self._views, self._matrices, self._last, strict=True):
            view.grad = None if weight.grad is None else _as_matrix(weight.grad, channels_last=last)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        for weight in self._matrices:
            weight.grad = None
        return self._choice.learning_rate * factor

    def tensors(self) -> dict[str, Tensor]:
        """Return the optimizers' state as named tensors, for safetensors."""
        named: dict[str, Tensor] = {}
        for number, optimizer in enumerate(self.optimizers):
            for index, entry in optimizer.state_dict()["state"].items():
                for key, value in entry.items():
                    named[f"{number}.{index}.{key}"] = torch.as_tensor(value).contiguous()
        return named

    def load(self, named: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        for number, optimizer in enumerate(self.optimizers):
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in named.items():
                owner, index, key = name.split(".")
                if int(owner) == number:
                    state.setdefault(int(index), {})[key] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state, "param_groups": groups})


def _shares_memory_channels_last(weight: Tensor) -> bool:
    return weight.movedim(1, -1).flatten(1).data_ptr() == weight.data_ptr()


def _as_matrix(tensor: Tensor, *, channels_last: bool) -> Tensor:
    """View (out, in, rows, cols) as (out, in * rows * cols), columns in the order of memory.

    The order of columns does not change an orthogonalised step; the memory order makes the matrix a view,
    so that Muon updates the weight in place.
    """
    return tensor.movedim(1, -1).flatten(1) if channels_last else tensor.reshape(tensor.shape[0], -1)


def _muon_rate(choice: OptimizerChoice) -> float:
    if choice.muon_learning_rate is None:
        message = (
            "optimizer.name is muon, but optimizer.muon_learning_rate is not set. Set it (0.02 is usual)."
        )
        raise SettingError(message)
    return choice.muon_learning_rate


def _decay_groups(weights: Sequence[nn.Parameter], choice: OptimizerChoice) -> list[dict[str, object]]:
    """Decay matrices only: shrinking biases and normalisation scales would pull the prior bias to 0."""
    plain = [weight for weight in weights if weight.ndim < 2]
    decayed = [weight for weight in weights if weight.ndim >= 2]
    groups: list[dict[str, object]] = [
        {"params": decayed, "weight_decay": choice.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
