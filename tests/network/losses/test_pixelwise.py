import math

import pytest
import torch
from torch.nn import functional as F

from rareseg.errors import SettingError
from rareseg.network.losses.pixelwise import cross_entropy, focal


def example(classes=2):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, classes, 8, 8), generator=generator)
    return logits, torch.randint(0, classes, (2, 8, 8), generator=generator)


def test_two_classes_equal_sigmoid_cross_entropy_of_the_difference():
    logits, labels = example()
    difference = logits[:, 1:] - logits[:, :1]
    expected = F.binary_cross_entropy_with_logits(difference[:, 0], labels.float())
    torch.testing.assert_close(cross_entropy(logits, labels), expected)
    torch.testing.assert_close(cross_entropy(difference, labels, overlapping=True), expected)


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 3.0)])
def test_focal_with_gamma_zero_is_cross_entropy(overlapping, weights):
    logits, labels = example(3)
    settings = {"overlapping": overlapping, "weights": weights}
    found = focal(logits, labels, gamma=0.0, **settings)
    torch.testing.assert_close(found, cross_entropy(logits, labels, **settings))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_over_cross_entropy_is_the_doubt_to_the_power_gamma(gamma):
    logits = torch.tensor([1.5, 0.0]).view(1, 2, 1, 1)
    labels = torch.zeros((1, 1, 1), dtype=torch.int64)
    ratio = focal(logits, labels, gamma=gamma) / cross_entropy(logits, labels)
    assert ratio.item() == pytest.approx((1 - 1 / (1 + math.exp(-1.5))) ** gamma, rel=1e-5)


@pytest.mark.parametrize("overlapping", [False, True])
def test_the_prior_everywhere_costs_its_entropy(overlapping):
    labels = (torch.arange(100).view(1, 10, 10) < 7).long()
    share = torch.tensor(0.07)
    entropy = -(0.07 * math.log(0.07) + 0.93 * math.log(0.93))
    prior = [torch.logit(share)] if overlapping else [(1 - share).log(), share.log()]
    logits = torch.stack(prior).view(1, -1, 1, 1).expand(1, -1, 10, 10).clone().requires_grad_()
    loss = cross_entropy(logits, labels, overlapping=overlapping)
    assert loss.item() == pytest.approx(entropy, rel=1e-6)
    # And it is the best constant answer.
    (slope,) = torch.autograd.grad(loss, logits)
    assert slope.sum(dim=(0, 2, 3)).abs().max() < 1e-7


def test_overlapping_classes_add_up_in_nats_per_pixel():
    logits, labels = example(3)
    together = cross_entropy(logits, labels, overlapping=True)
    apart = [
        cross_entropy(logits[:, number : number + 1], labels >> number & 1, overlapping=True)
        for number in range(3)
    ]
    torch.testing.assert_close(together, torch.stack(apart).sum())


@pytest.mark.parametrize("loss", [cross_entropy, focal])
@pytest.mark.parametrize("overlapping", [False, True])
def test_only_ratios_of_weights_matter(loss, overlapping):
    logits, labels = example()
    small = loss(logits, labels, weights=(0.1, 0.4), overlapping=overlapping)
    large = loss(logits, labels, weights=(10.0, 40.0), overlapping=overlapping)
    equal = loss(logits, labels, weights=(7.0, 7.0), overlapping=overlapping)
    torch.testing.assert_close(small, large)
    torch.testing.assert_close(equal, loss(logits, labels, overlapping=overlapping))


@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_a_weight_counts_a_pixel_that_many_times(loss):
    logits, labels = example()
    labels[:, :4], labels[:, 4:] = 0, 1
    repeated = torch.cat([logits, logits[:, :, 4:], logits[:, :, 4:]], dim=2)
    same = torch.cat([labels, labels[:, 4:], labels[:, 4:]], dim=1)
    torch.testing.assert_close(loss(logits, labels, weights=(1.0, 3.0)), loss(repeated, same))


