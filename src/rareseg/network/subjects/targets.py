"""What targets say, whatever their form: class indices, 0 and 1 of one class, a channel per class."""

import math
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rareseg.probing.subject import VOID_LABEL, Labels
from rareseg.records.evidence import LabelForm

_CLAIMED = 0.5
"""From here on a channel claims a pixel: smoothed and soft targets count as the class that they mostly are."""
_MOST_UNCLAIMED = 0.5
"""Up to this share of pixels that no channel claims, targets count as one-hot with pixels left out."""
Placing = Literal["indices", "channels first", "channels last", "unknown"]


@final
@dataclass(frozen=True, slots=True)
class TargetForm:
    """How targets are written, so that they can be read and written."""

    name: LabelForm
    placing: Placing
    classes: int
    ignore_index: int | None
    grid: tuple[int, ...]
    """Rows and columns of the answers."""
    resized: bool
    """Targets have another size than the answers; else batches may come in any size."""

    def read(self, targets: Tensor) -> tuple[Labels, NDArray[np.bool_] | None]:
        """Return labels (images, pixels) int16, VOID_LABEL where not counted, and claims where classes overlap.

        Claims are (images, classes, pixels). Of overlapping classes the label is the first that claims a pixel;
        a pixel that no class claims is VOID_LABEL, as is a value that no class has. At pixels of the answers' grid:
        targets of another size are read at the nearest pixel.
        """
        if self.placing == "unknown":
            shape = (len(targets), math.prod(self.grid))
            return np.full(shape, VOID_LABEL, np.int16), None
        values = self._planes(targets)
        values = self._on_grid(values)
        if self.placing == "indices":
            return self._of_indices(values.reshape(len(values), -1)), None
        return self._of_channels(values.reshape(len(values), values.shape[1], -1))

    def write(self, targets: Tensor, labels: Labels, before: Labels) -> Tensor:
        """Return a copy of `targets` that says `labels`, in the same form and dtype.

        Pixels that `labels` leaves out get the ignored value where there is one; else, if `before` (what `targets`
        says) leaves them out as well, they stay as they are.
        """
        written = targets.clone()
        if self.placing == "unknown":
            return written
        planes = self._planes(written)
        size = tuple(planes.shape[1:] if self.placing == "indices" else planes.shape[2:])
        wanted = torch.from_numpy(self._off_grid(labels, size).astype(np.int64)).to(targets.device)
        stays = torch.from_numpy(self._off_grid(before, size) == VOID_LABEL).to(targets.device) & (wanted < 0)
        if self.placing == "indices":
            new = wanted.reshape(planes.shape)
            void = planes if self.ignore_index is None else torch.full_like(planes, self.ignore_index)
            kept = (new < 0) & (stays.reshape(planes.shape) | (self.ignore_index is None))
            planes.copy_(torch.where(kept, planes, torch.where(new < 0, void, new.to(planes.dtype))))
            return written
        hot = wanted[:, None] == torch.arange(planes.shape[1], device=targets.device)[:, None]
        hot = hot.reshape(planes.shape)
        keep = stays.reshape(len(planes), 1, *size).expand_as(planes)
        planes.copy_(torch.where(keep, planes, hot.to(planes.dtype)))
        return written

    def outside(self, targets: Tensor) -> NDArray[np.float64]:
        """Return the values of index targets that are neither a class nor the ignored value; else none."""
        if self.placing != "indices":
            return np.zeros(0)
        values = targets.detach().reshape(-1).double()
        counted = (values < 0) | (values >= self.classes) | (values != values.round())
        if self.ignore_index is not None:
            counted &= values != self.ignore_index
        return values[counted].cpu().numpy()

    def where(self, targets: Tensor, value: float) -> NDArray[np.bool_]:
        """Return (images, pixels) of the answers' grid: where index targets hold `value`."""
        planes = self._on_grid((self._planes(targets) == value).to(torch.uint8))
        return planes.reshape(len(planes), -1).bool().cpu().numpy()

    def _planes(self, targets: Tensor) -> Tensor:
        """Return a view (images, [classes,] rows, cols); indices without their axis of length 1."""
        if self.placing == "channels last":
            return targets.movedim(-1, 1)
        if self.placing == "indices" and targets.ndim == len(self.grid) + 2:
            return targets.squeeze(1) if targets.shape[1] == 1 else targets.squeeze(-1)
        return targets

    def _on_grid(self, planes: Tensor) -> Tensor:
        if not self.resized:
            return planes
        size = tuple(planes.shape[-len(self.grid) :])
        for axis, (here, there) in enumerate(zip(size, self.grid, strict=True), start=-len(size)):
            planes = planes.index_select(axis, torch.from_numpy(_nearest(here, there)).to(planes.device))
        return planes

    def _off_grid(self, labels: Labels, size: tuple[int, ...]) -> Labels:
        """Return labels of the answers' grid at the pixels of targets, (images, pixels)."""
        if not self.resized:
            return labels
        planes = labels.reshape(len(labels), *self.grid)
        for axis, (here, there) in enumerate(zip(self.grid, size, strict=True), start=1):
            planes = np.take(planes, _nearest(here, there), axis=axis)
        return planes.reshape(len(labels), -1)

    def _of_indices(self, values: Tensor) -> Labels:
        numbers = values.detach().cpu().double()
        inside = (numbers >= 0) & (numbers < self.classes) & (numbers == numbers.round())
        if self.ignore_index is not None:
            inside &= numbers != self.ignore_index
        return torch.where(inside, numbers, VOID_LABEL).to(torch.int16).numpy()

    def _of_channels(self, values: Tensor) -> tuple[Labels, NDArray[np.bool_] | None]:
        numbers = values.detach().cpu().float()
        claims = numbers > _CLAIMED
        if self.ignore_index is not None and self.ignore_index not in {0, 1}:
            claims &= (numbers != self.ignore_index).all(dim=1, keepdim=True)
        labels = torch.where(claims.any(dim=1), claims.to(torch.uint8).argmax(dim=1), VOID_LABEL)
        overlapping = claims.numpy() if self.name == "multi-hot" else None
        return labels.to(torch.int16).numpy(), overlapping


