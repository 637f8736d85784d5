"""Evaluate: a run's scores on labelled images, always with the constant predictor beside them."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.imagery.samples import read_photo, read_sample
from rareseg.imagery.sets.datasets import discover
from rareseg.imagery.tiles import Window
from rareseg.measures.baseline import constant_predictor
from rareseg.measures.calibration import calibration_error, expected_share
from rareseg.measures.confusion import mean_of_present
from rareseg.network.trained import TrainedRun, load_run
from rareseg.network.validation import RELAXED_PX, Counted, Scorer, summed
from rareseg.progress import Progress, Silent, Task
from rareseg.records import codec
from rareseg.records.dataset import PARTS, Dataset, Pair, PartName
from rareseg.records.report import ClassScores, MacroScores, MicroScores, Report


def evaluate_run(
    folder: Path, data: Path, *, part: str | None = None, progress: Progress | None = None
) -> Report:
    """Score the run in `folder` on the labelled images in `data` with the run's own thresholds.

    Images are known by their content, whatever their names and folder. Without `part`: if all of them belong
    to the run's data, its held-out part ("test", or "val" where there is no test part); else everything but
    what the run was trained or tuned on.

    Raises:
        DataError: if the data cannot be read, or does not fit the run (bands, dtype, classes).
        SettingError: if `part` does not exist.
    """
    progress = progress or Silent()
    trained = load_run(folder)
    root, dataset = discover(data, progress, like=trained.audit.dataset)
    _check_fit(trained, dataset, data)
    choice = _choose(dataset, trained.audit.dataset, part)
    with progress.task("scoring", len(choice.pairs)) as task:
        counted = summed(_counts(trained, root, dataset, choice.pairs, task))
    if counted is None or not counted.counted:
        message = f"{data}: part {choice.part!r} holds no counted pixel, so there is nothing to score."
        raise DataError(message)
    notes = (*choice.notes, *_namesake_notes(choice.pairs, trained.audit.dataset))
    return _report(trained, counted, data=data, part=choice.part, images=len(choice.pairs), notes=notes)


class _Choice(NamedTuple):
    """What is scored, and what a reader must know before believing the scores."""

    part: str
    pairs: list[Pair]
    notes: tuple[str, ...]


def _choose(dataset: Dataset, own: Dataset, part: str | None) -> _Choice:
    """Choose the pairs to score; `own` is the data that the run was made from."""
    parts = {pair.image_digest: pair.part for pair in own.pairs}
    of_pair = [(pair, parts.get(pair.image_digest)) for pair in dataset.pairs]
    new = [pair for pair, known in of_pair if known is None]
    there = [name for name in PARTS if any(known == name for _, known in of_pair)]
    if part is None:
        part = "all" if new else next(name for name in ("test", "val", "train") if name in there)
        left_out = sum(known in ("train", "val") for _, known in of_pair) if new else 0
        pairs = [pair for pair, known in of_pair if known in ((None, "test") if new else (part,))]
        notes = _left_out_notes(left_out)
    else:
        pairs = [pair for pair, known in of_pair if part in ("all", known)]
        notes = ()
    if not pairs:
        message = f"There is no part {part!r} to score; the data has: {', '.join([*there, 'all'])}."
        raise SettingError(message)
    scored = {parts.get(pair.image_digest) for pair in pairs}
    return _Choice(part, pairs, (*notes, *_seen_notes(scored)))


def _left_out_notes(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count} images were left out, as the run was trained or tuned on them (by content, not name).",)


def _seen_notes(parts: set[PartName | None]) -> tuple[str, ...]:
    notes: list[str] = []
    if "train" in parts:
        notes.append("The network was trained on some of these images: the scores say little about new ones.")
    if "val" in parts:
        notes.append(
            "Thresholds and best weights were chosen on the part val, which is scored here: "
            "the scores are a little too good."
        )
    return tuple(notes)


def _namesake_notes(pairs: list[Pair], own: Dataset) -> tuple[str, ...]:
    """Warn of scenes that bear the names of training scenes and hold other files: another crop of the place?"""
    known = {pair.image_digest for pair in own.pairs}
    trained_on = {pair.group for pair in own.pairs if pair.part == "train"}
    shared = sorted({pair.group for pair in pairs if pair.image_digest not in known} & trained_on)
    if not shared:
        return ()
    return (
        f"{len(shared)} scenes bear the names of scenes that the run was trained on "
        f"({', '.join(shared[:3])}): if they are the same places, the scores are too good.",
    )


def _counts(
    trained: TrainedRun, root: Path, dataset: Dataset, pairs: list[Pair], task: Task
) -> Iterator[Counted]:
    scorer = Scorer(
        len(dataset.classes),
        dataset.overlapping,
        trained.plan.inference.decision,
        trained.run.thresholds,
        trained.run.decision_weights,
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
            f"{', '.join(own.classes)}. {_advice(dataset, own)}"
        )
        raise DataError(message)


def _advice(dataset: Dataset, own: Dataset) -> str:
    if (dataset.bands, dataset.dtype) != (own.bands, own.dtype):
        return "Convert the photos to the run's bands and dtype."
    if len(dataset.classes) == len(own.classes):
        return "Only the names differ: give the classes these names in a TOML, in this order."
    return "Describe the masks in a TOML, so that they give these classes."


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
        calibration_error=calibration_error(counted.curve)[label],
        expected_share=expected_share(counted.curve)[label],
    )
