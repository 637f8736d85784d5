r"""One block of pixels of yes-or-no questions: what the losses need from their sigmoids, and the way back.

With p = sigmoid(z) the chance of yes, g = 1 for yes and 0 for no, the question asked from the label's side is
u = (1 - 2g) z: the chance of the wrong answer is q = sigmoid(u) and s = -log(1 - q) = softplus(u). Neither loses
digits at either end, nor does e = p - g = (1 - 2g) q, nor p (1 - p) = m (1 - m) with m = sigmoid(-|z|) the lesser
chance of both: at |z| = 17 a float32 of the other one is 1. For a loss L, with r = dL/ds and d = dL/dp,

    dL/dz = e r + m (1 - m) d
    sum p = sum e + sum g,   sum p g = sum e g + sum g,   sum p^2 = sum e^2 + 2 sum e g + sum g
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from rareseg.network.losses.block import Block, Kept, Slopes, Wants, faded

SURE = 50.0
"""log(1 + e^u) is u to every digit of a float64 beyond this."""


class Moments(NamedTuple):
    """Sums over the counted pixels of a block, (images, questions) in `Labels.wide`."""

    errors: Tensor
    """Of e."""
    missed: Tensor
    """Of e g."""
    present: Tensor
    """Of g."""
    squares: Tensor | None
    """Of e^2, if wanted."""


def measure(block: Block, wants: Wants, room: Kept) -> tuple[Tensor | None, Tensor | None]:
    """Return the pixelwise terms' sum over the block, and the sums over pixels; None where not wanted.

    Args:
        block: Pixels.
        wants: What is wanted.
        room: To which the terms' slopes by z are written where it is given, or without terms m.
    """
    value, moments = asked(block, block.logits, held(block), wants, room)
    if moments is None:
        return value, None
    errors, missed, present, squares = moments
    found = [missed + present, errors + present, present]
    if squares is not None:
        found.append(squares + 2 * missed + present)
    return value, torch.stack(found)


def surprise(block: Block) -> Tensor:
    """Return -log of the chance given to the label's answer, (images, classes, pixels); 0 where not counted."""
    found = F.softplus(_wrong(block.logits, held(block)), threshold=SURE)
    return found if block.counted is None else found.mul_(block.counted.unsqueeze(1))


def slope_of_surprise(block: Block, rate: Tensor) -> Tensor:
    """Return dL/dz, (images, classes, pixels), from dL/ds of the same shape."""
    holds = held(block)
    return _errors(_wrong(block.logits, holds).sigmoid_(), holds, block.counted).mul_(rate)


def gradient(block: Block, slopes: Slopes, out: Tensor) -> None:
    """Write dL/dz of the block to `out`, (images, classes, pixels) of the logits' dtype.

    `out` may be the slopes of the pixelwise terms themselves, or m that was kept.
    """
    direct = slopes.kept.by_pixel
    if slopes.by_sums is None:
        if direct is None:
            out.zero_()
        else:
            out.copy_(direct)
        return
    squared = len(slopes.by_sums) > 3
    holds = held(block)
    # Measured anew it has the same digits.
    lesser = lesser_chance(block.logits) if slopes.kept.chances is None else slopes.kept.chances
    # Two plain steps: addcmul is four times as slow where it has to broadcast.
    by_chance = holds.mul_(slopes.by_sums[0].unsqueeze(2)).add_(slopes.by_sums[1].unsqueeze(2))
    if squared:
        by_chance.add_(block.logits.sigmoid().mul_(2 * slopes.by_sums[3].unsqueeze(2)))
    if direct is None and out.dtype == lesser.dtype:
        through_sigmoid(by_chance, lesser, block.counted, out=out)
        return
    found = through_sigmoid(by_chance, lesser, block.counted, out=by_chance)
    if direct is None:
        out.copy_(found)
    else:
        torch.add(direct, found, out=out)


def asked(
    block: Block, logits: Tensor, holds: Tensor, wants: Wants, room: Kept
) -> tuple[Tensor | None, Moments | None]:
    """Return the pixelwise terms' sum over questions, and what the sums are made of; None where not wanted.

    Args:
        block: Whose pixels they are.
        logits: (images, questions, pixels).
        holds: The same shape, 1 for yes and 0 for no; used up.
        wants: Terms with factors (questions, 1) or (questions, 2).
        room: Of the same shape, to which the terms' slopes by the logits are written where it is given, or
            without terms m.
    """
    if not wants.terms:
        if room.chances is not None:
            lesser_chance(logits, out=room.chances)
        # In its own place: fresh memory costs more than a sigmoid.
        doubt = _wrong(logits, holds).sigmoid_()
        errors = _errors(doubt, holds, block.counted, out=doubt)
        return None, _moments(errors, holds, wants, block.labels.wide)
    wrong, slopes = _wrong(logits, holds), room.by_pixel
    doubt = wrong.sigmoid()
    value, slope = _pixelwise(_parts(wrong, doubt, block.counted), doubt, holds, wants, block.labels.wide)
    if slopes is None and not wants.sums:
        return value, None
    errors = _errors(doubt, holds, block.counted, out=slopes)
    moments = _moments(errors, holds, wants, block.labels.wide) if wants.sums else None
    if slopes is not None and slope is not None:
        slopes.mul_(slope.view(()) if slope.numel() == 1 else slope)
    return value, moments


