"""What can be read off a compiled model without running it."""

import platform
import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from rareseg.doors.keras.keeping import copies
from rareseg.errors import SettingError

_FLAGS = ("from_logits", "label_smoothing", "ignore_class", "logit_adjustment")
_LARGE_KERNEL, _LARGE_STRIDE = 16, 8
_CENTRED = 2.0


def loss_name(model: Any) -> str:
    """Return the loss's name with the settings that change what it wants, such as from_logits=True."""
    loss = _single(getattr(model, "loss", None))
    if loss is None:
        return "none"
    if isinstance(loss, str):
        return loss
    if not isinstance(loss, keras.losses.Loss):
        return str(getattr(loss, "__name__", type(loss).__name__))
    config = loss_config(model)
    flags = [f"{name}={config[name]}" for name in _FLAGS if config.get(name)]
    return type(loss).__name__ + (f"({', '.join(flags)})" if flags else "")


def loss_config(model: Any) -> dict[str, Any]:
    """Return the settings of the loss, as far as it tells them."""
    loss = _single(getattr(model, "loss", None))
    if not isinstance(loss, keras.losses.Loss):
        return {}
    try:
        return dict(loss.get_config())
    except Exception:
        return {}


def optimizer_name(model: Any) -> str:
    """Return the name of the optimizer's class; the inner one's where the loss is scaled."""
    optimizer = getattr(model, "optimizer", None)
    return "none" if optimizer is None else type(getattr(optimizer, "inner_optimizer", optimizer)).__name__


def class_names(classes: Sequence[str] | None, channels: int) -> tuple[str, ...]:
    """Return a name for each class, two of a model with one channel; raises SettingError if there are not as many."""
    count = max(channels, 2)
    if classes is None:
        return tuple(f"class {label}" for label in range(count))
    names = tuple(str(name) for name in classes)
    if channels == 1 and len(names) == 1:
        return ("background", *names)
    if len(names) != count:
        message = f"Expected {count} class names, as the model has {channels} channels; received {names}."
        raise SettingError(message)
    return names


def parameters(variables: list[Any]) -> int:
    """Return the number of values in variables."""
    return int(sum(np.prod(variable.shape, dtype=np.int64) for variable in variables))


def precision(model: Any) -> str:
    """Return "fp16", "bf16" or "fp32", by what any layer computes in."""
    types = {str(getattr(layer, "compute_dtype", "")) for layer in model._flatten_layers()}
    return "fp16" if "float16" in types else "bf16" if "bfloat16" in types else "fp32"


def normalised(model: Any) -> bool:
    """Tell whether a layer normalises by batch."""
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in model._flatten_layers())


def upsampling(model: Any) -> tuple[str, ...]:
    """Return a sentence on each transposed convolution that leaves a checkerboard or learns what need not be learnt."""
    found = []
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Conv2DTranspose):
            found += _of_transposed(layer)
    return tuple(found)


def versions() -> dict[str, str]:
    """Return the versions of Python, NumPy, Keras and its backend."""
    name = keras.backend.backend()
    module = sys.modules.get(name)
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": keras.__version__,
        f"{name} (backend)": str(getattr(module, "__version__", "unknown")),
    }


def _of_transposed(layer: Any) -> list[str]:
    found = []
    kernel, strides = tuple(layer.kernel_size), tuple(layer.strides)
    by = "x".join(str(side) for side in kernel)
    if any(side % stride for side, stride in zip(kernel, strides, strict=True)):
        found.append(
            f"{layer.name}: its kernel of {by} is no multiple of its stride {max(strides)}, so neighbouring pixels are "
            "sums of unequally many terms, which leaves a checkerboard."
        )
    large = min(kernel) >= _LARGE_KERNEL and min(strides) >= _LARGE_STRIDE
    if large and layer.built and not _is_smooth(layer):
        count = parameters(layer.weights)
        found.append(
            f"{layer.name}: its kernel of {by} on stride {max(strides)} starts from random weights and "
            f"learns {_readable(count)} numbers to do what bilinear interpolation does."
        )
    return found


def _is_smooth(layer: Any) -> bool:
    """Tell whether the kernel has its weight in the middle, as interpolation has, and random weights have not."""
    weights = copies([layer.kernel])[0][1].astype(np.float64)
    energy = (weights**2).mean(axis=(2, 3))
    rows, cols = energy.shape
    middle = energy[rows // 4 : rows - rows // 4, cols // 4 : cols - cols // 4]
    return bool(middle.mean() > _CENTRED * energy.mean())


def _readable(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count:,}"


def _single(loss: Any) -> Any:
    """Return the one loss of a list or a mapping of one."""
    if isinstance(loss, dict):
        loss = list(loss.values())
    if isinstance(loss, list | tuple) and len(loss) == 1:
        return loss[0]
    return loss
