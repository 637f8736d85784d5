"""What a subject says of modules of every form of output and target, against torch asked directly."""

import math
from collections import namedtuple

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from tests.network.subjects.conftest import Net
from torch import nn
from torch.nn import functional

from rareseg.errors import DataError, SettingError
from rareseg.network.subjects import subject_of_module
from rareseg.probing.subject import VOID_LABEL, ProbeError

Pair = namedtuple("Pair", "logits extra")
WRAPS = {
    "channels": lambda out: out,
    "dictionary": lambda out: {"aux": out * 2, "out": out},
    "tuple": lambda out: (out, out.mean(dim=(1, 2, 3))),
    "named tuple": lambda out: Pair(out, 3),
    "list": lambda out: [out, functional.avg_pool2d(out, 2)],
    "pixels": lambda out: out.flatten(2),
    "channels last": lambda out: out.movedim(1, -1),
}


class Wrapped(nn.Module):
    def __init__(self, wrap, channels=3):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.wrap = Net(channels), wrap

    def forward(self, images):
        return self.wrap(self.inner(images))


def _subject(net, loss, data, **options):
    optimizer = torch.optim.SGD([each for each in net.parameters() if each.requires_grad], lr=0.1)
    return subject_of_module(net, loss, optimizer, data, **options)


def _one(subject):
    [batch] = subject.training_batches(1)
    return batch


@pytest.mark.parametrize("form", WRAPS)
def test_outputs_of_every_form_are_read_and_written(form, data):
    net = Wrapped(WRAPS[form])
    given = []

    def loss(output, targets):
        given.append(output)
        main = (
            output
            if isinstance(output, torch.Tensor)
            else output["out"]
            if isinstance(output, dict)
            else output[0]
        )
        main = main.movedim(-1, 1) if form == "channels last" else main
        return functional.cross_entropy(main.reshape(4, 3, 8, 8), targets)

    subject = _subject(net, loss, data)
    batch = _one(subject)
    answers = subject.answers(batch)
    with torch.no_grad():
        net.eval()
        native = net(data[0])
        expected = net.inner(data[0])
    assert answers.shape == (4, 3, 64) and answers.dtype == np.float32
    np.testing.assert_allclose(answers, expected.flatten(2), atol=1e-6)
    assert subject.loss(batch, answers) == pytest.approx(
        float(functional.cross_entropy(expected, data[1])), rel=1e-6
    )
    returned = given[-1]
    assert type(returned) is type(native)
    if form == "dictionary":
        assert list(returned) == list(native) and torch.equal(returned["aux"], returned["out"])
    if form == "list":
        assert returned[1].shape == native[1].shape
        subject.loss(batch, np.sign(answers))
        # As labels, answers are not mixed.
        assert set(given[-1][1].unique().tolist()) <= {-1, 1}
    if form in {"channels", "pixels", "channels last"}:
        torch.testing.assert_close(returned, native)
    with subject.kept():
        assert subject.step(batch).loss > 0


@pytest.mark.parametrize("drop", [False, True])
def test_one_channel_with_and_without_its_axis(drop, data):
    net = Wrapped((lambda out: out[:, 0]) if drop else (lambda out: out), channels=1)
    positive = (data[1] > 0).float()
    subject = _subject(net, nn.BCEWithLogitsLoss(), (data[0], positive if drop else positive[:, None]))
    batch = _one(subject)
    answers = subject.answers(batch)
    assert answers.shape == (4, 1, 64)
    assert subject.setup.label_form == "binary" and subject.setup.classes == ("class 0", "class 1")
    np.testing.assert_array_equal(batch.labels, positive.flatten(1))
    right = np.where(batch.labels[:, None] == 1, 12, -12).astype(np.float32)
    assert subject.loss(batch, right) < 1e-4
    assert subject.loss(batch, -right) > 11
    assert subject.loss_of_labels(batch, 1 - batch.labels, -right) < 1e-4


def _targets(labels, form):
    hot = functional.one_hot(labels, 3)
    return {
        "int64": labels,
        "uint8": labels.byte(),
        "int32": labels.int(),
        "float": labels.float(),
        "with axis": labels[:, None],
        "axis last": labels[..., None],
        "one-hot": hot.movedim(-1, 1).float(),
        "one-hot last": hot.float(),
        "one-hot int": hot.movedim(-1, 1),
        "smoothed": hot.movedim(-1, 1) * 0.85 + 0.05,
    }[form]


