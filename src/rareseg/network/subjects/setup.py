"""What can be read off a module, its loss and its optimizer."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rareseg.errors import SettingError

Precision = Literal["fp16", "bf16", "fp32"]
_PRECISIONS: dict[str, Precision] = {
    "fp32": "fp32", "float32": "fp32", "32": "fp32", "32-true": "fp32",
    "fp16": "fp16", "float16": "fp16", "half": "fp16", "16": "fp16", "16-mixed": "fp16", "16-true": "fp16",
    "fp16-mixed": "fp16", "mixed_float16": "fp16",
    "bf16": "bf16", "bfloat16": "bf16", "bf16-mixed": "bf16", "bf16-true": "bf16", "mixed_bfloat16": "bf16",
}  # fmt: skip
_OF_DTYPE: dict[torch.dtype, Precision] = {torch.float16: "fp16", torch.bfloat16: "bf16"}
DTYPES: dict[Precision, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
_LARGE_KERNEL = 16
_LIKE_BILINEAR = 0.9
"""Cosine between a kernel and the bilinear one from which on it interpolates."""


def precision_of(model: nn.Module, asked: Any) -> Precision:
    """Return the arithmetic of the training: as asked, else the model's own, else of the autocast that is on.

    Raises:
        SettingError: if `asked` is no precision.
    """
    if asked is not None:
        name = str(asked).removeprefix("torch.")
        if name not in _PRECISIONS:
            message = f"precision: expected one of {', '.join(_PRECISIONS)}; got {asked!r}."
            raise SettingError(message)
        return _PRECISIONS[name]
    own = own_dtype(model)
    if own in _OF_DTYPE:
        return _OF_DTYPE[own]
    device = device_of(model).type
    if torch.is_autocast_enabled(device):
        return _OF_DTYPE.get(torch.get_autocast_dtype(device), "fp32")
    return "fp32"


def own_dtype(model: nn.Module) -> torch.dtype:
    """Return the dtype of the model's first floating-point parameter; float32 if it has none."""
    return next((each.dtype for each in model.parameters() if each.is_floating_point()), torch.float32)


def device_of(model: nn.Module) -> torch.device:
    """Return where the model's first parameter or buffer lies; the CPU if it has neither."""
    tensors = [*model.parameters(), *model.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")


def learning_rate_of(optimizer: Any) -> float | None:
    """Return the learning rate of an optimizer's first group, or None."""
    groups = getattr(optimizer, "param_groups", None)
    rate = groups[0].get("lr") if groups else None
    return None if rate is None else float(rate)


def optimizer_name(optimizer: Any) -> str:
    """Return the optimizer's class, and the learning rates of its groups where they differ; "none" for None."""
    if optimizer is None:
        return "none"
    rates = list(dict.fromkeys(float(group["lr"]) for group in optimizer.param_groups if "lr" in group))
    name = type(optimizer).__name__
    return f"{name} (groups at {', '.join(f'{rate:g}' for rate in rates)})" if len(rates) > 1 else name


def parameter_counts(model: nn.Module, optimizer: Any = None) -> tuple[int, int]:
    """Return how many numbers are parameters, and how many of these are trained: by the optimizer, if there is one."""
    every = list(model.parameters())
    trained = [each for each in every if each.requires_grad]
    if optimizer is not None:
        held = {id(each) for group in optimizer.param_groups for each in group["params"]}
        trained = [each for each in trained if id(each) in held]
    return sum(each.numel() for each in every), sum(each.numel() for each in trained)


def normalises_by_batch(model: nn.Module) -> bool:
    """Return whether a layer normalises by the statistics of the batch."""
    return any(isinstance(module, _BatchNorm) for module in model.modules())


def upsampling_of(model: nn.Module) -> tuple[str, ...]:
    """Return a sentence on each transposed convolution that leaves a checkerboard.

    Where the kernel is no multiple of the stride, pixels are painted unequally often (Odena 2016,
    doi:10.23915/distill.00003); a large kernel of random weights paints its own pattern until it has learned not to
    (Long 2015, arXiv:1411.4038, starts at bilinear interpolation).
    """
    sentences = []
    for name, module in model.named_modules():
        if not isinstance(module, nn.ConvTranspose2d):
            continue
        kernel, stride = _pair(module.kernel_size), _pair(module.stride)
        what = f"{name or 'model'}: transposed convolution, kernel {_side(kernel)}, stride {_side(stride)}"
        if any(size % step for size, step in zip(kernel, stride, strict=True)):
            sentences.append(f"{what}: the kernel is no multiple of the stride, which leaves a checkerboard.")
        elif max(kernel) >= _LARGE_KERNEL and not is_bilinear(module.weight):
            sentences.append(
                f"{what}: the weights are not those of an interpolation, which leaves a pattern."
            )
    return tuple(sentences)


def is_bilinear(weight: Tensor) -> bool:
    """Return whether a kernel (in, out, rows, cols) interpolates from each channel to the one of the same number."""
    own = weight.detach().float().cpu()
    if own.shape[1] == 1:
        diagonal = own[:, 0]
    else:
        count = min(own.shape[:2])
        diagonal = own[torch.arange(count), torch.arange(count)]
    wanted = bilinear(weight.shape[-2], weight.shape[-1])
    cosines = torch.nn.functional.cosine_similarity(
        diagonal.reshape(len(diagonal), -1), wanted.reshape(1, -1)
    )
    return bool(cosines.mean() > _LIKE_BILINEAR)


def bilinear(rows: int, cols: int) -> Tensor:
    """Return the kernel (rows, cols) of bilinear interpolation, its largest weight about 1."""
    return torch.outer(_tent(rows), _tent(cols))


def _tent(size: int) -> Tensor:
    half = (size + 1) // 2
    centre = half - 1 if size % 2 else half - 0.5
    return 1 - (torch.arange(size, dtype=torch.float32) - centre).abs() / half


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _side(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"


def versions() -> dict[str, str]:
    """Return versions of what a torch training runs on, where installed."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__}
    for package in ("torchvision", "segmentation-models-pytorch", "lightning"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
