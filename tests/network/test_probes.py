"""The collapse watch: what it says of networks whose answers are known."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import nn

from rareseg.errors import TrainingError
from rareseg.measures.collapse import verdict
from rareseg.network.batches import Batch
from rareseg.network.probes import CollapseWatch, UnitCount, to_log_odds
from rareseg.records.dataset import VOID


class Answer(nn.Module):
    """Logit of class 1: `scale` times the first band plus `shift`; a ReLU layer beside it for the unit count."""

    def __init__(self, scale=1.0, shift=0.0, alive=(True, True)):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.tensor(scale)), shift
        self.relu = nn.ReLU()
        self.register_buffer("signs", torch.tensor([1.0 if each else -1.0 for each in alive])[:, None, None])

    def forward(self, images):
        self.relu(self.signs.expand(len(images), -1, *images.shape[2:]))
        logit = self.scale * images[:, 0] + self.shift
        return torch.stack([torch.zeros_like(logit), logit], dim=1)


@pytest.fixture
def batch():
    labels = torch.zeros(2, 16, 16, dtype=torch.int64)
    labels[:, 4:8] = 1
    labels[:, 15] = VOID
    images = torch.zeros(2, 3, 16, 16)
    images[:, 0] = torch.where(labels == 1, 1.0, -1.0)
    return Batch(images, labels)


def test_a_perfect_network_is_healthy(plan, batch):
    check = CollapseWatch([batch], plan).look(Answer(3.0), 7)
    assert check.step == 7 and check.rare_class == "road"
    assert check.average_precision == pytest.approx(1.0)
    assert check.prevalence == pytest.approx(4 / 15)
    assert check.lift == pytest.approx(15 / 4)
    assert check.predicted_share == pytest.approx(4 / 15)
    values = np.where(np.arange(15) // 4 == 1, 3.0, -3.0)
    assert check.spatial_deviation == pytest.approx(values.std())
    assert check.dead_share == 0
    assert verdict(check).state == "healthy"


def test_a_constant_network_has_collapsed(plan, batch):
    check = CollapseWatch([batch], plan).look(Answer(0.0, shift=-2.0), 7)
    assert check.average_precision == pytest.approx(4 / 15)
    assert check.lift == pytest.approx(1.0)
    assert (check.spatial_deviation, check.predicted_share) == (0.0, 0.0)
    assert verdict(check).state == "constant output"


def test_dead_units_are_counted(plan, batch):
    check = CollapseWatch([batch], plan).look(Answer(0.0, alive=(True, False, False, False)), 7)
    assert check.dead_share == pytest.approx(0.75)
    assert verdict(check).state == "dead units"


def test_overlapping_classes_are_all_rare_and_given_from_one_half(plan, batch):
    both = replace(plan, overlapping=True)
    watch = CollapseWatch([Batch(batch.images, torch.where(batch.labels == 1, 2, batch.labels))], both)
    check = watch.look(Answer(3.0), 1)
    assert check.rare_class == "road"
    assert check.average_precision == pytest.approx(1.0)
    assert check.predicted_share == pytest.approx(4 / 15)


def test_the_worst_class_is_reported(plan, batch):
    three = replace(
        plan,
        classes=("background", "road", "lake"),
        initialisation=replace(plan.initialisation, prior=(0.7, 0.2, 0.1)),
        weights=replace(plan.weights, values=(1.0, 1.0, 1.0)),
    )
    labels = batch.labels.clone()
    labels[:, 0, :8] = 2

    class Three(Answer):
        def forward(self, images):
            return torch.cat([super().forward(images), torch.zeros_like(images[:, :1])], dim=1)

    check = CollapseWatch([Batch(batch.images, labels)], three).look(Three(3.0), 1)
    assert check.rare_class == "lake"


def test_looking_changes_nothing(plan, batch):
    model = nn.Sequential(nn.BatchNorm2d(3), Answer())
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    CollapseWatch([batch], plan).look(model, 1)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_crops_without_a_counted_pixel_are_left_out(plan, batch):
    void = Batch(batch.images, torch.full_like(batch.labels, VOID))
    one, two = (CollapseWatch(each, plan).look(Answer(), 1) for each in ([batch], [void, batch]))
    assert one == two
    with pytest.raises(TrainingError, match="validation part holds no counted pixel"):
        CollapseWatch([void], plan)


def test_a_layer_used_twice_counts_as_two():
    units = UnitCount()
    for _ in range(2):  # two forward passes; the second place answers in one channel only
        units.begin()
        units.see("relu", torch.ones(1, 2, 3, 3))
        units.see("relu", torch.tensor([1.0, 0.0]).view(1, 2, 1, 1))
        units.see("relu", torch.ones(1, 4))
    assert units.dead_share() == pytest.approx(1 / 8)
    assert UnitCount().dead_share() == 0


def test_a_unit_alive_anywhere_is_alive():
    units = UnitCount()
    for channel in range(2):
        units.begin()
        units.see("relu", torch.eye(2)[channel].view(1, 2, 1, 1))
    assert units.dead_share() == 0


def test_log_odds_stay_finite():
    found = to_log_odds(np.array([0.0, 0.25, 1.0], np.float32))
    assert np.isfinite(found).all() and found[0] < -15 and found[2] > 15
    assert found[1] == pytest.approx(np.log(1 / 3))
