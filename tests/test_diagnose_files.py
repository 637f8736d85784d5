"""The verb `diagnose` on files: what is inferred is stated, may be told, and is refused plainly where it cannot fit."""

import warnings

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import rareseg
from rareseg.errors import DataError, RaresegError, SettingError


class Scaled(nn.Module):
    """The redness of photos of 0..1 as logits; channels last if asked for."""

    def __init__(self, bands=3, classes=2, *, last=False):
        super().__init__()
        self.last = last
        self.head = nn.Conv2d(bands, classes, 1)

    def forward(self, images):
        given = images.movedim(-1, 1) if self.last else images
        found = self.head(given)
        return found.movedim(1, -1) if self.last else found


class SmallOnly(nn.Module):
    """Runs on crops of 64 px and not on whole images."""

    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(3, 2, 1)

    def forward(self, images):
        return self.head(images).reshape(1, 2, 64, 64)


def saved(module, path, shape=(1, 3, 64, 64), *, export=False):
    torch.manual_seed(0)
    images = torch.rand(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if export:
            torch.export.save(torch.export.export(module.eval(), (images,)), path)
        else:
            torch.jit.save(torch.jit.trace(module.eval(), images), str(path))
    return path


def maps_of(roads, folder, change, suffix=".png"):
    folder.mkdir()
    for mask in sorted((roads / "masks").iterdir()):
        truth = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 127
        if suffix == ".npy":
            np.save(folder / f"{mask.stem}.npy", change(truth))
        else:
            cv2.imwrite(str(folder / f"{mask.stem}.png"), change(truth))
    return folder


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (Scaled(4), (1, 4, 64, 64), r"takes images of 4 bands, and the photos .* have 3\. Bring the photos"),
        (
            Scaled(3, 5),
            (1, 3, 64, 64),
            r"answers with 5 channels .* 2 classes: background, \w+\. Bring a model",
        ),
        (Scaled(4, 5), (1, 4, 64, 64), r"images of 4 bands.*5 channels"),
        (
            nn.Sequential(Scaled(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            (1, 3, 64, 64),
            r"shape \(1, 2\) .* no map.*answers for every pixel",
        ),
    ],
)
def test_a_model_of_other_classes_or_bands_says_what_it_takes_and_gives(
    roads, tmp_path, module, shape, message
):
    with pytest.raises(DataError, match=message):
        rareseg.diagnose(roads, model=saved(module, tmp_path / "model.pt", shape), quick=True)


def test_one_channel_for_three_classes_is_refused(land, tmp_path):
    with pytest.raises(
        DataError, match="one channel, a yes or no, for each pixel, and the data have 3 classes"
    ):
        rareseg.diagnose(land, model=saved(Scaled(3, 1), tmp_path / "model.pt"), quick=True)


def test_how_a_model_is_fed_is_stated_and_may_be_told(roads, tmp_path):
    path = saved(Scaled(), tmp_path / "model.pt")
    found = rareseg.diagnose(roads, model=path, quick=True).evidence
    assert "ways of feeding were tried" in found.assumed[0]
    assert "last layer is read as logits, taken through softmax" in found.assumed[0]
    assert not [note for note in found.notes if "fed" in note]
    told = {"layout": "nchw", "scale": "signed", "reversed_bands": True, "activation": "sigmoid"}
    found = rareseg.diagnose(roads, model=path, quick=True, **told).evidence
    assert "As said: -1 to 1, bands reversed, NCHW" in found.assumed[0]
    assert "last layer is read as sigmoid, already applied" in found.assumed[0]


def test_channels_last_are_found_out_and_a_wrong_layout_is_said(roads, tmp_path):
    path = saved(Scaled(last=True), tmp_path / "model.pt", (1, 64, 64, 3))
    assert "NHWC" in rareseg.diagnose(roads, model=path, quick=True).evidence.assumed[0]
    with pytest.raises(DataError, match="does not run with the layout nchw, and does with nhwc"):
        rareseg.diagnose(roads, model=path, quick=True, layout="nchw")


def test_a_network_exported_for_one_size_is_given_that_size(roads, tmp_path):
    for side in (64, 128):  # smaller and larger than the photos of 96 px
        path = saved(Scaled(), tmp_path / f"{side}.pt2", (1, 3, side, side), export=True)
        found = rareseg.diagnose(roads, model=path, quick=True).evidence.answers
        assert found.pixels <= found.images * min(side, 96) ** 2


def test_a_network_that_raises_is_an_error_in_words(roads, tmp_path):
    with pytest.raises(RaresegError, match="reshape|shape"):
        rareseg.diagnose(roads, model=saved(SmallOnly(), tmp_path / "model.pt"), quick=True)


def test_a_run_knows_how_it_is_fed(roads, roads_run):
    found = rareseg.diagnose(roads, model=roads_run, quick=True).evidence
    assert "is a rareseg run: photos are given as stored" in found.assumed[0]
    with pytest.raises(SettingError, match="knows how it is fed"):
        rareseg.diagnose(roads, model=roads_run, scale="unit", quick=True)


def test_a_runs_classes_of_other_names_are_said(roads, roads_run, tmp_path):
    described = tmp_path / "data.toml"
    classes = "".join(
        f'[[classes]]\nname = "{name}"\nvalues = [{value}]\n'
        for name, value in (("ground", 0), ("river", 255))
    )
    described.write_text(f'images = "{roads}/images"\nmasks = "{roads}/masks"\n{classes}')
    found = rareseg.diagnose(described, model=roads_run, quick=True).evidence
    assert any("are taken for ground, river of the data" in one for one in found.assumed), found.assumed


def test_how_predictions_are_read_is_assumed_and_what_is_missing_is_not_measured(roads, tmp_path):
    folder = maps_of(roads, tmp_path / "maps", lambda truth: truth.astype(np.uint8))
    next(folder.iterdir()).unlink()
    found = rareseg.diagnose(roads, predictions=folder, quick=True).evidence
    assert found.assumed == ("Predictions are read as class maps: class ids 0 to 1.",)
    assert any("have no prediction" in note for note in found.notes)
    assert not any("read as" in note.lower() for note in found.notes)


def test_what_predictions_hold_may_be_told(roads, tmp_path):
    # 0..200 for 0..1; without being told, 255 is taken for certain.
    folder = maps_of(roads, tmp_path / "maps", lambda truth: np.where(truth, 120, 40).astype(np.uint8))
    found = rareseg.diagnose(roads, predictions=folder, kind="probabilities", scale=200, quick=True).evidence
    assert "200 being certain" in found.assumed[0]
    assert found.answers.classes[1].mean_probability == pytest.approx(
        0.2 + 0.4 * found.answers.classes[1].prevalence, abs=0.01
    )


@pytest.mark.parametrize("channels", [(1, 0), ("1", "0"), None])
def test_the_order_of_channels_may_be_told(roads, tmp_path, channels):
    def both(truth):
        return np.stack([truth, ~truth]).astype(np.float32) * 0.8 + 0.1

    folder = maps_of(roads, tmp_path / "maps", both, ".npy")
    found = rareseg.diagnose(roads, predictions=folder, channels=channels, quick=True).evidence
    assert (found.answers.accuracy > 0.99) == (channels is not None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"predictions": "p", "layout": "nchw"}, "layout: expected model beside"),
        ({"model": "m", "kind": "classes"}, "kind: expected predictions beside"),
        ({"scale": "unit"}, "scale: expected predictions or model beside"),
        ({"predictions": "p", "kind": "ids"}, "kind: expected one of classes, probabilities, logits"),
        ({"predictions": "p", "scale": "unit"}, "scale: expected the value that predictions store"),
        ({"predictions": "p", "scale": -1}, "scale: expected the value that predictions store"),
        ({"model": "m", "scale": 255}, "scale: expected one of unit, imagenet"),
        ({"model": "m", "layout": "chw"}, "layout: expected one of nchw, nhwc"),
        ({"model": "m", "activation": "relu"}, "activation: expected one of none, sigmoid"),
    ],
)
def test_settings_that_do_not_belong_are_refused(roads, given, message):
    with pytest.raises(SettingError, match=message):
        rareseg.diagnose(roads, quick=True, **given)


def test_channels_of_no_class_are_refused(roads, tmp_path):
    folder = maps_of(roads, tmp_path / "maps", lambda truth: truth.astype(np.uint8))
    with pytest.raises(SettingError, match="channels: expected the class of each channel.*received lake"):
        rareseg.diagnose(roads, predictions=folder, channels=["lake"], quick=True)


def test_black_maps_are_no_more_than_a_reading_of_right_ones(roads, tmp_path):
    folder = maps_of(roads, tmp_path / "maps", lambda truth: truth.astype(np.uint8))
    [found] = rareseg.diagnose(roads, predictions=folder, quick=True).findings
    assert found.cause == "display_only"
    assert found.because.startswith("If the maps look black: they are right")
    assert 0.5 <= found.confidence < 0.7
