"""`rareseg diagnose`: every setting of files has its option, and errors say what to type."""

import inspect
import json

import cv2
import numpy as np
import pytest

import rareseg
from rareseg.cli import main
from rareseg.verbs import diagnose

SETTINGS = ("kind", "scale", "channels", "layout", "reversed_bands", "activation")


def test_settings_have_the_names_that_they_have_in_python():
    options = {option.name for option in main.commands["diagnose"].params}
    assert set(SETTINGS) <= options
    assert set(SETTINGS) <= set(inspect.signature(diagnose).parameters)


def test_settings_are_handed_on(run_cli, monkeypatch):
    given = {}

    def taken(_data, **others):
        given.update(others)
        message = "seen"
        raise rareseg.errors.SettingError(message)

    monkeypatch.setattr("rareseg.verbs.diagnose", taken)
    run_cli(
        "diagnose", "DATA", "--model", "m.onnx", "--layout", "NHWC", "--scale", "imagenet", "--reversed-bands",
        "--activation", "sigmoid",
    )  # fmt: skip
    told = {name: given[name] for name in SETTINGS}
    expected = {
        "kind": None,
        "channels": None,
        "layout": "nhwc",
        "scale": "imagenet",
        "activation": "sigmoid",
    }
    assert told == expected | {"reversed_bands": True}
    run_cli("diagnose", "DATA", "--predictions", "p", "--kind", "logits", "--channels", "road, 0")
    assert (given["kind"], given["channels"], given["reversed_bands"]) == ("logits", ["road", "0"], None)


def test_predictions_that_cannot_be_read_name_the_options(run_cli, roads, tmp_path):
    for mask in (roads / "masks").iterdir():
        strange = np.random.default_rng(0).integers(0, 255, (96, 96, 4)).astype(np.float32) * 7 - 900
        (tmp_path / "p").mkdir(exist_ok=True)
        np.save(tmp_path / "p" / f"{mask.stem}.npy", strange)
    result = run_cli("diagnose", roads, "--predictions", tmp_path / "p", "--quick")
    assert result.exit_code != 0
    assert "--kind, --scale, --channels" in result.stderr


def test_scale_is_a_number_for_predictions(run_cli, roads, tmp_path):
    (tmp_path / "p").mkdir()
    for mask in (roads / "masks").iterdir():
        truth = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 127
        cv2.imwrite(str(tmp_path / "p" / mask.name), np.where(truth, 180, 20).astype(np.uint8))
    result = run_cli(
        "diagnose", roads, "--predictions", tmp_path / "p", "--kind", "probabilities", "--scale", "200", "--json",
        "--quick",
    )  # fmt: skip
    assert "200 being certain" in json.loads(result.stdout)["evidence"]["assumed"][0]


@pytest.mark.parametrize("name", ["deep/er/d.json", "deep/er/d.html"])
def test_folders_of_the_output_are_made_as_by_the_other_commands(run_cli, roads, tmp_path, name):
    assert run_cli("diagnose", roads, "--quick", "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / name).is_file()
    assert run_cli("audit", roads, "-o", tmp_path / "also" / "a.json").exit_code == 0
    assert (tmp_path / "also" / "a.json").is_file()