def form_of(
    targets: Tensor, *, channels: int, grid: tuple[int, ...], classes: int | None, ignore_index: int | None
) -> TargetForm:
    """Return how `targets` are written.

    Args:
        targets: of one batch.
        channels: of the network's answers.
        grid: rows and columns of the answers.
        classes: how many there are, if told.
        ignore_index: value that the loss leaves out, if known.
    """
    placing, count = _placing(tuple(targets.shape), channels, classes, grid)
    name: LabelForm = "binary" if channels == 1 else "indices"
    if placing in {"channels first", "channels last"}:
        if _are_shares(targets, ignore_index):
            name = _hotness(targets.movedim(-1, 1) if placing == "channels last" else targets)
        else:
            # Colours of a mask, or values that no loss of channels knows.
            placing = "unknown"
    if placing == "unknown":
        name = "unknown"
    pixels = math.prod(targets.shape[1:]) // (1 if placing == "indices" else max(count, 1))
    return TargetForm(
        name=name,
        placing=placing,
        classes=count if name in {"one-hot", "multi-hot"} else classes or max(channels, 2),
        ignore_index=ignore_index,
        grid=grid,
        resized=pixels != math.prod(grid),
    )


def _placing(
    shape: tuple[int, ...], channels: int, classes: int | None, grid: tuple[int, ...]
) -> tuple[Placing, int]:
    """Return where classes stand in targets of `shape`, and how many channels those have."""
    values, pixels = math.prod(shape[1:]), math.prod(grid)
    if values == pixels:
        return "indices", 1
    known = {channels, classes} - {None, 1}
    if len(shape) >= 3:
        first, last = math.prod(shape[2:]) == pixels, math.prod(shape[1:-1]) == pixels
        if first and (shape[2:] == grid or not last):
            return "channels first", shape[1]
        if last:
            return "channels last", shape[-1]
    # Another size than the answers'.
    if len(shape) == len(grid) + 1 or (len(shape) == len(grid) + 2 and 1 in {shape[1], shape[-1]}):
        return "indices", 1
    if len(shape) == len(grid) + 2 and known & {shape[1], shape[-1]}:
        return ("channels first", shape[1]) if shape[1] in known else ("channels last", shape[-1])
    return "unknown", 0


def _are_shares(targets: Tensor, ignore_index: int | None) -> bool:
    """Return whether all values lie in 0..1, but for the ignored one: colours of a mask do not."""
    values = targets.float()
    counted = values[values != ignore_index] if ignore_index is not None else values
    return bool(((counted >= 0) & (counted <= 1)).all())


def _hotness(planes: Tensor) -> LabelForm:
    """Return whether exactly one of the channels (images, channels, ...) claims a pixel, or several may."""
    claims = (planes > _CLAIMED).sum(dim=1)
    several = bool((claims > 1).any())
    return "multi-hot" if several or float((claims == 0).float().mean()) > _MOST_UNCLAIMED else "one-hot"


def _nearest(here: int, there: int) -> NDArray[np.int64]:
    """Return which of `here` pixels lies nearest to each of `there` pixels of the same extent."""
    return np.minimum(((np.arange(there) + 0.5) * here / there).astype(np.int64), here - 1)