@pytest.mark.parametrize(
    "form",
    [
        "int64",
        "uint8",
        "int32",
        "float",
        "with axis",
        "axis last",
        "one-hot",
        "one-hot last",
        "one-hot int",
        "smoothed",
    ],
)
@pytest.mark.parametrize("array", [False, True])
def test_targets_of_every_form_are_read_and_written(form, array, net, data):
    images, labels = data
    targets = _targets(labels, form)
    last = form.endswith("last")

    def loss(outputs, wanted):
        if last:
            wanted = wanted.movedim(-1, 1)
            wanted = wanted[:, 0] if wanted.shape[1] == 1 else wanted
        return functional.cross_entropy(outputs, wanted)

    subject = _subject(net, loss, (images.numpy(), targets.numpy()) if array else (images, targets))
    batch = _one(subject)
    np.testing.assert_array_equal(batch.labels, labels.flatten(1))
    assert batch.labels.dtype == np.int16 and batch.several is None
    np.testing.assert_array_equal(batch.raw, targets)
    assert batch.raw.shape == tuple(targets.shape)
    hot = "one-hot" in form or form == "smoothed"
    assert subject.setup.label_form == ("one-hot" if hot else "indices")
    answers = subject.answers(batch)
    expected = float(
        loss(
            torch.from_numpy(answers).reshape(4, 3, 8, 8),
            targets.float() if hot else targets.long() if form != "with axis" else labels,
        )
    )
    assert subject.loss(batch, answers) == pytest.approx(expected, rel=1e-5)
    if form != "smoothed":
        assert subject.loss_of_labels(batch, batch.labels, answers) == pytest.approx(expected, rel=1e-5)
    other = ((batch.labels + 1) % 3).astype(np.int16)
    sure = 12 * (other[:, None] == np.arange(3)[:, None]).astype(np.float32)
    assert subject.loss_of_labels(batch, other, sure) < 1e-3
    assert subject.loss(batch, sure) > 5


def test_overlapping_classes(net, data):
    targets = torch.zeros(4, 3, 8, 8)
    targets[:, 0, :5], targets[:, 2, 4:6] = 1, 1
    subject = _subject(net, nn.BCEWithLogitsLoss(), (data[0], targets))
    batch = _one(subject)
    assert subject.setup.label_form == "multi-hot"
    np.testing.assert_array_equal(batch.several, targets.flatten(2).bool())
    rows = batch.labels.reshape(4, 8, 8)[0, :, 0]
    assert rows.tolist() == [0, 0, 0, 0, 0, 2, VOID_LABEL, VOID_LABEL]


@pytest.mark.parametrize(("rows", "form"), [(1, "multi-hot"), (5, "one-hot")])
def test_targets_that_mostly_claim_nothing_are_of_independent_classes(rows, form, net, data):
    targets = torch.zeros(4, 3, 8, 8)
    targets[:, 0, :rows] = 1
    subject = _subject(net, nn.BCEWithLogitsLoss(), (data[0], targets))
    assert subject.setup.label_form == form
    assert (_one(subject).labels.reshape(4, 8, 8)[:, rows:] == VOID_LABEL).all()


def test_a_loss_that_writes_into_targets_does_not_reach_the_data(net, data):
    def loss(outputs, targets):
        targets[targets == 2] = -100
        return functional.cross_entropy(outputs, targets)

    before = data[1].clone()
    subject = _subject(net, loss, [data])
    subject.loss(_one(subject), subject.answers(_one(subject)))
    with subject.kept():
        subject.step(_one(subject))
    assert torch.equal(data[1], before)


def test_values_that_no_class_has_are_left_out_and_survive_raw(data):
    net = Wrapped(lambda out: out, channels=1)
    mask = ((data[1] > 0) * 255).float()[:, None]
    subject = _subject(net, nn.BCEWithLogitsLoss(), (data[0], mask))
    batch = _one(subject)
    assert subject.setup.ignore_index is None
    assert set(np.unique(batch.labels)) == {0, VOID_LABEL}
    assert set(np.unique(batch.raw)) == {0, 255}


