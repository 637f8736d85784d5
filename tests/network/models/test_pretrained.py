import builtins
import pickle
from importlib import import_module
from pathlib import Path

import pytest
import torch
from huggingface_hub import errors
from safetensors.torch import save_file

from rareseg.errors import MissingPackageError, WeightsError
from rareseg.network.models import pretrained
from rareseg.network.models.pretrained import fetch, optional_package, read_weights


class Bomb:
    """A pickle that shows it was opened."""

    def __reduce__(self):
        return (builtins.exec, ("raise SystemExit('a pickle was opened')",))


def test_reads_what_was_written(tmp_path):
    save_file({"weight": torch.ones(3)}, tmp_path / "weights.safetensors")
    assert read_weights(tmp_path / "weights.safetensors")["weight"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["weights.pth", "weights.bin", "weights.pt", "weights"])
def test_other_formats_are_never_opened(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(
        WeightsError, match=f"{name}: expected encoder weights as a .safetensors file.*run code"
    ):
        read_weights(tmp_path / name)


def test_pickle_in_disguise_is_not_opened(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(WeightsError, match="weights.safetensors: expected a safetensors file, but"):
        read_weights(tmp_path / "weights.safetensors")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="nowhere.safetensors: expected .* but there is no such file"):
        read_weights(tmp_path / "nowhere.safetensors")


class Hub:
    """Stands for huggingface_hub: its errors, and a download that ends as told."""

    errors = errors

    def __init__(self, outcome):
        self.outcome, self.asked = outcome, None

    def hf_hub_download(self, repository, *, filename, revision):
        self.asked = (repository, filename, revision)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def bare(kind):
    """An error of the hub's client, without the HTTP response that it is made from."""
    return kind.__new__(kind)


def test_hub_is_asked_for_safetensors_only(monkeypatch):
    hub = Hub("/cache/model.safetensors")
    monkeypatch.setattr(pretrained, "optional_package", lambda name: hub)
    assert fetch("smp-hub/vgg16.imagenet", "abc") == Path("/cache/model.safetensors")
    assert hub.asked == ("smp-hub/vgg16.imagenet", "model.safetensors", "abc")


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (
            errors.LocalEntryNotFoundError("offline"),
            "Cannot reach huggingface.co for the pretrained weights some/repo",
        ),
        (errors.OfflineModeIsEnabled("offline"), "Cannot reach huggingface.co"),
        (
            errors.EntryNotFoundError("none"),
            "No pretrained weights of some/repo are published as model.safetensors",
        ),
        (bare(errors.RepositoryNotFoundError), "No pretrained weights of some/repo"),
        (bare(errors.HfHubHTTPError), "Cannot fetch the pretrained weights some/repo"),
        (OSError("disk full"), "Cannot fetch the pretrained weights some/repo .*disk full"),
    ],
)
def test_hub_failures_say_how_to_go_on(monkeypatch, outcome, message):
    monkeypatch.setattr(pretrained, "optional_package", lambda name: Hub(outcome))
    go_on = (
        r"--encoder-weights FILE \(model.encoder_weights\).*train from scratch with model.pretrained=false"
    )
    with pytest.raises(WeightsError, match=f"{message}.*{go_on}"):
        fetch("some/repo", None)


def test_missing_package_gives_the_install_line(monkeypatch):
    def without(name):
        if name == "segmentation_models_pytorch":
            raise ModuleNotFoundError(name)
        return import_module(name)

    monkeypatch.setattr(pretrained, "import_module", without)
    message = r'segmentation_models_pytorch is needed .* pip install "rareseg\[smp\]"'
    with pytest.raises(MissingPackageError, match=message):
        optional_package("segmentation_models_pytorch")
