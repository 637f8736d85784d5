"""Pictures of a few telling images for a report's page: photo, truth and every map of one window each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.answers.reading import Answer, Compared
from rareseg.imagery.answers.source import Source
from rareseg.imagery.pictures import grey_png, photo_jpeg
from rareseg.imagery.samples import read_sample
from rareseg.imagery.tiles import Window, blocks
from rareseg.measures.evaluation import Evaluation
from rareseg.measures.telling import rarest, telling
from rareseg.records.dataset import VOID, Dataset, Pair
from rareseg.records.scores import View
from rareseg.scoring.counting import decided

SIDE = 512
"""px: of a larger image the window that holds most of the class is shown."""
REACH = 8.0
"""Log-odds beyond it look alike."""
_COARSE = 32
_STRIP = 2048


class Scored(NamedTuple):
    """Somebody's answers, and what was counted of them."""

    found: Evaluation
    source: Source


class _Answering(NamedTuple):
    """One of those whose maps of an image are drawn."""

    source: Source
    why: str
    """Why the image was chosen, as View.why."""
    iou: float | None
    """Of the class, over the whole image."""


def telling_views(
    scored: Sequence[Scored], pairs: Sequence[Pair], root: Path, dataset: Dataset
) -> tuple[list[tuple[View, ...]], dict[str, bytes]]:
    """Draw the images that tell most of how the first of `scored` finds the rarest class, by all their maps.

    Args:
        scored: one or more; the others may lack images.
        pairs: the images of the first one, in order.
        root: the folder that the pairs' paths are relative to.
        dataset: says how masks are read.

    Returns the views of each of `scored`, and the files of all, by name.

    Raises:
        DataError: if a file cannot be read.
    """
    found = scored[0].found
    label = rarest(found.total.confusion.pixels)
    scores = [{one.image: one.iou[label] for one in held.found.images} for held in scored]
    drawn: list[tuple[View, ...]] = [()] * len(scored)
    pictures: dict[str, bytes] = {}
    for number, chosen in enumerate(telling(found.images, label)):
        pair = pairs[chosen.place]
        answering = {
            place: _Answering(
                held.source,
                f"{chosen.why} of {scored[0].source.name}" if place else chosen.why,
                own[pair.image],
            )
            for place, (held, own) in enumerate(zip(scored, scores, strict=True))
            if pair.image in own
        }
        records, files = _views(number, pair, label, answering=answering, root=root, dataset=dataset)
        pictures |= files
        for place, one in records.items():
            drawn[place] += (one,)
    return drawn, pictures


def _views(
    number: int,
    pair: Pair,
    label: int,
    *,
    answering: Mapping[int, _Answering],
    root: Path,
    dataset: Dataset,
) -> tuple[dict[int, View], dict[str, bytes]]:
    """Draw one image: its views by whose they are, and all files."""
    window = _window(pair, label, root, dataset)
    sample = read_sample(root, dataset, pair, window)
    start = f"{number:02d}"
    photo, truth = f"{start}_photo.jpg", f"{start}_truth.png"
    files = {photo: photo_jpeg(sample.photo, sample.has_photo), truth: grey_png(sample.counted)}
    records = {}
    for place, one in answering.items():
        # Those beside the first one are told apart by their number.
        own = f"{start}_{place}" if place else start
        given, *answers = maps = _maps(own, one.source, pair, window, dataset)
        files |= maps
        records[place] = View(
            image=pair.image,
            why=one.why,
            name=dataset.classes[label],
            iou=one.iou,
            scale=1.0,
            width=window.width,
            height=window.height,
            top=window.row,
            left=window.col,
            photo=photo,
            truth=truth,
            given=given,
            answers=tuple(answers),
        )
    return records, files


def _maps(own: str, source: Source, pair: Pair, window: Window, dataset: Dataset) -> dict[str, bytes]:
    """Draw the map as decided and then the answer for each class, by file names that begin with `own`."""
    compared = source.window(pair, window)
    drawn = {f"{own}_given.png": grey_png(_given(compared, source, dataset))}
    for label, plane in enumerate(_planes(compared.answer, dataset)):
        drawn[f"{own}_answer_{label}.png"] = grey_png(_coded(plane))
    return drawn


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
    return densest(counts, pair, (height, width), _COARSE)


def densest(counts: NDArray[np.float32], pair: Pair, size: tuple[int, int], block: int) -> Window:
    """Return the window of `size` (rows, cols) px in an image that holds most.

    Args:
        counts: (rows, cols) of blocks, what is to be held.
        pair: the image.
        size: no larger than the image.
        block: side of a block, px: windows begin on blocks, or end with the image.
    """
    height, width = size
    sums = cv2.boxFilter(
        counts,
        -1,
        (-(-width // block), -(-height // block)),
        anchor=(0, 0),
        normalize=False,
        borderType=cv2.BORDER_CONSTANT,
    )
    best = divmod(int(sums.argmax()), sums.shape[1])
    return Window(
        min(best[0] * block, pair.height - height), min(best[1] * block, pair.width - width), height, width
    )


def _given(compared: Compared, source: Source, dataset: Dataset) -> NDArray[np.uint8]:
    """Return the map as it is decided, 255 where there is no answer."""
    answer = compared.answer
    if answer.given is not None:
        return answer.given
    given = decided(compared, source, dataset).given
    shares = answer.probabilities
    return given if shares is None else np.where(np.isnan(shares).any(axis=0), np.uint8(VOID), given)


def _planes(answer: Answer, dataset: Dataset) -> Sequence[NDArray[np.float32]]:
    """Return the probabilities of each class; none for maps of classes."""
    shares = answer.probabilities
    if shares is None:
        return []
    return [*shares] if len(shares) > 1 or dataset.overlapping else [1 - shares[0], shares[0]]


def _coded(chance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Code probabilities as log-odds: see records.scores.View."""
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.log(chance / (1 - chance))
    coded = 1 + 254 * (
        np.clip(np.nan_to_num(odds, nan=0.0, posinf=REACH, neginf=-REACH), -REACH, REACH) + REACH
    ) / (2 * REACH)
    return np.where(np.isnan(chance), 0, coded.round()).astype(np.uint8)
