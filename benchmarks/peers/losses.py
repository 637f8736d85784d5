"""The same losses as other packages have them: from logits and integer labels, as their users would call them.

What a package needs beside its loss (one-hot labels, an activation, another layout) is part of its time, except
Keras's channels-last layout, which its users have anyway.
"""

import importlib
import os
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]


class Peer(NamedTuple):
    """One function of another package."""

    package: str
    make: Callable[[], Loss]
    """Raises ImportError where the package is not installed."""
    note: str = ""
    """Where it computes something else."""
    channels_last: bool = False
    """It takes logits (batch, rows, cols, classes)."""


def peers(name: str, classes: int) -> list[Peer]:
    """Return the peers of a loss, or of a sum of losses, for exclusive classes or one channel."""
    table = {**_pixelwise(classes), **_overlaps(classes), **_shapes(classes)}
    return table.get(name, [])


def _pixelwise(classes: int) -> dict[str, list[Peer]]:
    if classes == 1:
        return {
            "cross_entropy": [
                Peer("SMP", lambda: _smp("SoftBCEWithLogitsLoss")),
                Peer("Keras", lambda: _keras("BinaryCrossentropy", from_logits=True), channels_last=True),
            ],
            "cross_entropy + dice": [
                Peer("MONAI", lambda: _monai("DiceCELoss", classes, batch=True)),
                Peer("SMP", lambda: _sum(_smp("SoftBCEWithLogitsLoss"), _smp("DiceLoss", "binary"))),
            ],
            "focal": [
                Peer("SMP", lambda: _smp("FocalLoss", "binary")),
                Peer("MONAI", lambda: _monai_focal(classes)),
                Peer("torchvision", _torchvision_focal),
                Peer(
                    "Keras", lambda: _keras("BinaryFocalCrossentropy", from_logits=True), channels_last=True
                ),
            ],
        }
    return {
        "cross_entropy": [
            Peer("SMP", lambda: _smp("SoftCrossEntropyLoss", classes=classes, smooth_factor=0.0)),
            Peer(
                "Keras", lambda: _keras("SparseCategoricalCrossentropy", from_logits=True), channels_last=True
            ),
        ],
        "cross_entropy + dice": [
            Peer("MONAI", lambda: _monai("DiceCELoss", classes, batch=True)),
            Peer("SMP", lambda: _sum(F.cross_entropy, _smp("DiceLoss", "multiclass", classes=classes))),
        ],
        "focal": [
            Peer("SMP", lambda: _smp("FocalLoss", "multiclass", classes=classes), note="a sigmoid per class"),
            Peer("MONAI", lambda: _monai_focal(classes)),
            Peer(
                "Keras",
                lambda: _keras("CategoricalFocalCrossentropy", classes, from_logits=True),
                note="fades by each class's p",
                channels_last=True,
            ),
        ],
    }


def _overlaps(classes: int) -> dict[str, list[Peer]]:
    mode = "binary" if classes == 1 else "multiclass"
    absent = "leaves out classes that the batch lacks"

    def smp(name: str, **settings: float) -> Peer:
        return Peer("SMP", lambda: _smp(name, mode, classes=classes, **settings), note=absent)

    def monai(name: str, **settings: object) -> Peer:
        return Peer("MONAI", lambda: _monai(name, classes, batch=True, **settings))

    def keras(name: str, **settings: float) -> Peer:
        return Peer(
            "Keras",
            lambda: _keras(name, classes, axis=(0, 1, 2), chances=True, **settings),
            channels_last=True,
        )

    return {
        "dice": [smp("DiceLoss"), monai("DiceLoss"), keras("Dice")],
        "jaccard": [smp("JaccardLoss"), monai("DiceLoss", jaccard=True)],
        "tversky": [
            smp("TverskyLoss", alpha=0.3, beta=0.7),
            monai("TverskyLoss", alpha=0.3, beta=0.7),
            keras("Tversky", alpha=0.3, beta=0.7),
        ],
        "focal_tversky": [smp("TverskyLoss", alpha=0.3, beta=0.7, gamma=0.75)],
        "generalised_dice": [monai("GeneralizedDiceLoss")],
        "unified_focal": [Peer("MONAI", _monai_unified, note="two classes only")] if classes == 2 else [],
    }


