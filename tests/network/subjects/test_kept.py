"""Everything is as it was after looking and after training: values, identities, modes, random states."""

import random

import numpy as np
import pytest
import torch
from tests.network.subjects.conftest import Net
from torch import nn

from rareseg.network.subjects import subject_of_module
from rareseg.network.subjects.kept import Memory
from rareseg.probing.subject import ProbeError


def _optimizer(name, net):
    trained = [each for each in net.parameters() if each.requires_grad]
    made = {
        "adam": lambda: torch.optim.Adam(trained, lr=1e-2),
        "tensor rate": lambda: torch.optim.Adam(trained, lr=torch.tensor(1e-2)),
        "sgd": lambda: torch.optim.SGD(trained, lr=0.1, momentum=0.9),
        "groups": lambda: torch.optim.AdamW(
            [{"params": trained[:2], "lr": 1e-3}, {"params": trained[2:], "lr": 1e-2}]
        ),
    }
    return made[name]()


def _train(net, optimizer, data, steps=2):
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data[0]), data[1]).backward()
        optimizer.step()


def _copied(value):
    """A deep copy that can be compared, with the identity of every tensor beside its numbers."""
    if isinstance(value, torch.Tensor):
        return ("tensor", id(value), value.data_ptr(), value.requires_grad, value.detach().clone())
    if isinstance(value, dict):
        return {key if isinstance(key, str) else id(key): _copied(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(each) for each in value]
    return value


def _state(net, optimizer):
    return {
        "state": _copied(dict(net.state_dict(keep_vars=True))),
        "gradients": [_copied(each.grad) for each in net.parameters()],
        "wanting": [each.requires_grad for each in net.parameters()],
        "modes": [each.training for each in net.modules()],
        "hooks": [(len(each._forward_hooks), len(each._forward_pre_hooks)) for each in net.modules()],
        "plain": (net.calls, list(net.log), id(net.log)),
        "optimizer": _copied(dict(optimizer.state)),
        "groups": _copied(optimizer.param_groups),
        "torch": torch.get_rng_state(),
        "numpy": _copied(list(np.random.get_state())[1].tolist()),  # noqa: NPY002
        "python": random.getstate(),
    }


def _equal(one, other):
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other


def _assert_same(before, after):
    assert [key for key in before if not _equal(before[key], after[key])] == []


@pytest.fixture(params=["adam", "tensor rate", "sgd", "groups"])
def brought(request, net, data):
    return net, _optimizer(request.param, net)


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_training_leaves_no_trace(brought, data, trained, training):
    net, optimizer = brought
    if trained:
        _train(net, optimizer, data)
    net.train(training)
    net.norm.eval()
    before = _state(net, optimizer)
    subject = subject_of_module(net, nn.CrossEntropyLoss(), optimizer, data)
    [batch] = subject.training_batches(1)
    with subject.kept():
        subject.scale_rate(0.1)
        subject.step(batch)
        assert not _equal(before["state"], _state(net, optimizer)["state"])
        assert subject.renew()
        assert len(optimizer.state) == 0
        subject.scale_rate(10)
        subject.step(batch)
        random.random()
        np.random.rand()  # noqa: NPY002
        torch.rand(3)
        optimizer.param_groups[0]["betas"] = None
        net.frozen.requires_grad_(True)
        net.body.weight.grad = torch.ones_like(net.body.weight)
    _assert_same(before, _state(net, optimizer))


def test_an_error_inside_leaves_no_trace(brought, data):
    net, optimizer = brought
    _train(net, optimizer, data)
    before = _state(net, optimizer)
    subject = subject_of_module(net, nn.CrossEntropyLoss(), optimizer, data)
    [batch] = subject.training_batches(1)

    def fail():
        with subject.kept():
            subject.step(batch)
            message = "stop"
            raise KeyboardInterrupt(message)

    with pytest.raises(KeyboardInterrupt):
        fail()
    _assert_same(before, _state(net, optimizer))


def test_looking_leaves_no_trace(net, data):
    optimizer = _optimizer("adam", net)
    _train(net, optimizer, data)
    net.drop.eval()
    before, images, labels = _state(net, optimizer), data[0].clone(), data[1].clone()
    subject = subject_of_module(net, nn.CrossEntropyLoss(), optimizer, data, validation=data)
    [batch] = subject.training_batches(1)
    subject.validation_batches(1)
    answers = subject.answers(batch)
    subject.answers(batch, training=True)
    subject.loss(batch, answers)
    subject.loss_of_labels(batch, 2 - batch.labels, answers)
    subject.units([batch])
    _assert_same(before, _state(net, optimizer))
    assert torch.equal(data[0], images) and torch.equal(data[1], labels)


def test_a_model_that_raises_leaves_no_trace(net, data):
    optimizer = _optimizer("adam", net)
    subject = subject_of_module(net, nn.CrossEntropyLoss(), optimizer, data)
    [batch] = subject.training_batches(1)
    before = _state(net, optimizer)
    broken = net.head.register_forward_hook(lambda *_: 1 / 0)
    for ask in (subject.answers, subject.step, lambda each: subject.units([each])):
        with pytest.raises(ProbeError, match="ZeroDivisionError"), subject.kept():
            ask(batch)
    broken.remove()
    _assert_same(before, _state(net, optimizer))


def test_the_loss_is_put_back_too(net, data):
    class Moving(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(()))
            self.inner = nn.CrossEntropyLoss()

        def forward(self, outputs, targets):
            value = self.inner(outputs, targets)
            self.mean = 0.9 * self.mean + 0.1 * value.detach()
            return value + 0 * self.mean

    loss = Moving()
    mean = loss.mean
    subject = subject_of_module(net, loss, _optimizer("sgd", net), data)
    [batch] = subject.training_batches(1)
    subject.loss(batch, subject.answers(batch))
    with subject.kept():
        subject.step(batch)
    assert loss.mean is mean and float(mean) == 0


def test_nested_keeping_goes_back_one_level_at_a_time(net, data):
    subject = subject_of_module(net, nn.CrossEntropyLoss(), _optimizer("sgd", net), data)
    [batch] = subject.training_batches(1)
    before = net.head.weight.detach().clone()
    with subject.kept():
        subject.step(batch)
        once = net.head.weight.detach().clone()
        with subject.kept():
            subject.step(batch)
            assert not torch.equal(net.head.weight, once)
        assert torch.equal(net.head.weight, once)
    assert torch.equal(net.head.weight, before)


def test_what_changes_the_model_is_refused_outside(net, data):
    subject = subject_of_module(net, nn.CrossEntropyLoss(), _optimizer("sgd", net), data)
    [batch] = subject.training_batches(1)
    for change in (lambda: subject.step(batch), subject.renew, lambda: subject.scale_rate(2)):
        with pytest.raises(ProbeError, match="inside"):
            change()


def test_rates_are_scaled_from_where_they_were_brought(net, data):
    optimizer = _optimizer("groups", net)
    subject = subject_of_module(net, nn.CrossEntropyLoss(), optimizer, data)
    optimizer.param_groups[1]["lr"] = 0.5
    with subject.kept():
        subject.scale_rate(10)
        subject.scale_rate(0.1)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-4, 0.05])
    assert [group["lr"] for group in optimizer.param_groups] == [1e-3, 0.5]


