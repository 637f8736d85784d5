"""Blocks of pixels: on a processor each is small enough to stay in its cache while it is worked on."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from rareseg.network.losses.targets import Labels, in_full_precision

BLOCK = 1 << 20
"""Logits of exclusive classes in a block, on a processor: 4 MB in float32 for each of two arrays in use at a time."""
QUESTIONS = 1 << 18
"""Yes-or-no questions in a block: 1 MB for each of four arrays."""

Term = tuple[float, Tensor]
"""gamma of (1 - p_t)^gamma -log p_t, and the factors of pixels, in the logits' dtype.

Exclusive classes: (classes) or (1). Yes-or-no questions: (classes, 2) for no and yes, or (classes, 1)."""


class Wants(NamedTuple):
    """What is wanted of a pass over the logits."""

    terms: tuple[Term, ...]
    """The pixelwise terms."""
    sums: bool
    """The sums of p by class."""
    squared: bool
    """The sums of p squared too."""
    slopes: bool
    """The slopes of the pixelwise terms."""


class Block(NamedTuple):
    """A run of pixels of one or more images."""

    logits: Tensor
    """(images, classes, pixels), float32 or float64."""
    values: Tensor
    """(images, pixels): class indices, int64, or bit sets, uint8."""
    counted: Tensor | None
    """(images, pixels), 1 or 0 in the logits' dtype; None if every pixel is counted."""
    labels: Labels
    """The labels of the whole batch."""


class Place(NamedTuple):
    """Where a block lies in (batch, ..., pixels)."""

    images: slice
    pixels: slice

    def of(self, batch: Tensor) -> Tensor:
        """Return the block's part of a tensor (batch, pixels) or (batch, classes, pixels)."""
        return batch[self.images, ..., self.pixels]


class Kept(NamedTuple):
    """What the way back needs: of the whole batch, or room for it in one block."""

    by_pixel: Tensor | None = None
    """The slopes of the pixelwise terms; None without these. (images, pixels) by -log p of the label (exclusive
    classes) or by z_1 - z_0 (two of them), (images, classes, pixels) by each logit for yes-or-no questions."""
    chances: Tensor | None = None
    """(images, classes, pixels) p of three and more exclusive classes, or the chance of the less likely answer to
    yes-or-no questions; None where they are computed again."""

    def of(self, place: "Place") -> "Kept":
        """Return the block's part."""
        return Kept(*(None if one is None else place.of(one) for one in self))


class Slopes(NamedTuple):
    """Slopes of the loss by what one block found."""

    kept: Kept
    by_sums: Tensor | None
    """(3 or 4, images, classes), in the logits' dtype: by hits, claimed, present (of no effect) and squares."""


def places(logits: Tensor, labels: Labels) -> Iterator[Place]:
    """Yield blocks that cover (batch, classes, pixels): whole images where these are small."""
    images, classes, pixels = logits.shape
    if logits.device.type != "cpu":
        yield Place(slice(0, images), slice(0, pixels))
        return
    most = BLOCK if labels.classes > 2 and not labels.yes_or_no else QUESTIONS
    together = max(1, most // max(1, classes * pixels))
    length = max(1, most // classes) if classes * pixels > most else max(1, pixels)
    for first in range(0, images, together):
        for start in range(0, pixels, length):
            yield Place(slice(first, first + together), slice(start, start + length))


def cut(logits: Tensor, labels: Labels, place: Place) -> Block:
    """Return one block of the batch, in full precision."""
    found = in_full_precision(place.of(logits))
    counted = None if labels.counted is None else place.of(labels.counted).to(found.dtype)
    return Block(found, place.of(labels.values), counted, labels)


def faded(
    surprise: Tensor, doubt: Tensor | None, gamma: float, *, slope: bool
) -> tuple[Tensor, Tensor | None]:
    """Return (1 - p_t)^gamma s with s = -log p_t, and its slope by s if wanted; None stands for 1.

    Args:
        surprise: s, any shape.
        doubt: 1 - p_t, or None to take it from s.
        gamma: >= 0.
        slope: Whether the slope is wanted.
    """
    if gamma == 0:
        return surprise, None
    if doubt is None:
        doubt = torch.expm1(-surprise).neg_()
    if gamma < 1:
        # Its slope at 0 is infinite, and would meet a surprise of 0 as NaN.
        doubt = doubt.clamp(min=torch.finfo(doubt.dtype).tiny)
    power = doubt if gamma == 2 else doubt.pow(gamma - 1)
    both = doubt * surprise
    if not slope:
        return both.mul_(power), None
    steepness = torch.sub(surprise, both).mul_(gamma).add_(doubt).mul_(power)
    return both.mul_(power), steepness
