r"""One block of pixels of exclusive classes: what the losses need from its softmax, and the way back.

With p = softmax(z) of one pixel, y its label, s = -log p_y and a loss L that depends on the logits through s and
through p, write r = dL/ds, d_k = dL/dp_k for every class and t = dL/dp_y on top of it at the label. Then

    dL/dz_k = p_k (d_k + r - S) + [k = y] (p_y t - r),     S = sum_j p_j d_j + p_y t
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rareseg.network.losses.block import Block, Kept, Slopes, Wants, faded

LOG2_E = 1.4426950408889634


def measure(block: Block, wants: Wants, room: Kept) -> tuple[Tensor | None, Tensor | None]:
    """Return the pixelwise terms' sum over the block, and the sums over pixels; None where not wanted.

    Args:
        block: Pixels.
        wants: What is wanted.
        room: To which the terms' slopes by s and p are written where it is given.
    """
    if not wants.terms:
        chances = _chances(block.logits, room.chances)
        return None, _sums(block, chances, _at_label(chances, block), squared=wants.squared)
    logs = _over_classes(torch.log_softmax, block.logits)
    surprise = _at_label(logs, block).neg_()
    chance = surprise.neg().exp_() if wants.sums else None
    if block.counted is not None:
        surprise.mul_(block.counted)
    value = _pixelwise(block, surprise, wants, room.by_pixel)
    if chance is None:
        return value, None
    # exp2 of the rescaled logarithm takes half as long as exp.
    chances = torch.exp2(logs.mul_(LOG2_E), out=logs if room.chances is None else room.chances)
    return value, _sums(block, chances, chance, squared=wants.squared)


def surprise(block: Block) -> Tensor:
    """Return -log p of the label, (images, pixels); 0 where not counted."""
    found = _at_label(_over_classes(torch.log_softmax, block.logits), block).neg_()
    return found if block.counted is None else found.mul_(block.counted)


def slope_of_surprise(block: Block, rate: Tensor) -> Tensor:
    """Return dL/ds of counted pixels, (images, pixels), from dL/ds."""
    return rate if block.counted is None else rate * block.counted


def gradient(block: Block, slopes: Slopes, out: Tensor) -> None:
    """Write dL/dz of the block to `out`, (images, classes, pixels) of the logits' dtype; p may lie there."""
    kept = slopes.kept.chances
    chances = _over_classes(torch.softmax, block.logits) if kept is None else kept
    same = out.dtype == chances.dtype
    rate = slopes.kept.by_pixel
    if slopes.by_sums is None:
        rate = torch.zeros_like(chances[:, 0]) if rate is None else rate
        found = torch.mul(chances, rate.unsqueeze(1), out=out) if same else chances.mul_(rate.unsqueeze(1))
        at_label = -rate
    else:
        found, at_label = _through_sums(block, chances, rate, slopes.by_sums, out if same else None)
    found.scatter_add_(1, block.values.unsqueeze(1), at_label.unsqueeze(1))
    if not same:
        out.copy_(found)


def _through_sums(
    block: Block, chances: Tensor, rate: Tensor | None, by_sums: Tensor, out: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the gradient but for its part at the label, and that part, (images, pixels)."""
    hits = block.values if len(by_sums[0]) != 1 else block.values.view(1, -1)
    at_label = by_sums[0].gather(1, hits).mul_(_at_label(chances, block))
    by_chance = by_sums[1].unsqueeze(2)
    if len(by_sums) > 3:
        by_chance = torch.addcmul(by_chance, chances, by_sums[3].unsqueeze(2), value=2)
    weighted = chances * by_chance
    if block.counted is not None:
        weighted.mul_(block.counted.unsqueeze(1))
        at_label.mul_(block.counted)
    total = weighted.sum(dim=1).add_(at_label)
    every = total.neg_() if rate is None else torch.sub(rate, total)
    found = torch.addcmul(weighted, chances, every.unsqueeze(1), out=weighted if out is None else out)
    return found, at_label if rate is None else at_label.sub_(rate)


def _pixelwise(block: Block, surprise: Tensor, wants: Wants, slopes: Tensor | None) -> Tensor:
    value = torch.zeros((), dtype=block.labels.wide, device=surprise.device)
    slope: Tensor | None = None
    for gamma, table in wants.terms:
        each = len(table) > 1
        factors = _looked_up(table, block) if each else table
        amount, steepness = faded(surprise, None, gamma, slope=slopes is not None)
        # One factor for all pixels is left for their sum.
        value += (amount * factors).sum() if each else amount.sum().to(block.labels.wide) * table[0]
        part = factors if steepness is None else steepness.mul_(factors)
        slope = part if slope is None else slope + part
    if slopes is not None and slope is not None:
        slopes.copy_(slope if block.counted is None else slope * block.counted)
    return value


def _sums(block: Block, chances: Tensor, at_label: Tensor, *, squared: bool) -> Tensor:
    masked = chances
    if block.counted is not None:
        masked = chances * block.counted.unsqueeze(1)
        at_label = at_label.mul_(block.counted)
    wide = block.labels.wide
    ones = torch.ones((), dtype=wide, device=chances.device).expand(block.values.shape)
    found = [
        block.labels.sums(at_label, block.values),
        masked.sum(dim=2).to(wide),
        block.labels.sums(ones if block.counted is None else block.counted, block.values),
    ]
    if squared:
        found.append((masked * chances).sum(dim=2).to(wide))
    return torch.stack(found)


def _at_label(amounts: Tensor, block: Block) -> Tensor:
    return amounts.gather(1, block.values.unsqueeze(1)).squeeze(1)


def _looked_up(table: Tensor, block: Block) -> Tensor:
    # index_select is ten times as fast here as indexing.
    return table.index_select(0, block.values.flatten()).view(block.values.shape)


def _chances(logits: Tensor, out: Tensor | None) -> Tensor:
    if out is None or not (out.is_contiguous() and logits.is_contiguous()):
        found = _over_classes(torch.softmax, logits)
        return found if out is None else out.copy_(found)
    return torch.softmax(logits, dim=1, out=out)


def _over_classes(function: Callable[..., Tensor], logits: Tensor) -> Tensor:
    # One block is soon put in order; softmax over classes that lie side by side is slow while they are few.
    return function(logits.contiguous(), dim=1)
