"""Objects: known answers, and a slow greedy walk over all pairs."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.measure import label

from rareseg.errors import SettingError
from rareseg.measures.matching import best_first
from rareseg.measures.objects import SIZES, ObjectCounts, object_counts

Mask = NDArray[np.bool_]


def _boxes(*boxes: tuple[int, int, int, int]) -> Mask:
    mask = np.zeros((60, 80), np.bool_)
    for top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = True
    return mask


EVERY = np.ones((60, 80), np.bool_)


def test_known_objects() -> None:
    truth = _boxes((2, 2, 4, 4), (20, 20, 10, 10), (40, 40, 2, 2))
    predicted = _boxes((2, 2, 4, 3), (20, 26, 10, 10), (50, 60, 3, 3))
    counts = object_counts(predicted, truth, EVERY)
    assert (counts.recall, counts.precision, counts.f1) == (pytest.approx(1 / 3),) * 3
    sizes = {score.low: (score.true, score.found, score.false) for score in counts.by_size}
    assert sizes == {4: (1, 0, 1), 16: (1, 1, 0), 64: (1, 0, 1)}
    loose = object_counts(predicted, truth, EVERY, least_iou=0)
    assert (loose.recall, loose.precision) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert loose.by_size[1].high == 63


def test_identical_empty_absent_and_sums() -> None:
    truth = _boxes((2, 2, 4, 4), (20, 20, 10, 10))
    same, none = object_counts(truth, truth, EVERY), object_counts(truth & False, truth, EVERY)
    absent = object_counts(truth, truth & False, EVERY)
    assert (same.f1, none.f1, none.precision, absent.f1, ObjectCounts.empty().f1) == (1, 0, 0, None, None)
    assert (same + none).recall == 0.5
    assert absent.false.sum() == 2


def test_exact_halves_match_once() -> None:
    truth, predicted = _boxes((10, 10, 4, 9)), _boxes((10, 10, 4, 4), (10, 15, 4, 4))
    counts = object_counts(predicted, truth, EVERY, least_iou=16 / 36)
    assert counts.found.sum() == 1
    assert counts.false.sum() == 1


def test_corners_join_objects_and_whole_images_are_one() -> None:
    board = np.indices((40, 40)).sum(axis=0) % 2 > 0
    assert object_counts(board, board, np.ones_like(board)).true.sum() == 1
    every = np.ones((1200, 1200), np.bool_)
    assert object_counts(every, every, every).by_size[0].low == 4**10


def test_void_is_in_no_area_and_excuses_what_lies_in_it() -> None:
    truth, counted = _boxes((10, 10, 10, 10)), EVERY.copy()
    counted[:, 20:] = False
    wide = _boxes((10, 10, 10, 40))
    assert object_counts(wide, truth, counted).f1 == 1
    mostly = _boxes((10, 10, 10, 10), (40, 18, 4, 10))
    assert object_counts(mostly, truth, counted).precision == 1
    hardly = _boxes((10, 10, 10, 10), (40, 10, 4, 12))
    assert object_counts(hardly, truth, counted).precision == 0.5
    assert object_counts(wide, truth, EVERY & False).f1 is None


@pytest.mark.parametrize("least_iou", [0.0, 0.2, 0.5, 0.75])
@pytest.mark.parametrize("seed", range(5))
def test_equals_the_slow_walk(seed: int, least_iou: float) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((50, 50)) < 0.3
    predicted = truth ^ (rng.random((50, 50)) < 0.05)
    counted = rng.random((50, 50)) < 0.97
    counts = object_counts(predicted, truth, counted, least_iou=least_iou)
    found, false = _slow(predicted, truth & counted, counted, least_iou)
    assert abs(int(counts.found.sum()) - found) <= 1  # which of two equal pairs goes first may differ
    assert abs(int(counts.false.sum()) - false) <= 1


def _slow(predicted: Mask, truth: Mask, counted: Mask, least: float) -> tuple[int, int]:
    theirs, ours = label(truth, connectivity=2), label(predicted, connectivity=2)
    pairs = []
    for one in range(1, theirs.max() + 1):
        for other in np.unique(ours[theirs == one]):
            if other:
                inside, guess = theirs == one, (ours == other) & counted
                pairs.append(((inside & guess).sum() / (inside | guess).sum(), one, int(other)))
    used: set[tuple[str, int]] = set()
    for iou, one, other in sorted(pairs, reverse=True):
        if iou >= least and not {("t", one), ("p", other)} & used:
            used |= {("t", one), ("p", other)}
    free = [k for k in range(1, ours.max() + 1) if ("p", k) not in used]
    false = sum(2 * int((counted & (ours == k)).sum()) >= int((ours == k).sum()) for k in free)
    return len(used) // 2, false


@pytest.mark.parametrize("seed", range(20))
def test_best_first_equals_a_walk(seed: int) -> None:
    rng = np.random.default_rng(seed)
    grid = np.argwhere(rng.random((30, 40)) < 0.2)
    cost = rng.permutation(len(grid)).astype(np.float64)
    one, other = grid.T.astype(np.int64)
    expected: list[int] = []
    for pair in np.argsort(cost).tolist():
        if one[pair] not in one[expected] and other[pair] not in other[expected]:
            expected.append(pair)
    assert sorted(best_first(one, other, cost).tolist()) == sorted(expected)


def test_ties_in_a_row_take_few_rounds_and_each_thing_once() -> None:
    count = 50_000
    one = np.repeat(np.arange(count), 2)
    other = one + np.tile([0, 1], count)
    taken = best_first(one, other, np.zeros(one.size))
    assert np.unique(one[taken]).size == np.unique(other[taken]).size == taken.size
    assert taken.size > 0.8 * count


def test_sizes_are_powers_of_four_and_the_setting_is_a_share() -> None:
    assert object_counts(EVERY, EVERY, EVERY).true.shape == (SIZES,)
    with pytest.raises(SettingError, match="least_iou"):
        object_counts(EVERY, EVERY, EVERY, least_iou=1.5)