def test_ignored_label_of_the_loss_is_left_out(net, data):
    images, labels = data
    labels = labels.clone()
    labels[:, 0] = 255
    subject = _subject(net, nn.CrossEntropyLoss(ignore_index=255), (images, labels))
    batch = _one(subject)
    assert subject.setup.ignore_index == 255
    assert (batch.labels.reshape(4, 8, 8)[:, 0] == VOID_LABEL).all() and (batch.labels[:, 8:] >= 0).all()
    answers = subject.answers(batch)
    now = subject.loss(batch, answers)
    assert subject.loss_of_labels(batch, batch.labels, answers) == pytest.approx(now)
    fewer = batch.labels.copy()
    fewer[:, 8:32] = VOID_LABEL
    rest = labels.clone()
    rest[:, :4] = 255
    expected = functional.cross_entropy(torch.from_numpy(answers).reshape(4, 3, 8, 8), rest, ignore_index=255)
    assert subject.loss_of_labels(batch, fewer, answers) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("masked", [False, True])
def test_ignored_label_is_found_by_asking_the_loss(masked, net, data):
    images, labels = data
    labels = labels.clone()
    labels[:, 0] = 255

    def loss(outputs, targets):
        kept = targets != 255 if masked else targets >= 0
        return functional.cross_entropy(outputs.movedim(1, -1)[kept], targets[kept].clamp(max=2))

    assert _subject(net, loss, (images, labels)).setup.ignore_index == (255 if masked else None)


def test_ignore_index_as_told_wins(net, data):
    subject = _subject(net, nn.CrossEntropyLoss(), data, ignore_index=2)
    assert subject.setup.ignore_index == 2
    assert set(np.unique(_one(subject).labels)) == {VOID_LABEL, 0, 1}


@pytest.mark.parametrize(
    ("loss", "ignored"),
    [
        (smp.losses.DiceLoss("multiclass"), None),
        (smp.losses.FocalLoss("multiclass", ignore_index=255), 255),
        (smp.losses.LovaszLoss("multiclass", ignore_index=255), 255),
        (smp.losses.SoftCrossEntropyLoss(smooth_factor=0.0), -100),
        (smp.losses.TverskyLoss("multiclass", alpha=0.3, beta=0.7), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_losses_of_smp(loss, ignored, net, data):
    subject = _subject(net, loss, data)
    batch = _one(subject)
    answers = subject.answers(batch)
    expected = float(loss(torch.from_numpy(answers).reshape(4, 3, 8, 8), data[1]))
    assert subject.loss(batch, answers) == pytest.approx(expected, rel=1e-6)
    assert subject.setup.ignore_index == ignored and subject.setup.declared_weights is None
    with subject.kept():
        assert math.isfinite(subject.step(batch).loss)


def test_what_loss_and_model_raise_is_said(net, data):
    images, labels = data
    bad = labels.clone()
    bad[0, 0, 0] = 7
    subject = _subject(net, nn.CrossEntropyLoss(), (images, bad))
    batch = _one(subject)
    with pytest.raises(ProbeError, match="the loss raised IndexError.*7"):
        subject.loss(batch, subject.answers(batch))
    with pytest.raises(ProbeError, match="the loss raised IndexError"), subject.kept():
        subject.step(batch)
    with pytest.raises(ProbeError, match=r"shape \(4, 8, 8\).*reduction"):
        whole = _subject(net, nn.CrossEntropyLoss(reduction="none"), data)
        whole.loss(_one(whole), whole.answers(_one(whole)))
    with pytest.raises(ProbeError, match="the model raised RuntimeError"):
        _subject(net, nn.CrossEntropyLoss(), (images[:, :2], labels))
    with pytest.raises(ProbeError, match="no loss"):
        subject_of_module(net, None, None, data).loss(batch, np.zeros((4, 3, 64), np.float32))
    with pytest.raises(ProbeError, match="pixels"):
        subject.loss(batch, np.zeros((4, 3, 63), np.float32))


def test_what_is_brought_is_checked(net, data):
    with pytest.raises(SettingError, match="torch.nn.Module"):
        subject_of_module(lambda each: each, None, None, data)
    with pytest.raises(SettingError, match="optimizer"):
        subject_of_module(net, None, "adam", data)
    with pytest.raises(SettingError, match="loss"):
        subject_of_module(net, 3, None, data)
    with pytest.raises(SettingError, match="precision"):
        subject_of_module(net, None, None, data, precision="fp8")
    with pytest.raises(DataError, match="lazy"):
        subject_of_module(nn.LazyConv2d(2, 1), None, None, data)
    with pytest.raises(DataError, match="at least one batch"):
        subject_of_module(net, None, None, [])
    with pytest.raises(ProbeError, match="returned a tensor of shape"):
        subject_of_module(Wrapped(lambda out: out.mean()), None, None, data)


def test_training_mode_uses_statistics_of_the_batch(net, data):
    subject = _subject(net, nn.CrossEntropyLoss(), data)
    batch = _one(subject)
    net.drop.p = 0.0
    net.train()
    with torch.no_grad():
        expected = net(data[0]).flatten(2)
    np.testing.assert_allclose(subject.answers(batch, training=True), expected, atol=1e-6)
    assert np.abs(subject.answers(batch) - expected.numpy()).max() > 1e-3


@pytest.mark.parametrize("training", [False, True])
def test_parts_set_to_evaluation_stay_so_in_a_step(training, net, data):
    net.train(training)
    if training:
        net.norm.eval()
    subject = _subject(net, nn.CrossEntropyLoss(), data)
    batch = _one(subject)
    with subject.kept():
        subject.step(batch)
        moved = not torch.equal(net.norm.running_mean, torch.zeros(4))
    assert moved is not training


def test_a_step_is_the_users_step(net, data):
    subject = _subject(net, nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 9.0])), data)
    batch = _one(subject)
    net.drop.p = 0.0
    with subject.kept():
        step = subject.step(batch)
        after = net.head.weight.detach().clone()
    before = net.head.weight.detach().clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    loss = functional.cross_entropy(net(data[0]), data[1], torch.tensor([1.0, 5.0, 9.0]))
    loss.backward()
    optimizer.step()
    assert step.loss == pytest.approx(loss.item(), rel=1e-6) and step.finite
    torch.testing.assert_close(after, net.head.weight)
    assert len(step.ratios) == 3
    expected = float((after - before).norm() / before.norm())
    assert step.ratios[-1] == pytest.approx(expected, rel=1e-5)


