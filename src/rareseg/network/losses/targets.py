"""What every loss does first: logits to float32, labels checked, void told from counted.

One channel is a yes-or-no question with labels 0 and 1, and so is every channel of overlapping classes; the
labels of the latter are bit sets. Several channels of exclusive classes are one question with one answer.
A pixel is left out if its label is `ignore_index`, or if `valid` is given and False there; labels of pixels
that `valid` leaves out are not looked at.
"""

import operator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from rareseg.errors import DataError, SettingError
from rareseg.records.dataset import VOID

MOST_OVERLAPPING = 7
"""Overlapping classes that 8 bits can hold: with eight, a pixel of all classes would read as VOID."""


_COUNTABLE = {
    torch.bool: torch.uint8,
    torch.uint16: torch.int32,
    torch.uint32: torch.int64,
    torch.uint64: torch.int64,
}
"""What labels are turned into where torch has no arithmetic for their own dtype."""


class Targets(NamedTuple):
    """Labels spread out over classes."""

    holds: Tensor
    """(batch, classes, rows, cols) bool: the pixel is labelled as the class; False where not counted."""
    counted: Tensor
    """(batch, 1, rows, cols) bool: the pixel is labelled at all."""


@dataclass(frozen=True)
class Labels:
    """Checked labels of a batch, pixels in one row, and what is counted in them."""

    values: Tensor
    """(batch, pixels): class indices, int64, or bit sets, uint8; 0 where not counted."""
    counted: Tensor | None
    """(batch, pixels) bool; None if every pixel is counted."""
    classes: int
    yes_or_no: bool
    """One channel, or overlapping classes: a sigmoid per class."""

    @property
    def wide(self) -> torch.dtype:
        """Return the dtype of sums over pixels: float64 where the device has it."""
        return torch.float32 if self.values.device.type == "mps" else torch.float64

    @cached_property
    def pixels(self) -> Tensor:
        """Return the counted pixels of each image, (batch), in `wide`."""
        if self.counted is None:
            images, pixels = self.values.shape
            return self.values.new_full((images,), pixels, dtype=self.wide)
        return self.counted.sum(dim=1, dtype=self.wide)

    @cached_property
    def all_pixels(self) -> Tensor:
        """Return the counted pixels of the batch, a scalar in `wide`, at least 1: a divisor."""
        return self.pixels.sum().clamp(min=1)

    @cached_property
    def present(self) -> Tensor:
        """Return the counted pixels of each class in each image, (batch, classes), in `wide`."""
        if self.classes == 2 and not self.yes_or_no:
            second = self.values.sum(dim=1)
            return torch.stack([self.pixels - second, second.to(self.wide)], dim=1)
        if not self.yes_or_no:
            ones = torch.ones((), dtype=self.wide, device=self.values.device).expand(self.values.shape)
            return self.sums(ones if self.counted is None else self.counted.to(self.wide), self.values)
        if self.classes == 1:
            return self.values.sum(dim=1, keepdim=True).to(self.wide)
        planes = [(self.values >> label & 1).sum(dim=1) for label in range(self.classes)]
        return torch.stack(planes, dim=1).to(self.wide)

    def holds(self) -> Tensor:
        """Tell for each class and pixel whether a counted label says so, (batch, classes, pixels)."""
        numbers = torch.arange(self.classes, device=self.values.device, dtype=self.values.dtype).view(
            1, -1, 1
        )
        values = self.values.unsqueeze(1)
        found = (values >> numbers) & 1 == 1 if self.yes_or_no else values == numbers
        return found if self.counted is None else found & self.counted.unsqueeze(1)

    def sums(self, amounts: Tensor, values: Tensor) -> Tensor:
        """Return the sum of `amounts` over the pixels of each class, (batch, classes), in `wide`.

        Args:
            amounts: (batch, pixels), any float; 0 where not counted.
            values: (batch, pixels) class indices: all of the batch's, or those of a part of it.
        """
        amounts = amounts.to(self.wide)
        if values.device.type == "cpu":
            start = torch.zeros((len(values), self.classes), dtype=self.wide)
            return start.scatter_add_(1, values, amounts)
        # Elsewhere additions to a dozen addresses would queue up, in an order of their own every time.
        return sums_by_comparing(amounts, values, self.classes)


def sums_by_comparing(amounts: Tensor, values: Tensor, classes: int) -> Tensor:
    """Return the sum of `amounts` (batch, pixels) over the pixels of each class, (batch, classes), without scatter."""
    numbers = torch.arange(classes, device=values.device).view(1, -1, 1)
    return ((values.unsqueeze(1) == numbers) * amounts.unsqueeze(1)).sum(dim=2)


def asks_each_class(classes: int, *, overlapping: bool) -> bool:
    """Tell whether each channel is a yes-or-no question of its own: overlapping classes, or one channel."""
    return overlapping or classes == 1


def in_full_precision(logits: Tensor) -> Tensor:
    """Return logits in float32; float64 stays as it is."""
    return logits if logits.dtype == torch.float64 else logits.float()


