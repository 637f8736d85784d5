"""Diagnose from files: data alone, with the predictions of any tool, or with a saved model."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from rareseg.causes.ranking import diagnosis_of
from rareseg.errors import DataError, MaskReadingError, SettingError
from rareseg.imagery.answers.reading import compare
from rareseg.imagery.answers.written import Written
from rareseg.imagery.sets.datasets import discover
from rareseg.imagery.suspicion.folder import evidence_of_folder
from rareseg.measures.answers import AnswerCounts, answers_evidence
from rareseg.measures.preparations import Answerer, Scale
from rareseg.measures.seams import SeamCounts
from rareseg.network.subjects.files import answers_of_file
from rareseg.probing.examine import Told
from rareseg.probing.saved_model import Fed, ask_model
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.dataset import Dataset, DataSpec
from rareseg.records.diagnosis import Diagnosis
from rareseg.records.evidence import AnswersEvidence, DataEvidence, Evidence


class Given(NamedTuple):
    """What the user brings."""

    data: Path
    predictions: Path | None
    model: Path | None
    told: Told
    written: Written = Written()
    fed: Fed = Fed()


class _Answered(NamedTuple):
    evidence: AnswersEvidence
    assumed: tuple[str, ...]
    notes: tuple[str, ...] = ()


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
        assumed=() if answered is None else answered.assumed,
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
        return _of_model(given.model, given, root, dataset, progress)
    found = given.written.find(Path(given.predictions or ""), dataset.pairs, root, dataset)
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
    evidence = answers_evidence(windows, dataset.classes, source=source, seams=seams.found())
    return _Answered(evidence, (f"Predictions are read as {found.form.because}.",), found.notes)


def _there(classes: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    if classes is None:
        message = "The predictions hold neither probabilities nor classes. Give one raster per image."
        raise DataError(message)
    return classes


def _of_model(path: Path, given: Given, root: Path, dataset: Dataset, progress: Progress) -> _Answered:
    if not path.is_dir():
        found, because = ask_model(_opened(path), path.name, root, dataset, given.fed, progress=progress)
        return _Answered(found, (because,))
    if any(value is not None for value in given.fed):
        message = (
            f"{path} is the folder of a rareseg run, which knows how it is fed and what it answers. Leave layout, "
            "scale, reversed_bands and activation out."
        )
        raise SettingError(message)
    run = answers_of_file(path)
    exclusive = len(run.classes) > 1 and not dataset.overlapping
    stored: Scale = "unit" if dataset.dtype.startswith("float") else "raw"
    fed = Fed("nchw", stored, False, "softmax" if exclusive else "sigmoid")
    found, _ = ask_model(run, path.name, root, dataset, fed, progress=progress)
    return _Answered(found, tuple(_of_run(path, run.classes, dataset)))


def _of_run(path: Path, classes: tuple[str, ...], dataset: Dataset) -> Iterator[str]:
    yield f"{path.name} is a rareseg run: photos are given as stored, and it answers with probabilities."
    if classes != dataset.classes:
        yield (
            f"Its classes {', '.join(classes)} are taken for {', '.join(dataset.classes)} of the data, in this order."
        )


def _opened(path: Path) -> Answerer:
    if path.suffix == ".keras":
        from rareseg.doors.keras import open_model_file  # noqa: PLC0415 - Keras is an extra

        return open_model_file(path).own
    if path.suffix == ".onnx":
        from rareseg.doors.onnx import open_onnx  # noqa: PLC0415 - so is onnxruntime

        return open_onnx(path)
    return answers_of_file(path)


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
