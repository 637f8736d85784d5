"""Colours of classes in maps and previews."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rareseg.records.dataset import VOID

Colour = tuple[int, int, int]

_DISTINCT: tuple[Colour, ...] = (
    (230, 25, 75), (255, 225, 25), (67, 99, 216), (60, 180, 75), (245, 130, 49), (145, 30, 180),
    (66, 212, 244), (240, 50, 230), (191, 239, 69), (250, 190, 212), (70, 153, 144), (154, 99, 36),
)  # fmt: skip
_BACKGROUND: Colour = (40, 40, 40)
_NOT_COUNTED: Colour = (255, 255, 255)


def palette(classes: int) -> Mapping[int, Colour]:
    """Return a colour for each class index and for 255: the first class dark, the others apart from each other."""
    colours = {0: _BACKGROUND}
    colours |= {label: _DISTINCT[(label - 1) % len(_DISTINCT)] for label in range(1, classes)}
    return colours | {VOID: _NOT_COUNTED}


def overlay(
    photo: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int, *, overlapping: bool
) -> NDArray[np.uint8]:
    """Return the photo (3, rows, cols) with every class but the first laid over it in its colour.

    With overlapping classes every class is laid over, the last one on top.
    """
    picture = photo.astype(np.float32)
    for label, colour in palette(classes).items():
        if label == VOID:
            continue
        holds = ((labels >> label) & 1).astype(bool) & (labels != VOID) if overlapping else labels == label
        if label == 0 and not overlapping:
            continue
        tint = np.asarray(colour, np.float32)[:, None]
        picture[:, holds] = 0.35 * picture[:, holds] + 0.65 * tint
    picture[:, labels == VOID] = np.asarray(_NOT_COUNTED, np.float32)[:, None]
    return picture.round().astype(np.uint8)