def test_steps_fit_a_batch(net, data):
    subject = subject_of_module(net, nn.CrossEntropyLoss(), torch.optim.Adam(net.parameters(), 0.05), data)
    batch = _one(subject)
    with subject.kept():
        losses = [subject.step(batch).loss for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_step_into_nan_is_reported(net, data):
    subject = _subject(
        net, lambda outputs, targets: functional.cross_entropy(outputs, targets) * math.nan, data
    )
    with subject.kept():
        step = subject.step(_one(subject))
    assert math.isnan(step.loss) and not step.finite


def test_an_optimizer_with_a_closure(net, data):
    subject = subject_of_module(
        net, nn.CrossEntropyLoss(), torch.optim.LBFGS(net.parameters(), 0.1, max_iter=2), data
    )
    with subject.kept():
        first, second = (subject.step(_one(subject)).loss for _ in range(2))
    assert math.isfinite(first) and second < first


def test_a_frozen_network_cannot_step(net, data):
    net.requires_grad_(False)
    subject = subject_of_module(net, nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), 0.1), data)
    assert not subject.setup.trainable and subject.setup.trainable_parameters == 0
    with pytest.raises(ProbeError, match="no gradient"), subject.kept():
        subject.step(_one(subject))


def test_renewing_needs_a_rule_for_every_trained_layer(data):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.net = Net()
            self.net.body.bias.requires_grad_(False)
            self.last = nn.BatchNorm2d(3, affine=False)

        def forward(self, images):
            return self.last(self.scale * self.net(images))

    net = Own()
    subject = _subject(net, nn.CrossEntropyLoss(), data)
    before = net.net.head.weight.detach().clone()
    with subject.kept():
        assert not subject.renew()
        assert torch.equal(net.net.head.weight, before)
        net.scale.requires_grad_(False)
        for norm in (net.net.norm, net.last):
            norm.running_mean.fill_(3)
        frozen = [each.detach().clone() for each in (net.net.frozen.weight, net.net.body.bias)]
        assert subject.renew()
        assert not torch.equal(net.net.head.weight, before)
        assert torch.equal(net.net.frozen.weight, frozen[0]) and torch.equal(net.net.body.bias, frozen[1])
        assert not net.net.norm.running_mean.any() and not net.last.running_mean.any()


