"""Keras snippets of prescriptions run as they stand."""

import keras
import numpy as np
import pytest

from rareseg.causes import prescriptions

KERAS = [
    (name, one.code)
    for name, group in vars(prescriptions).items()
    if name.isupper() and isinstance(group, tuple)
    for one in group
    if one.framework == "keras"
]


def _model(channels=2, activation="softmax"):
    layers = [keras.layers.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, padding="same", activation="relu")]
    return keras.Sequential([*layers, keras.layers.Conv2D(channels, 1, activation=activation)])


def _names(name):
    random = np.random.default_rng(0)
    one_channel = name in ("THRESHOLD", "LONGER", "DRAW_RARE")
    model = _model(1, "sigmoid") if one_channel else _model()
    optimizer = keras.optimizers.Adam(1e-3)
    model.compile(optimizer=optimizer, loss="binary_crossentropy")
    x = random.normal(size=(8, 8, 8, 3)).astype("float32")
    y = (random.random((8, 8, 8)) < 0.2).astype("int32")
    y[0] = 0
    return {
        "keras": keras,
        "np": np,
        "model": model,
        "build_model": _model,
        "optimizer": keras.optimizers.Adam(1e-3),
        "loss": "binary_crossentropy",
        "learning_rate": 1e-2,
        "x": x,
        "y": y[..., None] if name == "NEAREST" else y,
        "x_val": x,
        "y_val": y,
        "masks": y * 255,
        "epochs": 1,
        "size": (4, 4),
        "rare": 1,
        "weights": [1.0, 5.0],
        "class_pixels": np.array([900.0, 100.0]),
        "features": keras.KerasTensor((None, 8, 8, 4)),
    }


@pytest.mark.parametrize(("name", "code"), KERAS, ids=[name for name, _ in KERAS])
def test_keras_snippet_runs(name, code):
    kept = keras.config.dtype_policy()
    try:
        exec(code, _names(name))  # noqa: S102
    finally:
        keras.config.set_dtype_policy(kept)
