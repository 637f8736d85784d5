"""Losses as sums of terms, so that a sum of several losses costs one pass over the logits.

Each loss whose name is, say, `dice` has a sibling `dice_terms` that takes the loss's own settings alone (and
`weights` where it takes them) and returns its terms. The loss is `total` of these. For a weighted sum:

    parts = [(1.0, cross_entropy_terms(weights=weights)), (0.5, dice_terms())]
    loss = total(parts, logits, labels, overlapping=False)

Settings that stand on their own are checked when terms are made; those that must fit the number of classes when
the loss is computed. A loss that is not made of pixelwise terms and overlaps joins as a `PlainTerm`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from rareseg.network.losses.one_pass import measure
from rareseg.network.losses.targets import Labels, check_shapes, in_full_precision, read
from rareseg.records.dataset import VOID

Weights = Sequence[float] | None


class Loss(Protocol):
    """A loss of which only the inputs are left to give."""

    def __call__(
        self, logits: Tensor, labels: Tensor, *, overlapping: bool, ignore_index: int, valid: Tensor | None
    ) -> Tensor:
        """Return a scalar."""


class Sums(NamedTuple):
    """Sums over the counted pixels of each image, (batch, classes) in `Labels.wide`."""

    hits: Tensor
    """Of p where the label is the class: TP."""
    claimed: Tensor
    """Of p."""
    squares: Tensor | None
    """Of p squared, if asked for."""
    present: Tensor
    """Of 1 where the label is the class."""
    pixels: Tensor
    """(batch) counted pixels."""
    yes_or_no: bool
    """p is a sigmoid per class, not a softmax."""


@dataclass(frozen=True, slots=True)
class PixelTerm:
    """Sum over counted pixels of factor (1 - p_t)^gamma -log p_t."""

    gamma: float
    factors: Callable[[Labels], Tensor]
    """Exclusive classes: (classes) by the label's class, or (1). Yes-or-no questions: (classes, 2) by class and
    answer, no first, or (classes, 1). They hold the division by the number of pixels too."""


@dataclass(frozen=True, slots=True)
class OverlapTerm:
    """A formula of sums of p over pixels, to a scalar."""

    formula: Callable[[Sums], Tensor]
    squared: bool = False
    """The formula needs `Sums.squares`."""


@dataclass(frozen=True, slots=True)
class PlainTerm:
    """A loss that is computed on its own."""

    function: Loss


Term = PixelTerm | OverlapTerm | PlainTerm
Part = tuple[float, Sequence[Term]]
"""A weight, and the terms of one loss."""


def total(
    parts: Sequence[Part],
    logits: Tensor,
    labels: Tensor,
    *,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    """Return the weighted sum of losses, a scalar in float32 (float64 for float64 logits).

    Args:
        parts: Weight and terms of each loss; a weight of 0 leaves its loss out.
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too; None leaves none out.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting does not fit the number of classes.
    """
    check_shapes(logits, labels, overlapping=overlapping, valid=valid)
    asked = [(weight, term) for weight, terms in parts if weight != 0 for term in terms]
    joint = [(weight, term) for weight, term in asked if not isinstance(term, PlainTerm)]
    if len(joint) < len(asked):
        # Once for all, so that their gradients are added up before they are rounded.
        logits = in_full_precision(logits)
    found: Tensor | None = None
    if joint:
        seen = read(labels, logits.shape[1], overlapping=overlapping, ignore_index=ignore_index, valid=valid)
        found = _joint(joint, logits, seen)
    for weight, term in asked:
        if isinstance(term, PlainTerm):
            value = term.function(
                logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid
            )
            value = value if weight == 1 else weight * value
            found = value if found is None else found + value
    return in_full_precision(logits).sum() * 0 if found is None else found


def _joint(terms: Sequence[tuple[float, PixelTerm | OverlapTerm]], logits: Tensor, labels: Labels) -> Tensor:
    dtype = in_full_precision(logits[:0]).dtype
    pixelwise = [
        (term.gamma, (weight * term.factors(labels)).to(dtype))
        for weight, term in terms
        if isinstance(term, PixelTerm)
    ]
    overlaps = [(weight, term) for weight, term in terms if isinstance(term, OverlapTerm)]
    squared = any(term.squared for _, term in overlaps)
    value, sums = measure(logits, labels, pixelwise, sums=bool(overlaps), squared=squared)
    if overlaps:
        squares = sums[3] if squared else None
        seen = Sums(sums[0], sums[1], squares, sums[2].detach(), labels.pixels, labels.yes_or_no)
        for weight, term in overlaps:
            value = value + weight * term.formula(seen)
    return value.to(dtype)
