"""One pass over the logits for everything that a sum of losses needs, and one back for its gradient.

The softmax or sigmoid is computed once for all terms. What is kept for the way back is one slope per question,
for yes-or-no questions the gradient itself as far as it is known, and where overlaps need them the chances, in the
room that the gradient will take. So the gradient is the only array of the logits' size. A graph that is gone back
through twice measures anew the second time, and so do half precision's chances, which the gradient's room would round.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rareseg.network.losses import pair_pass, sigmoid_pass, softmax_pass
from rareseg.network.losses.block import Kept, Slopes, Term, Wants, cut, places
from rareseg.network.losses.first_order import first_order
from rareseg.network.losses.targets import Labels, in_full_precision


class Measured(NamedTuple):
    """What the logits of a batch come to; both are differentiable by them."""

    value: Tensor
    """Sum of the pixelwise terms over counted pixels, a scalar in `Labels.wide`."""
    sums: Tensor
    """(4 if squared, else 3, or 0, batch, classes) in `Labels.wide`: sums over counted pixels of p where the
    label is the class, of p, of 1 where the label is the class, and of p squared."""


def measure(logits: Tensor, labels: Labels, terms: Sequence[Term], *, sums: bool, squared: bool) -> Measured:
    """Return the sum of pixelwise terms and the sums of p by class.

    Args:
        logits: (batch, classes, rows, cols), any float.
        labels: The batch's labels.
        terms: gamma and factors of each pixelwise term; see `Term`.
        sums: Whether the sums are wanted; if not, they have no entries.
        squared: Whether p squared is wanted too.
    """
    slopes = torch.is_grad_enabled() and logits.requires_grad
    apply: Callable[..., Any] = _Measure.apply
    return Measured(*apply(logits, labels, Wants(tuple(terms), sums, squared, slopes)))


def surprises(logits: Tensor, labels: Labels) -> Tensor:
    """Return -log of the chance that is given to the label, 0 where not counted; differentiable by the logits.

    Args:
        logits: (batch, classes, rows, cols), any float.
        labels: The batch's labels.

    Returns:
        (batch, pixels) for exclusive classes, (batch, classes, pixels) for yes-or-no questions.
    """
    apply: Callable[..., Any] = _Surprises.apply
    found: Tensor = apply(logits, labels)
    return found


class _Measure(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Labels, wants: Wants) -> tuple[Tensor, Tensor]:
        value, sums, kept = _measured(logits, labels, wants)
        ctx.labels, ctx.wants, ctx.kept = labels, wants, kept
        ctx.save_for_backward(logits, labels.values, labels.counted)
        return value, sums

    @staticmethod
    @first_order
    def backward(ctx: Any, by_value: Tensor, by_sums: Tensor) -> tuple[Tensor | None, ...]:
        logits = ctx.saved_tensors[0]
        labels: Labels = ctx.labels
        wants: Wants = ctx.wants
        # What was kept is used up, as it may become the gradient.
        kept: Kept | None = ctx.kept
        ctx.kept = None
        if kept is None:
            # In the same way, for the same digits.
            kept = _measured(logits, labels, wants)[2]
        rates = kept.by_pixel
        if rates is not None and not (rates.device.type == "cpu" and float(by_value) == 1):
            rates.mul_(by_value.to(rates.dtype))
        dtype = in_full_precision(logits[:0]).dtype
        return _gradient(logits, labels, Slopes(kept, by_sums.to(dtype) if wants.sums else None)), None, None


class _Surprises(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Labels) -> Tensor:
        rows = logits.flatten(2)
        found = _room(rows, labels)
        for place in places(rows, labels):
            place.of(found).copy_(_way(labels).surprise(cut(rows, labels, place)))
        ctx.labels = labels
        ctx.save_for_backward(logits, labels.values, labels.counted)
        return found

    @staticmethod
    @first_order
    def backward(ctx: Any, by_surprise: Tensor) -> tuple[Tensor | None, ...]:
        logits, labels = ctx.saved_tensors[0], ctx.labels
        rows = logits.flatten(2)
        kept = _room(rows, labels)
        for place in places(rows, labels):
            rate = _way(labels).slope_of_surprise(cut(rows, labels, place), place.of(by_surprise))
            place.of(kept).copy_(rate)
        return _gradient(logits, labels, Slopes(Kept(by_pixel=kept), None)), None


def _measured(logits: Tensor, labels: Labels, wants: Wants) -> tuple[Tensor, Tensor, Kept]:
    """Return the pixelwise terms' sum, the sums of p, and what is kept for the way back."""
    rows = logits.flatten(2)
    value = torch.zeros((), dtype=labels.wide, device=logits.device)
    sums = value.new_zeros((3 + wants.squared if wants.sums else 0, *rows.shape[:2]))
    kept = _kept(rows, labels, wants) if wants.slopes else Kept()
    for place in places(rows, labels):
        added, by_class = _way(labels).measure(cut(rows, labels, place), wants, kept.of(place))
        if added is not None:
            value += added
        if by_class is not None:
            sums[:, place.images] += by_class
    return value, sums, kept


def _kept(rows: Tensor, labels: Labels, wants: Wants) -> Kept:
    """Return room for what is kept."""
    by_pixel = _room(rows, labels) if wants.terms else None
    chances = None
    exact = rows.dtype == in_full_precision(rows[:0]).dtype
    if exact and wants.sums and (not wants.terms if labels.yes_or_no else labels.classes > 2):
        chances = torch.empty_like(rows)
    return Kept(by_pixel, chances)


def _gradient(logits: Tensor, labels: Labels, slopes: Slopes) -> Tensor:
    """Return dL/dz; slopes are those of the whole batch."""
    rows = logits.flatten(2)
    # The gradient is written over what was kept in its room.
    found = next((one for one in slopes.kept if one is not None and _like(one, rows)), None)
    done = found is slopes.kept.by_pixel and slopes.by_sums is None
    if found is None:
        found, done = torch.empty_like(rows), False
    if not done:
        for place in places(rows, labels):
            by_sums = None if slopes.by_sums is None else slopes.by_sums[:, place.images]
            here = Slopes(slopes.kept.of(place), by_sums)
            _way(labels).gradient(cut(rows, labels, place), here, place.of(found))
    return found.view(logits.shape)


def _like(one: Tensor, rows: Tensor) -> bool:
    return one.shape == rows.shape and one.dtype == rows.dtype


def _way(labels: Labels) -> ModuleType:
    if labels.yes_or_no:
        return sigmoid_pass
    return pair_pass if labels.classes == 2 else softmax_pass


def _room(rows: Tensor, labels: Labels) -> Tensor:
    """Return room for a number per question and pixel."""
    dtype = in_full_precision(rows[:0]).dtype
    return torch.empty_like(rows if labels.yes_or_no else rows[:, 0], dtype=dtype)
