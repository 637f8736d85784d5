"""A compiled Keras model under study: what probes may ask of it, on any backend."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, final

import keras
import numpy as np
from numpy.typing import NDArray

from rareseg.doors.keras import class_weights, describing, optimizers, targets
from rareseg.doors.keras.arrays import (
    first_array,
    to_floats,
    to_numpy,
    to_tensors,
    values_of,
    without_gradients,
)
from rareseg.doors.keras.batches import Source, Triple
from rareseg.doors.keras.keeping import kept_loss, kept_random
from rareseg.doors.keras.layout import layout_of
from rareseg.doors.keras.raising import as_probe_error, said
from rareseg.doors.keras.rehearsal import Rehearsal
from rareseg.doors.keras.units import Watched, last_activation, recorded
from rareseg.errors import SettingError
from rareseg.probing.subject import Batch, Floats, Labels, ProbeError, Setup, Step
from rareseg.records.evidence import LabelForm, LayerUnits

_MOST_PIXELS = 2**24
"""Of all batches together, so that what is kept of them stays small."""


def subject_of_model(
    model: Any,
    data: Any,
    *,
    validation: Any = None,
    classes: Sequence[str] | None = None,
    class_weight: Any = None,
    ignore_index: int | None = None,
    batch_size: int | None = None,
) -> "KerasSubject":
    """Return a Keras model as probes see it.

    The model stays as it is, but for one that was never called: it is built on the first batch, as `fit` would.

    Args:
        model: keras.Model (Functional, Sequential or subclassed) with one output: (images, rows, cols, channels),
            (images, rows*cols, channels), (images, channels), or channels first where Keras is set so. Compiled, unless
            only its answers are asked for.
        data: What `fit` takes as training data: arrays (images, targets[, sample weights]), a PyDataset, tf.data, a
            torch DataLoader, a generator (as many batches as are looked at are taken from it), or a list of batches.
            Targets are class indices (with or without a last axis of 1) or a channel per class, by pixel.
        validation: The same of data that training does not see, or None.
        classes: Names; of a model with one channel two, or that of class 1.
        class_weight: As given to `fit`.
        ignore_index: Label that does not count; None: what the loss says (`ignore_class`).
        batch_size: Of batches cut from arrays; None: 32, as in `fit`, or fewer where images are large.

    Raises:
        DataError: if the data are no batches of images and targets, or do not fit the output.
        SettingError: if the model has several outputs, or the class names do not fit.
    """
    return KerasSubject(
        model,
        Source(data, batch_size=batch_size, what="data"),
        None if validation is None else Source(validation, batch_size=batch_size, what="validation"),
        classes=classes,
        class_weight=class_weight,
        ignore_index=ignore_index,
    )


@final
class KerasSubject:
    """A `Subject` (see `rareseg.probing.subject`) on a compiled Keras model."""

    def __init__(
        self,
        model: Any,
        training: Source,
        validation: Source | None,
        *,
        classes: Sequence[str] | None,
        class_weight: Any,
        ignore_index: int | None,
    ) -> None:
        """Look at one batch and at what it makes of the model's layers."""
        self._model, self._training, self._validation = model, training, validation
        self._class_weight = class_weight
        ignored = describing.loss_config(model).get("ignore_class")
        self._ignore = ignored if ignore_index is None else ignore_index
        self._batches: dict[int, Batch] = {}
        self._rehearsal = Rehearsal(model)
        with kept_random():
            first = _first(training)
            with as_probe_error("the model"):
                if not all(layer.built for layer in model._flatten_layers()):
                    with without_gradients():
                        model(to_tensors(_one(first.images)), training=False)
                output, activation = self._look(first)
        self._layout = layout_of(output, first_array(first.images).shape)
        self.setup = self._described(
            self._batch(first), describing.class_names(classes, self._layout.channels), activation
        )

    def training_batches(self, most: int) -> list[Batch]:
        """Return up to `most` batches of the training data, fewer where images are large."""
        return self._read(self._training, most)

    def validation_batches(self, most: int) -> list[Batch]:
        """Return up to `most` batches of the validation data; none if there are none."""
        return [] if self._validation is None else self._read(self._validation, most)

    def answers(self, batch: Batch, *, training: bool = False) -> Floats:
        """Return the model's output, (images, channels, pixels), as it gives it."""
        # Within this scope layers do not change their statistics, nor random generators their states.
        mode = "the model, in training mode," if training else "the model"
        with as_probe_error(mode), kept_random(), without_gradients(), keras.StatelessScope():
            output = _only(self._model(to_tensors(batch.images), training=training))
        answered: Floats = np.ascontiguousarray(self._layout.canonical(to_floats(values_of(output))))
        return answered

    def loss(self, batch: Batch, answers: Floats) -> float:
        """Return the loss with which `fit` would train, if the model answered `answers`.

        Raises:
            ProbeError: with what the loss, or Keras on turning class weights into sample weights, raised.
        """
        return self._loss(batch, batch.targets, answers)

    def loss_of_labels(self, batch: Batch, labels: Labels, answers: Floats) -> float:
        """Return the loss if the labels were `labels`, written as the batch's targets are."""
        return self._loss(batch, targets.written(labels, batch.raw, self._layout), answers)

    def step(self, batch: Batch) -> Step:
        """Train one step as `fit` would, metrics left out. Only inside `kept`.

        Raises:
            ProbeError: with what was raised.
        """
        try:
            return self._rehearsal.step(
                to_tensors(batch.images),
                to_tensors(batch.targets),
                to_tensors(self._sample_weights(batch, batch.targets)),
            )
        except Exception as error:
            raise ProbeError(said(error)) from error

    def units(self, batches: list[Batch]) -> list[LayerUnits]:
        """Return the dead and saturated share of every layer with a ReLU, sigmoid or tanh, last layer left out."""
        watched = Watched()
        for batch in batches:
            with kept_random(), without_gradients(), keras.StatelessScope(), recorded(self._model) as calls:
                self._model(to_tensors(batch.images), training=False)
            with without_gradients():
                watched.add(calls)
        return watched.units()

    def renew(self) -> bool:
        """Draw trainable weights anew and empty the optimizer; False where an initializer is not known."""
        return self._rehearsal.renew()

    def scale_rate(self, factor: float) -> None:
        """Multiply the learning rate as it was brought by `factor`. Inside `kept`."""
        self._rehearsal.scale_rate(factor)

    def kept(self) -> AbstractContextManager[None]:
        """Put everything back on leaving, bit for bit; see `rareseg.doors.keras.rehearsal`."""
        return self._rehearsal.kept()

    def _loss(self, batch: Batch, given: Any, answers: Floats) -> float:
        if getattr(self._model, "loss", None) is None and not self._model.compiled:
            message = "The model is not compiled, so it has no loss."
            raise ProbeError(message)
        try:
            with kept_random(), kept_loss(self._model), without_gradients():
                weights = to_tensors(self._sample_weights(batch, given))
                found = self._model.compute_loss(
                    x=to_tensors(batch.images),
                    y=to_tensors(given),
                    y_pred=to_tensors(self._layout.as_given(answers)),
                    sample_weight=weights,
                )
                return float(values_of(found))
        except Exception as error:
            raise ProbeError(said(error)) from error

    def _sample_weights(self, batch: Batch, given: Any) -> Any:
        return class_weights.sample_weights(
            to_numpy(given), self._class_weight, batch.weights, self._training.kind
        )

    def _look(self, first: Triple) -> tuple[tuple[int, ...], str | None]:
        """Return the shape of the output and the name of the last activation."""
        with without_gradients(), keras.StatelessScope(), recorded(self._model) as calls:
            output = _only(self._model(to_tensors(_one(first.images)), training=False))
        return tuple(int(side) for side in output.shape), last_activation(calls)

    def _read(self, source: Source, most: int) -> list[Batch]:
        found: list[Batch] = []
        pixels = 0
        with kept_random():
            for number in range(most):
                drawn = source.first(number + 1)
                if len(drawn) <= number or (pixels and pixels >= _MOST_PIXELS):
                    break
                found.append(self._batch(drawn[number]))
                pixels += math.prod(found[-1].pictures.shape[2:]) * found[-1].count
        return found

    def _batch(self, triple: Triple) -> Batch:
        if id(triple) not in self._batches:
            raw = to_numpy(keras.tree.flatten(triple.targets)[0])
            weights = None if triple.weights is None else to_numpy(keras.tree.flatten(triple.weights)[0])
            said = targets.read(raw, weights, self._layout, self._ignore)
            self._batches[id(triple)] = Batch(
                images=triple.images,
                targets=triple.targets,
                weights=triple.weights,
                labels=said.labels,
                several=said.several,
                raw=raw,
                pictures=_pictures(first_array(triple.images)),
            )
        return self._batches[id(triple)]

    def _described(self, batch: Batch, classes: tuple[str, ...], activation: str | None) -> Setup:
        model = self._model
        form: LabelForm = targets.form_of(batch.raw, self._layout)
        declared = class_weights.declared(self._class_weight, len(classes))
        own = describing.loss_config(model).get("class_weights")
        by = "class_weight" if declared else "loss.class_weights" if own else None
        optimizer = getattr(model, "optimizer", None)
        return Setup(
            framework="keras",
            loss_name=describing.loss_name(model),
            optimizer_name=describing.optimizer_name(model),
            learning_rate=None if optimizer is None else optimizers.learning_rate(optimizer),
            parameters=describing.parameters(model.weights),
            trainable_parameters=describing.parameters(model.trainable_variables),
            classes=classes,
            label_form="multi-hot" if batch.several is not None else form,
            ignore_index=self._ignore,
            declared_weights=declared or (tuple(own) if own else None),
            weighted_by=by,
            normalised=describing.normalised(model),
            precision=describing.precision(model),
            upsampling=describing.upsampling(model),
            versions=describing.versions(),
            trainable=bool(model.compiled and optimizer is not None and model.trainable_variables),
            last_activation=activation,
        )


def _first(source: Source) -> Triple:
    drawn = source.first(1)
    if not drawn:
        message = (
            "Expected at least one batch of data; there is none. Give data that are not empty or used up."
        )
        raise SettingError(message)
    return drawn[0]


def _one(images: Any) -> Any:
    return keras.tree.map_structure(lambda value: None if value is None else value[:1], images)


def _only(output: Any) -> Any:
    found = keras.tree.flatten(output)
    if len(found) != 1:
        message = (
            f"Expected a model with one output; received {len(found)}. "
            "Give keras.Model(model.inputs, model.outputs[0]), compiled with the loss of that output."
        )
        raise SettingError(message)
    return found[0]


def _pictures(images: NDArray[Any]) -> Floats:
    """Return (images, bands, rows, cols) of what the model is fed; a vector is a picture of one pixel."""
    values = images.astype(np.float32, copy=False)
    if values.ndim == 4:
        first = keras.config.image_data_format() == "channels_first"
        return values if first else np.moveaxis(values, 3, 1)
    if values.ndim == 3:
        return values[:, None]
    return values.reshape(len(values), -1, 1, 1)
