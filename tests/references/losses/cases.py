"""Every loss by name, and small inputs of each kind to try it on."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

import numpy as np
import torch
from tests.references import losses as references

VOID = 255

MODULES = {
    "pixelwise": ("cross_entropy", "focal"),
    "hard": ("top_k", "ohem"),
    "shifted": ("logit_adjusted", "balanced_softmax", "ldam"),
    "overlap": ("dice", "jaccard", "generalised_dice", "tversky", "focal_tversky"),
    "compound": ("combo", "unified_focal"),
    "lovasz": ("lovasz",),
    "boundaries": ("boundary", "hausdorff"),
    "skeletons": ("cldice", "skeleton_recall"),
    "regions": ("rmi",),
}
NAMES = tuple(name for names in MODULES.values() for name in names)
PIXELWISE = MODULES["pixelwise"] + MODULES["hard"] + MODULES["shifted"]
WEIGHTED = ("cross_entropy", "focal", "top_k", "ohem", "ldam")
TAKES_SHARES = ("logit_adjusted", "balanced_softmax", "ldam")
EXCLUSIVE_ONLY = ("balanced_softmax",)


class Kind(NamedTuple):
    """What the classes of an input are to each other."""

    classes: int
    overlapping: bool


KINDS = {
    "two": Kind(2, overlapping=False),
    "five": Kind(5, overlapping=False),
    "overlapping": Kind(3, overlapping=True),
    "one": Kind(1, overlapping=False),
}
SHARES = {
    "two": (0.9, 0.1),
    "five": (0.5, 0.3, 0.15, 0.04, 0.01),
    "overlapping": (0.4, 0.1, 0.02),
    "one": (0.1,),
}
WEIGHTS = {
    "two": (0.5, 3.0),
    "five": (0.2, 0.5, 1.0, 4.0, 2.0),
    "overlapping": (0.2, 1.0, 4.0),
    "one": (2.0,),
}
EACH = [
    (name, kind)
    for name in NAMES
    for kind in KINDS
    if not (name in EXCLUSIVE_ONLY and kind in {"overlapping", "one"})
]


def function(name: str) -> Callable:
    """The loss itself."""
    module = next(module for module, names in MODULES.items() if name in names)
    return getattr(import_module(f"rareseg.network.losses.{module}"), name)


def settings(name: str, kind: str, **own) -> dict:
    """Settings that a call on this kind of input needs, with `own` added."""
    needed = {"overlapping": KINDS[kind].overlapping}
    if name in TAKES_SHARES:
        needed["shares"] = SHARES[kind]
    return needed | own


def loss(name: str, kind: str, **own) -> Callable:
    """The loss as a function of logits and labels."""
    given = settings(name, kind, **own)
    return lambda logits, labels, **more: function(name)(logits, labels, **given, **more)


def reference(name: str, kind: str, **own) -> Callable:
    """The same from the references: a function of arrays or tensors."""
    given = settings(name, kind, **own)
    return lambda logits, labels, **more: getattr(references, name)(
        logits.detach().double().numpy(), labels.numpy(), **given, **more
    )


def size(name: str) -> tuple[int, int]:
    """Rows and columns that are enough for the loss to have something to do."""
    return (20, 22) if name == "rmi" else (7, 9)


def example(
    kind: str,
    *,
    shape: tuple[int, int] = (7, 9),
    images: int = 2,
    seed: int = 0,
    void: bool = True,
    dtype: torch.dtype = torch.float64,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random logits (with gradient) and blocky labels, a sixth of them void."""
    rng = np.random.default_rng(seed)
    classes, overlapping = KINDS[kind]
    values = 2**classes if overlapping else max(classes, 2)
    coarse = rng.integers(0, values, (images, -(-shape[0] // 2), -(-shape[1] // 2)))
    labels = coarse.repeat(2, axis=1).repeat(2, axis=2)[:, : shape[0], : shape[1]]
    if void:
        labels[rng.random(labels.shape) < 1 / 6] = VOID
    logits = torch.from_numpy(2 * rng.standard_normal((images, classes, *shape))).to(dtype)
    return logits.requires_grad_(), torch.from_numpy(labels)


def gradient(value: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """d value / d logits."""
    return torch.autograd.grad(value, logits)[0]
