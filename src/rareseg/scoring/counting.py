"""One pass over a source's answers: windows are decided and counted, images finished one after the other."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.answers.reading import Compared
from rareseg.imagery.answers.source import Source
from rareseg.imagery.rasters import describe
from rareseg.imagery.tiles import Window
from rareseg.measures.decisions import decide
from rareseg.measures.evaluation import Evaluation, ImageTally
from rareseg.measures.map_counts import MapCounts
from rareseg.measures.pixel_counts import halo_of
from rareseg.measures.probabilities import answered, log_odds
from rareseg.measures.shape_counts import Shape
from rareseg.progress import Task
from rareseg.records.dataset import VOID, Dataset, Pair


class Decided(NamedTuple):
    """A window whose class map is decided."""

    log_odds: NDArray[np.float32] | None
    """(classes, rows, cols); None for maps of classes."""
    given: NDArray[np.uint8]
    """(rows, cols)"""
    labels: NDArray[np.uint8]
    """(rows, cols), 255 where not counted or without answer."""


def evaluate_source(
    source: Source,
    pairs: Sequence[Pair],
    root: Path,
    dataset: Dataset,
    *,
    width: int,
    shapes: Mapping[int, Shape],
    task: Task,
) -> Evaluation:
    """Score the answers for `pairs`; `width` is that of boundary strips, px, `task` is told of each image.

    Raises:
        DataError: if a file cannot be read or holds what is no answer.
    """
    found = Evaluation.begun(
        dataset.classes,
        [pair.group for pair in pairs],
        overlapping=dataset.overlapping,
        ranked=source.kind != "classes",
        shapes=shapes,
    )
    sizes = {pair.image: _pixel_size(root, pair) for pair in pairs} if shapes else {}
    without = sum(size is None for size in sizes.values())
    if 0 < without < len(sizes):
        # Metres and px cannot be added up.
        found.unsized, sizes = without, {}
    for pair, windows in _by_image(source.windows(pairs, halo_of(width))):
        tally = found.image(
            pair.image, pair.group, (pair.height, pair.width), pixel_size=sizes.get(pair.image)
        )
        for one in windows:
            _count(tally, one, source, dataset, width)
        found.add(tally)
        task.advance(note=pair.image)
    return found


def decided(one: Compared, source: Source, dataset: Dataset) -> Decided:
    """Turn a window's answer into a class map as the source decides it."""
    shares, classes = one.answer.probabilities, one.answer.given
    if shares is None:
        given = np.full_like(one.labels, VOID) if classes is None else classes
        missing = given == VOID
        labels = np.where(missing, np.uint8(VOID), one.labels)
        return Decided(None, np.where(missing, np.uint8(0), given), labels)
    labels, _ = answered(shares, one.labels)
    if len(shares) == 1 and not dataset.overlapping:
        shares = np.concatenate([1 - shares, shares])
    given = decide(
        shares,
        source.thresholds,
        decision=source.decision,
        overlapping=dataset.overlapping,
        weights=source.decision_weights,
    )
    return Decided(log_odds(shares, source.step), given, labels)


def _pixel_size(root: Path, pair: Pair) -> float | None:
    """Return the side of a pixel, m; None where the image does not say it."""
    place = describe(root / pair.image).georeference
    return None if place is None else place.metres_per_pixel(pair.height)


def _count(tally: ImageTally, one: Compared, source: Source, dataset: Dataset, width: int) -> None:
    here = decided(one, source, dataset)
    inner = _slices(one.core)
    before, after = one.labels[inner], here.labels[inner]
    counts = MapCounts.count(
        here.log_odds,
        here.given,
        here.labels,
        classes=len(dataset.classes),
        overlapping=dataset.overlapping,
        width=width,
        core=one.core,
        unanswered=int(np.count_nonzero(before != VOID) - np.count_nonzero(after != VOID)),
    )
    row, col = one.window.row + one.core.row, one.window.col + one.core.col
    tally.add(counts, here.given[inner], after, row, col)


def _by_image(windows: Iterator[Compared]) -> Iterator[tuple[Pair, Iterator[Compared]]]:
    """Part windows, which come image by image; each image's must be used up before the next is asked for."""
    ahead = next(windows, None)

    def of_one(pair: Pair) -> Iterator[Compared]:
        nonlocal ahead
        while ahead is not None and ahead.pair == pair:
            here, ahead = ahead, None
            yield here
            ahead = next(windows, None)

    while ahead is not None:
        yield ahead.pair, of_one(ahead.pair)


def _slices(window: Window) -> tuple[slice, slice]:
    return slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
