"""A trained run as one who answers for labelled images, window by window."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError
from rareseg.imagery.answers.reading import Answer, Compared
from rareseg.imagery.answers.source import Source
from rareseg.imagery.samples import read_photo, read_sample
from rareseg.imagery.tiles import Window
from rareseg.network.forward import MappedBlock, Mapper, Reader
from rareseg.network.trained import TrainedRun
from rareseg.records.dataset import Dataset, Pair


def of_run(
    trained: TrainedRun,
    root: Path,
    dataset: Dataset,
    pairs: Sequence[Pair],
    *,
    name: str,
    notes: tuple[str, ...] = (),
) -> Source:
    """Return a run as a source for the labelled images `pairs` of `dataset` below `root`."""
    answers = _Answers(trained.mapper(), root, dataset)
    return Source(
        name=name,
        kind="run",
        pairs=tuple(pairs),
        decision=trained.plan.inference.decision,
        thresholds=trained.run.thresholds,
        thresholds_from=trained.run.thresholds_from,
        decision_weights=trained.run.decision_weights,
        step=0.0,
        notes=notes,
        windows=answers.windows,
        window=answers.window,
    )


@final
@dataclass(frozen=True, slots=True)
class _Answers:
    mapper: Mapper
    root: Path
    dataset: Dataset

    def windows(self, pairs: Sequence[Pair], halo: int) -> Iterator[Compared]:
        for pair in pairs:
            blocks = self.mapper.map_blocks(self._reader(pair), pair.height, pair.width, halo=halo)
            for index, block in enumerate(blocks):
                yield self._compared(pair, block, first=not index)

    def window(self, pair: Pair, place: Window) -> Compared:
        block = self.mapper.map_window(self._reader(pair), pair.height, pair.width, place)
        return self._compared(pair, block, first=True)

    def _reader(self, pair: Pair) -> Reader:
        def read(window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
            return read_photo(self.root / pair.image, self.dataset.nodata, window)

        return read

    def _compared(self, pair: Pair, block: MappedBlock, *, first: bool) -> Compared:
        labels = read_sample(self.root, self.dataset, pair, block.window).counted
        answer = Answer(block.probabilities, None, None)
        return Compared(pair, block.window, answer, labels, first, block.core)


def check_fit(trained: TrainedRun, dataset: Dataset, data: Path) -> None:
    """Refuse data that a run cannot be scored on.

    Raises:
        DataError: if bands, dtype or classes differ.
    """
    own = trained.audit.dataset
    found = (dataset.bands, dataset.dtype, dataset.classes, dataset.overlapping)
    wanted = (own.bands, own.dtype, own.classes, own.overlapping)
    if found != wanted:
        message = (
            f"{data} does not fit the run: it has {dataset.bands} bands of {dataset.dtype} and classes "
            f"{', '.join(dataset.classes)}; the run was trained on {own.bands} bands of {own.dtype} and classes "
            f"{', '.join(own.classes)}. {_advice(dataset, own)}"
        )
        raise DataError(message)


def _advice(dataset: Dataset, own: Dataset) -> str:
    if (dataset.bands, dataset.dtype) != (own.bands, own.dtype):
        return "Convert the photos to the run's bands and dtype."
    if len(dataset.classes) == len(own.classes):
        return "Only the names differ: give the classes these names in a TOML, in this order."
    return "Describe the masks in a TOML, so that they give these classes."
