"""Audit: measure the data, decide nothing.

Images are counted in windows, in a few threads (decoding and counting both leave Python's lock), so that
memory stays bounded whatever the size of a scene.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from rareseg.errors import DataError, Problem
from rareseg.imagery.samples import read_sample
from rareseg.imagery.sets.datasets import discover
from rareseg.imagery.sets.layouts import recognise
from rareseg.imagery.tiles import Window, blocks
from rareseg.measures.facts import attention, part_facts
from rareseg.measures.places import BlockCounts, ImageTally, block_counts
from rareseg.measures.tally import add, empty, one_image, tally
from rareseg.progress import Progress, Silent, Task
from rareseg.records.audit import Audit, Counts
from rareseg.records.dataset import PARTS, Dataset, Pair
from rareseg.records.places import ImagePlaces, Places, indexed

WINDOW = 4096
"""Side of the windows that are counted at a time, px."""
_THREADS = 4
"""More threads than this only wait for the disk and hold more windows in memory."""


class Audited(NamedTuple):
    """An audit, the folder that the paths in its dataset are relative to, and where its classes lie."""

    root: Path
    audit: Audit
    places: Places


def audit_data(data: Path, *, progress: Progress | None = None, window: int = WINDOW) -> Audited:
    """Find the pairs of `data`, count every pixel, and return the facts.

    Args:
        data: folder, or TOML that describes where the data is.
        progress: whom to tell how far it is; nobody by default.
        window: side of the windows counted at a time, px; regions, widths and crops are measured inside
            them, so a smaller one saves memory and cuts more regions in two.

    Raises:
        DataError: if the data cannot be used; names every file concerned. See imagery.datasets.discover.
        RecordError, SettingError: if the TOML is malformed or contradicts itself.
    """
    shown = progress or Silent()
    root, dataset = discover(data, shown)
    counts, places = _count(root, dataset, window, shown)
    names, overlapping = dataset.classes, dataset.overlapping
    zero = empty(len(names), dataset.bands)
    by_part = {part: reduce(add, found, zero) for part in PARTS if (found := _of(part, dataset, counts))}
    total = part_facts("all", reduce(add, by_part.values(), zero), names, overlapping)
    parts = tuple(part_facts(part, found, names, overlapping) for part, found in by_part.items())
    notes = (*attention(dataset, total, parts), *_window_note(dataset, window))
    return Audited(root, Audit(dataset=dataset, total=total, parts=parts, notes=notes), places)


def root_of(data: Path) -> Path:
    """Return the folder that the paths of `data`'s audit are relative to, without reading any image.

    Raises:
        LayoutError: if `data` is neither a folder of a known layout nor a TOML that describes one.
        RecordError, SettingError: if the TOML is malformed or contradicts itself.
    """
    return recognise(data).root


def _of(part: str, dataset: Dataset, counts: list[Counts]) -> list[Counts]:
    return [found for pair, found in zip(dataset.pairs, counts, strict=True) if pair.part == part]


def _count(
    root: Path, dataset: Dataset, window: int, progress: Progress
) -> tuple[list[Counts], dict[str, ImagePlaces]]:
    """Return the counts of each pair, in their order, and where the classes of those to train on lie."""
    counts: list[Counts] = []
    places: dict[str, ImagePlaces] = {}
    kept = {pair.image for pair in indexed(dataset)}
    problems: list[Problem] = []
    threads = min(_THREADS, os.cpu_count() or 1)
    with (
        ThreadPoolExecutor(threads) as pool,
        progress.task("Counting pixels", total=len(dataset.pairs)) as task,
    ):
        try:
            queued = [_queue(pool, root, dataset, pair, window) for pair in dataset.pairs]
            for pair, futures in zip(dataset.pairs, queued, strict=True):
                try:
                    found, tallied = _gather(futures, dataset, pair, task)
                    counts.append(found)
                    if pair.image in kept:
                        places[pair.image] = tallied.places()
                except DataError as error:
                    problems.extend(error.problems or [Problem(pair.mask, str(error))])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if problems:
        message = f"{len(problems)} of {len(dataset.pairs)} pairs cannot be counted. Mend or remove them:"
        raise DataError(message, problems)
    return counts, places


_Counted = tuple[Counts, BlockCounts]


def _queue(
    pool: ThreadPoolExecutor, root: Path, dataset: Dataset, pair: Pair, window: int
) -> list[Future[_Counted]]:
    windows = blocks(pair.height, pair.width, window)
    return [pool.submit(_count_window, root, dataset, pair, part) for part in windows]


def _count_window(root: Path, dataset: Dataset, pair: Pair, window: Window) -> _Counted:
    # A whole image needs no margin around it for the no-data rule.
    whole = (window.height, window.width) == (pair.height, pair.width)
    sample = read_sample(root, dataset, pair, None if whole else window)
    classes, overlapping = len(dataset.classes), dataset.overlapping
    counts = tally(
        sample.labels,
        sample.has_photo,
        sample.photo,
        classes=classes,
        overlapping=overlapping,
        rows=(window.row, pair.height),
    )
    return counts, block_counts(
        sample.counted, classes=classes, overlapping=overlapping, row=window.row, col=window.col
    )


def _gather(
    futures: list[Future[_Counted]], dataset: Dataset, pair: Pair, task: Task
) -> tuple[Counts, ImageTally]:
    """Add up the windows of one image."""
    tallied = ImageTally(pair.height, pair.width, len(dataset.classes))

    def finished() -> Iterator[Counts]:
        for future in futures:
            counts, placed = future.result()
            tallied.add(placed)
            yield counts
            task.advance(1 / len(futures))

    return one_image(reduce(add, finished(), empty(len(dataset.classes), dataset.bands))), tallied


def _window_note(dataset: Dataset, window: int) -> tuple[str, ...]:
    cut = sum(max(pair.height, pair.width) > window for pair in dataset.pairs)
    if not cut:
        return ()
    return (
        f"{cut} images were counted in windows of {window} px: objects, sizes and crop chances are those "
        "inside a window, so an object that crosses windows counts once in each.",
    )
