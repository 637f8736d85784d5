"""Dead and saturated units of layers whose answers are known: modules and functions, named and counted."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from rareseg.network.subjects import subject_of_module
from rareseg.network.subjects.units import ActivationWatch


class Biased(nn.Module):
    """A 1x1 convolution of zeros with given biases, and then an activation: each unit is one number everywhere."""

    def __init__(self, activation, biases):
        super().__init__()
        self.conv = nn.Conv2d(3, len(biases), 1)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.bias.copy_(torch.tensor(biases))
        self.act = activation
        self.head = nn.Conv2d(len(biases), 2, 1)

    def forward(self, images):
        return self.head(self.act(self.conv(images)))


def _layers(net):
    data = (torch.randn(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.int64))
    subject = subject_of_module(net, None, None, data)
    return subject.units(subject.training_batches(1)), subject.setup.last_activation


@pytest.mark.parametrize(
    ("activation", "biases", "dead", "saturated"),
    [
        (nn.ReLU(), [-1.0, -0.0, 1e-3, 2.0], 0.5, 0),
        (nn.ReLU(inplace=True), [-1.0, -0.0, 1e-3, 2.0], 0.5, 0),
        (nn.ReLU6(), [-1.0, 1.0, 7.0, 2.0], 0.25, 0),
        (nn.LeakyReLU(), [-1.0, -2.0], 0, 0),
        (nn.ELU(), [-1.0, -2.0], 0, 0),
        (nn.Hardtanh(), [-3.0, 3.0], 0, 0),
        (nn.GELU(), [-20.0, -1.0], 0.5, 0),
        (nn.SiLU(), [-40.0, -1.0], 0.5, 0),
        (nn.Sigmoid(), [-5.0, -4.0, 0.0, 5.0], 0, 0.5),
        (nn.Tanh(), [-3.0, 2.0, 0.0, 3.0], 0, 0.5),
        (nn.ReLU(), [float("nan"), -1.0], 0.5, 0),
        (functional.relu, [-1.0, 1.0], 0.5, 0),
        (torch.relu, [-1.0, 1.0], 0.5, 0),
        (torch.Tensor.relu, [-1.0, 1.0], 0.5, 0),
        (torch.relu_, [-1.0, 1.0], 0.5, 0),
        (lambda values: functional.relu(values, inplace=True), [-1.0, 1.0], 0.5, 0),
        (torch.sigmoid, [-5.0, 1.0], 0, 0.5),
    ],
)
def test_units_of_known_answers(activation, biases, dead, saturated):
    [layer], last = _layers(Biased(activation, biases))
    assert (layer.units, layer.dead, layer.saturated) == (len(biases), dead, saturated)
    assert layer.layer == (
        "act" if isinstance(activation, nn.Module) else f"Biased.{layer.layer.split('.')[-1]}"
    )
    assert last is None


def test_a_unit_that_answers_anywhere_is_alive():
    net = Biased(nn.ReLU(), [-1.0, -1.0])
    with torch.no_grad():
        net.conv.weight[0, 0] = 1.0
    images = torch.zeros(4, 3, 4, 4)
    images[3, 0, 2, 1] = 1.5
    subject = subject_of_module(net, None, None, [(each[None], torch.zeros(1, 4, 4)) for each in images])
    [layer] = subject.units(subject.training_batches(4))
    assert layer.dead == 0.5
    [layer] = subject.units(subject.training_batches(3))
    assert layer.dead == 1


def test_saturation_wants_nearly_every_pixel():
    net = Biased(nn.Sigmoid(), [0.0])
    with torch.no_grad():
        net.conv.weight[0, 0] = 10.0
    images = torch.ones(1, 3, 20, 20)
    for free, saturated in ((4, 1), (5, 0)):
        images.flatten()[:free] = 0
        subject = subject_of_module(net, None, None, (images, torch.zeros(1, 20, 20)))
        [layer] = subject.units(subject.training_batches(1))
        assert layer.saturated == saturated


def test_a_layer_used_twice_counts_twice_and_functions_are_named():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
            self.relu = nn.ReLU()

        def forward(self, images):
            return functional.relu(self.relu(self.two(self.relu(self.one(images)))) - 1)

    layers, last = _layers(nn.Sequential(Block(), nn.Conv2d(3, 2, 1)))
    assert [layer.layer for layer in layers] == ["0.relu", "0.relu, call 2", "0.relu()"]
    assert last is None


@pytest.mark.parametrize(
    ("end", "name"),
    [
        (nn.Sigmoid(), "sigmoid"),
        (nn.Softmax(dim=1), "softmax"),
        (nn.LogSoftmax(dim=1), "log-softmax"),
        (nn.ReLU(), "relu"),
        (torch.sigmoid, "sigmoid"),
        (lambda logits: functional.softmax(logits, dim=1), "softmax"),
        (lambda logits: {"out": torch.sigmoid(logits)}, "sigmoid"),
        (lambda logits: torch.sigmoid(logits)[:, :1], "sigmoid"),
        (lambda logits: logits * torch.sigmoid(logits), None),
    ],
)
def test_the_last_activation_is_named_and_left_out(end, name):
    class Ended(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Biased(nn.ReLU(), [-1.0, 1.0])
            self.end = end

        def forward(self, images):
            return self.end(self.inner(images))

    layers, last = _layers(Ended())
    assert last == name
    assert [layer.layer for layer in layers] == ["inner.act"] + ([] if name else ["Ended.sigmoid()"])


def test_units_of_linear_layers_lie_on_the_last_axis():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.act, self.head = nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2)

        def forward(self, images):
            return self.head(self.act(self.linear(images.movedim(1, -1)))).movedim(-1, 1)

    [layer], _ = _layers(Tokens())
    assert layer.units == 5


def test_hooks_are_taken_off_even_after_an_error():
    net = Biased(nn.ReLU(), [1.0])
    with pytest.raises(RuntimeError):
        ActivationWatch(net).watch(torch.zeros(1, 7, 4, 4))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_compiled_torchscript_has_no_units_to_see():
    with pytest.warns((DeprecationWarning, FutureWarning)):
        net = torch.jit.trace(Biased(nn.ReLU(), [1.0]).eval(), torch.zeros(1, 3, 4, 4))
    assert _layers(net)[0] == []