def held(block: Block) -> Tensor:
    """Return 1 where the label says yes and 0 elsewhere, (images, classes, pixels), in the logits' dtype."""
    classes = block.logits.shape[1]
    bits = block.values.unsqueeze(1)
    if classes > 1:
        numbers = torch.arange(classes, device=bits.device, dtype=bits.dtype).view(1, -1, 1)
        bits = bits >> numbers & 1
    return bits.to(block.logits.dtype)


def lesser_chance(logits: Tensor, out: Tensor | None = None) -> Tensor:
    """Return m = sigmoid(-|z|), the chance of the less likely answer, to every digit."""
    return torch.abs(logits, out=out).neg_().sigmoid_()


def through_sigmoid(by_chance: Tensor, lesser: Tensor, counted: Tensor | None, *, out: Tensor) -> Tensor:
    """Return m (1 - m) d where counted, else 0, (images, questions, pixels), written to `out`: either of both too."""
    found: Tensor = torch.ops.aten.sigmoid_backward.grad_input(by_chance, lesser, grad_input=out)
    return found if counted is None else found.mul_(counted.unsqueeze(1))


def _wrong(logits: Tensor, holds: Tensor) -> Tensor:
    """Return u = (1 - 2g) z."""
    # As z - 2 g z it would be infinity times 0 where a logit is infinite.
    return torch.rsub(holds, 1, alpha=2).mul_(logits)


def _errors(doubt: Tensor, holds: Tensor, counted: Tensor | None, out: Tensor | None = None) -> Tensor:
    """Return e = (1 - 2g) q where counted, else 0."""
    found = torch.addcmul(doubt, holds, doubt, value=-2, out=out)
    return found if counted is None else found.mul_(counted.unsqueeze(1))


def _parts(wrong: Tensor, doubt: Tensor, counted: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return max(u, 0), in the place of u, and -min(q, 1 - q): s is the first - log(1 + the second).

    That keeps the digits of s at both ends, and as q is needed anyway takes two thirds of softplus's time.
    """
    near = torch.rsub(doubt, 1)
    torch.minimum(near, doubt, out=near).neg_()
    wrong.clamp_(min=0)
    if counted is not None:
        wrong.mul_(counted.unsqueeze(1))
        near.mul_(counted.unsqueeze(1))
    return wrong, near


def _sum_of_surprise(large: Tensor, near: Tensor, wide: torch.dtype) -> Tensor:
    """Return the sum of s over pixels, (images, questions), from its two parts."""
    # Logarithms are dear: one of a product of four factors, each from 1/2 to 1, instead of four.
    for _ in range(2):
        if near.shape[2] % 2 == 0:
            first, second = near.chunk(2, dim=2)
            near = torch.addcmul(first, first, second).add_(second)
    return large.sum(dim=2).to(wide) - near.log1p().sum(dim=2).to(wide)


def _pixelwise(
    parts: tuple[Tensor, Tensor], doubt: Tensor, holds: Tensor, wants: Wants, wide: torch.dtype
) -> tuple[Tensor, Tensor | None]:
    """Return the sum of the terms, and its slope by s, as far as it varies."""
    if len(wants.terms) == 1 and wants.terms[0][0] == 0 and wants.terms[0][1].shape[1] == 1:
        factors = wants.terms[0][1].unsqueeze(0)
        return (_sum_of_surprise(*parts, wide) * factors.squeeze(2)).sum(), factors
    surprise = parts[0].sub_(parts[1].log1p_())
    value = torch.zeros((), dtype=wide, device=doubt.device)
    slope: Tensor | None = None
    for gamma, table in wants.terms:
        factors = _looked_up(table, holds)
        amount, steepness = faded(surprise, doubt, gamma, slope=wants.slopes)
        # One factor for all pixels of a class is left for their sum.
        each = factors.shape == amount.shape
        value += (amount * factors).sum() if each else (amount.sum(dim=2).to(wide) * factors.squeeze(2)).sum()
        part = factors if steepness is None else steepness.mul_(factors)
        slope = part if slope is None else slope + part
    return value, slope


def _moments(errors: Tensor, holds: Tensor, wants: Wants, wide: torch.dtype) -> Moments:
    """Return the sums; `holds` is used up."""
    present = holds.sum(dim=2)
    squares = errors.square().sum(dim=2).to(wide) if wants.squared else None
    missed = holds.mul_(errors).sum(dim=2)
    return Moments(errors.sum(dim=2).to(wide), missed.to(wide), present.to(wide), squares)


def _looked_up(table: Tensor, holds: Tensor) -> Tensor:
    """Return the factor of each question, from (questions, 1), or from (questions, 2) for its two answers."""
    no = table[:, :1].unsqueeze(0)
    if table.shape[1] == 1:
        return no
    return holds.mul(table[:, 1:].unsqueeze(0) - no).add_(no)
