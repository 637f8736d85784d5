"""One image with its labels, in memory, and windows of equal size cut from several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

VOID = -1
"""Label of a pixel that is not counted."""
_STEP = 16
"""px between the places at which a window is tried."""

Floats = NDArray[np.float32]
Labels = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Look:
    """One image with its labels.

    picture: (bands, rows, cols) float32, finite, any units.
    labels: (rows, cols) int16, class indices, -1 where not counted.
    name: what to call it.
    part: "train", "val" or "test".
    """

    picture: Floats
    labels: Labels
    name: str
    part: str = "train"


class Windows(NamedTuple):
    """Windows of equal size: pictures (n, bands, rows, cols), labels (n, rows, cols), which look each is of."""

    pictures: Floats
    labels: Labels
    of: tuple[int, ...]


def cut_windows(
    looks: Sequence[Look], classes: int, *, side: int, most: int, least: int = 24, empty: bool = False
) -> Windows:
    """Cut one window from each of up to `most` looks, where its labels vary most.

    Looks without two classes are passed over, and so are those smaller than half of the usual size. The place
    depends on the labels alone, so that it favours no pairing.

    Args:
        looks: with the same number of bands.
        classes: how many there are.
        side: rows and columns of a window at most, px.
        most: windows at most; looks are taken evenly spread.
        least: windows are not made smaller than this many px; smaller looks are left out.
        empty: take looks of a single class too.
    """
    varied = [index for index, look in enumerate(looks) if empty or _varies(look.labels)]
    if not varied:
        return _none()
    sides = np.array([looks[index].labels.shape for index in varied])
    wanted = np.maximum(np.minimum(side, np.median(sides, axis=0) // 2), least)
    fitting = [index for index, own in zip(varied, sides, strict=True) if (own >= wanted).all()]
    if not fitting:
        return _none()
    rows, cols = np.minimum(side, np.min([looks[index].labels.shape for index in fitting], axis=0)).tolist()
    chosen = [fitting[place] for place in spread(len(fitting), most)]
    places = [_best_place(looks[index].labels, classes, rows, cols) for index in chosen]
    cuts = [
        (looks[index].picture[:, row : row + rows, col : col + cols],
         looks[index].labels[row : row + rows, col : col + cols])
        for index, (row, col) in zip(chosen, places, strict=True)
    ]  # fmt: skip
    pictures = np.stack([picture for picture, _ in cuts])
    return Windows(pictures, np.stack([labels for _, labels in cuts]), tuple(chosen))


def spread(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers 0..count-1, evenly spread."""
    if count <= most:
        return list(range(count))
    return [int(place) for place in np.linspace(0, count - 1, most).round()]


def _none() -> Windows:
    return Windows(np.zeros((0, 1, 1, 1), np.float32), np.zeros((0, 1, 1), np.int16), ())


def _varies(labels: Labels) -> bool:
    counted = labels[labels != VOID]
    return bool(counted.size) and bool((counted != counted[0]).any())


def _best_place(labels: Labels, classes: int, rows: int, cols: int) -> tuple[int, int]:
    """Return the top left corner of the window with the greatest sum of p (1 - p) over classes."""
    tops = _starts(labels.shape[0], rows)
    lefts = _starts(labels.shape[1], cols)
    below, right = tops + rows, lefts + cols
    variety = np.zeros((len(tops), len(lefts)))
    for label in range(classes):
        sums = cv2.integral((labels == label).astype(np.uint8))
        held = (
            sums[np.ix_(below, right)]
            - sums[np.ix_(tops, right)]
            - sums[np.ix_(below, lefts)]
            + sums[np.ix_(tops, lefts)]
        )
        share = held / (rows * cols)
        variety += share * (1 - share)
    best = np.unravel_index(int(np.argmax(variety)), variety.shape)
    return int(tops[best[0]]), int(lefts[best[1]])


def _starts(whole: int, part: int) -> NDArray[np.int64]:
    return np.array([*range(0, whole - part, _STEP), whole - part], np.int64)
