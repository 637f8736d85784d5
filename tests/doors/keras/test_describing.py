"""What is read off a model: its loss, its precision, its transposed convolutions."""

import keras
import numpy as np
import pytest

from rareseg.doors.keras import Dice, describing

L = keras.layers


def built(*layers: keras.layers.Layer, channels: int = 4) -> keras.Model:
    return keras.Sequential([keras.Input((4, 4, channels)), *layers])


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("mse", "mse"),
        (keras.losses.BinaryCrossentropy(from_logits=True), "BinaryCrossentropy(from_logits=True)"),
        (
            keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
            "CategoricalCrossentropy(label_smoothing=0.1)",
        ),
        (keras.losses.mean_squared_error, "mean_squared_error"),
        ([Dice(ignore_class=9)], "Dice(ignore_class=9)"),
    ],
)
def test_the_loss_has_a_name_that_says_what_it_wants(loss: object, name: str) -> None:
    model = built(L.Conv2D(2, 1))
    model.compile("sgd", loss)
    assert describing.loss_name(model) == name


def test_transposed_convolutions_that_leave_a_checkerboard_or_learn_interpolation() -> None:
    odd, large = (
        L.Conv2DTranspose(2, 3, strides=2, name="odd"),
        L.Conv2DTranspose(3, 32, strides=16, name="large"),
    )
    fine = L.Conv2DTranspose(2, 4, strides=2, name="fine")
    model = built(fine, odd, L.Conv2D(512, 1), large)
    first, second = describing.upsampling(model)
    assert first.startswith("odd: its kernel of 3x3 is no multiple of its stride 2")
    assert second.startswith(
        "large: its kernel of 32x32 on stride 16 starts from random weights and learns 1.6 M"
    )
    assert "bilinear interpolation" in second
    side = 1 - np.abs(np.linspace(-1, 1, 34)[1:-1])
    kernel = np.zeros(large.kernel.shape, np.float32)
    kernel[:, :, np.arange(3), np.arange(3)] = np.outer(side, side)[..., None]
    large.kernel.assign(kernel)
    assert describing.upsampling(model) == (first,)


def test_precision_and_normalisation() -> None:
    assert describing.precision(built(L.Conv2D(2, 1))) == "fp32"
    assert describing.precision(built(L.Conv2D(2, 1, dtype="mixed_bfloat16"))) == "bf16"
    assert not describing.normalised(built(L.GroupNormalization(2)))
    assert describing.normalised(built(built(L.BatchNormalization())))


def test_versions_name_the_backend() -> None:
    versions = describing.versions()
    assert versions["keras"] == keras.__version__
    assert f"{keras.backend.backend()} (backend)" in versions
    assert "unknown" not in versions.values()
