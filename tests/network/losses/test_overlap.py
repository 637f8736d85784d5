import math

import pytest
import torch

from rareseg.errors import SettingError
from rareseg.network.losses import dice, tversky


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
