"""Decisions about training and mapping that follow from the data's size and the machine.

Like remedies.imbalance: facts and what the user asked for in, a Choice with its reason out.
"""

import math
from collections.abc import Sequence
from typing import Literal

from rareseg.errors import SettingError
from rareseg.records.audit import PartFacts
from rareseg.records.dataset import Pair
from rareseg.records.machine import Machine
from rareseg.records.overrides import unknown
from rareseg.records.plan import (
    AugmentationChoice,
    BatchChoice,
    BudgetChoice,
    CropChoice,
    InferenceChoice,
    ModelChoice,
    OptimizerChoice,
    PrecisionChoice,
    WatchChoice,
)

_CROP, _LEAST_CROP = 256, 32
_BATCH = 8
_WINDOW = 512
_MINUTES = 10.0
_MINUTES_APART, _STEPS_APART = 10, 2000
"""A crash loses at most this much of a long training."""
_UPRIGHT = 0.1
"""Share of the class entropy that the row explains, from which up is up."""


_ADAMW_RATES = {"compact_unet": 2e-3, "fcn32_vgg16": 1e-4}
"""Peak rates; VGG16 has no normalisation and leaps at the 5e-4 that other encoders take."""


def model_choice(bands: int, asked: str | None) -> ModelChoice:
    """Choose the network, with the settings its name takes; raises SettingError on an unknown name."""
    name = "compact_unet" if asked is None else asked
    if name == "compact_unet":
        return ModelChoice(
            name=name,
            width=32,
            levels=3,
            stem=2,
            because=f"{bands} bands, no download: learns from scratch in minutes, also without a GPU",
            reference="Ronneberger 2015, arXiv:1505.04597, on a space-to-depth stem; measured in DESIGN.md",
        )
    if name == "fcn32_vgg16":
        return ModelChoice(
            name=name,
            pretrained=False,
            frozen_encoder=False,
            upsampling="matched",
            because="its upsampling is mended (upsampling=original keeps the published one)",
            reference="Long 2015, arXiv:1411.4038; Simonyan 2014, arXiv:1409.1556",
        )
    if name.startswith("smp:"):
        return ModelChoice(
            name=name,
            encoder="resnet34",
            pretrained=False,
            because="resnet34 is the smallest encoder that most published results use",
            reference="Iakubovskii 2019, segmentation_models.pytorch",
        )
    message = (
        f"Unknown model {name!r}. Known: compact_unet, fcn32_vgg16, and smp:ARCHITECTURE, such as smp:unet."
    )
    raise SettingError(message)


def optimizer_choice(model: ModelChoice, asked: str | None) -> OptimizerChoice:
    """Choose optimizer, rates and schedule; raises SettingError on an unknown optimizer."""
    decided = "muon" if model.name == "compact_unet" else "adamw"
    name = decided if asked is None else asked
    if name not in ("muon", "adamw"):
        raise SettingError(unknown("optimizer", name, ("adamw", "muon")))
    if name == "muon":
        return OptimizerChoice(
            name="muon",
            learning_rate=2e-3,
            muon_learning_rate=0.02,
            weight_decay=0.01,
            clip_norm=1.0,
            warmup=0.3,
            ema_decay=0.995,
            because="a network trained from scratch in minutes gets further with it than with AdamW",
            reference="Jordan 2024, Muon; Smith 2018, arXiv:1708.07120 (one-cycle); measured in DESIGN.md",
        )
    return OptimizerChoice(
        name="adamw",
        learning_rate=_ADAMW_RATES.get(model.name, 5e-4),
        weight_decay=0.01,
        clip_norm=1.0,
        warmup=0.3,
        ema_decay=0.995,
        because="the usual choice for encoders that may carry pretrained weights",
        reference="Loshchilov 2019, arXiv:1711.05101; Smith 2018, arXiv:1708.07120 (one-cycle)",
    )


