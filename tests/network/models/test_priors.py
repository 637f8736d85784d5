import pytest
import torch
from torch import nn

from rareseg.errors import SettingError
from rareseg.network.losses import cross_entropy
from rareseg.network.models.compact_unet import CompactUNet
from rareseg.network.models.priors import last_layer, set_prior


def small():
    return CompactUNet(3, 2, width=4, levels=1, stem=2)


@pytest.mark.parametrize("overlapping", [False, True])
def test_first_loss_is_the_entropy_of_the_prior(overlapping):
    torch.manual_seed(0)
    model = small()
    labels = torch.zeros((1, 10, 10), dtype=torch.int64)
    labels.view(-1)[:8] = 1
    # As bit sets these labels mean: class 0 on 8 of 100 pixels, class 1 on none.
    prior = torch.tensor([0.08, 0.5] if overlapping else [0.92, 0.08], dtype=torch.float64)
    set_prior(model, prior, overlapping=overlapping)
    loss = cross_entropy(model(torch.randn(1, 3, 10, 10)), labels, overlapping=overlapping)
    entropy = -(0.92 * torch.tensor(0.92).log() + 0.08 * torch.tensor(0.08).log())
    expected = entropy + torch.tensor(2.0).log() if overlapping else entropy
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("overlapping", [False, True])
def test_class_that_is_absent_or_everywhere_gets_a_finite_start(overlapping):
    model = small()
    set_prior(model, torch.tensor([1.0, 0.0]), overlapping=overlapping)
    assert last_layer(model).bias.isfinite().all()
    logits = model(torch.randn(1, 3, 8, 8))
    found = torch.sigmoid(logits) if overlapping else torch.softmax(logits, dim=1)
    assert found[:, 1].max().item() == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize(
    "prior",
    [torch.tensor([0.5, 0.3, 0.2]), torch.tensor([1.2, -0.2]), torch.tensor([[0.5, 0.5]]), torch.tensor([])],
)
def test_unusable_priors_are_refused(prior):
    with pytest.raises(
        SettingError, match="one share in 0..1 per class of a network with 8 outputs; received"
    ):
        set_prior(small(), prior, overlapping=False)


@pytest.mark.parametrize("model", [nn.Conv2d(3, 2, 1), nn.Module()])
def test_models_without_a_head_are_refused(model):
    with pytest.raises(TypeError, match="`head` is a layer with weight and bias; received"):
        last_layer(model)
