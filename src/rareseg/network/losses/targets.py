"""What every loss does first: logits to float32, labels checked, void told from counted."""

from typing import NamedTuple

import torch
from torch import Tensor

from rareseg.errors import DataError, SettingError
from rareseg.records.dataset import VOID

MOST_OVERLAPPING = 7
"""Overlapping classes that 8 bits can hold: with eight, a pixel of all classes would read as VOID."""


class Targets(NamedTuple):
    """Labels spread out over classes."""

    holds: Tensor
    """(batch, classes, rows, cols) bool: the pixel is labelled as the class; False where not counted."""
    counted: Tensor
    """(batch, 1, rows, cols) bool: the pixel is labelled at all."""


def in_full_precision(logits: Tensor) -> Tensor:
    """Return logits in float32; float64 stays as it is."""
    return logits if logits.dtype == torch.float64 else logits.float()


def check_shapes(logits: Tensor, labels: Tensor, *, overlapping: bool) -> None:
    """Refuse logits and labels that do not belong together.

    Raises:
        DataError: unless logits are floats (batch, classes, rows, cols), labels integers (batch, rows, cols).
        SettingError: if there are more overlapping classes than labels have bits for.
    """
    shapes_fit = logits.ndim == 4 and labels.shape == (logits.shape[0], *logits.shape[2:])
    if not shapes_fit:
        message = (
            "Expected logits (batch, classes, rows, cols) and labels (batch, rows, cols) of the same images; "
            f"received logits {tuple(logits.shape)} and labels {tuple(labels.shape)}."
        )
        raise DataError(message)
    if not logits.is_floating_point() or labels.is_floating_point() or labels.is_complex():
        message = (
            "Expected floating-point logits and integer labels (class indices, or bit sets of overlapping "
            f"classes); received {logits.dtype} logits and {labels.dtype} labels."
        )
        raise DataError(message)
    if overlapping and logits.shape[1] > MOST_OVERLAPPING:
        message = (
            f"Expected at most {MOST_OVERLAPPING} overlapping classes, because labels are bit sets in 8 bits "
            f"and {VOID} means not counted; received {logits.shape[1]}. "
            "Merge classes, or train several networks."
        )
        raise SettingError(message)


def spread(labels: Tensor, classes: int, *, overlapping: bool) -> Targets:
    """Tell for each class and pixel whether the label says so.

    Args:
        labels: (batch, rows, cols) integers: class indices, or bit sets (bit k = class k); VOID is left out.
        classes: Number of classes.
        overlapping: True if labels are bit sets.

    Raises:
        DataError: if a label is neither VOID nor one that `classes` classes can give.
    """
    counted = labels != VOID
    if bool((counted & ((labels < 0) | (labels >= _label_count(classes, overlapping=overlapping)))).any()):
        raise DataError(out_of_range(labels, classes, overlapping=overlapping))
    numbers = torch.arange(classes, device=labels.device).view(1, -1, 1, 1)
    spread_labels = labels.long().unsqueeze(1)
    holds = (spread_labels >> numbers) & 1 == 1 if overlapping else spread_labels == numbers
    counted = counted.unsqueeze(1)
    return Targets(holds & counted, counted)


def out_of_range(labels: Tensor, classes: int, *, overlapping: bool) -> str:
    """Return the sentence for labels that `classes` classes cannot give, with the values found."""
    limit = _label_count(classes, overlapping=overlapping)
    outside = labels[(labels != VOID) & ((labels < 0) | (labels >= limit))].tolist()
    values = ", ".join(str(value) for value in sorted(set(outside))[:5])
    kind = "bit sets" if overlapping else "class indices"
    return (
        f"Expected labels that are {kind} 0..{limit - 1} or {VOID} (not counted), as there are {classes} "
        f"classes; found {values} on {len(outside)} pixels. Check how the masks are read, "
        "or build the network for more classes."
    )


def _label_count(classes: int, *, overlapping: bool) -> int:
    return 1 << classes if overlapping else classes