def crop_choice(pairs: Sequence[Pair]) -> CropChoice:
    """Choose the side of the training crops."""
    sides = sorted(min(pair.height, pair.width) for pair in pairs)
    median = sides[len(sides) // 2]
    size = max(_LEAST_CROP, min(_CROP, median // 32 * 32))
    because = f"half of the images have a shorter side of at least {median} px"
    return CropChoice(size=size, because=because, reference="measured in DESIGN.md")


def check_crop(size: int, pairs: Sequence[Pair]) -> None:
    """Refuse crops that no photo can fill: they would be mirrored at its edge, and void there.

    Photos below 32 px are trained on in crops of 32 px all the same: the network halves them several times.

    Raises:
        SettingError: naming the largest size that fits.
    """
    largest = max((min(pair.height, pair.width) for pair in pairs), default=size)
    if size > max(_LEAST_CROP, largest):
        message = (
            f"crop.size={size} px is larger than every photo of the training part: the largest crop that fits into "
            f"one is {largest} px. Set crop.size={largest} or less (--set crop.size={largest})."
        )
        raise SettingError(message)


def batch_choice(machine: Machine) -> BatchChoice:
    """Choose the number of crops per step."""
    size = 2 * _BATCH if machine.accelerator == "cuda" else _BATCH
    because = f"{machine.accelerator} with {machine.cores} threads: {size} crops, as in the measured recipes on a CPU"
    if size != _BATCH:
        because = f"{machine.accelerator}: twice the {_BATCH} crops of the measured recipes, to keep it busy"
    return BatchChoice(size=size, because=because, reference="recipes in DESIGN.md")


def budget_choice(minutes: float | None, steps: int | None) -> BudgetChoice:
    """Choose how long to train; at most one of `minutes` and `steps` may be given, above 0 and finite.

    Raises:
        SettingError: for other budgets.
    """
    if minutes is not None and steps is not None:
        message = f"Give minutes or steps, not both; received {minutes} minutes and {steps} steps."
        raise SettingError(message)
    for name, value in (("minutes", minutes), ("steps", steps)):
        if value is not None and not 0 < value < math.inf:
            message = f"{name} must be a number above 0; received {value}."
            raise SettingError(message)
    if steps is not None and int(steps) != steps:
        message = f"steps must be a whole number above 0; received {steps}."
        raise SettingError(message)
    if steps is not None:
        return BudgetChoice(steps=steps, because="asked for", reference="", set_by="user")
    if minutes is not None:
        return BudgetChoice(minutes=minutes, because="asked for", reference="", set_by="user")
    return BudgetChoice(minutes=_MINUTES, because="enough for a first map; no budget was given", reference="")


def precision_choice(machine: Machine) -> PrecisionChoice:
    """Choose the arithmetic of the forward pass."""
    if machine.fast_bf16:
        return PrecisionChoice(
            name="bf16-mixed",
            channels_last=True,
            because=f"this {machine.accelerator} multiplies bfloat16 in hardware: about 3 times faster",
            reference="measured in DESIGN.md",
        )
    return PrecisionChoice(
        name="32-true",
        channels_last=machine.accelerator != "mps",
        because=f"this {machine.accelerator} has no bfloat16 in hardware",
        reference="",
    )


def augmentation_choice(facts: PartFacts) -> AugmentationChoice:
    """Choose what is varied: everything that aerial photos allow, unless the classes know up from down."""
    explained = facts.row_dependence
    if explained >= _UPRIGHT:
        because = f"the row explains {explained:.0%} of the class entropy: up is up, only mirror sideways"
    else:
        because = f"the row explains only {explained:.1%} of the class entropy: every turn is as likely"
    return AugmentationChoice(
        mirror="horizontal" if explained >= _UPRIGHT else "both",
        quarter_turns=explained < _UPRIGHT,
        brightness=0.1,
        contrast=0.1,
        because=because,
        reference="measured in DESIGN.md",
    )


def inference_choice(
    model: ModelChoice, augmentation: AugmentationChoice, *, classes: int, overlapping: bool
) -> InferenceChoice:
    """Choose how whole images are mapped: by the views that training shows the network."""
    mirrored = augmentation.mirror != "none"
    views: Literal[1, 2, 8] = 8 if mirrored and augmentation.quarter_turns else 2 if mirrored else 1
    decision: Literal["argmax", "threshold"] = "argmax" if classes > 2 and not overlapping else "threshold"
    why = (
        f"{classes} classes exclude one another"
        if decision == "argmax"
        else f"each of {classes} classes needs its own threshold where one is rare"
    )
    seen = {1: "one view", 2: "2 views, one mirrored,", 8: "8 mirrored and turned views"}
    return InferenceChoice(
        window=_WINDOW,
        overlap=_WINDOW // 4,
        views=views,
        decision=decision,
        because=f"{seen[views]} as {model.name} is trained on; {why}",
        reference="measured in DESIGN.md",
    )


def watch_choice(budget: BudgetChoice) -> WatchChoice:
    """Choose how often training looks at itself."""
    every = 200 if budget.steps is None else max(1, min(200, budget.steps // 5))
    long = budget.steps / _STEPS_APART if budget.steps is not None else (budget.minutes or 0) / _MINUTES_APART
    validations = max(5, math.ceil(long))
    because = (
        f"{validations} validations over the budget, each of which keeps the training on disk: at least one every "
        f"{_MINUTES_APART} minutes or {_STEPS_APART} steps"
    )
    return WatchChoice(every_steps=every, validations=validations, because=because, reference="")
