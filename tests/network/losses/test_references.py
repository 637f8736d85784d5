"""Every loss against its float64 reference, its gradient against differences, and its limit cases."""

from functools import partial

import numpy as np
import pytest
import torch
from tests.references import losses as reference

from rareseg.errors import DataError, SettingError
from rareseg.network.losses import cross_entropy, dice, focal, lovasz, tversky

VOID = 255
ERRORS = {"false_positive_weight": 0.3, "false_negative_weight": 0.7}
WEIGHTS = {2: (0.5, 3.0), 3: (0.2, 1.0, 4.0)}
PAIRS = {
    "cross_entropy": (cross_entropy, reference.cross_entropy),
    "focal": (partial(focal, gamma=2.0), partial(reference.focal, gamma=2.0)),
    "focal_half": (partial(focal, gamma=0.5), partial(reference.focal, gamma=0.5)),
    "dice": (dice, reference.dice),
    "tversky": (partial(tversky, **ERRORS), partial(reference.tversky, **ERRORS)),
    "lovasz": (lovasz, reference.lovasz),
}
every_loss = pytest.mark.parametrize("name", PAIRS)
both_kinds = pytest.mark.parametrize("overlapping", [False, True])


def example(classes, *, overlapping, seed=0, dtype=torch.float32, void=True):
    """Logits and labels of 2 images of 4 x 5 px, a quarter of them void."""
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(3 * rng.standard_normal((2, classes, 4, 5))).to(dtype)
    labels = rng.integers(0, 2**classes if overlapping else classes, (2, 4, 5))
    if void:
        labels[rng.random(labels.shape) < 0.25] = VOID
    return logits.requires_grad_(), torch.from_numpy(labels)


def gradient(loss, logits, labels):
    (found,) = torch.autograd.grad(loss(logits, labels), logits)
    return found


@every_loss
@both_kinds
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_reference(name, overlapping, classes, seed):
    loss, expected = PAIRS[name]
    logits, labels = example(classes, overlapping=overlapping, seed=seed)
    found = loss(logits, labels, overlapping=overlapping)
    assert found.dtype == torch.float32
    assert found.shape == ()
    truth = expected(logits.detach().numpy(), labels.numpy(), overlapping=overlapping)
    assert found.item() == pytest.approx(truth, rel=2e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
@both_kinds
@pytest.mark.parametrize("classes", [2, 3])
def test_class_weights_equal_the_reference(name, overlapping, classes):
    loss, expected = PAIRS[name]
    logits, labels = example(classes, overlapping=overlapping)
    found = loss(logits, labels, overlapping=overlapping, weights=WEIGHTS[classes])
    values = logits.detach().numpy()
    truth = expected(values, labels.numpy(), overlapping=overlapping, weights=WEIGHTS[classes])
    assert found.item() == pytest.approx(truth, rel=2e-5)
    assert found.item() != pytest.approx(expected(values, labels.numpy(), overlapping=overlapping), rel=1e-3)


@every_loss
@both_kinds
@pytest.mark.parametrize("classes", [2, 3])
def test_gradient_equals_finite_differences(name, overlapping, classes):
    logits, labels = example(classes, overlapping=overlapping, dtype=torch.float64)
    loss = partial(PAIRS[name][0], labels=labels, overlapping=overlapping)
    assert loss(logits).dtype == torch.float64
    assert torch.autograd.gradcheck(loss, (logits,))


@every_loss
@both_kinds
def test_void_pixels_change_nothing(name, overlapping):
    loss = partial(PAIRS[name][0], overlapping=overlapping)
    logits, labels = example(3, overlapping=overlapping)
    changed = torch.where((labels == VOID).unsqueeze(1), 50.0, logits.detach()).requires_grad_()
    assert loss(changed, labels).item() == pytest.approx(loss(logits, labels).item())
    assert not gradient(loss, logits, labels)[(labels == VOID).unsqueeze(1).expand(-1, 3, -1, -1)].any()


@every_loss
@both_kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("classes", [2, 3])
def test_batch_without_a_counted_pixel_is_zero_with_zero_gradient(name, overlapping, dtype, classes):
    logits, labels = example(classes, overlapping=overlapping, dtype=dtype)
    loss = partial(PAIRS[name][0], overlapping=overlapping)
    nothing = torch.full_like(labels, VOID)
    assert loss(logits, nothing).item() == 0
    assert not gradient(loss, logits, nothing).any()


@every_loss
@both_kinds
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("sign", [-1, 1])
def test_extreme_logits_stay_finite(name, overlapping, classes, sign):
    _, labels = example(classes, overlapping=overlapping)
    loss = partial(PAIRS[name][0], overlapping=overlapping)
    pattern = torch.where(torch.arange(classes) == 0, 1e4, -1e4).view(1, -1, 1, 1)
    logits = (sign * pattern).expand(2, -1, 4, 5).clone().requires_grad_()
    assert loss(logits, labels).isfinite()
    assert gradient(loss, logits, labels).isfinite().all()


@every_loss
@both_kinds
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(name, overlapping, dtype):
    loss = partial(PAIRS[name][0], overlapping=overlapping)
    logits, labels = example(3, overlapping=overlapping, dtype=dtype)
    found = loss(logits, labels)
    assert found.dtype == torch.float32
    assert found.item() == loss(logits.detach().float(), labels).item()
    assert gradient(loss, logits, labels).dtype == dtype
    assert gradient(loss, logits, labels).isfinite().all()


@every_loss
@both_kinds
def test_one_pixel(name, overlapping):
    loss, expected = PAIRS[name]
    logits = torch.tensor([0.3, -1.2, 2.0]).view(1, 3, 1, 1)
    labels = torch.tensor([[[2]]])
    truth = expected(logits.numpy(), labels.numpy(), overlapping=overlapping)
    assert loss(logits, labels, overlapping=overlapping).item() == pytest.approx(truth, rel=1e-5)


@every_loss
@both_kinds
def test_memory_layout_and_label_type_do_not_matter(name, overlapping):
    loss = partial(PAIRS[name][0], overlapping=overlapping)
    logits, labels = example(3, overlapping=overlapping)
    turned = logits.detach().to(memory_format=torch.channels_last)
    expected = loss(logits, labels).item()
    assert loss(turned, labels).item() == pytest.approx(expected, rel=1e-6)
    assert loss(logits, labels.to(torch.uint8)).item() == pytest.approx(expected, rel=1e-6)


@every_loss
@both_kinds
def test_empty_scene_still_punishes_false_positives(name, overlapping):
    # Two exclusive classes, or one overlapping class, that no pixel holds; the map claims it here and there.
    loss = partial(PAIRS[name][0], overlapping=overlapping)
    rng = np.random.default_rng(0)
    rare = torch.from_numpy(rng.standard_normal((1, 1, 4, 5)).astype(np.float32))
    logits = (rare if overlapping else torch.cat([-rare, rare], dim=1)).requires_grad_()
    slope = gradient(loss, logits, torch.zeros((1, 4, 5), dtype=torch.int64))[:, -1]
    assert (slope >= 0).all()
    assert slope.flatten()[rare.argmax()] > 0


@every_loss
@both_kinds
def test_gradient_pushes_towards_the_labels(name, overlapping):
    loss = partial(PAIRS[name][0], overlapping=overlapping)
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (1, 6, 6)))
    logits = torch.zeros((1, 1 if overlapping else 2, 6, 6), requires_grad=True)
    slope = gradient(loss, logits, labels)[:, -1]
    assert (slope[labels == 1] < 0).all()
    assert (slope[labels == 0] > 0).any()
    assert (slope[labels == 0] >= 0).all()


