"""Recall by width: strips of known widths."""

import numpy as np
import pytest

from rareseg.measures.regions import ridge_widths
from rareseg.measures.widths import WidthCounts, pixel_widths, width_counts

WIDTHS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 50)


def _strips() -> tuple[np.ndarray, list[slice]]:
    mask = np.zeros((sum(WIDTHS) + 3 * len(WIDTHS) + 3, 160), np.bool_)
    rows, top = [], 3
    for width in WIDTHS:
        rows.append(slice(top, top + width))
        mask[top : top + width] = True
        top += width + 3
    return mask, rows


def test_each_strip_has_its_own_width() -> None:
    mask, rows = _strips()
    widths = np.zeros(mask.shape)
    widths[mask] = pixel_widths(mask)
    for width, strip in zip(WIDTHS, rows, strict=True):
        np.testing.assert_array_equal(np.rint(widths[strip]), width)


def test_missed_thin_strips_show() -> None:
    mask, rows = _strips()
    predicted = mask.copy()
    for strip in rows[:4]:
        predicted[strip] = False
    counts = width_counts(predicted, mask, np.ones_like(mask))
    assert [score.recall for score in counts.by_width] == [0, 0, 1, 1, 1, 1]
    assert [score.true for score in counts.by_width] == [160 * k for k in (3, 7, 13, 25, 49, 83)]
    assert [(score.low, score.high) for score in counts.by_width][::5] == [(1, 2), (33, None)]


def test_a_thin_road_beside_a_wide_one_keeps_its_width() -> None:
    mask = np.zeros((60, 100), np.bool_)
    mask[5:35] = mask[36:38] = True
    widths = np.zeros(mask.shape)
    widths[mask] = pixel_widths(mask)
    assert (np.rint(widths[5:35]) == 30).all()
    assert (np.rint(widths[36:38]) == 2).all()


def test_pixels_have_widths_of_the_ridge() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        mask = rng.random(tuple(rng.integers(1, 40, 2))) < rng.random()
        found = pixel_widths(mask)
        assert found.size == np.count_nonzero(mask)
        assert set(found.round(4).tolist()) <= set(ridge_widths(mask).round(4).tolist())
        assert (found >= 1).all()


def test_empty_absent_void_and_sums() -> None:
    mask, _ = _strips()
    every = np.ones_like(mask)
    assert [score.recall for score in width_counts(mask, mask & False, every).by_width] == [None] * 6
    assert width_counts(mask, mask, every & False).true.sum() == 0
    both = width_counts(mask, mask, every) + width_counts(mask & False, mask, every) + WidthCounts.empty()
    assert [score.recall for score in both.by_width] == [0.5] * 6
    full = width_counts(every, every, every)
    assert full.by_width[5].recall == 1
    assert full.by_width[5].true == every.size


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 50), (50, 1)])
def test_small_images(shape: tuple[int, int]) -> None:
    mask = np.ones(shape, np.bool_)
    assert width_counts(mask, mask, mask).found.sum() == mask.size
