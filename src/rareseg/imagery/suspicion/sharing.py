"""Images that two parts share, whole or overlapping: told by content, whatever the compression, or by place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.looks import Floats

THUMB = 32
"""Rows and columns of the thumbnails by which whole images are compared."""
SAME = 0.97
"""Correlation of thumbnails from which on two images are one; neighbouring frames of a video lie below."""
SAME_DETAIL = 0.9
"""The same of what a thumbnail holds beyond its own blur, in which unlike photos of like scenes differ."""
_BLUR = 2.0
_LEAST_CONTRAST = 1e-6
_OFFSETS = re.compile(
    r"^(?P<scene>.*?)(?:^|[_\-. ])(?:(?:y|r|row)[_\-]?(?P<row>\d+)[_\-. ]?(?:x|c|col)[_\-]?(?P<col>\d+)"
    r"|(?:x|c|col)[_\-]?(?P<col2>\d+)[_\-. ]?(?:y|r|row)[_\-]?(?P<row2>\d+))$",
    re.IGNORECASE,
)
_LEAST_OFFSET = 32
"""Offsets below this are numbers of tiles, not pixels."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an image lies: which ground or scene, and its box, (top, left, bottom, right) in units of that scene."""

    scene: str
    top: float
    left: float
    bottom: float
    right: float


def thumbnail(picture: Floats) -> Floats:
    """Return (THUMB, THUMB) float32: the mean of the bands, made small by averaging."""
    grey = np.ascontiguousarray(picture.mean(axis=0), np.float32)
    return np.asarray(cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA), np.float32)


def same_images(training: Sequence[Floats], validation: Sequence[Floats]) -> NDArray[np.bool_]:
    """Tell which validation images are training images too, mirrored and turned ones included, (validation,).

    Args:
        training: thumbnails.
        validation: thumbnails.
    """
    if not training or not validation:
        return np.zeros(len(validation), np.bool_)
    known = np.stack(training)
    whole, detail = _unit(known), _unit(_details(known))
    found = np.zeros(len(validation), np.bool_)
    for turns in range(4):
        for mirror in (False, True):
            turned = np.rot90(np.stack(validation), turns, axes=(1, 2))
            turned = np.ascontiguousarray(turned[..., ::-1] if mirror else turned)
            alike = _unit(turned) @ whole.T > SAME
            found |= (alike & (_unit(_details(turned)) @ detail.T > SAME_DETAIL)).any(axis=1)
    return found


def named_places(names: Sequence[str], sides: Sequence[tuple[int, int]]) -> list[Place | None]:
    """Return where tiles lie by names that end in row and column offsets in px, such as ..._y1000_x500.

    Args:
        names: stems of the files.
        sides: rows and columns of each.
    """
    hits = [_OFFSETS.match(name) for name in names]
    offsets = [
        None if hit is None else (float(hit["row"] or hit["row2"]), float(hit["col"] or hit["col2"]))
        for hit in hits
    ]
    largest = max((max(offset) for offset in offsets if offset), default=0.0)
    if largest < _LEAST_OFFSET:
        return [None] * len(names)
    return [
        None
        if hit is None or offset is None
        else Place(hit["scene"], *offset, offset[0] + side[0], offset[1] + side[1])
        for hit, offset, side in zip(hits, offsets, sides, strict=True)
    ]


def overlaps(
    training: Sequence[Place | None], validation: Sequence[Place | None]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which validation places overlap a training place by more than 1 %, and which others touch one."""
    shared = np.zeros(len(validation), np.bool_)
    touching = np.zeros(len(validation), np.bool_)
    for index, place in enumerate(validation):
        if place is None:
            continue
        meetings = [_meeting(place, other) for other in training if other and other.scene == place.scene]
        shared[index] = any(meeting == "overlap" for meeting in meetings)
        touching[index] = not shared[index] and any(meeting == "touch" for meeting in meetings)
    return shared, touching


def _meeting(one: Place, other: Place) -> str:
    rows = min(one.bottom, other.bottom) - max(one.top, other.top)
    cols = min(one.right, other.right) - max(one.left, other.left)
    height, width = one.bottom - one.top, one.right - one.left
    if rows > 0 and cols > 0 and rows * cols > 0.01 * height * width:
        return "overlap"
    # Corners alone share no edge; a pixel of some hundreds is lost to rounding.
    slack_rows, slack_cols = 0.01 * height, 0.01 * width
    along = (rows > slack_rows and cols >= -slack_cols) or (cols > slack_cols and rows >= -slack_rows)
    return "touch" if along else "apart"


def _unit(stack: Floats) -> Floats:
    flat = stack.reshape(len(stack), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    # Empty images all look alike: they are like none.
    return np.asarray(np.where(length > _LEAST_CONTRAST, flat / np.maximum(length, 1e-12), 0), np.float32)


def _details(stack: Floats) -> Floats:
    return np.stack([one - cv2.GaussianBlur(one, (0, 0), _BLUR) for one in stack]).astype(np.float32)
