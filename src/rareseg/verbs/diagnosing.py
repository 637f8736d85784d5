"""Name the cause: `diagnose`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rareseg.errors import SettingError
from rareseg.probing.examine import Told
from rareseg.probing.subject import ProbeError, Subject
from rareseg.progress import Progress
from rareseg.records import codec
from rareseg.records.diagnosis import Diagnosis
from rareseg.report.diagnosis_page import diagnosis_page, diagnosis_section
from rareseg.stages.diagnose import Effort, diagnose_model, history_of
from rareseg.stages.diagnose_files import Given, diagnose_files
from rareseg.verbs.given import refuse

_SECONDS = 90.0
codec.HTML[Diagnosis] = diagnosis_section


def diagnose(
    subject: Any,
    loss: Any = None,
    optimizer: Any = None,
    data: Any = None,
    *,
    validation: Any = None,
    predictions: Path | str | None = None,
    model: Path | str | None = None,
    classes: Sequence[str] | None = None,
    class_weight: Mapping[int, float] | Sequence[float] | None = None,
    ignore_index: int | None = None,
    precision: str | None = None,
    history: Any = None,
    steps_trained: int | None = None,
    epochs_trained: float | None = None,
    prediction_inputs: Any = None,
    quick: bool = False,
    seconds: float | None = None,
    output: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Diagnosis:
    """Say why a network predicts only the biggest class, and what to do about it.

    The model, its optimizer, statistics and random states are as before afterwards, bit for bit.

    Args:
        subject: a torch.nn.Module, a compiled keras.Model, or the path of a data folder or TOML.
        loss: of a torch module: (outputs, targets) -> scalar; a Keras model brings its own.
        optimizer: of a torch module; without loss and optimizer only answers are judged.
        data: training data: (images, targets) arrays, or batches of (images, targets[, weights]).
        validation: the same of images that training does not see.
        predictions: with a path as subject: folder of rasters of any tool.
        model: with a path as subject: a rareseg run, or a .keras, .onnx, TorchScript or torch.export file.
        classes: names, in the order of the labels.
        class_weight: what the training was told to weigh classes by.
        ignore_index: label that is not counted; read off the loss if it says so.
        precision: "fp16", "bf16" or "fp32", as in training.
        history: name -> one value per epoch (loss, val_loss, accuracy, val_iou, rare_share), or Keras's History.
        steps_trained, epochs_trained: how long it has been trained.
        prediction_inputs: images as the model is fed when it maps.
        quick: leave out the probes that train copies.
        seconds: about how long the probes of a set-up may take; 90 if not given.
        output: file to write the Diagnosis to: JSON, or a page if it ends in .html.

    Raises:
        SettingError: if the arguments do not belong together.
        DataError: if data, predictions or targets cannot be read.
    """
    refuse(output, overwrite)
    brought = {"loss": loss, "optimizer": optimizer, "data": data, "validation": validation}
    brought |= {"classes": classes, "class_weight": class_weight, "ignore_index": ignore_index}
    brought |= {"precision": precision}
    told = Told(steps_trained, epochs_trained, history_of(history))
    if isinstance(subject, Path | str):
        _only_files(**brought, prediction_inputs=prediction_inputs, seconds=seconds)
        _only_one(predictions=predictions, model=model)
        given = Given(Path(subject), _path(predictions), _path(model), told)
        found = diagnose_files(given, quick=quick, progress=progress)
    else:
        _only_models(predictions=predictions, model=model)
        effort = Effort(_SECONDS if seconds is None else seconds, quick)
        found = _probed(partial(_brought, subject, **brought), told, effort, prediction_inputs, progress)
    if output is not None:
        _write(Path(output), found, overwrite)
    return found


def _probed(
    set_up: Callable[[], Subject], told: Told, effort: Effort, served: Any, progress: Progress | None
) -> Diagnosis:
    with _said_plainly():
        return diagnose_model(set_up(), told, effort, served=served, progress=progress)


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn what the user's own model raised into an error that says what to look at."""
    try:
        yield
    except ProbeError as error:
        message = (
            f"The set-up cannot be run as it was brought: {error} Images are handed on as the data give them: "
            "(images, bands, rows, cols) for PyTorch, (images, rows, cols, bands) for Keras."
        )
        raise SettingError(message) from error


def _only_one(**given: Any) -> None:
    if all(value is not None for value in given.values()):
        message = f"Expected one of {' and '.join(given)}, received both: each is diagnosed by itself."
        raise SettingError(message)


def _write(file: Path, found: Diagnosis, overwrite: bool) -> None:
    if file.suffix == ".html":
        codec.write_bytes(file, diagnosis_page(found).encode(), overwrite=overwrite)
    else:
        codec.write(file, found, overwrite=overwrite)


def _brought(subject: Any, loss: Any, optimizer: Any, data: Any, **given: Any) -> Subject:
    """Put the user's objects behind the questions that probes ask."""
    if data is None:
        message = (
            "Expected training data with the model: data=(images, targets), or an iterable of batches. "
            "Without it neither loss nor answers can be judged."
        )
        raise SettingError(message)
    if _is_keras(subject):
        from rareseg.doors.keras import subject_of_model  # noqa: PLC0415

        _compiled_in(loss=loss, optimizer=optimizer, precision=given.pop("precision"))
        return subject_of_model(subject, data, **given)
    from rareseg.network.subjects import subject_of_module  # noqa: PLC0415

    return subject_of_module(subject, loss, optimizer, data, **given)


def _is_keras(subject: Any) -> bool:
    kinds = type(subject).__mro__
    return any(kind.__module__.partition(".")[0] == "keras" and kind.__name__ == "Model" for kind in kinds)


def _compiled_in(**given: Any) -> None:
    named = [name for name, value in given.items() if value is not None]
    if named:
        message = (
            f"A Keras model brings its own {' and '.join(named)} from compile(): leave the argument out."
        )
        raise SettingError(message)


def _only_files(**given: Any) -> None:
    named = [name for name, value in given.items() if value is not None]
    if named:
        message = (
            f"With the path of a data folder, {', '.join(named)} cannot be given. Bring the model object itself: "
            "rareseg.diagnose(model, loss, optimizer, data)."
        )
        raise SettingError(message)


def _only_models(**given: Any) -> None:
    named = [name for name, value in given.items() if value is not None]
    if named:
        message = f"{', '.join(named)} belong to the path of a data folder: rareseg.diagnose('DATA', {named[0]}=...)."
        raise SettingError(message)


def _path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)
