"""What a batch's targets say, pixel by pixel, and other labels written in the same form."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.doors.keras.layout import Layout
from rareseg.errors import DataError
from rareseg.probing.subject import VOID_LABEL, Labels
from rareseg.records.evidence import LabelForm

_HALF = 0.5
_MOSTLY = 0.2
"""Share of pixels that no class claims, above which channels are questions of their own."""


class Said(NamedTuple):
    """Targets, read."""

    form: LabelForm
    labels: Labels
    """(images, pixels): class index, or VOID_LABEL."""
    several: NDArray[np.bool_] | None
    """(images, classes, pixels) where classes overlap."""


def read(raw: NDArray[Any], weights: NDArray[Any] | None, layout: Layout, ignore_index: int | None) -> Said:
    """Tell what targets say.

    Args:
        raw: Targets as they came: a class index per pixel, with or without a last axis of 1, or a channel per class.
        weights: Sample weights, per image or per pixel; where they are 0 nothing is counted.
        layout: Of the model's output.
        ignore_index: Label that the loss leaves out.

    Raises:
        DataError: if there is neither a label per pixel nor one per pixel and channel.
    """
    form = form_of(raw, layout)
    if form == "indices":
        labels = _indices(raw.reshape(len(raw), layout.area), layout.channels, ignore_index)
        said = Said(form, labels, None)
    elif form == "binary":
        flat = raw.reshape(len(raw), layout.area)
        labels = (flat > _HALF).astype(np.int16)
        if ignore_index is not None and ignore_index not in (0, 1):
            labels[flat == ignore_index] = VOID_LABEL
        said = Said(form, labels, None)
    else:
        said = _hot(layout.canonical(raw), ignore_index)
    said.labels[_uncounted(weights, said.labels.shape)] = VOID_LABEL
    return said


def form_of(raw: NDArray[Any], layout: Layout) -> LabelForm:
    """Tell from the shape how targets are written; "one-hot" may turn out to be multi-hot.

    Raises:
        DataError: as `read`.
    """
    images = len(raw)
    one_each = raw.size == images * layout.area
    spatial = (images, *layout.pixels)
    fits = raw.shape in (spatial, (*spatial, 1), (images, 1, *layout.pixels), (images, layout.area)) or (
        raw.shape == (images, layout.area, 1)
    )
    # Maps for an output in a row can be read; whether the loss takes them is the loss's to say.
    if one_each and (fits or len(layout.pixels) < 2):
        return "binary" if layout.channels == 1 else "indices"
    if raw.shape == layout.shape(images):
        return "one-hot"
    message = (
        f"Expected targets of shape {spatial}, {(*spatial, 1)} (class indices) or {layout.shape(images)} (a channel "
        f"per class), because the model answers {layout.shape(images)}; received {raw.shape}. "
        "Resize masks to the output with nearest neighbour, and give them one label or one 1 per pixel."
    )
    raise DataError(message)


def written(labels: Labels, raw: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Return labels in the form and dtype of the targets; pixels that do not count keep what stood there.

    Args:
        labels: (images, pixels) class indices, VOID_LABEL where not counted.
        raw: The targets of the batch.
        layout: Of the model's output.
    """
    form = form_of(raw, layout)
    void = labels == VOID_LABEL
    if form in ("indices", "binary"):
        old = raw.reshape(labels.shape)
        # A mask of 0 and 255 stays one: yes is written as the mask writes it.
        yes = max(float(old[~void].max(initial=0)), 1) if form == "binary" else 1
        return np.where(void, old, labels * yes).astype(raw.dtype).reshape(raw.shape)
    hot = labels[:, None] == np.arange(layout.channels)[:, None]
    new = np.where(void[:, None], layout.canonical(raw), hot)
    return layout.as_given(new.astype(raw.dtype))


def _indices(flat: NDArray[Any], channels: int, ignore_index: int | None) -> Labels:
    known = (flat >= 0) & (flat < channels) & (flat == np.floor(flat))
    if ignore_index is not None:
        known &= flat != ignore_index
    return np.where(known, flat, VOID_LABEL).astype(np.int16)


def _hot(channels: NDArray[Any], ignore_index: int | None) -> Said:
    holds = channels > _HALF
    claims = holds.sum(axis=1)
    # Soft targets have no channel above a half at some pixels; what sums to 1 is still one answer.
    soft = (claims == 0) & (np.abs(channels.sum(axis=1) - 1) < 1e-3)
    labels = np.where((claims > 0) | soft, channels.argmax(axis=1), VOID_LABEL).astype(np.int16)
    overlap = bool((claims > 1).any()) or float(((claims == 0) & ~soft).mean()) > _MOSTLY
    if ignore_index is not None:
        labels[labels == ignore_index] = VOID_LABEL
    return Said("multi-hot" if overlap else "one-hot", labels, holds if overlap else None)


def _uncounted(weights: NDArray[Any] | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if weights is None or weights.size not in (shape[0], shape[0] * shape[1]):
        return np.zeros(shape, dtype=bool)
    return np.broadcast_to(weights.reshape(shape[0], -1) == 0, shape)
