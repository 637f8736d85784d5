import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from tests.references.losses.lovasz import jaccard_loss

from rareseg.errors import SettingError
from rareseg.network.losses import ranked_errors
from rareseg.network.losses.lovasz import lovasz

MODULE = sys.modules[lovasz.__module__]  # the package gives its name to the function
KINDS = {"two": (2, False), "five": (5, False), "overlapping": (3, True), "one": (1, False)}


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def small_blocks(request, monkeypatch):
    """Blocks and threads as a large batch meets them."""
    monkeypatch.setattr(ranked_errors, "BLOCK", 16)
    monkeypatch.setattr(ranked_errors, "SAMPLE", 32)
    monkeypatch.setattr(MODULE, "SMALL", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: request.param)


def batch(kind, *, seed=0, rows=9, scale=3.0, void=True):
    rng = np.random.default_rng(seed)
    classes, overlapping = KINDS[kind]
    labels = rng.integers(0, 2**classes if overlapping else max(classes, 2), (3, rows, 11))
    if void:
        labels[rng.random(labels.shape) < 0.2] = 255
    logits = torch.from_numpy(scale * rng.standard_normal((3, classes, rows, 11)))
    return logits, torch.from_numpy(labels), overlapping


def with_gradient(logits, labels, **settings):
    logits = logits.clone().requires_grad_()
    value = lovasz(logits, labels, **settings)
    return value.detach(), torch.autograd.grad(value, logits)[0]


@pytest.mark.parametrize("seed", range(5))
def test_softmax_equals_one_minus_iou_at_hard_answers(seed):
    # The Lovasz extension meets its set function at the corners of the cube.
    rng = np.random.default_rng(seed)
    labels, answers = rng.integers(0, 3, (2, 1, 6, 6))
    logits = torch.from_numpy(np.where(answers[:, None] == np.arange(3)[None, :, None, None], 40.0, -40.0))
    present = [number for number in range(3) if (labels == number).any()]
    losses = [
        jaccard_loss(labels.ravel() == number, (labels == number).ravel() ^ (answers == number).ravel())
        for number in present
    ]
    for dtype, precision in ((torch.float64, 1e-9), (torch.float32, 1e-6)):
        value = lovasz(logits.to(dtype), torch.from_numpy(labels)).item()
        assert value == pytest.approx(np.mean(losses), rel=precision)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("void", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_processors_sort_equals_pytorchs_in_value_and_gradient(kind, void, per_image):
    logits, labels, overlapping = batch(kind, void=void)
    settings = {"overlapping": overlapping, "per_image": per_image}
    value, gradient = with_gradient(logits.float(), labels, **settings)
    wanted, wanted_gradient = with_gradient(logits.float().double(), labels, **settings)
    torch.testing.assert_close(value.double(), wanted, rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient.double(), wanted_gradient, rtol=1e-4, atol=1e-8)


def test_one_class_alone_in_several_images_has_its_gradient():
    logits, labels, _ = batch("five")
    _, gradient = with_gradient(logits.float(), torch.ones_like(labels))
    _, wanted = with_gradient(logits, torch.ones_like(labels))
    torch.testing.assert_close(gradient.double(), wanted, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_value(kind):
    logits, labels, overlapping = batch(kind, rows=2)
    torch.autograd.gradcheck(
        lambda scores: lovasz(scores, labels, overlapping=overlapping), logits.requires_grad_()
    )


def test_two_classes_equal_three_of_which_one_is_never_claimed():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, 2, 8, 8), generator=generator)
    labels = torch.randint(0, 2, (2, 8, 8), generator=generator)
    never = torch.full((2, 1, 8, 8), -1000.0)
    torch.testing.assert_close(lovasz(torch.cat([logits, never], dim=1), labels), lovasz(logits, labels))


