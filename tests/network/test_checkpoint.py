import pytest
import torch
from torch import nn

from rareseg.errors import WeightsError
from rareseg.network.checkpoint import averaged, load_tensors, load_weights, save_tensors


def test_tensors_go_to_disk_and_back(tmp_path):
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.tensor(3)}
    save_tensors(tmp_path / "x.safetensors", tensors)
    found = load_tensors(tmp_path / "x.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    save_tensors(path, {"a": torch.zeros(2)})
    monkeypatch.setattr("rareseg.network.checkpoint.save_file", _full_disk)
    with pytest.raises(OSError, match="no space"):
        save_tensors(path, {"a": torch.ones(2)})
    assert torch.equal(load_tensors(path)["a"], torch.zeros(2))


def _full_disk(*_args: object) -> None:
    message = "no space left"
    raise OSError(message)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        WeightsError, match=r"best\.safetensors: expected a safetensors file, but there is none"
    ):
        load_tensors(tmp_path / "best.safetensors")


@pytest.mark.parametrize("content", [b"", b"not tensors", b"\x80\x04\x95pickle"])
def test_a_file_that_is_not_safetensors_is_refused(tmp_path, content):
    path = tmp_path / "evil.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read"):
        load_tensors(path)


def test_weights_that_do_not_fit_are_named():
    model = nn.Linear(3, 2)
    with pytest.raises(WeightsError, match="missing: bias; unexpected: other; other shape: weight is"):
        load_weights(model, {"weight": torch.zeros(2, 4), "other": torch.zeros(1)}, "here")


def test_the_average_follows_its_formula_and_copies_integers():
    model = nn.BatchNorm1d(1)
    average = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model.weight.fill_(2.0)
        model.num_batches_tracked.fill_(5)
    averaged(average, model, decay=0.9, step=1)
    # d = min(0.9, 2 / 11): 1 d + 2 (1 - d)
    torch.testing.assert_close(average["weight"], torch.tensor([2 - 2 / 11]))
    assert int(average["num_batches_tracked"]) == 5
    averaged(average, model, decay=0.9, step=1_000_000)
    torch.testing.assert_close(average["weight"], torch.tensor([0.9 * (2 - 2 / 11) + 0.1 * 2]))