@pytest.mark.parametrize("loss", [cross_entropy, focal])
def test_batch_of_pixels_that_weigh_nothing_is_zero_with_zero_gradient(loss):
    logits, labels = example()
    logits.requires_grad_()
    found = loss(logits, torch.zeros_like(labels), weights=(0.0, 1.0))
    (slope,) = torch.autograd.grad(found, logits)
    assert found.item() == 0
    assert not slope.any()


@pytest.mark.parametrize("loss", [cross_entropy, focal])
@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0), (1.0, math.inf), (1.0, math.nan), (0.0, 0.0)])
def test_unusable_weights_are_refused(loss, overlapping, weights):
    with pytest.raises(SettingError, match="Expected 2 class weights, one per class, finite, >= 0"):
        loss(*example(), weights=weights, overlapping=overlapping)


@pytest.mark.parametrize("gamma", [-0.1, math.inf, math.nan])
def test_unusable_gamma_is_refused(gamma):
    with pytest.raises(SettingError, match=f"gamma to be a finite number >= 0; received {gamma}"):
        focal(*example(), gamma=gamma)


def test_large_batches_lose_no_digits():
    logits = torch.zeros((4, 2, 512, 512))
    labels = torch.zeros((4, 512, 512), dtype=torch.int64)
    assert cross_entropy(logits, labels).item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 3.0)])
def test_smoothing_is_that_of_pytorch(weights):
    logits, labels = example(3)
    labels[:, :2] = 255
    table = None if weights is None else torch.tensor(weights)
    expected = F.cross_entropy(logits, labels, table, ignore_index=255, label_smoothing=0.2)
    torch.testing.assert_close(cross_entropy(logits, labels, smoothing=0.2, weights=weights), expected)


def test_smoothing_of_one_channel_is_that_of_its_two_answers():
    logits, labels = example(2)
    difference = logits[:, 1:] - logits[:, :1]
    torch.testing.assert_close(
        cross_entropy(difference, labels, smoothing=0.2), cross_entropy(logits, labels, smoothing=0.2)
    )


def test_alpha_multiplies_and_is_not_normalised():
    logits, labels = example(3)
    apart = [focal(logits, labels.where(labels == k, 255)) * (labels == k).sum() for k in range(3)]
    expected = (0.25 * apart[0] + 0.5 * apart[1] + apart[2]) / labels.numel()
    torch.testing.assert_close(focal(logits, labels, alpha=(0.25, 0.5, 1.0)), expected)


@pytest.mark.parametrize("classes", [1, 2])
def test_alpha_of_a_quarter_weighs_the_class_less_than_the_rest(classes):
    # Sigmoid: the class alone. Two exclusive classes: the same as (0.75, 0.25).
    labels = torch.tensor([[[0, 1]]])
    logits = torch.zeros((1, classes, 1, 2), requires_grad=True)
    value = focal(logits, labels, alpha=(0.25,) if classes == 1 else (0.75, 0.25))
    (slope,) = torch.autograd.grad(value, logits)
    rest, rare = slope[0, -1, 0].abs()
    assert rare.item() == pytest.approx(rest.item() / 3)


@pytest.mark.parametrize("alpha", [(0.5,), (0.5, 1.1), (-0.1, 0.5), (0.5, math.nan)])
@pytest.mark.parametrize("overlapping", [False, True])
def test_unusable_alpha_is_refused(alpha, overlapping):
    with pytest.raises(SettingError, match="alpha to be one number in 0..1 for each of 2 classes, or none"):
        focal(*example(), alpha=alpha, overlapping=overlapping)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, math.nan])
def test_unusable_smoothing_is_refused(smoothing):
    with pytest.raises(
        SettingError, match=f"smoothing to be a finite number >= 0 and < 1; received {smoothing}"
    ):
        cross_entropy(*example(), smoothing=smoothing)
