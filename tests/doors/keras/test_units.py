"""Dead and saturated units, by layer, in nested and subclassed models too, the last layer left out."""

from typing import Any

import keras
import numpy as np
import pytest

from rareseg.doors.keras import subject_of_model

L = keras.layers
IMAGES = np.random.default_rng(0).random((4, 4, 4, 2)).astype(np.float32)
TARGETS = np.zeros((4, 4, 4), int)


def units(model: keras.Model) -> dict[str, tuple[int, float, float]]:
    subject = subject_of_model(model, (IMAGES, TARGETS))
    found = subject.units(subject.training_batches(4))
    return {layer.layer: (layer.units, layer.dead, layer.saturated) for layer in found}


def bias(*values: float) -> Any:
    return keras.initializers.Constant(np.array(values, np.float32))


def chain(*layers: Any) -> keras.Model:
    return keras.Sequential([keras.Input((4, 4, 2)), *layers])


def test_dead_and_saturated_units_are_counted() -> None:
    model = chain(
        L.Conv2D(4, 1, activation="relu", bias_initializer=bias(-99, 0.1, -99, 0.1), name="a"),
        L.Conv2D(2, 1, activation="tanh", bias_initializer=bias(50, 0), name="b"),
        L.Conv2D(4, 1, bias_initializer=bias(50, -50, 50, 0), name="plain"),
        L.Activation("sigmoid", name="c"),
        L.Conv2D(3, 1, activation="softmax", name="head"),
    )
    # A weight of 0 leaves the bias alone.
    kernel = model.get_layer("a").kernel
    kernel.assign(keras.ops.ones(kernel.shape))
    assert units(model) == {"a": (4, 0.5, 0.0), "b": (2, 0.0, 0.5), "c": (4, 0.0, 0.75)}


def test_activations_of_every_shape_are_found() -> None:
    inner = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            L.Dense(5, activation="relu", bias_initializer=bias(*[-99] * 5), name="deep"),
        ],
        name="inner",
    )
    inputs = keras.Input((4, 4, 2))
    x = keras.ops.relu(L.Conv2D(3, 1, name="bare")(inputs))
    x = inner(x)
    x = L.LeakyReLU(name="leaky")(L.Dense(2, name="bare too")(x))
    x = L.ReLU(negative_slope=0.1, name="leaks")(x)
    x = L.ReLU(name="layer")(x - 1000.0)
    outputs = L.Reshape((-1, 3))(L.Activation("sigmoid", name="end")(L.Conv2D(3, 1, name="head")(x)))
    model = keras.Model(inputs, outputs)
    found = units(model)
    assert found.pop("deep") == (5, 1.0, 0.0)
    assert found.pop("layer") == (2, 1.0, 0.0)
    assert found.pop("leaky") == found.pop("leaks") == (2, 0.0, 0.0)
    assert [count for count, _, _ in found.values()] == [3]
    assert "relu" in next(iter(found)).lower()
    assert subject_of_model(model, (IMAGES, TARGETS)).setup.last_activation == "sigmoid"


@pytest.mark.parametrize(
    ("layers", "wanted"),
    [
        ([L.Conv2D(3, 1, activation="softmax")], "softmax"),
        ([L.Conv2D(3, 1), L.Softmax()], "softmax"),
        ([L.Conv2D(3, 1, activation="relu"), L.Conv2D(3, 1)], "linear"),
        ([L.Conv2DTranspose(3, 2, activation="sigmoid"), L.Cropping2D(((0, 1), (0, 1)))], "sigmoid"),
        ([L.Conv2D(3, 1), L.Lambda(keras.ops.sigmoid)], None),
    ],
)
def test_the_last_activation_is_read_off(layers: list[Any], wanted: str | None) -> None:
    assert subject_of_model(chain(*layers), (IMAGES, TARGETS)).setup.last_activation == wanted


def test_a_unit_that_lives_on_one_batch_is_alive() -> None:
    model = chain(
        L.Conv2D(1, 1, activation="relu", kernel_initializer="ones", name="a"), L.Conv2D(3, 1, name="head")
    )
    subject = subject_of_model(model, [(-IMAGES, TARGETS), (IMAGES, TARGETS)])
    first, second = subject.training_batches(2)
    assert subject.units([first])[0].dead == 1
    assert subject.units([first, second])[0].dead == 0
    assert subject.units([second, first])[0].dead == 0
