"""What the machine is said to be, and the Fabric that runs on it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from rareseg.network import hardware
from rareseg.records.plan import PrecisionChoice


def test_the_machine_is_described():
    found = hardware.describe()
    assert found.cores == torch.get_num_threads()
    assert found.memory_bytes > 2**20
    assert found.accelerator in ("cpu", "cuda", "mps")


def test_memory_that_cannot_be_read_is_guessed(monkeypatch):
    def refuse(_self, *_args, **_kwargs):
        message = "no /proc"
        raise OSError(message)

    monkeypatch.setattr(Path, "read_text", refuse)
    assert hardware.describe().memory_bytes == 4 * 2**30


@pytest.mark.parametrize("name", ["32-true", "bf16-mixed"])
def test_networks_answer_in_full_precision_on_the_fabrics_device(name, capfd):
    precision = PrecisionChoice(name=name, channels_last=False, because="", reference="")
    fabric = hardware.fabric(precision)
    model = hardware.to_device(nn.Conv2d(3, 2, 1), precision)
    assert next(model.parameters()).device == fabric.device
    wrapped = fabric.setup_module(model)
    assert wrapped(torch.zeros(1, 3, 4, 4, device=fabric.device)).dtype == torch.float32
    assert capfd.readouterr().err == ""