def _shapes(classes: int) -> dict[str, list[Peer]]:
    mode = "binary" if classes == 1 else "multiclass"
    rare = {"include_background": classes == 1}
    return {
        "lovasz": [Peer("SMP", lambda: _smp("LovaszLoss", mode, classes=classes))],
        "boundary": [Peer("MONAI", lambda: _monai("BoundaryLoss", classes, **rare))],
        "hausdorff": [Peer("MONAI", lambda: _monai("HausdorffDTLoss", classes, **rare))],
        "cldice (3 iterations)": [Peer("MONAI", lambda: _monai("SoftclDiceLoss", classes, iter_=3, **rare))],
        "cldice (10 iterations)": [
            Peer("MONAI", lambda: _monai("SoftclDiceLoss", classes, iter_=10, **rare))
        ],
    }


def _sum(first: Loss, second: Loss) -> Loss:
    return lambda logits, labels: first(logits, labels) + second(logits, labels)


def _smp(name: str, *mode: str, classes: int = 1, **settings: float) -> Loss:
    package = importlib.import_module("segmentation_models_pytorch.losses")
    loss = getattr(package, name)(*mode, **settings)
    if classes == 1:
        return lambda logits, labels: loss(logits, labels.unsqueeze(1).to(logits.dtype))
    return loss


def _monai(name: str, classes: int, **settings: object) -> Loss:
    package = importlib.import_module("monai.losses")
    activation = {"sigmoid": True} if classes == 1 else {"softmax": True, "to_onehot_y": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # advice on single channels
        loss = getattr(package, name)(**activation, **settings)
    return lambda logits, labels: loss(logits, labels.unsqueeze(1))


def _monai_focal(classes: int) -> Loss:
    package = importlib.import_module("monai.losses")
    loss = package.FocalLoss(use_softmax=classes > 1, to_onehot_y=classes > 1)
    return lambda logits, labels: loss(logits, labels.unsqueeze(1))


def _monai_unified() -> Loss:
    package = importlib.import_module("monai.losses")
    loss = package.AsymmetricUnifiedFocalLoss()

    def unified(logits: Tensor, labels: Tensor) -> Tensor:
        return loss(logits.softmax(dim=1), F.one_hot(labels, 2).movedim(-1, 1).to(logits.dtype))

    return unified


def _torchvision_focal() -> Loss:
    package = importlib.import_module("torchvision.ops")

    def focal(logits: Tensor, labels: Tensor) -> Tensor:
        targets = labels.unsqueeze(1).to(logits.dtype)
        return package.sigmoid_focal_loss(logits, targets, alpha=-1, gamma=2, reduction="mean")

    return focal


def _keras(name: str, one_hot: int = 0, *, chances: bool = False, **settings: object) -> Loss:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = importlib.import_module("keras")
    loss = getattr(keras.losses, name)(**settings)

    def call(logits: Tensor, labels: Tensor) -> Tensor:
        if logits.shape[-1] == 1:
            targets = labels.unsqueeze(-1).to(logits.dtype)
            return loss(targets, logits.sigmoid() if chances else logits)
        targets = F.one_hot(labels, one_hot).to(logits.dtype) if one_hot else labels
        return loss(targets, logits.softmax(dim=-1) if chances else logits)

    return call


def installed() -> dict[str, str]:
    """Return the versions of the packages that are there."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    found = {"torch": torch.__version__}
    for name in ("segmentation_models_pytorch", "monai", "torchvision", "keras"):
        try:
            found[name] = importlib.import_module(name).__version__
        except ImportError:
            found[name] = "not installed"
    return found
