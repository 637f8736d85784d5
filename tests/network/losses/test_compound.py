import math

import pytest
import torch
from torch.nn import functional as F

from rareseg.errors import SettingError
from rareseg.network.losses.compound import combo, unified_focal
from rareseg.network.losses.overlap import dice, tversky
from rareseg.network.losses.pixelwise import cross_entropy


def example(classes=3):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, classes, 8, 8), generator=generator, dtype=torch.float64)
    return logits, torch.randint(0, max(classes, 2), (2, 8, 8), generator=generator)


def paired(logits):
    """The two exclusive classes that one channel stands for."""
    return torch.cat([torch.zeros_like(logits), logits], dim=1)


def test_combo_is_half_a_cross_entropy_beside_dice():
    logits, labels = example()
    found = combo(logits, labels, balance=0.3, smoothing=2.0)
    expected = 0.3 * cross_entropy(logits, labels) / 2 + 0.7 * dice(logits, labels, smoothing=2.0)
    torch.testing.assert_close(found, expected)


def test_combo_weighs_misses_as_the_paper_does():
    logits, labels = example(1)
    p, g = logits[:, 0].sigmoid(), labels.double()
    expected = -(0.8 * g * p.log() + 0.2 * (1 - g) * (1 - p).log()).mean()
    settings = {"balance": 1.0, "false_negative_weight": 0.8}
    torch.testing.assert_close(combo(logits, labels, **settings), expected)
    torch.testing.assert_close(combo(paired(logits), labels, **settings), expected)


def test_combo_of_overlapping_classes_is_the_mean_of_each_alone():
    logits, labels = example()
    apart = [combo(logits[:, k : k + 1], labels >> k & 1, false_negative_weight=0.8) for k in range(3)]
    together = combo(logits, labels, false_negative_weight=0.8, overlapping=True)
    torch.testing.assert_close(together, torch.stack(apart).mean())


@pytest.mark.parametrize("asymmetric", [True, False])
def test_one_channel_is_the_two_classes_of_its_answers(asymmetric):
    logits, labels = example(1)
    settings = {"asymmetric": asymmetric, "delta": 0.7, "gamma": 0.3}
    torch.testing.assert_close(
        unified_focal(logits, labels, **settings), unified_focal(paired(logits), labels, **settings)
    )


@pytest.mark.parametrize("asymmetric", [True, False])
def test_unified_focal_without_gamma_is_cross_entropy_and_tversky(asymmetric):
    logits, labels = example()
    weights = torch.tensor([0.3, 0.7, 0.7], dtype=torch.float64)
    pixelwise = F.cross_entropy(logits, labels, weights, reduction="sum") / labels.numel()
    overlap = tversky(logits, labels, false_positive_weight=0.3, false_negative_weight=0.7)
    found = unified_focal(logits, labels, asymmetric=asymmetric, gamma=0.0, delta=0.7, balance=0.2)
    torch.testing.assert_close(found, 0.2 * pixelwise + 0.8 * overlap)


def test_asymmetric_fades_the_background_alone():
    chances = torch.tensor([[0.9, 0.1], [0.2, 0.8]], dtype=torch.float64)
    logits, labels = chances.log().T.reshape(1, 2, 1, 2), torch.tensor([[[0, 1]]])
    faded = 0.4 * 0.1**0.5 * -math.log(0.9)
    whole = 0.6 * -math.log(0.8)
    found = unified_focal(logits, labels, balance=1.0)
    assert found.item() == pytest.approx((faded + whole) / 2)
    # Which class is the background is a setting.
    faded, whole = 0.4 * 0.2**0.5 * -math.log(0.8), 0.6 * -math.log(0.9)
    found = unified_focal(logits, labels, balance=1.0, background=1)
    assert found.item() == pytest.approx((faded + whole) / 2)
    both = 0.4 * 0.1**0.5 * -math.log(0.9) + 0.6 * 0.2**0.5 * -math.log(0.8)
    found = unified_focal(logits, labels, balance=1.0, asymmetric=False)
    assert found.item() == pytest.approx(both / 2)


def test_asymmetric_enhances_all_but_the_background():
    logits, labels = example()
    lost = [
        tversky(logits, labels, false_positive_weight=0.4, false_negative_weight=0.6, classes=(k,)).item()
        for k in range(3)
    ]
    settings = {"balance": 0.0, "gamma": 0.25}
    for background in range(3):
        expected = sum(loss if k == background else loss**0.75 for k, loss in enumerate(lost)) / 3
        found = unified_focal(logits, labels, background=background, **settings)
        assert found.item() == pytest.approx(expected)
    found = unified_focal(logits, labels, asymmetric=False, **settings)
    assert found.item() == pytest.approx(sum(loss**0.75 for loss in lost) / 3)


@pytest.mark.parametrize(("classes", "background"), [(3, 3), (3, -1), (1, 1)])
def test_backgrounds_that_are_no_class_are_refused(classes, background):
    with pytest.raises(SettingError, match="unified_focal's background"):
        unified_focal(*example(classes), background=background)


def test_overlapping_classes_have_no_background():
    with pytest.raises(
        SettingError, match="background=1 has no effect on one channel or overlapping classes"
    ):
        unified_focal(*example(), background=1, overlapping=True)


@pytest.mark.parametrize(
    ("loss", "setting", "value"),
    [
        (combo, "balance", 1.1),
        (combo, "false_negative_weight", -0.1),
        (combo, "smoothing", math.inf),
        (unified_focal, "balance", -0.1),
        (unified_focal, "delta", 1.1),
        (unified_focal, "gamma", 1.0),
        (unified_focal, "gamma", math.nan),
    ],
)
def test_settings_out_of_range_are_refused(loss, setting, value):
    with pytest.raises(SettingError, match=f"{loss.__name__}'s {setting} to be a finite number >= 0"):
        loss(*example(), **{setting: value})
