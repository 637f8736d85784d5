"""Arrays of any framework, opened without loading it, and how they are laid out.

Tensors of PyTorch are told by their methods and stay on their own device until they are cut; everything else (NumPy,
JAX, TensorFlow, Keras) gives its values to `numpy.asarray`.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError

Axis = Literal[1, 3]
_NUMBERS = "biufV"
"""Kinds of NumPy types that hold numbers; V are those of others, such as bfloat16."""


class Layout(NamedTuple):
    """How logits and labels of a training lie."""

    channels: int
    channel_axis: Axis | None
    """None: logits (images, rows, cols) of one class."""
    hot: bool
    """A channel of labels per class, on the same axis as of the logits."""
    label_axis: Axis | None
    """An axis of labels that holds classes or has length 1."""


def open_array(value: Any, what: str) -> Any:
    """Return a NumPy view where that costs nothing, else a detached tensor of PyTorch; never a copy of such a tensor.

    Raises:
        SettingError: if `value` is no array.
    """
    try:
        if hasattr(value, "detach") and hasattr(value, "cpu"):
            detached = value.detach()
            # NumPy knows no bfloat16: such tensors are cut first and turned into float32 after.
            readable = str(detached.device) == "cpu" and "bfloat16" not in str(detached.dtype)
            return detached.numpy() if readable else detached
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SettingError(_no_array(value, what, error)) from error
    if array.dtype.kind not in _NUMBERS:
        raise SettingError(_no_array(value, what, None))
    return array


def on_host(cut: Any) -> NDArray[Any]:
    """Return what was cut from an opened array as NumPy, floats as float32."""
    if hasattr(cut, "detach"):
        cut = (cut.float() if cut.is_floating_point() else cut).cpu().numpy()
    # bfloat16 of JAX is of no kind that NumPy knows.
    values: NDArray[Any] = cut
    return values.astype(np.float32, copy=False) if values.dtype.kind in "fV" else values


def pick(array: Any, axis: int | None, places: tuple[NDArray[np.intp], ...]) -> NDArray[np.float32]:
    """Return float32 (channels, pixels) of an opened array; `axis` is the channels', `places` images, rows, cols."""
    index: tuple[Any, ...] = places
    if hasattr(array, "detach"):
        anchor = array.new_zeros(0).long()
        index = tuple(anchor.new_tensor(place) for place in places)
    if axis == 1:
        index = (index[0], slice(None), *index[1:])
    picked = on_host(array[index]).astype(np.float32, copy=False)
    if not len(places[0]):
        # No pixel to look at, as where all labels are out of range: -1 could not be worked out.
        channels = 1 if axis is None else int(array.shape[axis])
        return np.zeros((channels, 0), np.float32)
    return picked.reshape(len(places[0]), -1).T


def _no_array(value: Any, what: str, error: Exception | None) -> str:
    told = f" ({str(error).splitlines()[0]})" if error is not None and str(error) else ""
    return (
        f"Expected {what} as an array or tensor with values, got {type(value).__name__}{told}. Call update outside of "
        "compiled functions (jit, tf.function, torch.compile), with the output of the network itself."
    )


def layout_of(
    logits: tuple[int, ...], labels: tuple[int, ...], *, axis: int | Literal["auto"], classes: int | None
) -> Layout:
    """Tell where the channels are.

    Args:
        logits: shape, of 3 or 4 axes.
        labels: shape, of 3 or 4 axes.
        axis: of the channels in 4-axes logits: 1, 3 or -1, or "auto".
        classes: number of class names, if given: settles shapes that fit both ways.

    Raises:
        SettingError: if the shapes do not fit together, or fit in two ways.
    """
    if len(logits) == 3 and axis == "auto":
        flat = Layout(1, None, hot=False, label_axis=_single_axis(logits, labels))
        if _spatial(labels, flat.label_axis) == logits:
            return flat
        raise SettingError(_unfit(logits, labels))
    if len(logits) != 4:
        raise SettingError(_unfit(logits, labels))
    asked: list[Axis] = [1, 3] if axis == "auto" else [_named_axis(axis)]
    fitting = [found for found in (_fit(logits, labels, one) for one in asked) if found is not None]
    if len(fitting) > 1:
        fitting = _narrow(fitting, logits, classes)
    if len(fitting) != 1:
        raise SettingError(_unfit(logits, labels) if not fitting else _ambiguous(logits, labels))
    return fitting[0]


def _named_axis(axis: int) -> Axis:
    named: dict[int, Axis] = {1: 1, 3: 3, -1: 3}
    if axis in named:
        return named[axis]
    message = f'Expected channel_axis 1 (N, K, H, W), 3 or -1 (N, H, W, K), or "auto", got {axis}.'
    raise SettingError(message)


def _spatial(shape: tuple[int, ...], axis: Axis | None) -> tuple[int, ...]:
    return shape if axis is None else shape[:axis] + shape[axis + 1 :]


def _single_axis(logits: tuple[int, ...], labels: tuple[int, ...]) -> Axis | None:
    axes: tuple[Axis, ...] = (1, 3)
    if len(labels) != 4:
        return None
    return next((a for a in axes if labels[a] == 1 and _spatial(labels, a) == logits), None)


def _fit(logits: tuple[int, ...], labels: tuple[int, ...], axis: Axis) -> Layout | None:
    channels, spatial = logits[axis], _spatial(logits, axis)
    if labels == spatial:
        return Layout(channels, axis, hot=False, label_axis=None)
    if len(labels) == 4 and labels == logits and channels > 1:
        return Layout(channels, axis, hot=True, label_axis=axis)
    single = _single_axis(spatial, labels)
    return None if single is None else Layout(channels, axis, hot=False, label_axis=single)


def _narrow(fitting: list[Layout], logits: tuple[int, ...], classes: int | None) -> list[Layout]:
    """Of layouts that both fit, keep those with the named number of classes, else with fewer channels than rows."""
    if classes is not None:
        wanted = {classes, 1} if classes == 2 else {classes}
        named = [found for found in fitting if found.channels in wanted]
        if len(named) == 1:
            return named
    small = [found for found in fitting if found.channels < min(_spatial(logits, found.channel_axis)[1:])]
    return small or fitting


def _unfit(logits: tuple[int, ...], labels: tuple[int, ...]) -> str:
    return (
        "Expected logits (N, K, H, W), (N, H, W, K) or (N, H, W), and labels (N, H, W) as class indices or one-hot in "
        f"the logits' shape, with the same N, H and W; got logits {logits} and labels {labels}. "
        "Pass both at the same resolution, as the loss gets them."
    )


def _ambiguous(logits: tuple[int, ...], labels: tuple[int, ...]) -> str:
    return (
        f"Logits {logits} and labels {labels} fit with channels on axis 1 and on axis 3. "
        "Pass channel_axis=1 for (N, K, H, W) or channel_axis=3 for (N, H, W, K)."
    )