@every_loss
@pytest.mark.parametrize(
    ("logits", "labels"),
    [((2, 2, 4, 5), (2, 5, 4)), ((2, 2, 4, 5), (1, 4, 5)), ((2, 4, 5), (4, 5))],
)
def test_shapes_that_do_not_fit_are_refused(name, logits, labels):
    with pytest.raises(DataError, match=r"labels \(batch, rows, cols\) of the same images; received"):
        PAIRS[name][0](torch.zeros(logits), torch.zeros(labels, dtype=torch.int64))


@every_loss
def test_dtypes_that_do_not_fit_are_refused(name):
    logits, labels = torch.zeros((1, 2, 3, 3)), torch.zeros((1, 3, 3), dtype=torch.int64)
    with pytest.raises(DataError, match=r"received torch\.float32 logits and torch\.float32 labels"):
        PAIRS[name][0](logits, labels.float())
    with pytest.raises(DataError, match=r"received torch\.int64 logits"):
        PAIRS[name][0](logits.long(), labels)


@every_loss
@both_kinds
def test_labels_out_of_range_are_refused(name, overlapping):
    labels = torch.zeros((1, 3, 3), dtype=torch.int64)
    labels[0, 0, :2] = 9
    kind = "bit sets 0..7" if overlapping else "class indices 0..2"
    message = f"{kind} or 255 .not counted., as there are 3 classes; found 9 on 2 pixels"
    with pytest.raises(DataError, match=message):
        PAIRS[name][0](torch.zeros((1, 3, 3, 3)), labels, overlapping=overlapping)


@every_loss
def test_eight_overlapping_classes_are_refused(name):
    labels = torch.zeros((1, 3, 3), dtype=torch.int64)
    with pytest.raises(SettingError, match="at most 7 overlapping classes.*received 8"):
        PAIRS[name][0](torch.zeros((1, 8, 3, 3)), labels, overlapping=True)