def test_modes_of_torchscript_come_back():
    with pytest.warns((DeprecationWarning, FutureWarning)):
        net = torch.jit.script(nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)))
    data = (torch.randn(2, 3, 4, 4), torch.zeros(2, 4, 4, dtype=torch.int64))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    subject = subject_of_module(net, nn.CrossEntropyLoss(), optimizer, data)
    [batch] = subject.training_batches(1)
    with subject.kept():
        subject.step(batch)
        assert not torch.equal(before["0.weight"], net.state_dict()["0.weight"])
        net.eval()
    assert net.training and all(module.training for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_replaced_data_and_shared_tensors_come_back():
    net = Net()
    net.body.weight = net.stem.weight = nn.Parameter(torch.randn(4, 4, 3, 3))
    storage = net.body.weight.data_ptr()
    values = net.body.weight.detach().clone()
    net.cyclic = [1]
    net.cyclic.append(net.cyclic)
    memory = Memory()
    memory.add_module(net)
    net.body.weight.data = torch.zeros(1)
    net.stem.weight = nn.Parameter(torch.zeros(1))
    net.cyclic.clear()
    net.extra = 3
    memory.put_back()
    assert net.body.weight is net.stem.weight
    assert net.body.weight.data_ptr() == storage and torch.equal(net.body.weight, values)
    assert net.cyclic[1] is net.cyclic and not hasattr(net, "extra")


def test_an_expanded_buffer_and_arrays_survive():
    net = nn.Linear(1, 1)
    net.register_buffer("positions", torch.arange(3.0).expand(2, 3))
    net.table = np.zeros(2)
    net.names = {1, 2}
    memory = Memory()
    memory.add_module(net)
    net.table[:] = 1
    net.names.add(3)
    net.positions = torch.zeros(1)
    memory.put_back()
    assert net.positions.tolist() == [[0, 1, 2]] * 2
    assert net.table.tolist() == [0, 0] and net.names == {1, 2}
