"""Diagnose from files: data alone, with the predictions of any tool, or with a saved model."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from rareseg.causes.ranking import diagnosis_of
from rareseg.errors import DataError, MaskReadingError
from rareseg.imagery.answers.folder import find_answers
from rareseg.imagery.answers.reading import compare
from rareseg.imagery.samples import read_sample
from rareseg.imagery.sets.datasets import discover
from rareseg.imagery.suspicion.folder import evidence_of_folder
from rareseg.measures.answers import AnswerCounts, answers_evidence
from rareseg.measures.feeding import infer_feeding
from rareseg.measures.feeding_trials import Sample
from rareseg.measures.seams import SeamCounts
from rareseg.network.subjects.files import answers_of_file
from rareseg.probing.examine import Told
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.dataset import Dataset, DataSpec, Pair
from rareseg.records.diagnosis import Diagnosis
from rareseg.records.evidence import AnswersEvidence, DataEvidence, Evidence

Answerer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
MOST_IMAGES = 24
"""Images that a model is asked about."""
MOST_SIDE = 1024
_MULTIPLE = 32
"""Networks that halve their input five times take sides of a multiple of this."""
_SAMPLES = 6


class Given(NamedTuple):
    """What the user brings."""

    data: Path
    predictions: Path | None
    model: Path | None
    told: Told


class _Answered(NamedTuple):
    evidence: AnswersEvidence
    notes: tuple[str, ...]


def diagnose_files(given: Given, *, quick: bool, progress: Progress | None = None) -> Diagnosis:
    """Look at data, and at predictions or a model beside it, and name causes.

    Args:
        given: Paths.
        quick: Leave out pairs, shifts and suspects.
        progress: Shows what is being done.

    Raises:
        LayoutError: if the folder holds no images with masks.
        DataError: if predictions or model are given and cannot be held against the data.
        WeightsError: if the model's file cannot be opened.
    """
    started, shown = time.monotonic(), progress or Silent()
    root, dataset, refusal = _discovered(given.data, shown)
    data, notes = evidence_of_folder(given.data, dataset, quick=quick, progress=shown)
    if isinstance(refusal, MaskReadingError):
        data = _beside_description(data, given.data)
    answered: _Answered | None = None
    if given.predictions is not None or given.model is not None:
        if dataset is None:
            raise refusal or DataError("The masks cannot be read.")
        answered = _answers(given, root, dataset, shown)
    refused = () if refusal is None else (f"The audit refuses this data: {str(refusal).splitlines()[0]}",)
    evidence = Evidence(
        subject=_described(given),
        classes=data.classes,
        rare=_rarest(data.shares),
        prior_entropy=_entropy(data.shares),
        steps_trained=given.told.steps,
        epochs_trained=given.told.epochs,
        history=given.told.history,
        data=data,
        answers=None if answered is None else answered.evidence,
        notes=(*refused, *notes, *(() if answered is None else answered.notes)),
    )
    return diagnosis_of(evidence, time.monotonic() - started)


def _discovered(data: Path, progress: Progress) -> tuple[Path, Dataset | None, DataError | None]:
    """Return the data as an audit would read it; what it refuses is evidence, and the masks are looked at raw."""
    try:
        root, dataset = discover(data, progress)
    except DataError as error:
        return data, None, error
    return root, dataset, None


def _beside_description(found: DataEvidence, data: Path) -> DataEvidence:
    """Measure raw values against the classes that a TOML names, where the audit refuses them."""
    if data.suffix != ".toml":
        return found
    spec = codec.decode_toml(data.read_bytes(), DataSpec, str(data))
    named = [value for one in spec.classes for value in one.values]
    if not named or not all(isinstance(value, int) for value in (*named, *spec.void)):
        return found
    strange = [one for one in found.values if one.value not in {*named, *spec.void}]
    share = sum(one.share for one in strange)
    return (
        replace(found, out_of_range=share, classes=tuple(one.name for one in spec.classes))
        if share
        else found
    )


def _answers(given: Given, root: Path, dataset: Dataset, progress: Progress) -> _Answered:
    if given.model is not None:
        return _of_model(given.model, root, dataset, progress)
    found = find_answers(Path(given.predictions or ""), dataset.pairs, root=root, dataset=dataset)
    counts: AnswerCounts | None = None
    seams = SeamCounts.empty()
    step, over = found.form.step, dataset.overlapping
    source: Any = "classes" if found.form.kind == "classes" else "probabilities"
    with progress.task("comparing predictions with masks", len(found.answered)) as task:
        for one in compare(found, root, dataset):
            shares, classes = one.answer.probabilities, one.answer.given
            if shares is not None:
                added = AnswerCounts.of_probabilities(
                    shares, one.labels, overlapping=over, step=step, images=int(one.first)
                )
            else:
                added = AnswerCounts.of_classes(
                    _there(classes), one.labels, classes=len(dataset.classes), overlapping=over,
                    stored=one.answer.stored, images=int(one.first),
                )  # fmt: skip
            answer: Any = shares if shares is not None else classes
            place = {"top": one.window.row, "left": one.window.col}
            seams = seams.add(answer, one.labels, **place, step=step, overlapping=over)
            counts = added if counts is None else counts + added
            if one.first:
                task.advance(note=one.pair.image)
    windows = [] if counts is None else [counts]
    return _Answered(
        answers_evidence(windows, dataset.classes, source=source, seams=seams.found()), found.notes
    )


def _there(classes: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    if classes is None:
        message = "The predictions hold neither probabilities nor classes. Give one raster per image."
        raise DataError(message)
    return classes


def _of_model(path: Path, root: Path, dataset: Dataset, progress: Progress) -> _Answered:
    """Ask a saved model about images that training did not see, where the data tells which."""
    model = _opened(path)
    held_out = [pair for pair in dataset.pairs if pair.part != "train"] or list(dataset.pairs)
    samples = list(_samples(_evenly(held_out, MOST_IMAGES), root, dataset, model))
    telling = sorted(samples, key=lambda sample: -_rare_pixels(sample, dataset))
    feeding = infer_feeding(
        model, telling[:_SAMPLES], classes=len(dataset.classes), overlapping=dataset.overlapping
    )
    counts: list[AnswerCounts] = []
    with progress.task("asking the model", len(samples)) as task:
        for sample in samples:
            shares = feeding.answer(model, sample.image[None])[0]
            counts.append(
                AnswerCounts.of_probabilities(shares, sample.labels, overlapping=dataset.overlapping)
            )
            task.advance()
    found = answers_evidence(counts, dataset.classes, source="probabilities")
    return _Answered(replace(found, source="model"), (feeding.because,))


def _opened(path: Path) -> Answerer:
    if path.suffix == ".keras":
        from rareseg.doors.keras import open_model_file  # noqa: PLC0415 - Keras is an extra

        return open_model_file(path)
    if path.suffix == ".onnx":
        from rareseg.doors.onnx import open_onnx  # noqa: PLC0415 - so is onnxruntime

        return open_onnx(path)
    return answers_of_file(path)


def _samples(pairs: Sequence[Pair], root: Path, dataset: Dataset, model: Answerer) -> Iterator[Sample]:
    fixed = [
        side for side in getattr(model, "input_shape", ())[1:] if side is not None and side > dataset.bands
    ]
    for pair in pairs:
        sample = read_sample(root, dataset, pair)
        rows, cols = (_side(side, fixed) for side in sample.labels.shape)
        top, left = (
            (whole - part) // 2 for whole, part in zip(sample.labels.shape, (rows, cols), strict=True)
        )
        here = (slice(top, top + rows), slice(left, left + cols))
        yield Sample(sample.photo[:, *here], sample.counted[here])


def _side(side: int, fixed: Sequence[int]) -> int:
    if fixed:
        return min(side, *fixed)
    return min(side, MOST_SIDE) // _MULTIPLE * _MULTIPLE or side


def _rare_pixels(sample: Sample, dataset: Dataset) -> int:
    """Return the pixels that are labelled as something other than the first class."""
    return int(((sample.labels > 0) & (sample.labels < 1 << len(dataset.classes))).sum())


def _evenly(pairs: Sequence[Pair], most: int) -> list[Pair]:
    count = min(len(pairs), most)
    return [pairs[index * len(pairs) // count] for index in range(count)]


def _rarest(shares: Sequence[float]) -> int:
    present = [label for label, share in enumerate(shares) if share > 0]
    if len(shares) == 2 and len(present) < 2:
        return 1
    return min(reversed(present), key=lambda label: shares[label]) if present else 0


def _entropy(shares: Sequence[float]) -> float | None:
    present = np.array([share for share in shares if share > 0])
    return float(-(present * np.log(present)).sum()) if present.size else None


def _described(given: Given) -> str:
    if given.model is not None:
        return f"{given.model.name} on {given.data.name}"
    return (
        given.data.name
        if given.predictions is None
        else f"predictions {given.predictions.name} of {given.data.name}"
    )
