"""A run taken from disk: only its own records and weights, and nothing that could run code."""

import pickle
import shutil

import pytest
import torch
from msgspec.structs import replace

from rareseg.errors import RecordError, StaleRecordError, WeightsError
from rareseg.network import trained
from rareseg.network.checkpoint import load_tensors
from rareseg.network.trained import load_run
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.plan import ModelChoice, Plan


@pytest.fixture
def run(roads_run, tmp_path):
    return shutil.copytree(roads_run, tmp_path / "run")


def test_a_run_is_loaded_with_its_best_weights(run):
    found = load_run(run)
    best = load_tensors(run / "best.safetensors")
    assert all(torch.equal(value.cpu(), best[name]) for name, value in found.model.state_dict().items())
    assert found.plan.classes == found.audit.dataset.classes


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(
        RecordError, match=r"expected the folder of a run .*run\.json is missing.* rareseg train"
    ):
        load_run(tmp_path)


@pytest.mark.parametrize(("name", "kind"), [("plan.json", Plan), ("audit.json", Audit)])
def test_records_changed_after_the_training_are_refused(run, name, kind):
    record = codec.read(run / name, kind)
    changed = replace(record, seed=5) if kind is Plan else replace(record, notes=("other",))
    codec.write(run / name, changed, overwrite=True)
    with pytest.raises(StaleRecordError, match=r"plan\.json or audit\.json was changed after the training"):
        load_run(run)


@pytest.mark.parametrize("name", ["plan.json", "audit.json"])
def test_missing_records_are_named(run, name):
    (run / name).unlink()
    with pytest.raises(RecordError, match=f"{name}: expected a"):
        load_run(run)


def test_missing_weights_are_named(run):
    (run / "best.safetensors").unlink()
    with pytest.raises(
        WeightsError, match=r"best\.safetensors: expected a safetensors file, but there is none"
    ):
        load_run(run)


class Evil:
    """A pickle that leaves a mark when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("write", [pickle.dump, torch.save])
def test_pickled_weights_are_refused_and_never_run(run, tmp_path, write):
    mark = tmp_path / "mark"
    with (run / "best.safetensors").open("wb") as stream:
        write(Evil(mark), stream)
    with pytest.raises(WeightsError, match="cannot be read"):
        load_run(run)
    assert not mark.exists()


def test_weights_of_another_network_are_refused(run, land_run):
    shutil.copy(land_run / "best.safetensors", run / "best.safetensors")
    with pytest.raises(WeightsError, match="does not fit the network: other shape: head"):
        load_run(run)


def test_a_run_needs_no_download_and_no_weights_file(plan):
    choice = ModelChoice(
        name="smp:unet", encoder="resnet18", pretrained=True, encoder_weights="gone.safetensors",
        because="", reference="",
    )  # fmt: skip
    found = trained._without_downloads(replace(plan, model=choice)).model
    assert found.pretrained is False and found.encoder_weights is None
    assert trained._without_downloads(plan) is plan
