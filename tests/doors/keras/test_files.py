"""Opening `.keras` files: right answers in the canonical layout, and no code from a file is run."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from rareseg.doors.keras import CrossEntropy, open_model_file
from rareseg.doors.keras.arrays import values_of
from rareseg.errors import WeightsError

L = keras.layers
IMAGES = np.random.default_rng(0).random((2, 3, 4, 6)).astype(np.float32)
LAST = np.moveaxis(IMAGES, 1, -1)


def saved(folder: Path, model: keras.Model) -> Path:
    model.save(folder / "model.keras")
    return folder / "model.keras"


def test_answers_come_with_the_channels_first(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(5, 3, padding="same"), L.Dropout(0.5)])
    model.compile("adam", CrossEntropy())
    found = open_model_file(saved(tmp_path, model))(IMAGES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.moveaxis(values_of(model(LAST)), -1, 1), atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_pixels_in_a_row_are_put_back_in_place(tmp_path: Path, stride: int) -> None:
    maps = L.Conv2D(2, 1, strides=stride)
    inputs = keras.Input((4, 6, 3))
    model = keras.Model(inputs, L.Reshape((-1, 2))(maps(inputs)))
    found = open_model_file(saved(tmp_path, model))(IMAGES)
    np.testing.assert_allclose(found, np.moveaxis(values_of(maps(LAST)), -1, 1), atol=1e-5)


def test_a_model_with_its_bands_first_is_fed_so(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((3, 4, 6)), L.Permute((2, 3, 1)), L.Conv2D(2, 1), L.Permute((3, 1, 2))]
    )
    found = open_model_file(saved(tmp_path, model))(IMAGES)
    np.testing.assert_allclose(found, values_of(model(IMAGES)), atol=1e-5)


def test_a_lambda_layer_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4, 6, 3)), L.Lambda(lambda x: x * 2)])
    with pytest.raises(WeightsError, match="Lambda layer, that is Python code"):
        open_model_file(saved(tmp_path, model))


@pytest.mark.parametrize(
    "evil",
    [
        {"module": "os", "class_name": "system", "config": {}, "registered_name": None},
        {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
        {"class_name": "__lambda__", "config": {"value": "abc"}},
        {"module": "kerasevil.layers", "class_name": "Dense", "config": {}},
    ],
)
def test_what_could_run_is_refused_before_keras_sees_it(
    tmp_path: Path, evil: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, keras.Sequential([keras.Input((4, 6, 3)), L.Conv2D(2, 1)]))
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"].append(
        {"class_name": "Dense", "module": "keras.layers", "config": {"x": [evil]}}
    )
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)

    def opened(*_: Any, **__: Any) -> None:
        pytest.fail("the file was opened")

    monkeypatch.setattr(keras.saving, "load_model", opened)
    with pytest.raises(WeightsError, match="Python code|not part of Keras|only Keras's own"):
        open_model_file(path)


@keras.saving.register_keras_serializable(package="tests")
class Twice(keras.layers.Layer):
    """A layer that this process knows."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2


def test_a_registered_layer_is_opened(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4, 6, 3)), Twice()])
    np.testing.assert_allclose(open_model_file(saved(tmp_path, model))(IMAGES), IMAGES * 2)


def test_other_files_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="byte code"):
        open_model_file(tmp_path / "model.h5")
    with pytest.raises(WeightsError, match="there is no file"):
        open_model_file(tmp_path / "model.keras")
    text = tmp_path / "text.keras"
    text.write_text("no model")
    with pytest.raises(WeightsError, match=r"as model.save"):
        open_model_file(text)
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("other", "x")
    with pytest.raises(WeightsError, match=r"config\.json"):
        open_model_file(text)
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr(
            "config.json", json.dumps({"class_name": "Nothing", "module": "keras.layers", "config": {}})
        )
    with pytest.raises(WeightsError, match=keras.__version__):
        open_model_file(text)


def test_an_answer_that_is_no_map_is_said(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4, 6, 3)), L.Flatten(), L.Dense(2)])
    answer = open_model_file(saved(tmp_path, model))
    with pytest.raises(WeightsError, match="classifies every pixel"):
        answer(IMAGES)
