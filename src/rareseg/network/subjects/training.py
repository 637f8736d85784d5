"""One step of a user's training, and starting it anew."""

import inspect
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from rareseg.probing.subject import ProbeError

_SCALES = (65536.0, 4096.0, 256.0, 16.0, 1.0)
"""The first is where torch.amp.GradScaler starts."""
_RESETS = ("reset_parameters", "_reset_parameters")


def set_training(model: nn.Module, brought: dict[nn.Module, bool]) -> None:
    """Put `model` into training mode; parts that the user set to evaluation stay there.

    A model that came in training mode has its modes as `brought`. One that came in evaluation mode goes through its
    own `train`, which may keep parts frozen; which parts its loop would set to evaluation then cannot be known.
    """
    if not brought[model]:
        model.train()
        return
    for module, training in brought.items():
        module.training = training


def step_with(optimizer: Any, model: nn.Module, loss_now: Callable[[], Tensor], *, scaled: bool) -> float:
    """Take one step and return the loss before it.

    Args:
        optimizer: the user's.
        model: whose gradients are emptied first.
        loss_now: computes the loss with gradients.
        scaled: scale the loss as torch.amp.GradScaler does, so that gradients in fp16 do not vanish. Where they
            overflow, a smaller scale is tried on the same loss, as the scaler would find it over some steps.
    """
    losses: list[float] = []

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        model.zero_grad(set_to_none=True)
        value = loss_now()
        _set_gradients(model, value, scales=_SCALES if scaled else (1.0,))
        losses.append(float(value.detach()))
        return value.detach()

    if _wants_closure(optimizer):
        optimizer.step(closure)
    else:
        closure()
        optimizer.step()
    return losses[0]


def _set_gradients(model: nn.Module, value: Tensor, scales: tuple[float, ...]) -> None:
    """Compute gradients at the first of `scales` at which they are finite, else at the last."""
    if not value.requires_grad:
        message = (
            "the loss has no gradient: no parameter is trained (requires_grad), or the loss was computed apart from "
            "the outputs"
        )
        raise ProbeError(message)
    for scale in scales:
        model.zero_grad(set_to_none=True)
        torch.autograd.backward(value * scale, retain_graph=scale != scales[-1])
        if scale != 1:
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.grad /= scale
        if not bool(torch.isfinite(value)) or _finite_gradients(model):
            return


def _finite_gradients(model: nn.Module) -> bool:
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    return all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def _wants_closure(optimizer: Any) -> bool:
    """Return whether the optimizer computes the loss itself, as LBFGS does."""
    parameters = inspect.signature(type(optimizer).step).parameters
    closure = parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def matrices_of(model: nn.Module) -> list[nn.Parameter]:
    """Return the trained parameters of two and more dimensions, in the order of the layers."""
    return [each for each in model.parameters() if each.requires_grad and each.ndim >= 2]


def ratios(before: list[Tensor], after: list[nn.Parameter]) -> tuple[float, ...]:
    """Return |change| over |weights| of each tensor; those that were all 0 have no ratio and are left out."""
    found = []
    for old, new in zip(before, after, strict=True):
        length = float(torch.linalg.vector_norm(old.float()))
        if length != 0:
            found.append(float(torch.linalg.vector_norm(new.detach().float() - old.float())) / length)
    return tuple(found)


def is_finite(model: nn.Module) -> bool:
    """Return whether all parameters are finite."""
    return all(bool(torch.isfinite(each).all()) for each in model.parameters())


def draw_anew(model: nn.Module) -> bool:
    """Draw all trained weights anew by the layers' own rules; False, and nothing changed, where one has no rule.

    Statistics of normalisation start anew with them. Frozen weights, such as a pretrained encoder's, stay.
    """
    concerned = [module for module in model.modules() if _trained(module)]
    rules = [_rule(module) for module in concerned]
    if not concerned or any(rule is None for rule in rules):
        return False
    with torch.no_grad():
        frozen = [(each, each.detach().clone()) for each in model.parameters() if not each.requires_grad]
        for rule in rules:
            if rule is not None:
                rule()
        for parameter, values in frozen:
            parameter.data.copy_(values)
        for module in model.modules():
            # Without weights of their own, layers still gathered statistics of the old network.
            if not list(module.parameters(recurse=False)) and isinstance(module, _NormBase):
                module.reset_running_stats()
    return True


def _trained(module: nn.Module) -> bool:
    return any(each.requires_grad for each in module.parameters(recurse=False))


def _rule(module: nn.Module) -> Callable[[], Any] | None:
    for name in _RESETS:
        rule: Any = getattr(module, name, None)
        if callable(rule):
            return cast(Callable[[], Any], rule)
    return None
