"""Name the cause: `diagnose`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rareseg.errors import SettingError
from rareseg.imagery.answers.names import Kind
from rareseg.measures.preparations import Layout, Scale
from rareseg.probing.examine import Told
from rareseg.probing.subject import ProbeError, Subject
from rareseg.progress import Progress
from rareseg.records import codec
from rareseg.records.diagnosis import Diagnosis
from rareseg.records.evidence import Activation
from rareseg.showing.diagnosis_page import diagnosis_page, diagnosis_section
from rareseg.stages.diagnose import Effort, diagnose_model, history_of
from rareseg.stages.diagnose_files import Given, diagnose_files
from rareseg.verbs.given import refuse
from rareseg.verbs.said import said_of_files

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
    kind: Kind | None = None,
    scale: Scale | float | None = None,
    channels: Sequence[int | str] | None = None,
    layout: Layout | None = None,
    reversed_bands: bool | None = None,
    activation: Activation | None = None,
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
        kind: of predictions: "classes", "probabilities" or "logits"; inferred if None, as all of the next five.
        scale: of predictions: the stored value of probability 1, such as 255. Of a model: how it was fed photos: "unit"
            (0..1), "imagenet", "signed" (-1..1), "standardised", "raw", "caffe" or "ten_thousandth".
        channels: of predictions: class of each channel, by number or name.
        layout: of a model: "nchw" or "nhwc".
        reversed_bands: of a model: it takes blue first, and files hold red first.
        activation: of a model, what its last layer does: "none" (it answers logits), "sigmoid", "softmax" or
            "log-softmax".
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
    brought |= {"precision": precision, "prediction_inputs": prediction_inputs, "seconds": seconds}
    filed = {"predictions": predictions, "model": model, "kind": kind, "scale": scale, "channels": channels}
    filed |= {"layout": layout, "reversed_bands": reversed_bands, "activation": activation}
    told = Told(steps_trained, epochs_trained, history_of(history))
    look = _of_files if isinstance(subject, Path | str) else _of_set_up
    found = look(subject, brought, filed, told, quick=quick, progress=progress)
    return _written(found, output, overwrite=overwrite)


def _of_files(
    data: Path | str,
    brought: Mapping[str, Any],
    filed: Mapping[str, Any],
    told: Told,
    *,
    quick: bool,
    progress: Progress | None,
) -> Diagnosis:
    """Diagnose data, and predictions or a model file beside it; what belongs to a set-up is refused."""
    _only_files(**brought)
    predictions, model = filed["predictions"], filed["model"]
    _only_one(predictions=predictions, model=model)
    written, fed = said_of_files(filed)
    given = Given(Path(data), _path(predictions), _path(model), told, written, fed)
    return diagnose_files(given, quick=quick, progress=progress)


def _of_set_up(
    subject: Any,
    brought: Mapping[str, Any],
    filed: Mapping[str, Any],
    told: Told,
    *,
    quick: bool,
    progress: Progress | None,
) -> Diagnosis:
    """Diagnose a model object with what it is trained with; what belongs to files is refused."""
    _only_models(**filed)
    own = dict(brought)
    served, seconds = own.pop("prediction_inputs"), own.pop("seconds")
    effort = Effort(_SECONDS if seconds is None else seconds, quick)
    held_out = own["validation"] is not None
    with _said_plainly():
        probed = _brought(subject, **own)
        return diagnose_model(probed, told, effort, served=served, held_out=held_out, progress=progress)


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Turn what the user's own model raised into an error that says what to look at."""
    try:
        yield
    except ProbeError as error:
        said = str(error).rstrip(".")
        message = (
            f"The set-up cannot be run as it was brought: {said}. Images are handed on as the data give them: "
            "(images, bands, rows, cols) for PyTorch, (images, rows, cols, bands) for Keras."
        )
        raise SettingError(message) from error


def _only_one(**given: Any) -> None:
    if all(value is not None for value in given.values()):
        message = f"Expected one of {' and '.join(given)}, received both: each is diagnosed by itself."
        raise SettingError(message)


def _written(found: Diagnosis, output: Path | str | None, *, overwrite: bool) -> Diagnosis:
    """Write a diagnosis, if that is asked for, and return it."""
    if output is None:
        return found
    file = Path(output)
    if file.suffix == ".html":
        codec.write_bytes(file, diagnosis_page(found).encode(), overwrite=overwrite)
    else:
        codec.write(file, found, overwrite=overwrite)
    return found


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
