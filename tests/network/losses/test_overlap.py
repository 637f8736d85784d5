import math

import pytest
import torch

from rareseg.errors import SettingError
from rareseg.network.losses.overlap import dice, focal_tversky, generalised_dice, jaccard, tversky


def example(classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn((2, classes, 8, 8), generator=generator)
    return logits, torch.randint(0, classes, (2, 8, 8), generator=generator)


def hard(labels, classes, *, overlapping=False):
    numbers = torch.arange(classes).view(1, -1, 1, 1)
    spread = labels.unsqueeze(1)
    return torch.where(spread >> numbers & 1 == 1 if overlapping else spread == numbers, 30.0, -30.0)


@pytest.mark.parametrize("overlapping", [False, True])
def test_tversky_at_a_half_is_dice(overlapping):
    logits, labels = example()
    halves = {"false_positive_weight": 0.5, "false_negative_weight": 0.5, "overlapping": overlapping}
    torch.testing.assert_close(
        tversky(logits, labels, **halves),
        dice(logits, labels, overlapping=overlapping),
    )


@pytest.mark.parametrize("overlapping", [False, True])
def test_right_answer_costs_nothing(overlapping):
    _, labels = example()
    assert dice(hard(labels, 3, overlapping=overlapping), labels, overlapping=overlapping).item() < 1e-6


def test_weights_keep_false_positives_and_negatives_apart():
    # Class 1 is claimed on all 64 pixels and true on 16: only false positives. Class 0: only false negatives.
    labels = torch.zeros((1, 8, 8), dtype=torch.int64)
    labels[:, :2] = 1
    logits = hard(torch.ones_like(labels), 2)
    found = tversky(logits, labels, false_positive_weight=0.2, false_negative_weight=0.9)
    claimed = 1 - 16.5 / (16 + 0.2 * 48 + 0.5)
    missed = 1 - 0.5 / (0.9 * 48 + 0.5)
    assert found.item() == pytest.approx((claimed + missed) / 2, rel=1e-6)


def test_class_that_the_batch_lacks_costs_by_its_false_positives():
    labels = torch.zeros((1, 4, 4), dtype=torch.int64)
    for count in (0, 1, 5):
        claimed = labels.clone()
        claimed.view(-1)[:count] = 2
        background = 1 - (2 * (16 - count) + 1) / (2 * (16 - count) + count + 1)
        absent = 1 - 1 / (count + 1)
        expected = (background + absent) / 3
        assert dice(hard(claimed, 3), labels).item() == pytest.approx(expected, abs=1e-6)


def test_all_images_of_the_batch_are_one_set():
    logits, labels = example()
    stacked = logits.permute(1, 0, 2, 3).reshape(1, 3, 16, 8)
    torch.testing.assert_close(dice(logits, labels), dice(stacked, labels.reshape(1, 16, 8)))


@pytest.mark.parametrize("weights", [(-0.1, 1.0), (1.0, math.inf), (math.nan, 1.0), (0.0, 0.0)])
def test_unusable_weights_are_refused(weights):
    with pytest.raises(SettingError, match=r"finite, >= 0 and not both 0; received "):
        tversky(*example(), false_positive_weight=weights[0], false_negative_weight=weights[1])


def soft(values):
    """Logits of one channel with these probabilities."""
    return torch.logit(torch.tensor(values, dtype=torch.float64)).view(1, 1, 1, -1)


def marked(*labels):
    return torch.tensor(labels).view(1, 1, -1)


@pytest.mark.parametrize("squared", [False, True])
def test_by_hand(squared):
    logits, labels = soft([0.9, 0.4, 0.2]), marked(1, 1, 0)
    hits, claimed = 1.3, 0.81 + 0.16 + 0.04 if squared else 1.5
    found = dice(logits, labels, squared=squared, smoothing=0.25)
    assert found.item() == pytest.approx(1 - (2 * hits + 0.5) / (claimed + 2 + 0.5))
    found = jaccard(logits, labels, squared=squared, smoothing=0.25)
    assert found.item() == pytest.approx(1 - (hits + 0.25) / (claimed + 2 - hits + 0.25))


def test_false_positives_and_negatives_have_their_own_weights():
    found = tversky(
        soft([0.9, 0.4, 0.2]),
        marked(1, 1, 0),
        false_positive_weight=0.1,
        false_negative_weight=0.8,
        smoothing=0.0,
    )
    assert found.item() == pytest.approx(1 - 1.3 / (1.3 + 0.1 * 0.2 + 0.8 * 0.7))


@pytest.mark.parametrize("overlapping", [False, True])
def test_tversky_at_one_is_jaccard(overlapping):
    logits, labels = example()
    ones = {"false_positive_weight": 1.0, "false_negative_weight": 1.0, "overlapping": overlapping}
    torch.testing.assert_close(
        tversky(logits, labels, **ones), jaccard(logits, labels, overlapping=overlapping)
    )


def test_one_channel_is_the_second_of_two_classes():
    logits, labels = example(2)
    difference = logits[:, 1:] - logits[:, :1]
    for loss in (dice, jaccard, tversky, focal_tversky):
        torch.testing.assert_close(loss(difference, labels), loss(logits, labels, classes=(1,)))


def test_focal_tversky_is_a_power():
    logits, labels = example()
    apart = [tversky(logits, labels, classes=(k,)) for k in range(3)]
    for exponent in (0.75, 2.0):
        found = focal_tversky(logits, labels, exponent=exponent)
        torch.testing.assert_close(found, torch.stack(apart).pow(exponent).mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_focal_tversky_of_the_right_answer_has_a_finite_slope(smoothing):
    labels = example()[1]
    logits = (100 * hard(labels, 3)).requires_grad_()
    value = focal_tversky(logits, labels, exponent=0.1, smoothing=smoothing)
    (slope,) = torch.autograd.grad(value, logits)
    assert value.item() == 0
    assert slope.isfinite().all()


def test_focal_tversky_is_one_curve():
    # At 1 - index = 1e-6 the power gives way to a straight line through 0.
    logits = soft([1 - 1e-6]).requires_grad_()
    for shift in (-1e-3, 1e-3):
        found = focal_tversky(logits + shift, marked(1), false_negative_weight=1.0, smoothing=0.0)
        assert found.item() == pytest.approx(1e-6**0.75, rel=2e-3)


@pytest.mark.parametrize("loss", [dice, jaccard, tversky, focal_tversky, generalised_dice])
def test_each_image_its_own_score(loss):
    logits, labels = example()
    labels[1, :4] = 255
    apart = [loss(logits[k : k + 1], labels[k : k + 1]) for k in range(2)]
    torch.testing.assert_close(loss(logits, labels, per_image=True), torch.stack(apart).mean())
    # An image without a counted pixel has no score.
    labels[1] = 255
    torch.testing.assert_close(loss(logits, labels, per_image=True), apart[0])


@pytest.mark.parametrize("loss", [dice, jaccard, tversky, focal_tversky])
def test_the_mean_runs_over_chosen_classes(loss):
    logits, labels = example()
    apart = [loss(logits, labels, classes=(k,)) for k in range(3)]
    torch.testing.assert_close(loss(logits, labels), torch.stack(apart).mean())
    torch.testing.assert_close(loss(logits, labels, classes=(2, 0)), (apart[0] + apart[2]) / 2)


@pytest.mark.parametrize(("weighting", "power"), [("inverse_square", 2), ("inverse", 1), ("uniform", 0)])
def test_generalised_dice_by_hand(weighting, power):
    logits, labels = example(4)
    labels[labels == 3] = 0  # A class that the batch lacks: it weighs as much as the rarest of the others.
    p = logits.double().softmax(dim=1)
    sizes = torch.stack([(labels == k).sum() for k in range(4)]).double()
    weights = torch.tensor([1 / max(size, 1e-9) ** power for size in sizes.tolist()]).double()
    weights[3] = weights[:3].max()
    weights /= weights.max()
    hits = torch.stack([p[:, k][labels == k].sum() for k in range(4)])
    both = p.sum(dim=(0, 2, 3)) + sizes
    expected = 1 - (2 * (weights * hits).sum() + 1) / ((weights * both).sum() + 1)
    found = generalised_dice(logits, labels, weighting=weighting)
    torch.testing.assert_close(found.double(), expected)


def test_generalised_dice_of_an_empty_image_pushes_false_positives():
    logits = soft([0.9, 0.4, 0.2]).requires_grad_()
    (slope,) = torch.autograd.grad(generalised_dice(logits, marked(0, 0, 0)), logits)
    assert (slope > 0).all()


def test_no_smoothing_and_nothing_claimed_is_nought():
    labels = torch.zeros((1, 2, 2), dtype=torch.int64)
    logits = torch.full((1, 1, 2, 2), -1e4, requires_grad=True)
    for loss in (dice, jaccard, tversky, focal_tversky):
        value = loss(logits, labels, smoothing=0.0)
        (slope,) = torch.autograd.grad(value, logits)
        assert value.item() == 0
        assert not slope.any()


@pytest.mark.parametrize("classes", [(), (3,), (-1,), (1, 1)])
@pytest.mark.parametrize("loss", [dice, jaccard, tversky, focal_tversky, generalised_dice])
def test_classes_that_are_none_are_refused(loss, classes):
    with pytest.raises(SettingError, match="Expected classes to be different class indices"):
        loss(*example(), classes=classes)


@pytest.mark.parametrize("loss", [dice, jaccard, tversky, focal_tversky])
@pytest.mark.parametrize("smoothing", [-0.1, math.inf, math.nan])
def test_unusable_smoothing_is_refused(loss, smoothing):
    with pytest.raises(SettingError, match=f"smoothing to be a finite number >= 0; received {smoothing}"):
        loss(*example(), smoothing=smoothing)


@pytest.mark.parametrize("exponent", [0.0, -1.0, math.inf])
def test_unusable_exponent_is_refused(exponent):
    with pytest.raises(SettingError, match=f"exponent to be a finite number > 0; received {exponent}"):
        focal_tversky(*example(), exponent=exponent)


def test_unknown_weighting_is_refused():
    with pytest.raises(SettingError, match="inverse_square, inverse or uniform; received 'squared'"):
        generalised_dice(*example(), weighting="squared")
