"""Who answers for labelled images: a folder of predictions, or a run (network.answering); scoring sees no odds."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from rareseg.imagery.answers.folder import Answered, FoundAnswers
from rareseg.imagery.answers.reading import Compared, compare, read_answer
from rareseg.imagery.samples import read_sample
from rareseg.imagery.tiles import Window
from rareseg.records.dataset import Dataset, Pair

WINDOW_VALUES = 1 << 20
"""Channels x pixels of a window: as many windows as threads are held at once."""


class Source(NamedTuple):
    """Answers for labelled images."""

    name: str
    kind: Literal["run", "probabilities", "classes"]
    pairs: tuple[Pair, ...]
    """The labelled images that are answered for."""
    decision: Literal["threshold", "argmax"]
    """How probabilities become a class map."""
    thresholds: tuple[float | None, ...]
    """Per class, probabilities; None: 0.5."""
    thresholds_from: str
    decision_weights: tuple[float, ...] | None
    """argmax: factors of the probabilities."""
    step: float
    """Distance of the values that files store, 1/255 for 8 bits; 0 for what was never rounded."""
    notes: tuple[str, ...]
    windows: Callable[[Sequence[Pair], int], Iterator[Compared]]
    """All windows of these images with a halo of so many px, image by image."""
    window: Callable[[Pair, Window], Compared]
    """One window."""


def of_folder(
    found: FoundAnswers, root: Path, dataset: Dataset, *, thresholds: Sequence[float | None] | None = None
) -> Source:
    """Return a folder of predictions as a source; without `thresholds` maps are argmax, or 0.5."""
    by_image = {one.pair.image: one for one in found.answered}

    def windows(pairs: Sequence[Pair], halo: int) -> Iterator[Compared]:
        chosen = found._replace(answered=tuple(by_image[pair.image] for pair in pairs))
        return compare(chosen, root, dataset, halo=halo, values=WINDOW_VALUES)

    def window(pair: Pair, place: Window) -> Compared:
        return _compared(found, by_image[pair.image], root, dataset, place)

    two = len(dataset.classes) == 2 or dataset.overlapping
    ranked = found.form.kind != "classes"
    told = thresholds is not None
    return Source(
        name=found.folder.resolve().name,
        kind="probabilities" if ranked else "classes",
        pairs=tuple(one.pair for one in found.answered),
        decision="threshold" if two else "argmax",
        thresholds=tuple(thresholds) if told and thresholds else (None,) * len(dataset.classes),
        thresholds_from=_origin(told=told, ranked=ranked, two=two),
        decision_weights=None,
        step=found.form.step,
        notes=(f"Read as {found.form.because}.", *found.notes),
        windows=windows,
        window=window,
    )


def _origin(*, told: bool, ranked: bool, two: bool) -> str:
    if not ranked:
        return "the maps as they are"
    if told:
        return "what you said"
    return "0.5, as no others are known" if two else "none: the likeliest class"


def _compared(found: FoundAnswers, one: Answered, root: Path, dataset: Dataset, place: Window) -> Compared:
    labels = read_sample(root, dataset, one.pair, place).counted
    whole = Window(0, 0, place.height, place.width)
    return Compared(one.pair, place, read_answer(found, one, dataset, place), labels, True, whole)
