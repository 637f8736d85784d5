r"""One block of pixels of two exclusive classes: a softmax of two is one question on the logits' difference.

With x = z_1 - z_0, p_1 = sigmoid(x) and p_0 = sigmoid(-x), each to its last digit; with g = 1 for class 1 and
e = p_1 - g = -(p_0 - (1 - g)), the sums of both classes come from the same three sums of e. And
dL/dz_1 = dL/dx = -dL/dz_0.
"""

import torch
from torch import Tensor

from rareseg.network.losses import sigmoid_pass
from rareseg.network.losses.block import Block, Kept, Slopes, Wants


def measure(block: Block, wants: Wants, room: Kept) -> tuple[Tensor | None, Tensor | None]:
    """Return the pixelwise terms' sum over the block, and the sums over pixels; None where not wanted.

    Args:
        block: Pixels.
        wants: What is wanted.
        room: To which the terms' slopes by x are written where it is given.
    """
    difference, holds = _asked(block)
    wants = wants._replace(terms=tuple((gamma, table.view(1, -1)) for gamma, table in wants.terms))
    by_x = None if room.by_pixel is None else room.by_pixel.unsqueeze(1)
    value, moments = sigmoid_pass.asked(block, difference, holds, wants, Kept(by_pixel=by_x))
    if moments is None:
        return value, None
    errors, missed, present, squares = moments
    pixels = difference.shape[2] if block.counted is None else block.counted.sum(dim=1, keepdim=True)
    absent, false = pixels - present, errors - missed
    found = [
        torch.cat([absent - false, missed + present], dim=1),
        torch.cat([absent - errors, errors + present], dim=1),
        torch.cat([absent, present], dim=1),
    ]
    if squares is not None:
        found.append(torch.cat([squares - 2 * false + absent, squares + 2 * missed + present], dim=1))
    return value, torch.stack(found)


def surprise(block: Block) -> Tensor:
    """Return -log p of the label, (images, pixels); 0 where not counted."""
    difference, _ = _asked(block)
    return sigmoid_pass.surprise(block._replace(logits=difference)).squeeze(1)


def slope_of_surprise(block: Block, rate: Tensor) -> Tensor:
    """Return dL/dx, (images, pixels), from dL/ds of the same shape."""
    difference, _ = _asked(block)
    asked = block._replace(logits=difference)
    return sigmoid_pass.slope_of_surprise(asked, rate.unsqueeze(1)).squeeze(1)


def gradient(block: Block, slopes: Slopes, out: Tensor) -> None:
    """Write dL/dz of the block to `out`, (images, 2, pixels) of the logits' dtype."""
    found = slopes.kept.by_pixel
    if slopes.by_sums is not None:
        through = _through_sums(block, slopes.by_sums)
        found = through if found is None else through.add_(found)
    if found is None:
        out.zero_()
    else:
        torch.mul(found.unsqueeze(1), found.new_tensor([-1.0, 1.0]).view(1, 2, 1), out=out)


def _through_sums(block: Block, by_sums: Tensor) -> Tensor:
    """Return dL/dx through the sums, (images, pixels)."""
    difference, holds = _asked(block)
    hits, claimed = by_sums[0].unsqueeze(2), by_sums[1].unsqueeze(2)
    by_chance = holds.mul_(hits.sum(dim=1, keepdim=True)).add_(claimed[:, 1:] - claimed[:, :1] - hits[:, :1])
    if len(by_sums) > 3:
        squares = 2 * by_sums[3].unsqueeze(2)
        by_chance.add_(difference.sigmoid().mul_(squares.sum(dim=1, keepdim=True))).sub_(squares[:, :1])
    lesser = sigmoid_pass.lesser_chance(difference)
    return sigmoid_pass.through_sigmoid(by_chance, lesser, block.counted, out=by_chance).squeeze(1)


def _asked(block: Block) -> tuple[Tensor, Tensor]:
    """Return z_1 - z_0, and 1 where the label is class 1 and 0 elsewhere, (images, 1, pixels)."""
    difference = block.logits[:, 1:] - block.logits[:, :1]
    return difference, block.values.unsqueeze(1).to(difference.dtype)
