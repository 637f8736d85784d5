"""Answers of one image, or a window of it, as classes or as probabilities, beside the labels."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, Problem
from rareseg.imagery.answers.files import stacked
from rareseg.imagery.answers.folder import Answered, FoundAnswers
from rareseg.imagery.answers.forms import Form
from rareseg.imagery.samples import read_sample
from rareseg.imagery.sets.pairs import THREADS
from rareseg.imagery.tiles import Window, blocks, haloed
from rareseg.records.dataset import VOID, Dataset, Pair

BLOCK_VALUES = 1 << 24
"""Values, channels x pixels, of the blocks that are read one after the other: memory does not grow with images."""
_LEAST_SIDE = 512


class Answer(NamedTuple):
    """What is answered at one place: probabilities or classes."""

    probabilities: NDArray[np.float32] | None
    """(channels, rows, cols), 0..1, NaN without answer; one channel is class 1 of two. None for class maps."""
    given: NDArray[np.uint8] | None
    """(rows, cols): classes, or bit sets if they overlap, 255 without answer. None for probabilities."""
    stored: NDArray[np.uint8] | None
    """(rows, cols): class maps of grey 8-bit files as stored; None for all else."""


class Compared(NamedTuple):
    """Answer and truth of one block of an image."""

    pair: Pair
    window: Window
    answer: Answer
    labels: NDArray[np.uint8]
    """(rows, cols): classes, or bit sets if they overlap, 255 where not counted."""
    first: bool
    """The image's first block."""
    core: Window
    """What of the block no other block holds: all of it, unless blocks have a halo."""


def read_answer(found: FoundAnswers, one: Answered, dataset: Dataset, window: Window | None = None) -> Answer:
    """Read the answer for one image, or a window of it.

    Raises:
        DataError: if a file cannot be read, or holds a value that the form of the folder does not know.
    """
    stored = stacked(one.heads, window)
    if found.form.kind != "classes":
        return Answer(_as_probabilities(stored, found.form, dataset), None, None)
    name = str(one.heads[0].path)
    if found.form.channels:
        return Answer(None, _as_one_of(stored, found.form, dataset), None)
    grey = (
        stored[0] if stored.dtype == np.uint8 and not one.heads[0].coloured and not _differ(stored) else None
    )
    return Answer(None, _as_ids(stored, found.form, dataset, name), grey)


def compare(
    found: FoundAnswers, root: Path, dataset: Dataset, *, halo: int = 0, values: int | None = None
) -> Iterator[Compared]:
    """Yield the answers and the labels of all images, block by block; reading runs ahead in threads.

    Args:
        found: what `find_answers` gave.
        root: the folder that the pairs' paths are relative to.
        dataset: says how masks are read and what has no data.
        halo: px by which blocks are widened, inside the image; `Compared.core` says what lies in no other block.
        values: channels x pixels of a block, without its halo; about as many blocks as threads are held at once.
            None: BLOCK_VALUES.

    Raises:
        DataError: if a file cannot be read.
    """
    jobs = (
        (one, window, not index)
        for one in found.answered
        for index, window in enumerate(_windows(one, values or BLOCK_VALUES))
    )

    def read(job: tuple[Answered, Window, bool]) -> Compared:
        one, place, first = job
        window, core = haloed(place, one.pair.height, one.pair.width, halo)
        labels = read_sample(root, dataset, one.pair, window).counted
        return Compared(one.pair, window, read_answer(found, one, dataset, window), labels, first, core)

    with ThreadPoolExecutor(THREADS) as pool:
        ahead: deque[Future[Compared]] = deque()
        for job in jobs:
            ahead.append(pool.submit(read, job))
            if len(ahead) > THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _windows(one: Answered, values: int) -> Iterator[Window]:
    channels = sum(head.channels for head in one.heads)
    side = max(_LEAST_SIDE, int((values / channels) ** 0.5))
    return blocks(one.pair.height, one.pair.width, side)


def _as_probabilities(stored: NDArray[Any], form: Form, dataset: Dataset) -> NDArray[np.float32]:
    """Return probabilities, (classes, rows, cols), or (1, rows, cols) of class 1 of two."""
    values = stored[: len(form.channels)].astype(np.float32)
    if form.kind == "logits":
        values = _activated(values, softmax=len(values) > 1 and not dataset.overlapping)
    elif form.scale != 1:
        values /= np.float32(form.scale)
    np.clip(values, 0, 1, out=values)
    return _in_order(values, form.channels, len(dataset.classes), dataset.overlapping)