def test_present_leaves_out_classes_that_the_batch_lacks_and_all_takes_their_worst_claim():
    labels = torch.zeros((1, 4, 4), dtype=torch.int64)
    logits = torch.zeros((1, 3, 4, 4))
    logits[0, 1, 2, 2] = 1.0
    chances = logits.double().softmax(dim=1)
    missed = (1 - chances[0, 0]).mean()
    for dtype in (torch.float32, torch.float64):
        assert lovasz(logits.to(dtype), labels).item() == pytest.approx(missed.item(), rel=1e-6)
        everything = lovasz(logits.to(dtype), labels, classes="all").item()
        worst = chances[0, 1].max() + chances[0, 2].max()
        assert everything == pytest.approx((missed + worst).item() / 3, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hinge_costs_the_worst_false_positive_of_an_absent_class(dtype):
    logits = torch.tensor([[0.5, -3.0], [2.0, -0.2]], dtype=dtype).view(1, 1, 2, 2)
    labels = torch.zeros((1, 2, 2), dtype=torch.int64)
    for overlapping in (True, False):
        value, gradient = with_gradient(logits, labels, overlapping=overlapping)
        assert value.item() == pytest.approx(1 + 2.0)
        assert gradient.flatten().tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hinge_is_zero_beyond_the_margin(dtype):
    labels = torch.tensor([[[0, 1]]])
    logits = torch.tensor([-1.5, 1.5], dtype=dtype).view(1, 1, 1, 2)
    value, gradient = with_gradient(logits, labels, overlapping=True)
    assert value.item() == 0
    assert not gradient.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hinge_is_zero_where_a_class_is_absent_and_nowhere_claimed(dtype):
    value, gradient = with_gradient(
        torch.full((1, 1, 2, 2), -1.5, dtype=dtype), torch.zeros((1, 2, 2)).long()
    )
    assert value.item() == 0
    assert not gradient.any()


@pytest.mark.parametrize("bins", [0, 1, 5])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pixels_left_out_change_nothing(kind, bins, dtype):
    logits, labels, overlapping = batch(kind, void=False)
    settings = {"overlapping": overlapping, "bins": bins}
    value, gradient = with_gradient(logits[:, :, :6].to(dtype), labels[:, :6], **settings)
    valid = (torch.arange(9) < 6).view(1, 9, 1).expand(labels.shape)
    more_value, more_gradient = with_gradient(logits.to(dtype), labels, valid=valid, **settings)
    torch.testing.assert_close(more_value, value)
    torch.testing.assert_close(more_gradient[:, :, :6], gradient)
    assert not more_gradient[:, :, 6:].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hinge_gives_no_slope_to_errors_that_are_not_above_zero(dtype):
    labels = torch.tensor([[[1, 1, 0, 0]]])
    logits = torch.tensor([1.5, 0.0, 0.5, -2.0], dtype=dtype).view(1, 1, 1, 4)
    value, gradient = with_gradient(logits, labels)
    assert value.item() == pytest.approx(1.5 / 3 + 1 / 3)
    torch.testing.assert_close(gradient.flatten(), torch.tensor([0, -1 / 3, 1 / 3, 0], dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tied_errors_cost_the_same_in_any_order(dtype):
    labels = torch.tensor([[[0, 1, 0, 1, 1, 0]]])
    logits = torch.zeros((1, 2, 1, 6), dtype=dtype)
    assert lovasz(logits, labels).item() == pytest.approx(0.5)
    assert lovasz(logits, labels.flip(-1)).item() == pytest.approx(0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_per_image_is_the_mean_of_the_images_losses(kind):
    logits, labels, overlapping = batch(kind)
    labels[1] = 255
    value, gradient = with_gradient(logits, labels, overlapping=overlapping, per_image=True)
    singles = [
        with_gradient(logits[image : image + 1], labels[image : image + 1], overlapping=overlapping)
        for image in range(3)
    ]
    assert value.item() == pytest.approx(sum(single.item() for single, _ in singles) / 3)
    torch.testing.assert_close(gradient, torch.cat([one for _, one in singles]) / 3)
    assert singles[1][0] == 0


def test_more_bins_come_nearer_and_reach_the_exact_loss():
    logits, labels, _ = batch("five", rows=40)
    wanted = lovasz(logits, labels)
    gaps = [wanted - lovasz(logits, labels, bins=bins) for bins in (1, 8, 64, 512)]
    assert all(fewer > 2 * more for fewer, more in pairwise(gaps))
    torch.testing.assert_close(lovasz(logits, labels, bins=100_000), wanted, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bins", [0, 32])
def test_float32_equals_float64_with_and_without_bins(kind, bins):
    logits, labels, overlapping = batch(kind)
    single = lovasz(logits.float(), labels, overlapping=overlapping, bins=bins)
    double = lovasz(logits.float().double(), labels, overlapping=overlapping, bins=bins)
    assert single.item() == pytest.approx(double.item(), rel=1e-4)


@pytest.mark.parametrize("bins", [0, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_nan_on_one_counted_pixel_reaches_the_value(kind, dtype, bins):
    logits, labels, overlapping = batch(kind, void=False)
    logits[0, 0, 0, 0] = torch.nan
    for label in (0, 1):
        labels[0, 0, 0] = label
        assert lovasz(logits.to(dtype), labels, overlapping=overlapping, bins=bins).isnan()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bins", [0, 8])
def test_the_gradient_serves_twice_and_scales(kind, bins):
    logits, labels, overlapping = batch(kind)
    logits = logits.float().requires_grad_()
    loss = lovasz(logits, labels, overlapping=overlapping, bins=bins)
    loss.backward(retain_graph=True)
    once = logits.grad.clone()
    assert once.any()
    loss.backward(retain_graph=True)
    torch.testing.assert_close(logits.grad, 2 * once)
    (3 * loss).backward()
    torch.testing.assert_close(logits.grad, 5 * once)


def test_channels_last_logits_give_the_same():
    logits, labels, _ = batch("five")
    value, gradient = with_gradient(logits.float(), labels)
    other = logits.float().to(memory_format=torch.channels_last)
    assert not other.is_contiguous()
    turned_value, turned_gradient = with_gradient(other, labels)
    torch.testing.assert_close(turned_value, value)
    torch.testing.assert_close(turned_gradient, gradient)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bins", [0, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_counted_costs_nothing(kind, bins, dtype):
    logits, labels, overlapping = batch(kind)
    value, gradient = with_gradient(
        logits.to(dtype), torch.full_like(labels, 255), overlapping=overlapping, bins=bins
    )
    assert value.item() == 0
    assert not gradient.any()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("bins", [0, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_gives_the_same(kind, bins):
    logits, labels, overlapping = batch(kind)
    settings = {"overlapping": overlapping, "bins": bins}
    value, gradient = with_gradient(logits.float().cuda(), labels.cuda(), **settings)
    wanted, wanted_gradient = with_gradient(logits.float(), labels, **settings)
    torch.testing.assert_close(value.cpu(), wanted, rtol=1e-5, atol=0)
    torch.testing.assert_close(gradient.cpu(), wanted_gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"classes": "some"}, "lovasz.classes"),
        ({"classes": "all", "overlapping": True}, "lovasz.classes"),
        ({"bins": -1}, "lovasz.bins"),
        ({"bins": 2.5}, "lovasz.bins"),
        ({"bins": True}, "lovasz.bins"),
    ],
)
def test_settings_out_of_range_are_named(settings, named):
    logits, labels, _ = batch("two")
    with pytest.raises(SettingError, match=named):
        lovasz(logits, labels, **settings)
