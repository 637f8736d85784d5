"""The models by name; nothing here loads torch, so that help and errors can list them at once."""

SMP = "smp:"
"""Prefix of segmentation_models.pytorch's architectures."""

SMP_ARCHITECTURES = (
    "unet",
    "unetplusplus",
    "manet",
    "linknet",
    "fpn",
    "pspnet",
    "deeplabv3",
    "deeplabv3plus",
    "pan",
    "upernet",
    "segformer",
    "dpt",
)
MODELS = ("compact_unet", "fcn32_vgg16", *(f"{SMP}{name}" for name in SMP_ARCHITECTURES))
