"""Padding that lets any image size through networks that halve it several times."""

from torch import Tensor
from torch.nn import functional as F


def pad(images: Tensor, multiple: int, *, smallest: int = 1) -> Tensor:
    """Enlarge images at the bottom and right edge to multiples of `multiple` px, at least `smallest` px.

    The edge is mirrored, or repeated where the image is too small to mirror. Crop with [..., :rows, :cols].

    Args:
        images: (batch, bands, rows, cols).
        multiple: Divisor of the new rows and cols.
        smallest: Least number of rows and cols, a multiple of `multiple` or less than it.
    """
    rows, cols = images.shape[-2:]
    below = max(rows + -rows % multiple, smallest) - rows
    right = max(cols + -cols % multiple, smallest) - cols
    if not below and not right:
        return images
    mirrors = below < rows and right < cols
    return F.pad(images, (0, right, 0, below), mode="reflect" if mirrors else "replicate")
