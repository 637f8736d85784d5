"""Gradients that are computed by hand, and so cannot be differentiated once more."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from rareseg.errors import TrainingError


def first_order(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return the `backward` of an autograd.Function that refuses to be part of a graph itself.

    torch's own once_differentiable refuses only where the incoming slope needs a gradient, so that a gradient penalty,
    whose slope is a plain 1, would be lost without a word.
    """

    @wraps(backward)
    def checked(ctx: Any, *slopes: Any) -> Any:
        if torch.is_grad_enabled():
            message = (
                "The gradient of this loss is computed by hand and cannot be differentiated once more, as "
                "create_graph=True asks (gradient penalties, Hessians). Leave create_graph out, or take that term from "
                "a loss of torch's own, such as torch.nn.functional.cross_entropy."
            )
            raise TrainingError(message)
        return backward(ctx, *slopes)

    return checked
