"""Pictures of a few telling images for a report's page: photo, truth and answer of one window each."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.answers.reading import Answer
from rareseg.imagery.answers.source import Source
from rareseg.imagery.samples import read_sample
from rareseg.imagery.tiles import Window, blocks
from rareseg.records.dataset import VOID, Dataset, Pair
from rareseg.records.scores import View

SIDE = 512
"""px: of a larger image the window that holds most of the class is shown."""
REACH = 8.0
"""Log-odds beyond it look alike."""
_QUALITY = 88
_COARSE = 32
_STRIP = 2048


class Telling(NamedTuple):
    """An image worth looking at."""

    pair: Pair
    why: str
    label: int
    """The class that it was chosen by."""
    iou: float | None


def view(
    number: int, chosen: Telling, source: Source, root: Path, dataset: Dataset
) -> tuple[View, dict[str, bytes]]:
    """Draw one image: its record, and its files by name.

    Raises:
        DataError: if a file cannot be read.
    """
    pair = chosen.pair
    window = _window(pair, chosen.label, root, dataset)
    sample = read_sample(root, dataset, pair, window)
    answer = source.window(pair, window).answer
    start = f"{number:02d}"
    files = {f"{start}_photo.jpg": _jpeg(_viewable(sample.photo, sample.has_photo))}
    truth = f"{start}_truth.png"
    files[truth] = _png(sample.counted)
    answers = {
        f"{start}_answer_{label}.png": _png(plane) for label, plane in enumerate(_planes(answer, dataset))
    }
    record = View(
        image=pair.image,
        why=chosen.why,
        name=dataset.classes[chosen.label],
        iou=chosen.iou,
        scale=1.0,
        width=window.width,
        height=window.height,
        top=window.row,
        left=window.col,
        photo=f"{start}_photo.jpg",
        truth=truth,
        answers=tuple(answers),
    )
    return record, files | answers


def _window(pair: Pair, label: int, root: Path, dataset: Dataset) -> Window:
    """Return the window of at most SIDE px that holds most pixels of the class."""
    height, width = min(pair.height, SIDE), min(pair.width, SIDE)
    if (height, width) == (pair.height, pair.width):
        return Window(0, 0, height, width)
    counts = np.zeros((-(-pair.height // _COARSE), -(-pair.width // _COARSE)), np.float32)
    for strip in blocks(pair.height, pair.width, _STRIP):
        labels = read_sample(root, dataset, pair, strip).counted
        holds = (labels & (1 << label) != 0) & (labels != VOID) if dataset.overlapping else labels == label
        found = np.add.reduceat(
            np.add.reduceat(holds, np.arange(0, strip.height, _COARSE), axis=0, dtype=np.float32),
            np.arange(0, strip.width, _COARSE),
            axis=1,
        )
        row, col = strip.row // _COARSE, strip.col // _COARSE
        counts[row : row + found.shape[0], col : col + found.shape[1]] = found
    rows, cols = -(-height // _COARSE), -(-width // _COARSE)
    sums = cv2.boxFilter(
        counts, -1, (cols, rows), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    best = divmod(int(sums.argmax()), sums.shape[1])
    return Window(
        min(best[0] * _COARSE, pair.height - height),
        min(best[1] * _COARSE, pair.width - width),
        height,
        width,
    )


def _viewable(photo: NDArray[np.generic], has_photo: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return three bands (rows, cols, 3) as uint8; other dtypes are stretched from their 1st to 99th percentile."""
    bands = photo[:3] if len(photo) >= 3 else photo[[0, 0, 0]]
    if bands.dtype != np.uint8:
        seen = np.nan_to_num(bands.astype(np.float64))
        inside = seen[:, has_photo] if has_photo.any() else seen.reshape(3, -1)
        low, high = (np.percentile(inside, share, axis=1)[:, None, None] for share in (1, 99))
        bands = (((seen - low) / np.maximum(high - low, 1e-12)).clip(0, 1) * 255).round()
    return np.ascontiguousarray(bands.astype(np.uint8).transpose(1, 2, 0))


def _planes(answer: Answer, dataset: Dataset) -> Sequence[NDArray[np.uint8]]:
    """Return a picture of log-odds per class, or the class map."""
    if answer.probabilities is None:
        return [] if answer.given is None else [answer.given]
    shares = answer.probabilities
    if len(shares) == 1 and not dataset.overlapping:
        shares = np.concatenate([1 - shares, shares])
    return [_coded(plane) for plane in shares]


def _coded(chance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Code probabilities as log-odds: see records.scores.View."""
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.log(chance / (1 - chance))
    coded = 1 + 254 * (
        np.clip(np.nan_to_num(odds, nan=0.0, posinf=REACH, neginf=-REACH), -REACH, REACH) + REACH
    ) / (2 * REACH)
    return np.where(np.isnan(chance), 0, coded.round()).astype(np.uint8)


def _jpeg(photo: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])


def _png(plane: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", plane, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])
