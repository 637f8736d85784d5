import math

import pytest
import torch

from rareseg.errors import SettingError
from rareseg.network.losses.hard import _largest, ohem, top_k
from rareseg.network.losses.pixelwise import cross_entropy


def of_chances(chances):
    """Two-class logits and labels of class 0, which get these probabilities."""
    logits = torch.logit(torch.tensor(chances, dtype=torch.float64))
    return torch.stack([logits, torch.zeros_like(logits)]).view(1, 2, 1, -1), torch.zeros(
        1, 1, len(chances)
    ).long()


def surprise(*chances):
    return sum(-math.log(chance) for chance in chances) / len(chances)


@pytest.mark.parametrize(("share", "kept"), [(0.2, 1), (0.21, 2), (0.5, 3), (1.0, 5)])
def test_top_k_is_the_mean_of_the_hardest(share, kept):
    chances = [0.9, 0.2, 0.6, 0.05, 0.99]
    assert top_k(*of_chances(chances), share=share).item() == pytest.approx(surprise(*sorted(chances)[:kept]))


def test_pixels_that_are_not_counted_are_no_pixels():
    logits, labels = of_chances([0.9, 0.2, 0.6, 0.05, 0.01])
    labels[..., 4] = 255
    assert top_k(logits, labels, share=0.5).item() == pytest.approx(surprise(0.05, 0.2))
    assert ohem(logits, labels, threshold=0.1).item() == pytest.approx(surprise(0.05))


def test_ties_for_the_last_place_share_it():
    logits, labels = of_chances([0.1, 0.5, 0.5, 0.5, 0.9])
    logits.requires_grad_()
    value = top_k(logits, labels, share=0.4)
    assert value.item() == pytest.approx(surprise(0.1, 0.5))
    (slope,) = torch.autograd.grad(value, logits)
    torch.testing.assert_close(slope[0, 0, 0], torch.tensor([-0.9 / 2, *[-0.5 / 6] * 3, 0]).double())


def test_ohem_keeps_what_is_below_the_threshold():
    chances = [0.9, 0.2, 0.6, 0.05, 0.99]
    assert ohem(*of_chances(chances), threshold=0.7).item() == pytest.approx(surprise(0.2, 0.6, 0.05))


def test_ohem_keeps_a_least_share_of_what_is_easy():
    chances = [0.9, 0.8, 0.95, 0.99]
    found = ohem(*of_chances(chances), threshold=0.7, least_share=0.3)
    assert found.item() == pytest.approx(surprise(0.8, 0.9))


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("weights", [None, (0.2, 1.0, 3.0)])
def test_all_pixels_make_cross_entropy(overlapping, weights):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, 3, 8, 8), generator=generator)
    labels = torch.randint(0, 3, (2, 8, 8), generator=generator)
    settings = {"overlapping": overlapping, "weights": weights}
    expected = cross_entropy(logits, labels, **settings)
    torch.testing.assert_close(top_k(logits, labels, share=1.0, **settings), expected)
    torch.testing.assert_close(ohem(logits, labels, threshold=1.0, **settings), expected)


def test_weights_count_what_is_chosen_and_do_not_choose():
    logits, labels = of_chances([0.1, 0.2, 0.9])
    # The second pixel is of class 1, to which it gives the rest of 0.8.
    logits[0, :, 0, 1] = logits[0, :, 0, 1].flip(0)
    labels[0, 0, 1] = 1
    found = top_k(logits, labels, share=0.6, weights=(1.0, 100.0))
    assert found.item() == pytest.approx((-math.log(0.1) - 100 * math.log(0.2)) / 101)
    assert top_k(logits, labels, share=0.3, weights=(1.0, 100.0)).item() == pytest.approx(-math.log(0.1))


def test_void_takes_no_share_of_a_tie_among_pixels_without_loss():
    logits = torch.full((1, 2, 1, 5), 0.0, dtype=torch.float64)
    logits[0, 0, 0, 0] = -2.0
    logits[0, 1, 0, 1:] = 1e4
    labels = torch.tensor([[[0, 1, 1, 255, 255]]])
    found = top_k(logits, labels, share=0.5, weights=(1.0, 5.0))
    assert found.item() == pytest.approx(math.log1p(math.exp(2)) / 6)


def test_hardest_pixels_that_weigh_nothing_are_nought():
    logits, labels = of_chances([0.1, 0.2, 0.9])
    logits.requires_grad_()
    value = top_k(logits, labels, weights=(0.0, 1.0))
    (slope,) = torch.autograd.grad(value, logits)
    assert value == 0
    assert not slope.any()


@pytest.mark.parametrize(
    ("loss", "setting", "value"),
    [
        (top_k, "share", 0.0),
        (top_k, "share", 1.1),
        (top_k, "share", math.nan),
        (ohem, "threshold", 0.0),
        (ohem, "threshold", 1.5),
        (ohem, "least_share", 0.0),
        (ohem, "least_share", -1.0),
    ],
)
def test_shares_out_of_range_are_refused(loss, setting, value):
    with pytest.raises(SettingError, match=f"{loss.__name__}'s {setting} to be a finite number > 0 and <= 1"):
        loss(*of_chances([0.5]), **{setting: value})


def test_equal_losses_that_differ_in_the_last_digit_share_what_is_left():
    # Vector instructions round the last pixels of a row in another way than the others.
    level = torch.tensor(1.0)
    above, below = torch.nextafter(level, level + 1), torch.nextafter(level, level - 1)
    for middle in (above, below):
        losses = torch.stack([torch.tensor(3.0), level, middle, level, torch.tensor(0.5)])
        for number in (2, 3):
            part = (number - 1) / 3
            chosen = _largest(losses, 5, number / 5)
            torch.testing.assert_close(chosen, torch.tensor([1, part, part, part, 0]))
