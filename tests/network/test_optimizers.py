import copy

import pytest
import torch
from msgspec.structs import replace
from torch import nn

from rareseg.errors import SettingError
from rareseg.network.models.compact_unet import CompactUNet
from rareseg.network.optimizers import Stepper, one_cycle
from rareseg.records.plan import OptimizerChoice

CHOICE = OptimizerChoice(
    name="muon",
    learning_rate=2e-3,
    muon_learning_rate=0.02,
    weight_decay=0.01,
    clip_norm=1.0,
    warmup=0.3,
    ema_decay=0.9,
    because="test",
    reference="",
)


def network() -> CompactUNet:
    torch.manual_seed(0)
    return CompactUNet(3, 2, width=4, levels=1, stem=2)


def gradients(model: nn.Module) -> None:
    torch.manual_seed(1)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape)


def test_one_cycle_rises_to_its_peak_and_falls_to_almost_nothing():
    rates = [one_cycle(step / 100, 0.3) for step in range(101)]
    assert max(rates) == pytest.approx(1.0) and rates.index(max(rates)) == 30
    assert rates[:31] == sorted(rates[:31]) and rates[30:] == sorted(rates[30:], reverse=True)
    assert rates[0] == pytest.approx(0.04) and rates[-1] == pytest.approx(1e-4)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_muon_moves_convolutions_by_an_orthogonal_step_whatever_the_memory_layout(layout):
    model = network().to(memory_format=layout)
    before = copy.deepcopy(model)
    gradients(model)
    stepper = Stepper(model, replace(CHOICE, weight_decay=0.0))
    stepper.step(0.3)
    old, new = before.up[0][3].weight, model.up[0][3].weight
    step = (new - old).flatten(1) / -0.02
    # An orthogonalised matrix has all singular values near 1 (Newton-Schulz leaves them within about 0.3).
    values = torch.linalg.svdvals(step)
    assert torch.all((values > 0.5) & (values < 1.5))


def test_both_memory_layouts_take_the_same_step():
    steps = []
    for layout in (torch.contiguous_format, torch.channels_last):
        model = network().to(memory_format=layout)
        gradients(model)
        Stepper(model, CHOICE).step(0.3)
        steps.append([weight.detach().clone() for weight in model.parameters()])
    for one, other in zip(*steps, strict=True):
        # bfloat16 inside Newton-Schulz rounds differently with the order of columns.
        torch.testing.assert_close(one, other.contiguous(), atol=2e-3, rtol=0)


def test_the_head_and_vectors_are_adamws_and_every_parameter_has_one_owner():
    model = network()
    stepper = Stepper(model, CHOICE)
    muon, adamw = stepper.optimizers
    muon_elements = sum(view.numel() for group in muon.param_groups for view in group["params"])
    adamw_ids = {id(weight) for group in adamw.param_groups for weight in group["params"]}
    total = sum(weight.numel() for weight in model.parameters())
    adamw_elements = sum(weight.numel() for weight in model.parameters() if id(weight) in adamw_ids)
    assert muon_elements + adamw_elements == total
    assert all(id(weight) in adamw_ids for weight in model.head.parameters())


def test_frozen_weights_stay():
    model = network()
    for weight in model.down.parameters():
        weight.requires_grad_(False)
    frozen = [weight.detach().clone() for weight in model.down.parameters()]
    gradients(model)
    Stepper(model, CHOICE).step(0.3)
    assert all(torch.equal(a, b) for a, b in zip(frozen, model.down.parameters(), strict=True))


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_state_goes_to_tensors_and_back(name):
    choice = replace(CHOICE, name=name, muon_learning_rate=0.02 if name == "muon" else None)
    model, other = network(), network()
    stepper, fresh = Stepper(model, choice), Stepper(other, choice)
    gradients(model)
    stepper.step(0.1)
    other.load_state_dict(model.state_dict())
    fresh.load({name: value.clone() for name, value in stepper.tensors().items()})
    for each, its in ((model, stepper), (other, fresh)):
        gradients(each)
        its.step(0.2)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, atol=0, rtol=0)


def test_muon_without_its_rate_says_what_to_set():
    with pytest.raises(SettingError, match=r"optimizer\.muon_learning_rate is not set"):
        Stepper(network(), replace(CHOICE, muon_learning_rate=None))


def test_adamw_with_a_muon_rate_is_refused():
    with pytest.raises(SettingError, match="muon_learning_rate has no effect"):
        Stepper(network(), replace(CHOICE, name="adamw"))
