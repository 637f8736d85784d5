"""Building the network that a plan names."""

from typing import cast

from torch import nn

from rareseg.errors import SettingError
from rareseg.network.models.compact_unet import CompactUNet
from rareseg.network.models.fcn32_vgg16 import Fcn32Vgg16, load_imagenet
from rareseg.network.models.names import MODELS, SMP
from rareseg.network.models.smp import build_smp
from rareseg.records.overrides import unknown
from rareseg.records.plan import ModelChoice

_NEEDED = {
    "compact_unet": ("width", "levels", "stem"),
    "fcn32_vgg16": ("pretrained", "frozen_encoder", "upsampling"),
    SMP: ("encoder", "pretrained"),
}
_OPTIONAL = {"fcn32_vgg16": ("encoder_weights",), SMP: ("encoder_weights",)}
SETTINGS = (
    "width",
    "levels",
    "stem",
    "encoder",
    "pretrained",
    "encoder_weights",
    "frozen_encoder",
    "upsampling",
)
"""Fields of ModelChoice that belong to single models."""


def build_model(choice: ModelChoice, *, bands: int, classes: int) -> nn.Module:
    """Return the network that `choice` names.

    It maps images (batch, bands, rows, cols), float, standardised, to logits (batch, classes, rows, cols)
    of the same rows and cols, whatever these are, and has a `head`: the last layer, with weight and bias,
    that `priors.set_prior` starts at the prior.

    Args:
        choice: Name and settings. A setting must be given if the model needs it, and only if it uses it.
        bands: Bands of the photos, >= 1.
        classes: Number of classes, >= 1.

    Raises:
        SettingError: on an unknown model, architecture or encoder, and on settings that are missing or
            unused. MissingPackageError: if the model needs an extra that is not installed. WeightsError: if
            pretrained weights cannot be found, fetched or loaded.
    """
    if choice.name not in MODELS:
        raise SettingError(unknown("model", choice.name, MODELS))
    _check_settings(choice)
    if choice.name == "compact_unet":
        width, levels, stem = (
            cast("int", choice.width),
            cast("int", choice.levels),
            cast("int", choice.stem),
        )
        return CompactUNet(bands, classes, width=width, levels=levels, stem=stem)
    if choice.name == "fcn32_vgg16":
        return _fcn32_vgg16(choice, bands, classes)
    return build_smp(
        choice.name.removeprefix(SMP),
        str(choice.encoder),
        bands=bands,
        classes=classes,
        pretrained=bool(choice.pretrained),
        weights=choice.encoder_weights,
    )


def _fcn32_vgg16(choice: ModelChoice, bands: int, classes: int) -> nn.Module:
    model = Fcn32Vgg16(
        bands,
        classes,
        upsampling=choice.upsampling or "matched",
        frozen_encoder=bool(choice.frozen_encoder),
    )
    if choice.pretrained or choice.encoder_weights is not None:
        load_imagenet(model, choice.encoder_weights)
    return model


def _check_settings(choice: ModelChoice) -> None:
    kind = SMP if choice.name.startswith(SMP) else choice.name
    needed, optional = _NEEDED[kind], _OPTIONAL.get(kind, ())
    for setting in SETTINGS:
        value = getattr(choice, setting)
        if value is None and setting in needed:
            message = f"model.name={choice.name} needs model.{setting}; received none. Set it in the plan."
            raise SettingError(message)
        if value is not None and setting not in (*needed, *optional):
            message = (
                f"model.{setting}={value} has no effect on model.name={choice.name}, which takes "
                f"{', '.join((*needed, *optional))}. Set model.{setting}=none."
            )
            raise SettingError(message)
