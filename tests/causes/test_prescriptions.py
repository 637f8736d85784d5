"""What is prescribed runs: snippets in their own framework, and the settings that commands name exist."""

import shlex

import numpy as np
import pytest
import torch

import rareseg
from rareseg.causes import prescriptions
from rareseg.causes.catalogue import CAUSES

GROUPS = {
    name: value for name, value in vars(prescriptions).items() if name.isupper() and isinstance(value, tuple)
}
TORCH = [(name, one.code) for name, group in GROUPS.items() for one in group if one.framework == "torch"]
COMMANDS = sorted(
    {one.code for cause in CAUSES for one in cause.code if one.framework == "rareseg"}
    | {"rareseg audit DATA"}
)


def _network():
    body = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    return torch.nn.Sequential(body, torch.nn.Conv2d(4, 2, 1))


class Headed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Conv2d(3, 4, 1), torch.nn.Conv2d(4, 2, 1)

    def forward(self, images):
        return self.head(self.body(images))


def _names():
    model = _network()
    images, labels = torch.randn(2, 3, 8, 8), torch.randint(0, 2, (2, 8, 8))
    return {
        "torch": torch,
        "np": np,
        "model": model,
        "head": model[1],
        "optimizer": torch.optim.Adam(model.parameters(), 1e-3),
        "images": images,
        "labels": labels,
        "logits": model(images),
        "loader": [(images, labels)],
        "dataset": torch.utils.data.TensorDataset(images, labels),
        "masks": labels * 255,
        "size": (4, 4),
        "rare": 1,
        "epochs": 1,
        "learning_rate": 1e-2,
        "weights": [1.0, 5.0],
        "class_shares": [0.9, 0.1],
        "class_pixels": torch.tensor([900.0, 100.0]),
        "features": 4,
        "classes": 2,
    }


def _own_names(name):
    """What a snippet expects to be different."""
    if name == "THRESHOLD":
        probabilities = torch.rand(500)
        return {"probabilities": probabilities, "labels": (probabilities + torch.rand(500) > 1.2).long()}
    if name == "LOGITS":
        return {"model": Headed()}
    if name in ("FROM_LOGITS", "ONE_CHANNEL"):
        return {"logits": torch.randn(2, 8, 8), "labels": torch.rand(2, 8, 8)}
    if name == "FULL_PRECISION":
        return {}
    return {}


@pytest.mark.parametrize(("name", "code"), TORCH, ids=[name for name, _ in TORCH])
def test_torch_snippet_runs(name, code):
    names = _names() | _own_names(name)
    # The GPU's autocast is the user's; here the processor's stands in.
    exec(code.replace('autocast("cuda"', 'autocast("cpu"'), names)  # noqa: S102


def test_the_threshold_snippet_finds_the_best_threshold():
    names = _names() | _own_names("THRESHOLD")
    exec(prescriptions.THRESHOLD[0].code, names)  # noqa: S102
    probabilities, labels = names["probabilities"], names["labels"]

    def f1(threshold):
        said = probabilities >= threshold
        return float(2 * (said & (labels == 1)).sum() / (said.sum() + labels.sum()))

    assert f1(names["threshold"]) == pytest.approx(max(f1(value) for value in probabilities))


@pytest.mark.parametrize("command", COMMANDS)
def test_settings_that_commands_name_exist(command, roads):
    words = shlex.split(command.partition("#")[0])
    settings = dict(words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "--set")
    if settings:
        plan = rareseg.plan(rareseg.audit(roads), steps=10, settings=settings)
        assert plan is not None
    assert words[1] in {"train", "audit", "predict"}


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_code_fits_a_terminal_so_that_it_can_be_copied(cause):
    lines = [line for one in cause.code for line in one.code.splitlines()]
    assert [line for line in lines if len(line) > 72] == []
