"""Whether up is up."""

import numpy as np
import pytest

from rareseg.measures.orientation import ROW_BANDS, row_dependence, row_pixels


@pytest.mark.parametrize("height", [8, 13, 64, 100])
def test_windows_add_up_to_the_image(height):
    mask = np.random.default_rng(0).random((height, 20)) < 0.3
    whole = np.array(row_pixels(mask, top=0, image_height=height))
    cut = height // 3
    parts = [
        row_pixels(mask[:cut], top=0, image_height=height),
        row_pixels(mask[cut:], top=cut, image_height=height),
    ]
    np.testing.assert_array_equal(np.sum(parts, axis=0), whole)
    assert len(whole) == ROW_BANDS and whole.sum() == mask.sum()


def test_bands_are_equally_high():
    assert row_pixels(np.ones((64, 3), bool), top=0, image_height=64) == (24,) * 8


def test_an_image_lower_than_its_bands_fills_some():
    assert sum(row_pixels(np.ones((3, 5), bool), top=0, image_height=3)) == 15


def test_classes_that_lie_everywhere_alike_depend_on_no_row():
    assert row_dependence([[90] * 8, [10] * 8]) == pytest.approx(0.0, abs=1e-12)


def test_sky_above_ground_depends_on_the_row_alone():
    assert row_dependence([[100] * 4 + [0] * 4, [0] * 4 + [100] * 4]) == pytest.approx(1.0)


def test_it_is_mutual_information_over_entropy():
    pixels = np.random.default_rng(1).integers(0, 50, (3, 8)).astype(float)
    joint = pixels / pixels.sum()
    of_class, of_band = joint.sum(axis=1), joint.sum(axis=0)
    information = sum(
        joint[k, b] * np.log(joint[k, b] / (of_class[k] * of_band[b]))
        for k in range(3)
        for b in range(8)
        if joint[k, b]
    )
    expected = information / -(of_class * np.log(of_class)).sum()
    assert row_dependence(pixels.astype(int).tolist()) == pytest.approx(expected)


@pytest.mark.parametrize("pixels", [[[0] * 8, [0] * 8], [[5] * 8, [0] * 8]])
def test_where_nothing_varies_nothing_depends(pixels):
    assert row_dependence(pixels) == 0.0
