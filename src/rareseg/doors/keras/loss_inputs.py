"""What the losses here do first: answers to logits in float32, targets to a number per class, uncounted pixels to 0."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from keras import ops

from rareseg.errors import DataError, SettingError

_LEAST = 1e-7
"""Probabilities are kept this far from 0 and 1, as Keras does."""


class Seen(NamedTuple):
    """A batch, pixels in one row."""

    logits: Any
    """(images, pixels, channels), float32."""
    holds: Any
    """(images, pixels, channels), float32: 1 where the target is the class, 0 where not counted."""
    counted: Any
    """(images, pixels), float32: 0 where a pixel is left out, else its sample weight or 1."""
    channels: int
    each: bool
    """Every channel is a yes-or-no question of its own."""
    broken: Any
    """Scalar: 0, or NaN where a counted pixel has a label that no class has."""


def seen(
    y_true: Any,
    y_pred: Any,
    sample_weight: Any,
    *,
    ignore_class: int | None,
    from_logits: bool,
    overlapping: bool,
) -> Seen:
    """Bring answers, targets and sample weights into one form.

    Args:
        y_true: Class indices (images, *pixels) or (images, *pixels, 1), or a channel per class like y_pred.
        y_pred: (images, *pixels, channels), any float.
        sample_weight: None, or one per image, or one per pixel with or without a last axis of 1.
        ignore_class: Label, or index of the channel, that is not counted.
        from_logits: y_pred holds logits; else probabilities.
        overlapping: A pixel may belong to several classes.

    Raises:
        DataError: if the shapes do not fit.
    """
    answers = ops.cast(ops.convert_to_tensor(y_pred), "float32")
    given = ops.cast(ops.convert_to_tensor(y_true), "float32")
    channels = int(answers.shape[-1])
    each = overlapping or channels == 1
    hot = len(given.shape) == len(answers.shape) and int(given.shape[-1]) == channels and channels > 1
    _check(tuple(given.shape), tuple(answers.shape), hot=hot, overlapping=overlapping)
    images = ops.shape(answers)[0]
    answers = ops.reshape(answers, (images, -1, channels))
    given = ops.reshape(given, (images, -1, channels) if hot else (images, -1))
    if hot:
        holds, counted, bad = _hot(given, ignore_class, each=each)
    else:
        holds, counted, bad = _indices(given, ignore_class, channels)
    counted = ops.cast(counted, "float32")
    holds = holds * counted[..., None]
    broken = ops.where(ops.any(bad), float("nan"), 0.0)
    counted = counted * _pixel_weights(sample_weight, images)
    return Seen(
        answers if from_logits else _logits(answers, each=each), holds, counted, channels, each, broken
    )


def over(values: Sequence[float], what: str, channels: int) -> Any:
    """Return one number per channel as a tensor.

    Raises:
        SettingError: if there are more or fewer.
    """
    if len(values) != channels:
        message = f"Expected {channels} {what}, one per channel; received {tuple(values)}."
        raise SettingError(message)
    return ops.convert_to_tensor(values, dtype="float32")


def _indices(labels: Any, ignore_class: int | None, channels: int) -> tuple[Any, Any, Any]:
    counted = ops.ones_like(labels, dtype="bool") if ignore_class is None else labels != float(ignore_class)
    if channels == 1:
        # Yes or no, or in between.
        bad = ops.logical_and(counted, ops.logical_not(ops.logical_and(labels >= 0, labels <= 1)))
        return ops.where(counted, labels, 0.0)[..., None], counted, bad
    known = ops.logical_and(labels >= 0, labels < channels)
    known = ops.logical_and(known, labels == ops.floor(labels))
    bad = ops.logical_and(counted, ops.logical_not(known))
    indices = ops.cast(ops.where(known, labels, 0.0), "int32")
    return ops.one_hot(indices, channels, dtype="float32"), counted, bad


def _hot(given: Any, ignore_class: int | None, *, each: bool) -> tuple[Any, Any, Any]:
    channels = given.shape[-1]
    counted = ops.ones_like(given[..., 0], dtype="bool") if each else ops.sum(given, axis=-1) > 0
    if ignore_class is not None and 0 <= ignore_class < channels and not each:
        counted = ops.logical_and(counted, ops.argmax(given, axis=-1) != ignore_class)
    elif ignore_class is not None:
        counted = ops.logical_and(counted, ops.logical_not(ops.all(given == float(ignore_class), axis=-1)))
    inside = ops.all(ops.logical_and(given >= 0, given <= 1), axis=-1)
    bad = ops.logical_and(counted, ops.logical_not(inside))
    return ops.where(counted[..., None], given, 0.0), counted, bad


def _logits(chances: Any, *, each: bool) -> Any:
    if each:
        kept = ops.clip(chances, _LEAST, 1 - _LEAST)
        return ops.log(kept) - ops.log1p(-kept)
    return ops.log(ops.clip(chances, _LEAST, 1.0))


def _pixel_weights(sample_weight: Any, images: Any) -> Any:
    if sample_weight is None:
        return 1.0
    return ops.reshape(ops.cast(ops.convert_to_tensor(sample_weight), "float32"), (images, -1))


def _check(given: tuple[Any, ...], answers: tuple[Any, ...], *, hot: bool, overlapping: bool) -> None:
    spatial = answers[:-1]
    fits = hot or _like(given, spatial) or _like(given, (*spatial, 1))
    if fits and not (overlapping and not hot and answers[-1] > 1):
        return
    wanted = (
        f"{answers}" if overlapping else f"{spatial}, {(*spatial, 1)} (class indices) or {answers} (one-hot)"
    )
    message = (
        f"Expected targets of shape {wanted} for answers {answers} with the channels last; received {given}. "
        "Write targets with one label, or one number per class, for every pixel of the output."
    )
    raise DataError(message)


def _like(shape: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    """Tell whether shapes agree; None, as in compiled functions, agrees with any length."""
    return len(shape) == len(wanted) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shape, wanted, strict=True)
    )
