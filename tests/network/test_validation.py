"""Scoring: maps from probabilities, counts that add up, and the windows that validation looks at."""

from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from rareseg.errors import SettingError
from rareseg.measures.decisions import decide
from rareseg.network.session import build_network, mapper_for
from rareseg.network.validation import (
    Counted,
    Scorer,
    macro_iou,
    sample_windows,
    score_store,
    score_windows,
    summed,
)
from rareseg.records.dataset import VOID


def probabilities_of(rng, classes, shape=(40, 50)):
    return rng.dirichlet(np.ones(classes), shape).transpose(2, 0, 1).astype(np.float32)


def test_class_maps_are_scored_as_decided_with_weights(rng):
    probabilities = probabilities_of(rng, 3)
    weights = (1.0, 2.0, 4.0)
    given = decide(probabilities, (None,) * 3, decision="argmax", overlapping=False, weights=weights)
    scorer = Scorer(3, False, "argmax", (0.5,) * 3, weights)
    assert scorer.count(probabilities, given).class_map().iou() == pytest.approx((1.0, 1.0, 1.0))


def test_log_loss_is_the_sum_over_counted_pixels(rng):
    probabilities = probabilities_of(rng, 3)
    labels = rng.choice([0, 1, 2, VOID], (40, 50)).astype(np.uint8)
    counted = Scorer(3, False, "argmax", None).count(probabilities, labels)
    rows, cols = np.nonzero(labels != VOID)
    chosen = probabilities[labels[rows, cols], rows, cols].astype(np.float64)
    assert counted.log_loss == pytest.approx(-np.log(chosen).sum(), rel=1e-5)
    assert counted.counted == len(rows)
    assert counted.uncounted == labels.size - len(rows)


def test_log_loss_of_overlapping_classes_counts_every_class(rng):
    probabilities = rng.uniform(0.05, 0.95, (2, 30, 30)).astype(np.float32)
    labels = rng.choice([0, 1, 2, 3, VOID], (30, 30)).astype(np.uint8)
    counted = Scorer(2, True, "threshold", None).count(probabilities, labels)
    expected = 0.0
    for label in range(2):
        holds = (labels >> label) & 1 == 1
        right = np.where(holds, probabilities[label], 1 - probabilities[label]).astype(np.float64)
        expected -= np.log(right[labels != VOID]).sum()
    assert counted.log_loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("thresholds", [None, (0.6, 0.4)])
def test_counts_of_blocks_add_up(rng, thresholds):
    probabilities = probabilities_of(rng, 2)
    labels = rng.choice([0, 1, VOID], (40, 50)).astype(np.uint8)
    scorer = Scorer(2, False, "threshold", thresholds)
    whole = scorer.count(probabilities, labels)
    parts = [scorer.count(probabilities[:, rows], labels[rows]) for rows in (slice(0, 13), slice(13, None))]
    both = parts[0] + parts[1]
    np.testing.assert_array_equal(both.curve.positives, whole.curve.positives)
    assert both.log_loss == pytest.approx(whole.log_loss)
    assert (both.counted, both.uncounted) == (whole.counted, whole.uncounted)
    if thresholds:
        np.testing.assert_array_equal(both.class_map().counts, whole.class_map().counts)


def test_counts_without_a_class_map_say_so(rng):
    labels = np.zeros((40, 50), np.uint8)
    without = Scorer(2, False, "threshold", None).count(probabilities_of(rng, 2), labels)
    given = Scorer(2, False, "threshold", (0.5, 0.5)).count(probabilities_of(rng, 2), labels)
    with pytest.raises(SettingError, match="hold no class map. Score with thresholds"):
        without.class_map()
    with pytest.raises(SettingError, match="cannot be added. Score both with thresholds"):
        _ = without + given


def test_macro_iou_is_by_argmax_or_at_the_best_threshold(rng):
    probabilities = probabilities_of(rng, 3)
    labels = rng.choice([0, 1], (40, 50)).astype(np.uint8)
    ious, mean = macro_iou(Scorer(3, False, "argmax", None).count(probabilities, labels), decision="argmax")
    given = probabilities.argmax(axis=0)
    expected = [((given == k) & (labels == k)).sum() / ((given == k) | (labels == k)).sum() for k in (0, 1)]
    assert ious == (pytest.approx(expected[0]), pytest.approx(expected[1]), None)
    assert mean == pytest.approx(np.mean(expected))
    two = probabilities_of(rng, 2)
    counted = Scorer(2, False, "threshold", None).count(two, labels)
    ious, _ = macro_iou(counted, decision="threshold")
    for label in range(2):
        best = max(
            ((two[label] >= cut) & (labels == label)).sum() / ((two[label] >= cut) | (labels == label)).sum()
            for cut in np.linspace(0, 1, 501)
        )
        assert ious[label] == pytest.approx(best, abs=2e-3)


def test_nothing_sums_to_nothing():
    assert summed(iter(())) is None


def test_sampled_windows_cover_the_store_once_if_it_is_small(squares):
    windows = sample_windows(squares, side=24, pixels=10**9, seed=0)
    covered = [np.zeros((64, 64), int) for _ in squares.pairs]
    for image, window in windows:
        covered[image][window.row : window.row + window.height, window.col : window.col + window.width] += 1
    assert all((image == 1).all() for image in covered)


def test_sampled_windows_are_a_seeded_part_of_a_large_store(squares):
    drawn = [sample_windows(squares, side=16, pixels=2000, seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sum(window.height * window.width for _, window in drawn[0]) == 2048
    # In no order that would prefer the first image.
    assert any(one > other for one, other in pairwise(image for image, _ in drawn[0]))


def test_scoring_a_store_equals_scoring_its_windows_where_windows_are_whole_images(plan, squares, statistics):
    plan = replace(plan, inference=replace(plan.inference, window=64, overlap=0))
    mapper = mapper_for(build_network(plan, bands=3), plan, statistics)
    scorer = Scorer(2, False, "threshold", (0.5, 0.5))
    images = list(score_store(mapper, squares, scorer))
    assert len(images) == len(squares)
    whole = summed(iter(images))
    windows = summed(
        score_windows(mapper, squares, sample_windows(squares, side=64, pixels=10**9, seed=0), scorer)
    )
    assert isinstance(whole, Counted) and isinstance(windows, Counted)
    np.testing.assert_array_equal(whole.class_map().counts, windows.class_map().counts)
    assert whole.log_loss == pytest.approx(windows.log_loss, rel=1e-6)
