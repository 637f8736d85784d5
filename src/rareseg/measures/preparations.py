"""Ways of preparing images for a model, and of reading its answers: layout, scale, order of bands, activation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.records.evidence import Activation

Floats = NDArray[np.float32]
Answerer = Callable[[Floats], Floats]
"""A model: images in its own layout in, answers in its own layout out, float32."""
Layout = Literal["nchw", "nhwc"]
Scale = Literal["unit", "imagenet", "signed", "standardised", "raw", "caffe", "ten_thousandth"]

LAYOUTS: tuple[Layout, ...] = ("nchw", "nhwc")
SCALES: dict[Scale, str] = {
    "unit": "values / 255 (16 bits: / 65535), 0 to 1",
    "imagenet": "0 to 1, then less ImageNet's mean over its deviation",
    "signed": "-1 to 1",
    "standardised": "less the image's own mean over its own deviation, per band",
    "raw": "as stored",
    "caffe": "as stored less ImageNet's mean, as VGG16 of Keras takes it (with blue first)",
    "ten_thousandth": "values / 10000, as surface reflectance is stored",
}
"""What each scale does, the most usual first."""

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]
_SUMS_TO_ONE = 1e-3


@final
@dataclass(frozen=True, slots=True)
class Way:
    """One way of feeding images."""

    scale: Scale = "unit"
    reversed_bands: bool = False
    """Blue first, where files hold red first."""
    layout: Layout = "nchw"

    def __str__(self) -> str:
        """Return it in words."""
        bands = ", bands reversed" if self.reversed_bands else ""
        return f"{SCALES[self.scale]}{bands}, {self.layout.upper()}"

    def feed(self, images: NDArray[Any]) -> Floats:
        """Return images (N, bands, rows, cols), as stored, as the model takes them; float32 in its layout.

        Raises:
            SettingError: if there are not 3 bands for a scale that is defined for red, green and blue.
        """
        if self.scale in ("imagenet", "caffe") and images.shape[1] != 3:
            message = (
                f"The scale {self.scale} is that of 3 bands, got {images.shape[1]}. Choose another scale."
            )
            raise SettingError(message)
        values = images.astype(np.float32)
        full = depth(images.dtype)
        if self.scale == "standardised":
            values -= values.mean(axis=(2, 3), keepdims=True)
            values /= np.maximum(values.std(axis=(2, 3), keepdims=True), np.float32(1e-6 * full))
        elif self.scale == "caffe":
            values -= full * _MEAN
        elif self.scale == "ten_thousandth":
            values /= np.float32(10_000)
        elif self.scale != "raw":
            values /= np.float32(full)
        if self.scale == "imagenet":
            values = (values - _MEAN) / _DEVIATION
        elif self.scale == "signed":
            values = values * np.float32(2) - np.float32(1)
        if self.reversed_bands:
            values = values[:, ::-1]
        return np.ascontiguousarray(values if self.layout == "nchw" else values.transpose(0, 2, 3, 1))


def depth(dtype: np.dtype[Any]) -> float:
    """Return the largest value of photos of this type: 255, 65535, or 1 for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def scales_for(dtype: np.dtype[Any], bands: int) -> tuple[Scale, ...]:
    """Return the scales that make sense for photos of a type and number of bands, the most usual first."""
    left_out = {"imagenet", "caffe"} if bands != 3 else set()
    if dtype.kind == "f":
        left_out |= {"raw"}  # the same as "unit"
    if dtype != np.uint16:
        left_out |= {"ten_thousandth"}
    return tuple(scale for scale in SCALES if scale not in left_out)


def in_planes(answers: Floats, layout: Layout, shape: tuple[int, int], classes: int) -> Floats:
    """Return answers as (N, channels, rows, cols) of the images' size.

    Smaller answers, as of networks that leave the last doubling out, are enlarged to the nearest pixel. Channels stand
    where the images' do, or, if only that fits `classes`, at the other end.

    Args:
        answers: (N, K, h, w), (N, h, w, K) or (N, h, w).
        layout: of the images.
        shape: rows and cols of the images.
        classes: K may be this, or 1.

    Raises:
        SettingError: if neither fits.
    """
    found = answers[:, None] if answers.ndim == 3 else answers
    if found.ndim == 4:
        last = found.transpose(0, 3, 1, 2)
        tried = (found, last) if layout == "nchw" or answers.ndim == 3 else (last, found)
        for planes in tried:
            if planes.shape[1] in (1, classes) and _covers(planes.shape[2:], shape):
                rows, cols = (
                    np.arange(side) * small // side
                    for side, small in zip(shape, planes.shape[2:], strict=True)
                )
                return np.ascontiguousarray(planes[:, :, rows[:, None], cols])
    message = (
        f"Expected answers (N, {classes} or 1, {shape[0]}, {shape[1]}) or with channels last, got {answers.shape}. "
        "This model answers for other classes or another task; name its classes, or bring another file."
    )
    raise SettingError(message)


def activation_of(planes: Sequence[Floats]) -> Activation:
    """Tell what the last layer does by its answers, (N, channels, rows, cols) each.

    "constant" is softmax over one channel; "none" gives logits.
    """
    low = min(float(one.min()) for one in planes)
    high = max(float(one.max()) for one in planes)
    channels = planes[0].shape[1]
    if channels > 1 and high <= _SUMS_TO_ONE and all(_sums_to_one(np.exp(one)) for one in planes):
        return "log-softmax"
    if low < -_SUMS_TO_ONE or high > 1 + _SUMS_TO_ONE:
        return "none"
    if channels == 1:
        return "constant" if low > 1 - _SUMS_TO_ONE else "sigmoid"
    return "softmax" if all(_sums_to_one(one) for one in planes) else "sigmoid"


def probabilities_of(planes: Floats, activation: Activation, *, overlapping: bool = False) -> Floats:
    """Return probabilities of answers (N, channels, rows, cols).

    Logits of several exclusive classes go through softmax, others through the sigmoid.
    """
    if activation == "log-softmax":
        return np.exp(planes)
    if activation != "none":
        return np.clip(planes, 0, 1)
    if planes.shape[1] > 1 and not overlapping:
        powers = np.exp(planes - planes.max(axis=1, keepdims=True))
        softmax: Floats = powers / powers.sum(axis=1, keepdims=True)
        return softmax
    with np.errstate(over="ignore"):
        sigmoid: Floats = np.reciprocal(1 + np.exp(-planes), dtype=np.float32)
    return sigmoid


def _covers(small: Sequence[int], shape: tuple[int, int]) -> bool:
    """Tell whether an answer of size `small` may be that of an image of `shape`: equal, or shrunk alike."""
    return all(0 < side <= full <= 64 * side for side, full in zip(small, shape, strict=True)) and (
        abs(small[0] / shape[0] - small[1] / shape[1]) <= 2 / min(shape)
    )


def _sums_to_one(planes: Floats) -> bool:
    return bool(np.abs(planes.sum(axis=1) - 1).max() <= _SUMS_TO_ONE)
