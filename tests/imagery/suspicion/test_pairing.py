import numpy as np
import pytest

from rareseg.imagery.suspicion.pairing import LEAST_POWER, class_planes, pairing_of


@pytest.mark.parametrize("seed", range(4))
def test_right_pairs_stand_out_and_wrong_ones_do_not(drawn, seed):
    pictures, labels = drawn(8, seed=seed)
    right = pairing_of(pictures, labels, 2)
    wrong = pairing_of(pictures, np.roll(labels, 1, axis=0), 2)
    assert right.deviations > 4
    assert wrong.deviations < 3
    assert min(right.power, wrong.power) > LEAST_POWER
    assert right.information > 3 * right.shuffled


def test_units_and_outliers_do_not_matter(drawn):
    pictures, labels = drawn(8)
    plain = pairing_of(pictures, labels, 2)
    scaled = pairing_of(pictures * 1000 - 7, labels, 2)
    assert scaled.deviations == pytest.approx(plain.deviations, rel=0.05)


def test_labels_of_a_few_pixels_cannot_tell(drawn):
    pictures, labels = drawn(6)
    few = np.zeros_like(labels)
    few[np.arange(6), 30, np.arange(6) * 7] = 1
    assert not pairing_of(pictures, few, 2).tells


def test_a_class_without_contrast_is_told_from_wrong_pairs_by_nothing(drawn):
    pictures, labels = drawn(8, contrast=0.0)
    found = pairing_of(pictures, labels, 2)
    assert found.deviations < 3


def test_void_is_no_class(drawn):
    pictures, labels = drawn(8)
    holes = labels.copy()
    holes[:, :20] = -1
    planes, shares = class_planes(holes, 2)
    assert planes.shape[1] == 1
    assert shares[0] == pytest.approx((holes == 1).sum() / (holes >= 0).sum())
    assert not planes.reshape(8, 64, 64)[:, :20].any()
    assert planes.sum(axis=2) == pytest.approx(0, abs=1e-2)
    assert pairing_of(pictures, holes, 2).deviations > 4


def test_share_of_wrong_pairs(drawn):
    pictures, labels = drawn(24, seed=3)
    half = labels.copy()
    half[:12] = np.roll(labels[:12], 1, axis=0)
    assert pairing_of(pictures, labels, 2).wrong_share() < 0.15
    assert 0.25 <= pairing_of(pictures, half, 2).wrong_share() <= 0.85


def test_too_few_images_or_one_class_give_nothing(drawn):
    pictures, labels = drawn(8)
    assert pairing_of(pictures[:3], labels[:3], 2) is None
    assert pairing_of(pictures, np.zeros_like(labels), 2) is None
