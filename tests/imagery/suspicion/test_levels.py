import cv2
import numpy as np
import pytest

from rareseg.imagery.suspicion.levels import ValueTally, greyed, near_edge, nearest_level


def tallied(*masks):
    tally = ValueTally()
    for mask in masks:
        tally.add(mask)
    return tally


@pytest.fixture
def road():
    mask = np.zeros((96, 96), np.uint8)
    cv2.line(mask, (5, 0), (80, 95), 255, 9)
    return mask


def test_clean_masks_hold_nothing_between(road):
    tally = tallied(road)
    assert tally.levels() == (0, 255)
    assert tally.between((0, 255)) == 0
    assert near_edge([road], (0, 255)) is None
    assert [value.value for value in tally.listed()] == [0, 255]


def test_jpeg_leaves_values_between_near_edges(road):
    lossy = cv2.imdecode(cv2.imencode(".jpg", road, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)
    tally = tallied(lossy)
    levels = tally.levels()
    assert levels == pytest.approx((0, 255), abs=3)
    assert 0.01 < tally.between(levels) < 0.3
    assert near_edge([lossy], levels, tally.slack(levels)) > 0.6


def test_interpolation_in_floats(road):
    small = cv2.resize(road / np.float32(255), None, fx=0.37, fy=0.37, interpolation=cv2.INTER_AREA)
    tally = tallied(small)
    assert tally.levels() == (0, 1)
    assert near_edge([small], (0, 1)) > 0.9


def test_single_noise_is_not_at_edges(road):
    random = np.random.default_rng(0)
    noisy = np.where((road == 0) & (random.random(road.shape) < 0.02), 90, road)
    assert near_edge([noisy], (0, 255)) < 0.4


def test_what_lies_beyond_the_levels_is_not_between():
    mask = np.zeros((40, 40), np.float32)
    mask[10:20], mask[20], mask[30:] = 1, 0.5, 255
    assert near_edge([mask], (0, 1)) == 1
    mask[20] = 1
    assert near_edge([mask], (0, 1)) is None


def test_indices_are_levels_however_thin():
    mask = np.zeros((50, 50), np.int64)
    mask[::7, 3] = 5
    mask[10:20, 10:20] = 2
    mask[0, 0] = 255
    assert tallied(mask).levels() == (0, 2, 5, 255)


@pytest.mark.parametrize(
    ("levels", "colours"),
    [((0, 76), True), ((29, 76, 150), True), ((0, 38, 75, 113, 128), True), ((0, 255), False),
     ((0, 1), False), ((0, 128, 255), False), ((0, 1, 2, 255), False), ((0, 64, 128, 192), False),
     ((0, 237), False), ((0.0, 0.5, 1.0), False)],
)  # fmt: skip
def test_grey_of_colours(levels, colours):
    assert greyed(levels) is colours


def test_thin_lines_are_levels_too():
    mask = np.zeros((60, 60), np.uint8)
    mask[::9] = 255
    assert tallied(mask).levels() == (0, 255)
    soft = mask.astype(np.float32)
    soft[1::9], soft[2::9] = 90, 30
    tally = tallied(soft)
    assert tally.levels() == (0, 255)
    assert tally.between((0, 255)) == pytest.approx(14 / 60)


def test_nearest_level():
    raw = np.array([[0, 100, 130], [250, 255, 300]])
    assert nearest_level(raw, (0, 255)).tolist() == [[0, 0, 1], [1, 1, 1]]