def _activated(logits: NDArray[np.float32], *, softmax: bool) -> NDArray[np.float32]:
    if softmax:
        logits -= logits.max(axis=0)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=0)
        return logits
    # 1 / (1 + exp(-x)), in place; exp of large values becomes infinite, and the answer 0.
    np.negative(logits, out=logits)
    with np.errstate(over="ignore"):
        np.exp(logits, out=logits)
    logits += 1
    return np.reciprocal(logits, out=logits)


def _in_order(
    values: NDArray[np.float32], channels: tuple[int, ...], classes: int, overlapping: bool
) -> NDArray[np.float32]:
    """Put channels in the order of the classes, and add the one exclusive class that is not written."""
    if overlapping or len(channels) == classes:
        return values if channels == tuple(range(classes)) else values[np.argsort(channels)]
    if classes == 2:
        return values if channels == (1,) else 1 - values
    rest = np.clip(1 - values.sum(axis=0), 0, 1)
    whole = np.empty((classes, *values.shape[1:]), np.float32)
    whole[list(channels)] = values
    whole[(set(range(classes)) - set(channels)).pop()] = rest
    return whole


def _as_one_of(stored: NDArray[Any], form: Form, dataset: Dataset) -> NDArray[np.uint8]:
    """Read a channel of two values for each class; of exclusive classes that claim one pixel, the last."""
    classes = len(dataset.classes)
    if dataset.overlapping:
        bits = [(plane != 0).astype(np.uint8) << np.uint8(label)
                for plane, label in zip(stored, form.channels, strict=True)]  # fmt: skip
        return np.asarray(np.bitwise_or.reduce(bits))
    # What no channel claims is the class that has none; where all have one, it is not answered.
    unwritten = set(range(classes)) - set(form.channels)
    given = np.full(stored.shape[1:], unwritten.pop() if unwritten else VOID, np.uint8)
    for plane, label in zip(stored, form.channels, strict=True):
        given[plane != 0] = label
    return given


def _as_ids(stored: NDArray[Any], form: Form, dataset: Dataset, name: str) -> NDArray[np.uint8]:
    """Look up stored values."""
    plane = _one_plane(stored, name, coloured=any(value > 0xFFFF for value, _ in form.ids))
    known = dict(form.ids)
    if plane.dtype == np.uint8:
        table = np.full(256, _UNKNOWN, np.uint8)
        for value, label in form.ids:
            table[value] = label
        given = np.asarray(cv2.LUT(plane, table), np.uint8)
        strange = np.flatnonzero(np.bincount(plane.reshape(-1)[given.reshape(-1) == _UNKNOWN], minlength=1))
    else:
        values, places = np.unique(plane, return_inverse=True)
        labels = [known.get(int(value), _UNKNOWN) if np.isfinite(value) else VOID for value in values]
        given = np.array(labels, np.uint8)[places].reshape(plane.shape)
        strange = values[np.array(labels) == _UNKNOWN]
    if len(strange):
        shown = ", ".join(str(value) for value in strange[:5].tolist())
        message = f"Expected {form.because} in all predictions. Correct this one, or say what they are, --kind (kind=):"
        raise DataError(message, [Problem(name, f"holds {shown}")])
    return given


_UNKNOWN = 254
"""Stands for values that no class has; there are never so many classes."""


def _differ(stored: NDArray[Any]) -> bool:
    return len(stored) > 1 and bool((stored[1:] != stored[0]).any())


def _one_plane(stored: NDArray[Any], name: str, *, coloured: bool) -> NDArray[Any]:
    if len(stored) == 3 and (coloured or _differ(stored)):
        red, green, blue = (band.astype(np.uint32) for band in stored)
        packed: NDArray[np.uint32] = red << 16 | green << 8 | blue
        return packed
    if len(stored) not in (1, 3):
        message = "Expected class maps of one channel. Save this one like the others:"
        raise DataError(message, [Problem(name, f"has {len(stored)} channels")])
    return np.ascontiguousarray(stored[0])