def check_shapes(logits: Tensor, labels: Tensor, *, overlapping: bool, valid: Tensor | None = None) -> None:
    """Refuse logits and labels that do not belong together.

    Raises:
        DataError: unless logits are floats (batch, classes, rows, cols), labels integers (batch, rows, cols)
            and valid, if given, bool (batch, rows, cols).
        SettingError: if there are more overlapping classes than labels have bits for.
    """
    given = {type(one).__name__ for one in (logits, labels) if not isinstance(one, Tensor)}
    if given:
        message = (
            f"Expected logits and labels as torch tensors; received {' and '.join(sorted(given))}. "
            "torch.from_numpy(array) makes one of an array."
        )
        raise DataError(message)
    if logits.ndim != 4 or labels.shape != (logits.shape[0], *logits.shape[2:]):
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
    if valid is not None and (valid.dtype != torch.bool or valid.shape != labels.shape):
        message = (
            f"Expected valid to be bool of the labels' shape {tuple(labels.shape)}, True where a pixel is "
            f"counted; received {valid.dtype} of shape {tuple(valid.shape)}."
        )
        raise DataError(message)
    if overlapping and logits.shape[1] > MOST_OVERLAPPING:
        message = (
            f"Expected at most {MOST_OVERLAPPING} overlapping classes, because labels are bit sets in 8 bits "
            f"and {VOID} means not counted; received {logits.shape[1]}. "
            "Merge classes, or train several networks."
        )
        raise SettingError(message)


def read(
    labels: Tensor,
    classes: int,
    *,
    overlapping: bool,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Labels:
    """Check labels and tell counted pixels from the rest; the look for strays is one pass over the labels.

    Args:
        labels: (batch, rows, cols) integers: class indices, or bit sets (bit k = class k) if `overlapping`.
        classes: Number of channels; one channel is a yes-or-no question.
        overlapping: True if labels are bit sets.
        ignore_index: Label of pixels that are not counted.
        valid: (batch, rows, cols) bool, False where a pixel is not counted; None leaves none out.

    Raises:
        DataError: if the label of a counted pixel is none that `classes` classes can give.
        SettingError: if `ignore_index` is no whole number.
    """
    limit = _label_count(classes, overlapping=overlapping)
    yes_or_no = asks_each_class(classes, overlapping=overlapping)
    dtype = torch.uint8 if yes_or_no else torch.int64
    ignore_index = _whole(ignore_index)
    flat = labels.to(_COUNTABLE.get(labels.dtype, labels.dtype)).flatten(1)
    if valid is None and not 0 <= ignore_index < limit and _all_within(flat, limit):
        return Labels(flat.to(dtype), None, classes, yes_or_no)
    counted = _differ(flat, ignore_index)
    if valid is not None:
        counted &= valid.flatten(1)
    values = flat * counted
    if not _all_within(values, limit):
        raise DataError(_out_of_range(flat[counted], classes, ignore_index, overlapping=overlapping))
    return Labels(values.to(dtype), counted, classes, yes_or_no)


def spread(
    labels: Tensor,
    classes: int,
    *,
    overlapping: bool,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Targets:
    """Tell for each class and pixel whether the label says so; arguments and errors as in `read`."""
    found = read(labels, classes, overlapping=overlapping, ignore_index=ignore_index, valid=valid)
    holds = found.holds().view(len(labels), classes, *labels.shape[1:])
    if found.counted is None:
        return Targets(holds, torch.ones_like(labels, dtype=torch.bool).unsqueeze(1))
    return Targets(holds, found.counted.view(labels.shape).unsqueeze(1))


def _whole(ignore_index: int) -> int:
    try:
        return operator.index(ignore_index)
    except TypeError as error:
        message = (
            "Expected ignore_index to be a whole number, the label of pixels that are left out, or one that no label "
            f"has, such as -1, to leave out none; received {ignore_index!r}."
        )
        raise SettingError(message) from error


def _all_within(values: Tensor, limit: int) -> bool:
    if values.numel() == 0:
        return True
    lowest, highest = torch.aminmax(values)
    return int(lowest) >= 0 and int(highest) < limit


def _differ(values: Tensor, ignore_index: int) -> Tensor:
    # A number that the labels' dtype cannot hold marks no pixel; comparing with it would wrap around or raise.
    span = torch.iinfo(values.dtype)
    if span.min <= ignore_index <= span.max:
        return values != ignore_index
    return torch.ones_like(values, dtype=torch.bool)


def _out_of_range(counted: Tensor, classes: int, ignore_index: int, *, overlapping: bool) -> str:
    """Return the sentence for labels that `classes` classes cannot give, with the values found."""
    limit = _label_count(classes, overlapping=overlapping)
    outside = counted[(counted < 0) | (counted >= limit)].tolist()
    values = ", ".join(str(value) for value in sorted(set(outside))[:5])
    kind = "bit sets" if overlapping else "class indices" if classes > 1 else "answers"
    noun = "classes" if classes > 1 else "class"
    return (
        f"Expected labels that are {kind} 0..{limit - 1} or {ignore_index} (not counted), as there are "
        f"{classes} {noun}; found {values} on {len(outside)} pixels. Check how the masks are read, "
        "or build the network for more classes."
    )


def _label_count(classes: int, *, overlapping: bool) -> int:
    return 1 << classes if asks_each_class(classes, overlapping=overlapping) else classes
