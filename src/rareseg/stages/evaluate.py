"""Evaluate: a run's scores on labelled images, always with the constant predictor beside them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.imagery.datasets import discover
from rareseg.imagery.samples import read_photo, read_sample
from rareseg.imagery.tiles import Window, blocks
from rareseg.measures.baseline import constant_predictor
from rareseg.measures.confusion import mean_of_present
from rareseg.measures.tally import members
from rareseg.network.forward import BLOCK
from rareseg.network.trained import TrainedRun, load_run
from rareseg.network.validation import RELAXED_PX, Counted, Scorer, summed
from rareseg.progress import Progress, Silent, Task
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.dataset import PARTS, Dataset, Pair, PartName
from rareseg.records.report import ClassScores, MacroScores, MicroScores, Report


def evaluate_run(
    folder: Path, data: Path, *, part: str | None = None, progress: Progress | None = None
) -> Report:
    """Score the run in `folder` on the labelled images in `data` with the run's own thresholds.

    Without `part`: if `data` is what the run was trained on, its held-out part ("test", or "val" where there
    is no test part), else all of it.

    Raises:
        DataError: if the data cannot be read, or does not fit the run (bands, dtype, classes).
        SettingError: if `part` does not exist.
    """
    progress = progress or Silent()
    trained = load_run(folder)
    root, dataset = discover(data, progress, like=trained.audit.dataset)
    _check_fit(trained, dataset, data)
    namesake = _same_pairs(dataset, trained.audit.dataset)
    known = namesake and _same_labels(root, trained.audit)
    if known:
        dataset = trained.audit.dataset
    name = part or (_held_out(dataset) if known else "all")
    pairs = _chosen(dataset, name)
    with progress.task("scoring", len(pairs)) as task:
        counted = summed(_counts(trained, root, dataset, pairs, task))
    if counted is None or not counted.counted:
        message = f"{data}: part {name!r} holds no counted pixel, so there is nothing to score."
        raise DataError(message)
    notes = _notes(trained, dataset, name, known=known)
    if namesake and not known:
        notes = (f"{data} holds files of the names that the run was trained on, but other labels.", *notes)
    return _report(trained, counted, data=data, part=name, images=len(pairs), notes=notes)


def _counts(
    trained: TrainedRun, root: Path, dataset: Dataset, pairs: list[Pair], task: Task
) -> Iterator[Counted]:
    scorer = Scorer(
        len(dataset.classes), dataset.overlapping, trained.plan.inference.decision, trained.run.thresholds
    )
    mapper = trained.mapper()
    for pair in pairs:

        def read(window: Window, pair: Pair = pair) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
            return read_photo(root / pair.image, dataset.nodata, window)

        for block in mapper.map_blocks(read, pair.height, pair.width):
            labels = read_sample(root, dataset, pair, block.window).counted
            yield scorer.count(block.probabilities, labels)
        task.advance(note=pair.image)


def _check_fit(trained: TrainedRun, dataset: Dataset, data: Path) -> None:
    own = trained.audit.dataset
    found = (dataset.bands, dataset.dtype, dataset.classes, dataset.overlapping)
    wanted = (own.bands, own.dtype, own.classes, own.overlapping)
    if found != wanted:
        message = (
            f"{data} does not fit the run: it has {dataset.bands} bands of {dataset.dtype} and classes "
            f"{', '.join(dataset.classes)}; the run was trained on {own.bands} bands of {own.dtype} and classes "
            f"{', '.join(own.classes)}. Convert the photos, or describe the masks in a TOML."
        )
        raise DataError(message)


def _same_pairs(dataset: Dataset, other: Dataset) -> bool:
    """Return whether both name the same files of the same sizes, whatever their parts."""

    def named(pairs: tuple[Pair, ...]) -> set[tuple[str, str, int, int]]:
        return {(pair.image, pair.mask, pair.height, pair.width) for pair in pairs}

    return named(dataset.pairs) == named(other.pairs)


def _same_labels(root: Path, audit: Audit) -> bool:
    """Return whether the held-out images hold as many pixels of each class as the audit counted.

    Two sets may bear the same names (scene0000.png, ...) and hold other scenes.
    """
    dataset = audit.dataset
    name = _held_out(dataset)
    facts = audit.part(name)
    found = np.zeros(len(dataset.classes), np.int64)
    for pair in _chosen(dataset, name):
        for window in blocks(pair.height, pair.width, BLOCK):
            labels = read_sample(root, dataset, pair, window).counted
            found += [
                np.count_nonzero(members(labels, label, overlapping=dataset.overlapping))
                for label in range(len(dataset.classes))
            ]
    return facts is not None and tuple(found.tolist()) == facts.counts.pixels


def _held_out(dataset: Dataset) -> PartName:
    return "test" if any(pair.part == "test" for pair in dataset.pairs) else "val"


def _chosen(dataset: Dataset, name: str) -> list[Pair]:
    pairs = [pair for pair in dataset.pairs if name in ("all", pair.part)]
    if not pairs:
        there = [part for part in PARTS if any(pair.part == part for pair in dataset.pairs)]
        message = f"There is no part {name!r} to score; the data has: {', '.join([*there, 'all'])}."
        raise SettingError(message)
    return pairs


def _notes(trained: TrainedRun, dataset: Dataset, name: str, *, known: bool) -> tuple[str, ...]:
    """Return what a reader must know before believing the scores."""
    notes: list[str] = []
    if name == trained.run.thresholds_from and known:
        notes.append(
            f"Thresholds and best weights were chosen on this same part ({name}), as the data has no test part: "
            "the scores are a little too good."
        )
    if name in ("train", "all") and known:
        notes.append("The network was trained on these images: the scores say nothing about new ones.")
    if not known:
        seen = {pair.group for pair in trained.audit.dataset.pairs if pair.part == "train"}
        shared = sorted({pair.group for pair in dataset.pairs} & seen)
        if shared:
            notes.append(
                f"{len(shared)} scenes bear the names of scenes that the run was trained on "
                f"({', '.join(shared[:3])}): if they are the same places, the scores are too good."
            )
    return tuple(notes)


def _report(
    trained: TrainedRun, counted: Counted, *, data: Path, part: str, images: int, notes: tuple[str, ...]
) -> Report:
    names = trained.plan.classes
    classes = {name: _class_scores(trained, counted, label) for label, name in enumerate(names)}
    absent = [name for name, scores in classes.items() if not scores.pixels]
    if absent:
        notes = (*notes, f"Not measurable, as no counted pixel holds them: {', '.join(absent)}.")
    confusion = counted.class_map()
    return Report(
        run_digest=codec.digest(trained.run),
        data=data.resolve().name,
        part=part,
        images=images,
        decision=trained.plan.inference.decision,
        thresholds_from=trained.run.thresholds_from,
        relaxed_px=RELAXED_PX,
        classes=classes,
        macro=MacroScores(
            iou=mean_of_present(confusion.iou()),
            f1=mean_of_present(confusion.f1()),
            precision=mean_of_present(confusion.precision()),
            recall=mean_of_present(confusion.recall()),
            average_precision=mean_of_present(counted.curve.average_precision()),
            classes=len(names) - len(absent),
        ),
        constant_predictor=constant_predictor(
            confusion.pixels, counted.counted, names, overlapping=trained.plan.overlapping
        ),
        counted_pixels=counted.counted,
        uncounted_pixels=counted.uncounted,
        notes=notes,
        micro=MicroScores(accuracy=confusion.accuracy or 0.0),
    )


def _class_scores(trained: TrainedRun, counted: Counted, label: int) -> ClassScores:
    confusion = counted.class_map()
    return ClassScores(
        iou=confusion.iou()[label],
        f1=confusion.f1()[label],
        precision=confusion.precision()[label],
        recall=confusion.recall()[label],
        average_precision=counted.curve.average_precision()[label],
        threshold=trained.run.thresholds[label],
        pixels=confusion.pixels[label],
        relaxed_f1=counted.relaxed[label].f1,
    )
