"""Keras on PyTorch unless KERAS_BACKEND says otherwise; `test_backends.py` runs this folder again on JAX."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytest.importorskip("keras")

import keras

HERE = Path(__file__).parent
Arrays = tuple[np.ndarray, np.ndarray]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            # Keras 3.15 copies tensors in a way that NumPy 2.4 is about to give up.
            item.add_marker(pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"))
            # Its MeanIoU asks JAX for int64.
            item.add_marker(pytest.mark.filterwarnings("ignore:Explicitly requested dtype:UserWarning"))


def small_model(channels: int = 3, last: str | None = None, **changes: Any) -> keras.Model:
    """Return a model with everything that training changes: statistics, a random state, several layers."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(inputs)
    x = keras.layers.BatchNormalization(name="normal")(x)
    x = keras.layers.Dropout(0.3, name="drop")(x)
    x = keras.layers.Conv2D(4, 1, activation="tanh", name="second")(x)
    outputs = keras.layers.Conv2D(channels, 1, activation=last, name="head")(x)
    model = keras.Model(inputs, outputs)
    single = keras.losses.BinaryCrossentropy(from_logits=last is None)
    many = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    given: dict[str, Any] = {
        "optimizer": keras.optimizers.Adam(0.01),
        "loss": single if channels == 1 else many,
    }
    model.compile(**given | changes)
    return model


@pytest.fixture(autouse=True)
def seeded() -> None:
    keras.utils.set_random_seed(3)


@pytest.fixture
def make() -> Callable[..., keras.Model]:
    return small_model


@pytest.fixture
def maps() -> Arrays:
    """Return images and class indices of 3 classes, (6, 8, 8)."""
    random = np.random.default_rng(0)
    images = random.random((6, 8, 8, 3)).astype(np.float32)
    return images, (images[..., 0] * 3).astype(np.int64)


@pytest.fixture
def same() -> Callable[[Any, Any], None]:
    """Return what raises unless two structures of arrays hold the same bits."""

    def check(found: Any, wanted: Any) -> None:
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes()

    return check
