"""What labels leave out: a thing of its own that the photo shows, or borders, gaps and what nobody looked at?

Pixels that are left out on purpose are lines between classes, frames, places without photo, or spots that look like
anything. Where they look like one another and unlike the rest, as a class does, a class may have been left out.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.empty_crops import without_photo
from rareseg.imagery.suspicion.looks import VOID, Labels, Look, cut_windows
from rareseg.imagery.suspicion.suspects import correlations

LEAST_SHARE = 0.002
"""Left-out pixels below which they are not looked at."""
LEAST_IMAGES = 6
_BESIDE = 2
"""px from a boundary between counted classes within which what is left out is the boundary."""
_MOST = 48


class LeftOut(NamedTuple):
    """What was found."""

    fit: float
    """Median over images of the correlation between what is left out and what the other images teach of it."""
    areas: float
    """Share of what is left out that lies away from boundaries between counted classes."""


def left_out(looks: Sequence[Look], classes: int, *, side: int) -> LeftOut | None:
    """Ask whether what is left out looks like a class; None where there is too little of it.

    Args:
        looks: training images with their labels, of one number of bands.
        classes: how many there are.
        side: rows and columns of the windows that are compared, at most, px.
    """
    some = [
        Look(look.picture, _but_gaps(look), look.name, look.part)
        for look in looks
        if (look.labels == VOID).any()
    ]
    windows = cut_windows(some, classes, side=side, most=_MOST, empty=True)
    if len(windows.of) < LEAST_IMAGES or np.mean(windows.labels == VOID) < LEAST_SHARE:
        return None
    out = windows.labels == VOID
    # What is counted stays whole: without its edges it would differ from spots that hold all of a picture.
    apart = ~out | np.stack([~_near_boundary(labels) for labels in windows.labels])
    held = out.reshape(len(out), -1).astype(np.float32)
    fits = correlations(windows.pictures, held, apart.reshape(len(out), -1))
    seen = fits[np.isfinite(fits)]
    if len(seen) < LEAST_IMAGES:
        return None
    return LeftOut(float(np.median(seen)), float(apart[out].mean()))


def _but_gaps(look: Look) -> Labels:
    """Return the labels with places without photo counted as the first class: leaving them out is right."""
    gaps = without_photo(look.picture) & (look.labels == VOID)
    return np.where(gaps, np.int16(0), look.labels).astype(np.int16) if gaps.any() else look.labels


def _near_boundary(labels: Labels) -> NDArray[np.bool_]:
    """Mark pixels near a boundary between counted classes, what is left out taken for the class next to it."""
    out = labels == VOID
    if out.all():
        return np.ones(labels.shape, np.bool_)
    filled = labels.astype(np.uint8)
    if out.any():
        _, nearest = cv2.distanceTransformWithLabels(
            out.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        of_label = np.zeros(int(nearest.max()) + 1, np.uint8)
        of_label[nearest[~out]] = filled[~out]
        filled = of_label[nearest]
    square = np.ones((2 * _BESIDE + 1, 2 * _BESIDE + 1), np.uint8)
    return np.asarray(cv2.dilate(filled, square) != cv2.erode(filled, square))
