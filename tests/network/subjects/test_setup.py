"""What is read off modules, losses and optimizers."""

import functools

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn
from torch.nn import functional

from rareseg.network.subjects import subject_of_module
from rareseg.network.subjects.criterion import ignored_by, loss_name, weights_of
from rareseg.network.subjects.setup import bilinear, is_bilinear, upsampling_of

WEIGHT = torch.tensor([1.0, 5.0])
INNER = nn.CrossEntropyLoss(weight=WEIGHT, ignore_index=7)


class Combined(nn.Module):
    def __init__(self):
        super().__init__()
        self.dice = smp.losses.DiceLoss("multiclass")
        self.entropy = INNER


class Plain:
    def __init__(self):
        self.criterion = INNER

    def __call__(self, outputs, targets):
        return self.criterion(outputs, targets)

    def of(self, outputs, targets):
        return self.criterion(outputs, targets)


@pytest.mark.parametrize(
    ("loss", "class_weight", "weights", "where"),
    [
        (nn.CrossEntropyLoss(), None, None, None),
        (nn.CrossEntropyLoss(weight=WEIGHT), None, (1, 5), "loss.weight"),
        (nn.CrossEntropyLoss(weight=WEIGHT), [2, 3], (2, 3), "class_weight"),
        (nn.CrossEntropyLoss(), [2, 3], (2, 3), "class_weight"),
        (nn.CrossEntropyLoss(), {1: 9.0}, (1, 9), "class_weight"),
        (nn.CrossEntropyLoss(), np.array([2, 3]), (2, 3), "class_weight"),
        (nn.BCEWithLogitsLoss(pos_weight=torch.tensor(4.0)), None, (1, 4), "loss.pos_weight"),
        (
            nn.BCEWithLogitsLoss(pos_weight=torch.tensor([4.0, 6.0]).view(2, 1, 1)),
            None,
            (4, 6),
            "loss.pos_weight",
        ),
        (smp.losses.FocalLoss("binary", alpha=0.25), None, (0.75, 0.25), "loss.alpha"),
        (smp.losses.FocalLoss("multiclass", class_weights=[1.0, 3.0]), None, (1, 3), "loss.class_weights"),
        (smp.losses.TverskyLoss("binary", alpha=0.3, beta=0.7), None, None, None),
        (functools.partial(functional.cross_entropy, weight=WEIGHT), None, (1, 5), "loss.weight"),
        (lambda outputs, targets: 2 * INNER(outputs, targets), None, (1, 5), "loss.weight"),
        (Combined(), None, (1, 5), "loss.weight"),
        (Plain(), None, (1, 5), "loss.weight"),
        (Plain().of, None, (1, 5), "loss.weight"),
    ],
)
def test_declared_weights(loss, class_weight, weights, where):
    found, place = weights_of(loss, class_weight, 2)
    assert found == (None if weights is None else pytest.approx(weights)) and place == where


@pytest.mark.parametrize(
    ("loss", "label"),
    [
        (nn.CrossEntropyLoss(), -100),
        (nn.CrossEntropyLoss(ignore_index=255), 255),
        (nn.BCEWithLogitsLoss(), None),
        (functional.cross_entropy, -100),
        (functools.partial(functional.cross_entropy, ignore_index=3), 3),
        (functools.partial(functional.cross_entropy), -100),
        (lambda outputs, targets: 2 * INNER(outputs, targets), 7),
        (Combined(), 7),
        (Plain(), 7),
        (Plain().of, 7),
        (None, None),
    ],
)
def test_ignored_label_is_read_off(loss, label):
    assert ignored_by(loss) == label


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        (None, "none"),
        (nn.CrossEntropyLoss(), "CrossEntropyLoss"),
        (functional.cross_entropy, "cross_entropy"),
        (functools.partial(functional.cross_entropy, weight=WEIGHT), "cross_entropy"),
        (lambda outputs, targets: 0, "lambda"),
        (lambda outputs, targets: 2 * INNER(outputs, targets), "lambda with CrossEntropyLoss"),
        (Plain(), "Plain"),
        (Plain().of, "of"),
    ],
)
def test_names_of_losses(loss, name):
    assert loss_name(loss) == name


def _setup(net, optimizer=None, **options):
    data = (torch.randn(2, 3, 8, 8), torch.zeros(2, 8, 8, dtype=torch.int64))
    return subject_of_module(net, nn.CrossEntropyLoss(), optimizer, data, **options).setup


def test_counts_names_and_rates():
    net = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False).requires_grad_(False), nn.Conv2d(4, 2, 1))
    setup = _setup(net, torch.optim.Adam(net[1].parameters(), lr=torch.tensor(0.25)))
    assert (setup.parameters, setup.trainable_parameters) == (22, 10)
    assert (setup.framework, setup.loss_name, setup.optimizer_name) == ("torch", "CrossEntropyLoss", "Adam")
    assert setup.learning_rate == 0.25 and setup.trainable and not setup.normalised
    assert setup.versions["torch"] == torch.__version__
    groups = [{"params": [net[1].weight], "lr": 0.1}, {"params": [net[1].bias], "lr": 0.2}]
    setup = _setup(net, torch.optim.SGD(groups))
    assert setup.optimizer_name == "SGD (groups at 0.1, 0.2)" and setup.learning_rate == 0.1
    setup = _setup(net)
    assert (setup.optimizer_name, setup.learning_rate, setup.trainable) == ("none", None, False)


@pytest.mark.parametrize(
    ("layer", "normalised"),
    [(nn.BatchNorm2d(2), True), (nn.GroupNorm(1, 2), False), (nn.InstanceNorm2d(2), False)],
)
def test_normalisation_by_batch(layer, normalised):
    assert _setup(nn.Sequential(nn.Conv2d(3, 2, 1), layer)).normalised is normalised


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (None, ("class 0", "class 1")),
        (2, ("class 0", "class 1")),
        (("ground", "road"), ("ground", "road")),
        (["road"], ("background", "road")),
    ],
)
def test_names_of_classes(classes, names):
    assert _setup(nn.Conv2d(3, 2, 1), classes=classes).classes == names


@pytest.mark.parametrize(
    ("kernel", "stride", "start", "says"),
    [
        (2, 2, None, None),
        (4, 2, None, None),
        (3, 2, None, "no multiple"),
        ((4, 5), (2, 2), None, "kernel 4x5, stride 2: the kernel is no multiple"),
        (32, 16, None, "not those of an interpolation"),
        (32, 16, bilinear(32, 32), None),
        (16, 8, bilinear(16, 16), None),
    ],
)
def test_sentences_on_upsampling(kernel, stride, start, says):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ConvTranspose2d(2, 2, kernel, stride))
    if start is not None:
        with torch.no_grad():
            net[1].weight.zero_()
            net[1].weight[[0, 1], [0, 1]] = start + 0.05 * torch.randn_like(start)
    sentences = upsampling_of(net)
    assert len(sentences) == (says is not None)
    assert says is None or (says in sentences[0] and sentences[0].startswith("1: "))


def test_the_bilinear_kernel_interpolates():
    layer = nn.ConvTranspose2d(1, 1, 4, 2, padding=1, bias=False)
    layer.weight.data[0, 0] = bilinear(4, 4)
    ramp = torch.arange(6.0).expand(1, 1, 6, 6)
    with torch.no_grad():
        expected = functional.interpolate(ramp, scale_factor=2, mode="bilinear")
        torch.testing.assert_close(layer(ramp)[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2])
    assert is_bilinear(layer.weight) and not is_bilinear(torch.rand(2, 2, 4, 4) - 0.5)
