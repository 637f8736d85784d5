import math

import pytest
import torch

from rareseg.errors import SettingError
from rareseg.network.losses.pixelwise import cross_entropy
from rareseg.network.losses.shifted import balanced_softmax, ldam, logit_adjusted

SHARES = (0.7, 0.25, 0.05)


def example(classes=3):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, classes, 8, 8), generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, classes, (2, 8, 8), generator=generator)


@pytest.mark.parametrize("overlapping", [False, True])
def test_without_temperature_or_margin_it_is_cross_entropy(overlapping):
    logits, labels = example()
    expected = cross_entropy(logits, labels, overlapping=overlapping)
    settings = {"shares": SHARES, "overlapping": overlapping}
    torch.testing.assert_close(logit_adjusted(logits, labels, temperature=0.0, **settings), expected)
    torch.testing.assert_close(ldam(logits, labels, max_margin=0.0, **settings), expected)


def test_equal_shares_move_nothing_of_exclusive_classes():
    logits, labels = example()
    expected = cross_entropy(logits, labels)
    torch.testing.assert_close(balanced_softmax(logits, labels, shares=(1 / 3,) * 3), expected)


def test_logits_of_nought_answer_the_prior():
    labels = torch.zeros((1, 10, 10), dtype=torch.int64)
    labels.view(-1)[:5] = 1
    entropy = -(0.05 * math.log(0.05) + 0.95 * math.log(0.95))
    two = torch.zeros((1, 2, 10, 10), requires_grad=True)
    one = torch.zeros((1, 1, 10, 10), requires_grad=True)
    for logits, shares in ((two, (0.95, 0.05)), (one, (0.05,))):
        value = logit_adjusted(logits, labels, shares=shares)
        assert value.item() == pytest.approx(entropy, rel=1e-6)
        (slope,) = torch.autograd.grad(value, logits)
        assert slope.sum(dim=(0, 2, 3)).abs().max() < 1e-7


def test_balanced_softmax_multiplies_by_the_shares():
    logits, labels = example()
    weighed = torch.tensor(SHARES).double().view(1, 3, 1, 1) * logits.exp()
    chances = (weighed / weighed.sum(dim=1, keepdim=True)).gather(1, labels.unsqueeze(1))
    torch.testing.assert_close(balanced_softmax(logits, labels, shares=SHARES), -chances.log().mean())
    torch.testing.assert_close(
        balanced_softmax(logits, labels, shares=SHARES), logit_adjusted(logits, labels, shares=SHARES)
    )


@pytest.mark.parametrize(("classes", "overlapping"), [(1, False), (1, True), (3, True)])
def test_balanced_softmax_needs_exclusive_classes(classes, overlapping):
    logits, labels = torch.zeros((1, classes, 2, 2)), torch.zeros((1, 2, 2)).long()
    with pytest.raises(SettingError, match="exclusive classes for balanced_softmax.*Use logit_adjusted"):
        balanced_softmax(logits, labels, shares=(0.1,) * classes, overlapping=overlapping)


@pytest.mark.parametrize(("label", "margin"), [(0, 0.5 * (0.05 / 0.7) ** 0.25), (2, 0.5)])
def test_the_margin_is_taken_from_the_label(label, margin):
    logits = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64).view(1, 3, 1, 1)
    labels = torch.full((1, 1, 1), label)
    moved = logits.clone()
    moved[0, label] -= margin
    expected = cross_entropy(4 * moved, labels)
    torch.testing.assert_close(ldam(logits, labels, shares=SHARES, scale=4.0), expected)


def test_one_channel_is_the_two_classes_of_its_answers():
    logits, labels = example(2)
    difference = logits[:, 1:] - logits[:, :1]
    for scale in (1.0, 3.0):
        settings = {"max_margin": 0.8, "scale": scale}
        # The margins differ by class, not only their difference: the pair of logits is (0, difference).
        pair = torch.cat([torch.zeros_like(difference), difference], dim=1)
        torch.testing.assert_close(
            ldam(difference, labels, shares=(0.1,), **settings),
            ldam(pair, labels, shares=(0.9, 0.1), **settings),
        )
    torch.testing.assert_close(
        logit_adjusted(difference, labels, shares=(0.1,)), logit_adjusted(pair, labels, shares=(0.9, 0.1))
    )


@pytest.mark.parametrize("loss", [logit_adjusted, balanced_softmax, ldam])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.5, 0.0), (0.2, 0.3, 1.0), (0.5, 0.2, math.nan)])
def test_unusable_shares_are_refused(loss, shares):
    with pytest.raises(SettingError, match=f"{loss.__name__}'s shares to be 3 numbers between 0 and 1"):
        loss(*example(), shares=shares)


@pytest.mark.parametrize(
    ("loss", "setting", "value"),
    [
        (logit_adjusted, "temperature", -0.1),
        (logit_adjusted, "temperature", math.inf),
        (ldam, "max_margin", -1.0),
        (ldam, "scale", 0.0),
        (ldam, "scale", math.nan),
    ],
)
def test_settings_out_of_range_are_refused(loss, setting, value):
    with pytest.raises(SettingError, match=f"{loss.__name__}'s {setting} to be a finite number >"):
        loss(*example(), shares=SHARES, **{setting: value})


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.97])
def test_one_channel_ldam_does_not_mind_which_answer_is_called_yes(share):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 6, 6, generator=generator, dtype=torch.float64)
    labels = (torch.rand(2, 6, 6, generator=generator) < 0.4).long()
    as_said = ldam(logits, labels, shares=(share,))
    turned = ldam(-logits, 1 - labels, shares=(1 - share,))
    torch.testing.assert_close(as_said, turned)
