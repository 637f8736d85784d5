"""What networks return, as rows of pixels, and back: tensors, tuples, dictionaries, any layout of the axes."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rareseg.errors import DataError
from rareseg.probing.subject import Floats, ProbeError

_MAIN_KEYS = (
    "out", "logits", "output", "outputs", "pred", "prediction", "masks_pred", "mask", "masks", "seg", "segmentation",
    "sem_seg", "semantic", "predictions", "main", "final", "probs", "probabilities", "scores",
)  # fmt: skip
Axes = Literal["channels first", "channels last", "planes"]
"""planes: one channel without an axis of its own."""


def main_tensor(output: Any) -> Tensor:
    """Return the tensor of per-pixel answers in what a network returned.

    Raises:
        ProbeError: if there is none.
    """
    found = _found(output)
    if found is None or found.ndim < 2:
        what = type(output).__name__ if found is None else f"a tensor of shape {tuple(found.shape)}"
        message = (
            f"the model returned {what}; expected a tensor (images, classes, rows, cols), a dictionary with 'out', "
            "or a tuple whose first part is such a tensor"
        )
        raise ProbeError(message)
    return found


def taken_from(output: Any) -> str | None:
    """Say which of several tensors `main_tensor` takes for the answers; None where there is no choice."""
    if isinstance(output, Mapping):
        named = [(repr(key), each) for key, each in output.items()]
    elif isinstance(output, (tuple, list)):
        named = [(f"part {place}", each) for place, each in enumerate(output, start=1)]
    else:
        return None
    maps = [(name, each) for name, each in named if isinstance(each, Tensor) and each.ndim >= 3]
    main = _found(output)
    chosen = next((name for name, each in maps if each is main), None)
    if chosen is None or len(maps) < 2:
        return None
    return f"The model returns {' and '.join(name for name, _ in maps)}; {chosen} is taken for its answers."


def _found(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):
        first = next((output[key] for key in _MAIN_KEYS if key in output), None)
        values = [first] if first is not None else list(output.values())
    elif isinstance(output, (tuple, list)):
        values = list(output)
    else:
        values = [getattr(output, key) for key in _MAIN_KEYS if hasattr(output, key)]
    return next((found for found in map(_found, values) if found is not None), None)


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """How one network's outputs relate to rows of pixels, read off an example."""

    example: Any
    """What the network returned, without gradients."""
    axes: Axes
    channels: int
    spatial: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @property
    def pixels(self) -> int:
        """Return the pixels of an image of the example."""
        return math.prod(self.spatial)

    def rows(self, output: Any) -> Floats:
        """Return what the network returned as (images, channels, pixels) float32."""
        main = main_tensor(output).detach().to("cpu", torch.float32)
        images = len(main)
        if self.axes == "channels last":
            main = main.movedim(-1, 1)
        channels = 1 if self.axes == "planes" else main.shape[1]
        return np.ascontiguousarray(main.reshape(images, channels, -1).numpy())

    def native(self, answers: Floats, spatial: tuple[int, ...] | None = None) -> Any:
        """Return `answers`, (images, channels, pixels), in the form in which the network returns its own.

        Args:
            answers: per pixel.
            spatial: rows and columns, where these differ from the example's.

        Further tensors of the output that are heads for the same classes are set to the same answers, resized.
        """
        size = self._size(answers.shape[-1], spatial)
        if math.prod(size) != answers.shape[-1]:
            message = f"expected answers at {math.prod(size)} pixels; got shape {answers.shape}"
            raise ProbeError(message)
        rows = torch.from_numpy(np.ascontiguousarray(answers, np.float32)).clone()
        planes = rows.reshape(len(rows), rows.shape[1], *size)
        return self._filled(self.example, planes)

    def _size(self, pixels: int, spatial: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return rows and columns of answers: batches need not have the example's size."""
        if len(self.spatial) == 1:
            return (pixels,)
        return self.spatial if spatial is None or math.prod(spatial) != pixels else spatial

    def _filled(self, like: Any, planes: Tensor) -> Any:
        if isinstance(like, Tensor):
            return self._shaped(like, planes)
        if isinstance(like, Mapping):
            filled = copy.copy(like)
            for key, each in like.items():
                filled[key] = self._filled(each, planes)  # type: ignore[index]
            return filled
        if isinstance(like, tuple) and hasattr(like, "_fields"):
            return type(like)(*(self._filled(each, planes) for each in like))
        if isinstance(like, (tuple, list)):
            return type(like)(self._filled(each, planes) for each in like)
        return like

    def _shaped(self, like: Tensor, planes: Tensor) -> Tensor:
        """Return `planes` in the shape of `like`, or `like` repeated for each image where it is no such head."""
        main = main_tensor(self.example)
        same_channels = like.ndim == main.ndim and (
            self.axes != "channels first" or like.shape[1] == self.channels
        )
        if not same_channels or not like.is_floating_point():
            return like[:1].expand(len(planes), *like.shape[1:]).clone() if like.ndim else like
        if self.axes == "channels first" and like.ndim == 4 and like.shape[2:] != main.shape[2:]:
            scaled = [
                max(1, round(side * part / whole))
                for side, part, whole in zip(planes.shape[2:], like.shape[2:], main.shape[2:], strict=True)
            ]
            planes = functional.interpolate(planes, size=scaled, mode="nearest")
        shaped = planes[:, 0] if self.axes == "planes" else planes
        shaped = shaped.movedim(1, -1) if self.axes == "channels last" else shaped
        return shaped.to(like.device, like.dtype)


def layout_of(output: Any, *, picture: tuple[int, ...], targets: tuple[int, ...]) -> Layout:
    """Return how `output` is laid out.

    Args:
        output: what the network returned for a batch.
        picture: shape of the images, (images, bands, rows, cols).
        targets: shape of the targets.

    Raises:
        ProbeError: if `output` holds no per-pixel answers.
    """
    main = main_tensor(output)
    _check_maps(tuple(main.shape), picture, targets)
    axes = _axes(tuple(main.shape), picture, targets)
    if axes == "planes":
        channels, spatial = 1, tuple(main.shape[1:])
    elif axes == "channels last":
        channels, spatial = main.shape[-1], tuple(main.shape[1:-1])
    else:
        channels, spatial = main.shape[1], tuple(main.shape[2:])
    example = _detached(output)
    return Layout(example, axes, channels, spatial, main.dtype, main.device)


def _check_maps(shape: tuple[int, ...], picture: tuple[int, ...], targets: tuple[int, ...]) -> None:
    """Refuse the answers of a network that classifies whole images."""
    pixels = {math.prod(picture[2:]), math.prod(targets[1:])}
    if len(shape) == 2 and shape[1] not in pixels:
        message = (
            f"the model returned a tensor of shape {shape}, one row of {shape[1]} numbers for each image; expected "
            "answers for every pixel, such as (images, classes, rows, cols)"
        )
        raise ProbeError(message)


def _axes(shape: tuple[int, ...], picture: tuple[int, ...], targets: tuple[int, ...]) -> Axes:
    spatial = picture[2:]
    if shape[1:] == spatial:
        return "planes"
    if len(shape) == len(picture) and shape[2:] != spatial and shape[1:-1] == spatial:
        return "channels last"
    if len(shape) == 2:
        return "planes"
    # (images, rows, cols) at another size than the image, or (images, classes, pixels): the targets decide.
    if len(shape) == 3 and shape[1:] == targets[1:] and shape[2] != math.prod(spatial):
        return "planes"
    return "channels first"


def _detached(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.detach()
    if isinstance(output, Mapping):
        copied = copy.copy(output)
        for key, each in output.items():
            copied[key] = _detached(each)  # type: ignore[index]
        return copied
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*map(_detached, output))
    if isinstance(output, (tuple, list)):
        return type(output)(_detached(each) for each in output)
    return output


def in_full_precision(output: Any) -> Any:
    """Return what the network returned with float16 and bfloat16 as float32."""
    if isinstance(output, Tensor):
        return output.float() if output.dtype in {torch.float16, torch.bfloat16} else output
    if isinstance(output, Mapping):
        copied = copy.copy(output)
        for key, each in output.items():
            copied[key] = in_full_precision(each)  # type: ignore[index]
        return copied
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return type(output)(*map(in_full_precision, output))
    return type(output)(map(in_full_precision, output)) if isinstance(output, (tuple, list)) else output


def pictures_of(images: Any) -> NDArray[np.float32]:
    """Return what the model is fed as (images, bands, rows, cols) float32; a band is added where there is none.

    Raises:
        DataError: if there are more axes or fewer.
    """
    values = (
        images.detach().to("cpu", torch.float32).numpy() if isinstance(images, Tensor) else np.asarray(images)
    )
    pictures = np.asarray(values, np.float32)
    if pictures.ndim not in {3, 4}:
        message = (
            f"data: expected images (images, bands, rows, cols) or (images, rows, cols); got shape {pictures.shape}. "
            "Volumes and rows of pixels cannot be diagnosed: give slices, as images."
        )
        raise DataError(message)
    return pictures[:, None] if pictures.ndim == 3 else pictures
