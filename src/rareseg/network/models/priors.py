"""Starting a network at the prior: its first answer everywhere is each class's share."""

import torch
from torch import Tensor, nn

from rareseg.errors import SettingError

SMALLEST_SHARE = 1e-6
"""Shares are kept this far from 0 and 1: a class that the training part lacks still gets a finite logit."""


def last_layer(model: nn.Module) -> nn.Module:
    """Return the layer whose weight and bias make the logits: `model.head` of every built model.

    Raises:
        TypeError: if there is none with a weight and a bias, which is a fault of the model's code.
    """
    head = getattr(model, "head", None)
    if not isinstance(head, nn.Module) or not isinstance(getattr(head, "bias", None), Tensor):
        message = (
            f"Expected a model whose `head` is a layer with weight and bias; received {type(model).__name__}."
        )
        raise TypeError(message)
    return head


def set_prior(model: nn.Module, prior: Tensor, *, overlapping: bool) -> None:
    """Make the last layer answer `prior` at every pixel: weight 0, bias log p (or log odds if `overlapping`).

    The first loss is then the entropy of the prior, and no step goes into learning that most is background.
    Where the head makes several sub-pixels of each class (pixel shuffle), each gets its class's bias.

    Args:
        model: A model as built by `build_model`.
        prior: (classes,) share of each class, 0..1; shares within 1e-6 of 0 or 1 are moved there.
        overlapping: True if probabilities are sigmoids of single logits instead of a softmax.

    Raises:
        SettingError: if there is not one share in 0..1 per class.

    Reference: Lin et al. 2017, arXiv:1708.02002, section 4.1.
    """
    weight, bias = last_layer(model).weight, last_layer(model).bias
    if not isinstance(weight, Tensor) or not isinstance(bias, Tensor):
        message = f"Expected a head with tensors as weight and bias; received {type(model).__name__}."
        raise TypeError(message)
    repeats, left_over = divmod(bias.numel(), prior.numel() or bias.numel() + 1)
    if prior.ndim != 1 or left_over or not bool(((prior >= 0) & (prior <= 1)).all()):
        message = (
            f"Expected the prior to hold one share in 0..1 per class of a network with {bias.numel()} "
            f"outputs; received {prior.tolist()}. Check initialisation.prior in the plan."
        )
        raise SettingError(message)
    inside = prior.double().clamp(SMALLEST_SHARE, 1 - SMALLEST_SHARE)
    start = inside.logit() if overlapping else inside.log()
    with torch.no_grad():
        weight.zero_()
        bias.copy_(start.repeat_interleave(repeats))
