"""The callback tells a dead training from one that learns, in batches, and stops it only if asked to."""

import logging
from typing import Any

import keras
import numpy as np
import pytest

from rareseg.doors.keras import CollapseWatch
from rareseg.doors.keras.arrays import values_of
from rareseg.errors import DataError, SettingError

L = keras.layers
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((32, 16, 16, 2)).astype(np.float32)
LABELS = (IMAGES[..., 0] > 0.8).astype(int)
CROSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def model(*, channels: int = 2, row: bool = False) -> keras.Model:
    head = [L.Reshape((-1, channels))] if row else []
    found = keras.Sequential([keras.Input((16, 16, 2)), L.Conv2D(channels, 1), *head])
    loss = CROSS if channels > 1 else keras.losses.BinaryCrossentropy(from_logits=True)
    found.compile(keras.optimizers.Adam(0.2), loss)
    return found


def fit(given: keras.Model, watch: Any, epochs: int, labels: np.ndarray = LABELS) -> int:
    history = given.fit(IMAGES, labels, batch_size=8, epochs=epochs, verbose=0, callbacks=[watch])
    return len(history.epoch)


@pytest.mark.parametrize("stop", [True, False])
def test_a_constant_output_is_told_and_stopped(stop: bool, caplog: pytest.LogCaptureFixture) -> None:
    given = constant()
    watch = CollapseWatch((IMAGES[:4], LABELS[:4]), ["background", "road"], stop=stop, every=2, patience=3)
    with caplog.at_level(logging.WARNING):
        epochs = fit(given, watch, 4)
    assert watch.notices[0].state == "constant output"
    assert watch.notices[0].step == 6
    assert watch.notices[0].stop is stop
    assert "road" in caplog.text
    assert epochs == (2 if stop else 4)
    assert watch.verdict().state == "constant output"


def constant() -> keras.Model:
    """Return a model whose bias alone learns: the same answer everywhere."""
    found = keras.Sequential([keras.Input((16, 16, 2)), L.ReLU(), L.Rescaling(0.0), L.Conv2D(2, 1)])
    found.compile(keras.optimizers.SGD(0.01), CROSS)
    return found


@pytest.mark.parametrize("row", [False, True], ids=["maps", "in a row"])
def test_a_training_that_learns_is_left_alone(row: bool) -> None:
    labels = LABELS.reshape(32, -1) if row else LABELS
    watch = CollapseWatch((IMAGES[:4], labels[:4]), stop=True, every=4)
    assert fit(model(row=row), watch, 10, labels) == 10
    assert watch.verdict().state == "healthy"
    assert watch.verdict().step == 40
    assert watch.notices == ()
    assert watch.history["step"] == [4.0 * (look + 1) for look in range(10)]


def test_one_channel_and_ignored_labels() -> None:
    holes = LABELS.copy()
    holes[:, :2] = 255
    watch = CollapseWatch((IMAGES[:4], holes[:4, ..., None]), ["road"], every=4, ignore_index=255)
    fit(model(channels=1), watch, 10)
    assert watch.verdict().state == "healthy"


def test_the_training_is_as_without_it(same: Any) -> None:
    ends = []
    for watched in (False, True):
        keras.utils.set_random_seed(2)
        given = keras.Sequential(
            [keras.Input((16, 16, 2)), L.BatchNormalization(), L.Dropout(0.2), L.Conv2D(2, 1)]
        )
        given.compile(keras.optimizers.Adam(0.01), CROSS)
        callbacks = [CollapseWatch((IMAGES[:4], LABELS[:4]), every=1)] if watched else []
        given.fit(IMAGES, LABELS, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)
        ends.append([np.array(values_of(variable)) for variable in given.variables])
    same(ends[1], ends[0])


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(DataError, match="images, targets"):
        CollapseWatch(IMAGES)
    with pytest.raises(SettingError, match="every"):
        CollapseWatch((IMAGES, LABELS), every=0)
    with pytest.raises(SettingError, match="patience"):
        CollapseWatch((IMAGES, LABELS), patience=0)
