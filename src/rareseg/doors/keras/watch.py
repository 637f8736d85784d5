"""The collapse watch as a callback of `model.fit`.

    watch = CollapseWatch((x_val, y_val), ["background", "road"], stop=True)
    model.fit(x, y, callbacks=[watch])
    watch.verdict()

`fit` does not show callbacks what the network answers to its batches, so the callback asks it about pictures of its own
every so many batches, in inference mode; `rareseg.probing.watch` judges the answers.
"""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np

from rareseg.doors.keras import describing, targets
from rareseg.doors.keras.arrays import first_array, to_floats, to_numpy, to_tensors, without_gradients
from rareseg.doors.keras.layout import layout_of
from rareseg.errors import DataError, SettingError
from rareseg.probing.subject import VOID_LABEL
from rareseg.probing.watch import CollapseWatch as Watch
from rareseg.probing.watch import Notice
from rareseg.records.dataset import VOID

_LOG = logging.getLogger(__name__)


class CollapseWatch(keras.callbacks.Callback):  # type: ignore[misc]
    """Says early when a training of `fit` has died, and stops it if asked to."""

    def __init__(
        self,
        probe: tuple[Any, Any],
        classes: Sequence[str] | None = None,
        *,
        stop: bool = False,
        every: int = 50,
        patience: int = 3,
        ignore_index: int | None = None,
        activation: Literal["auto", "none", "softmax", "sigmoid"] = "auto",
    ) -> None:
        """Set up a watch.

        Args:
            probe: (images, targets) as the model is fed; some pictures that hold the rare class, best of validation
                data. A few are enough: they are answered every time.
            classes: Names in the order of the channels; of one channel that of class 1, alone or behind the rest.
            stop: Stop the training when it is lost.
            every: Batches between two looks.
            patience: Looks that a constant output must last until it is told.
            ignore_index: Label that does not count; None: what the loss says (`ignore_class`).
            activation: What the model's answers have been through; "auto" tells by their range and sums.

        Raises:
            DataError: if the probe is not (images, targets).
            SettingError: if a setting is out of its range.
        """
        super().__init__()
        if not isinstance(probe, tuple | list) or len(probe) < 2 or probe[1] is None:
            message = "Expected the probe as (images, targets); received " + type(probe).__name__ + "."
            raise DataError(message)
        if every < 1:
            message = f"Expected every to be at least 1; received {every}."
            raise SettingError(message)
        self._images, self._targets = probe[0], to_numpy(probe[1])
        self._every, self._stop, self._ignore = every, stop, ignore_index
        # Every look is a window of its own.
        self._watch = Watch(
            classes, every=1, patience=patience, activation=activation, channel_axis=1, stop=stop
        )
        self._notices: list[Notice] = []
        self._batches = 0

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Return all that was told so far, oldest first; steps are batches."""
        return tuple(self._notices)

    @property
    def history(self) -> dict[str, list[float | None]]:
        """Return one entry per look, as `rareseg.probing.watch` notes them; steps are batches."""
        found = self._watch.history
        found["step"] = [None if step is None else step * self._every for step in found["step"]]
        return found

    def verdict(self) -> Notice:
        """Return how the training stands by the last look."""
        return self._in_batches(self._watch.verdict())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the probe every so many batches."""
        self._batches += 1
        if self._batches % self._every == 0:
            self._look()

    def _look(self) -> None:
        # Reading the property brings JAX's variables up to date.
        model = self.model
        with without_gradients(), keras.StatelessScope():
            output = to_floats(keras.tree.flatten(model(to_tensors(self._images), training=False))[0])
        layout = layout_of(output.shape, first_array(self._images).shape)
        ignored = describing.loss_config(model).get("ignore_class") if self._ignore is None else self._ignore
        said = targets.read(self._targets, None, layout, ignored)
        labels = np.where(said.labels == VOID_LABEL, VOID, said.labels)[:, None]
        truth = labels if said.several is None else said.several[:, :, None].astype(np.uint8)
        notice = self._watch.update(layout.canonical(output)[:, :, None], truth)
        if notice is not None:
            self._tell(notice)

    def _tell(self, notice: Notice) -> None:
        told = self._in_batches(notice)
        self._notices.append(told)
        _LOG.warning("%s", told)
        if notice.stop and self._stop:
            self.model.stop_training = True

    def _in_batches(self, notice: Notice) -> Notice:
        return dataclasses.replace(notice, step=notice.step * self._every)