@pytest.mark.parametrize(
    ("asked", "precision"), [("bf16-mixed", "bf16"), ("16-mixed", "fp16"), (None, "fp32")]
)
def test_autocast(asked, precision, net, data):
    subject = _subject(net, nn.CrossEntropyLoss(), data, precision=asked)
    batch = _one(subject)
    assert subject.setup.precision == precision
    exact = subject_of_module(net, None, None, data).answers(batch)
    away = np.abs(subject.answers(batch) - exact).max()
    assert (away > 1e-5) == (precision != "fp32") and away < 0.05
    with subject.kept():
        step = subject.step(batch)
    assert step.finite and step.loss == pytest.approx(subject.loss(batch, exact), rel=0.3)


def test_small_gradients_survive_in_half_precision(net, data):
    net.drop.p = 0.0
    moved = []
    for precision in ("fp32", "fp16"):
        subject = _subject(
            net,
            lambda outputs, targets: 1e-6 * functional.cross_entropy(outputs, targets),
            data,
            precision=precision,
        )
        subject.optimizer.param_groups[0]["lr"] = 1e6
        with subject.kept():
            moved.append(subject.step(_one(subject)).ratios)
    assert moved[1] == pytest.approx(moved[0], rel=0.1)


def test_autocast_that_is_on_is_noticed(net, data):
    with torch.autocast("cpu", torch.bfloat16):
        assert _subject(net, nn.CrossEntropyLoss(), data).setup.precision == "bf16"


def test_a_model_in_half_precision(net, data):
    subject = _subject(net.bfloat16(), nn.CrossEntropyLoss(), data)
    batch = _one(subject)
    assert subject.setup.precision == "bf16" and subject.answers(batch).dtype == np.float32
    with subject.kept():
        assert subject.step(batch).finite


def test_answers_at_another_size_than_the_targets(data):
    net = Wrapped(lambda out: functional.avg_pool2d(out, 2))

    def loss(outputs, targets):
        return functional.cross_entropy(functional.interpolate(outputs, scale_factor=2), targets)

    subject = _subject(net, loss, data)
    batch = _one(subject)
    assert batch.labels.shape == (4, 16) and subject.answers(batch).shape == (4, 3, 16)
    np.testing.assert_array_equal(batch.labels.reshape(4, 4, 4), data[1][:, 1::2, 1::2])
    sure = 12 * (batch.labels[:, None] == np.arange(3)[:, None]).astype(np.float32)
    assert subject.loss_of_labels(batch, batch.labels, sure) < 1e-3


def test_batches_of_several_sizes(net, data):
    images, labels = data
    subject = _subject(net, nn.CrossEntropyLoss(), [data, (images[:1, :, :4], labels[:1, :4])])
    second = subject.training_batches(2)[1]
    answers = subject.answers(second)
    assert second.labels.shape == (1, 32) and answers.shape == (1, 3, 32)
    with torch.no_grad():
        expected = functional.cross_entropy(net.eval()(images[:1, :, :4]), labels[:1, :4])
    assert subject.loss(second, answers) == pytest.approx(float(expected), rel=1e-5)
    assert subject.loss_of_labels(second, second.labels, answers) == pytest.approx(float(expected), rel=1e-5)


def test_pictures_are_what_the_model_is_fed(net, data):
    bytes_given = (data[0] * 40 + 100).byte()
    batch = _one(_subject(net, nn.CrossEntropyLoss(), (bytes_given, data[1])))
    np.testing.assert_array_equal(batch.pictures, bytes_given.float())
    assert batch.pictures.dtype == np.float32


def test_wrappers_are_taken_off(net, data):
    # As torch.compile wraps it, without loading the compiler.
    compiled = nn.Module()
    compiled._orig_mod = net
    assert _subject(compiled, nn.CrossEntropyLoss(), data).model is net
    assert _subject(nn.DataParallel(net), nn.CrossEntropyLoss(), data).model is net
