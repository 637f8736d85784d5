import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.confusion import Confusion
from rareseg.measures.curves import BINS, ScoreHistogram
from rareseg.records.dataset import VOID

Floats = NDArray[np.float32]


def exact_average_precision(scores: NDArray[np.float64], holds: NDArray[np.bool_]) -> float:
    """Sum of (R_n - R_(n-1)) P_n over the distinct scores, by sorting."""
    order = np.argsort(-scores, kind="stable")
    scores, holds = scores[order], holds[order]
    last = np.append(np.flatnonzero(np.diff(scores)), scores.size - 1)
    hits = np.cumsum(holds)[last]
    precision, recall = hits / (last + 1), hits / holds.sum()
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def answers(
    seed: int, separation: float, share: float, shape: tuple[int, int] = (200, 300)
) -> tuple[Floats, NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(shape) < share).astype(np.uint8)
    odds = (rng.normal(size=shape) * 2 + separation * labels - 3).astype(np.float32)
    labels[rng.random(shape) < 0.05] = VOID
    return np.stack([-odds, odds]), labels


def order_bounds(histogram: ScoreHistogram, k: int) -> tuple[float, float]:
    """AP if each bin's negatives came before, or after, its positives."""
    bounds = []
    for positives_first in (False, True):
        hits = given = 0
        total = 0.0
        for p, n in zip(histogram.positives[k][::-1], histogram.negatives[k][::-1], strict=True):
            if p:
                before = given if positives_first else given + n
                ranks = np.arange(1, p + 1)
                total += float(((hits + ranks) / (before + ranks)).sum())
            hits += int(p)
            given += int(p + n)
        bounds.append(total / hits)
    return bounds[0], bounds[1]


def kinds_of_scores(
    seed: int, pixels: int = 400_000
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Scores and truth by name: random, peaked at the ends, of 256 steps, in few bins, all the same."""
    rng = np.random.default_rng(seed)
    holds = rng.random(pixels) < 0.04
    normal = rng.normal(size=pixels)
    within_one_bin = 1e-4 + 1e-4 * np.where(holds, 1, 0) + 1e-5 * rng.random(pixels)
    return {
        "random": (normal * 2, holds),
        "good": (normal * 2 + 4 * holds - 3, holds),
        "peaked": (np.where(rng.random(pixels) < 0.9, -18 + 0.5 * normal, normal) + 3 * holds, holds),
        "confident": ((normal + 6 * holds - 3) * 5, holds),
        "steps": (np.round(normal * 20 + 30 * holds) / 8, holds),
        "tied": (np.full(pixels, -3.0), holds),
        "one bin": (within_one_bin, holds),
        "one bin, wrong way": (-within_one_bin + 5e-4, holds),
    }


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", kinds_of_scores(0, 10))
def test_exact_average_precision_lies_within_the_bounds(name: str, seed: int) -> None:
    scores, holds = kinds_of_scores(seed)[name]
    odds = scores.astype(np.float32)
    histogram = ScoreHistogram.count(odds[None, None], holds[None].astype(np.uint8), overlapping=True)
    (found,), (bounds,) = histogram.average_precision(), histogram.average_precision_bounds()
    assert found is not None and bounds is not None
    exact = exact_average_precision(np.clip(odds, -20, 20).astype(np.float64), holds)
    low, high = bounds
    assert 0 <= low <= exact + 1e-12 and exact <= high + 1e-12 and high <= 1
    assert low <= found <= high
    if name.startswith("one bin"):
        # All scores in one bin: nothing is known of their order, and the bounds say so.
        assert found == pytest.approx(holds.mean()) and abs(found - exact) > 0.015
        assert (low, high) == (pytest.approx(_worst(holds), abs=1e-9), 1.0)
    else:
        assert abs(found - exact) <= 1e-4
    if name in ("random", "good", "confident"):
        assert high - low < 2e-3
    if name == "tied":
        assert found == pytest.approx(exact, abs=1e-12)


def _worst(holds: NDArray[np.bool_]) -> float:
    true, false = int(holds.sum()), int((~holds).sum())
    ranks = np.arange(1, true + 1)
    return float((ranks / (ranks + false)).mean())


@pytest.mark.parametrize("scale", [1, 7, 1000, 10**6])
def test_bounds_are_those_of_the_worst_and_the_best_order(scale: int) -> None:
    rng = np.random.default_rng(5)
    histogram = ScoreHistogram.empty(1)
    places = rng.choice(BINS, 40, replace=False)
    histogram.positives[0, places] = rng.integers(0, 9, 40) * (1 if scale > 1000 else scale)
    histogram.negatives[0, places] = rng.integers(0, 90, 40) * scale
    low, high = 0.0, 0.0
    hits = false = 0
    for place in sorted(places.tolist(), reverse=True):
        p, n = int(histogram.positives[0, place]), int(histogram.negatives[0, place])
        ranks = np.arange(hits + 1, hits + p + 1)
        low += float((ranks / (ranks + false + n)).sum())
        high += p * (hits + p) / max(hits + p + false, 1)
        hits, false = hits + p, false + n
    assert histogram.average_precision_bounds()[0] == (
        pytest.approx(low / hits, rel=1e-10),
        pytest.approx(high / hits, rel=1e-10),
    )


def test_roc_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(6)
    odds = rng.integers(-8, 9, (1, 30, 30)).astype(np.float32)
    labels = (rng.random((30, 30)) < 0.1).astype(np.uint8)
    above, below = odds[0][labels == 1][:, None], odds[0][labels == 0][None]
    expected = ((above > below) + 0.5 * (above == below)).mean()
    histogram = ScoreHistogram.count(odds, labels, overlapping=True)
    assert histogram.roc_area()[0] == pytest.approx(expected)
    turned = ScoreHistogram.count(-odds, labels, overlapping=True)
    assert turned.roc_area()[0] == pytest.approx(1 - expected)


def test_roc_area_of_more_pixels_than_pairs_fit_into_64_bits() -> None:
    histogram = ScoreHistogram.empty(1)
    histogram.positives[0, [10, 20]] = 5 * 10**10
    histogram.negatives[0, [5, 20]] = 5 * 10**10
    assert histogram.roc_area()[0] == pytest.approx((1 + 0 + 1 + 0.5) / 4)


def test_constant_scores() -> None:
    labels = np.zeros((10, 10), np.uint8)
    labels[0] = 1
    histogram = ScoreHistogram.count(np.zeros((1, 10, 10), np.float32), labels, overlapping=True)
    assert histogram.average_precision()[0] == pytest.approx(0.1)
    assert histogram.roc_area()[0] == 0.5
    best = histogram.best()[0]
    assert best is not None and (best.precision, best.recall) == (0.1, 1.0)


def test_void_and_empty_windows_are_not_measurable() -> None:
    for labels in (np.full((5, 5), VOID, np.uint8), np.zeros((0, 5), np.uint8)):
        histogram = ScoreHistogram.count(np.zeros((2, *labels.shape), np.float32), labels, overlapping=False)
        for derived in (
            histogram.average_precision,
            histogram.average_precision_bounds,
            histogram.roc_area,
            histogram.best,
        ):
            assert derived() == (None, None)
    one = ScoreHistogram.count(np.zeros((1, 1, 1), np.float32), np.ones((1, 1), np.uint8), overlapping=True)
    assert one.average_precision() == (1.0,) and one.average_precision_bounds() == ((1.0, 1.0),)
    # Every pixel holds the class: there is no false one to rank it against.
    assert one.roc_area() == (None,)


@pytest.mark.parametrize("separation", [0.0, 1.0, 4.0, 9.0])
@pytest.mark.parametrize("share", [0.5, 0.04, 0.001])
def test_average_precision_is_that_of_sorting(separation: float, share: float) -> None:
    odds, labels = answers(0, separation, share)
    histogram = ScoreHistogram.count(odds, labels, overlapping=False)
    counted = labels != VOID
    for k, found in enumerate(histogram.average_precision()):
        exact = exact_average_precision(odds[k][counted].astype(np.float64), labels[counted] == k)
        low, high = order_bounds(histogram, k)
        assert low - 1e-12 <= exact <= high + 1e-12
        assert found is not None and low - 1e-12 <= found <= high + 1e-12
        assert found == pytest.approx(exact, abs=1e-3)


def test_average_precision_of_many_equal_scores() -> None:
    rng = np.random.default_rng(1)
    odds = rng.integers(-5, 6, (1, 40, 50)).astype(np.float32)
    labels = (rng.random((40, 50)) < 0.2).astype(np.uint8)
    histogram = ScoreHistogram.count(odds, labels, overlapping=True)
    exact = exact_average_precision(odds[0].ravel().astype(np.float64), labels.ravel() == 1)
    assert histogram.average_precision()[0] == pytest.approx(exact, abs=1e-12)


def test_constant_answer_ranks_at_the_prevalence() -> None:
    labels = np.zeros((10, 10), np.uint8)
    labels[0] = 1
    histogram = ScoreHistogram.count(np.full((1, 10, 10), -7, np.float32), labels, overlapping=True)
    assert histogram.average_precision() == (pytest.approx(0.1),)


def test_windows_add_up() -> None:
    odds, labels = answers(2, 2.0, 0.1, (500, 700))
    whole = ScoreHistogram.count(odds, labels, overlapping=False)
    parts = ScoreHistogram.empty(2)
    for rows in (slice(0, 3), slice(3, 250), slice(250, None)):
        parts += ScoreHistogram.count(odds[:, rows], labels[rows], overlapping=False)
    np.testing.assert_array_equal(whole.positives, parts.positives)
    np.testing.assert_array_equal(whole.negatives, parts.negatives)
    assert whole.pixels == tuple((labels == k).sum() for k in (0, 1))
    assert (whole.positives + whole.negatives).sum() == 2 * (labels != VOID).sum()


def test_scores_at_a_threshold_are_those_of_the_map_made_with_it() -> None:
    odds, labels = answers(3, 4.0, 0.05)
    histogram = ScoreHistogram.count(odds, labels, overlapping=False)
    for threshold in (0.02, 0.3, 0.5, 0.9):
        given = (odds[1] >= np.log(threshold / (1 - threshold))).astype(np.uint8)
        confusion = Confusion.count(given, labels, classes=2, overlapping=False)
        score = histogram.at(1, threshold)
        assert score is not None and score.threshold == threshold
        assert score.precision == pytest.approx(confusion.precision()[1], abs=2e-3)
        assert score.recall == pytest.approx(confusion.recall()[1], abs=2e-3)
        assert score.f1 == pytest.approx(confusion.f1()[1], abs=2e-3)
        assert score.iou == pytest.approx(confusion.iou()[1], abs=2e-3)


def test_best_threshold_is_best_of_all_thresholds() -> None:
    odds, labels = answers(4, 3.0, 0.03)
    histogram = ScoreHistogram.count(odds, labels, overlapping=False)
    best = histogram.best()[1]
    assert best is not None
    again = histogram.at(1, best.threshold)
    assert again is not None
    assert again == pytest.approx(best)
    for threshold in np.linspace(0.001, 0.999, 200):
        other = histogram.at(1, float(threshold))
        assert other is not None and other.f1 <= best.f1 and other.iou <= best.iou
    assert best.iou == pytest.approx(best.f1 / (2 - best.f1))


def test_best_threshold_lies_in_the_middle_of_a_gap() -> None:
    labels = np.array([[0, 0, 1, 1]], np.uint8)
    odds = np.array([[[-6, -5, 5, 9]]], np.float32)
    score = ScoreHistogram.count(odds, labels, overlapping=True).best()[0]
    assert score is not None
    assert score.threshold == pytest.approx(0.5, abs=1e-3)
    assert (score.precision, score.recall, score.f1, score.iou) == (1, 1, 1, 1)


def test_where_everything_holds_the_class_everything_is_given() -> None:
    labels = np.ones((2, 2), np.uint8)
    score = ScoreHistogram.count(np.zeros((1, 2, 2), np.float32), labels, overlapping=True).best()[0]
    assert score is not None and (score.threshold, score.f1) == (0.0, 1.0)


def test_absent_class_is_not_measurable() -> None:
    histogram = ScoreHistogram.count(
        np.zeros((3, 4, 4), np.float32), np.ones((4, 4), np.uint8), overlapping=False
    )
    assert histogram.average_precision() == (None, 1.0, None)
    assert histogram.best()[0] is None and histogram.at(2, 0.5) is None


def test_extreme_log_odds_are_clamped() -> None:
    odds = np.array([[[-np.inf, -100, 100, np.inf]]], np.float32)
    histogram = ScoreHistogram.count(odds, np.array([[0, 0, 1, 1]], np.uint8), overlapping=True)
    assert (histogram.negatives[0, 0], histogram.positives[0, BINS - 1]) == (2, 2)
    for threshold, precision in ((0.0, 0.5), (1e-12, 0.5), (0.5, 1.0), (1.0, 1.0)):
        score = histogram.at(0, threshold)
        assert score is not None and (score.precision, score.recall) == (precision, 1.0)


def test_errors() -> None:
    labels = np.zeros((4, 4), np.uint8)
    with pytest.raises(SettingError, match=r"got \(1, 4, 3\) and \(4, 4\)"):
        ScoreHistogram.count(np.zeros((1, 4, 3), np.float32), labels, overlapping=True)
    with pytest.raises(DataError, match=r"16 values of class 0 are not numbers \(NaN\)"):
        ScoreHistogram.count(np.full((1, 4, 4), np.nan, np.float32), labels, overlapping=True)
    with pytest.raises(SettingError, match="2 and 3 classes cannot be added"):
        ScoreHistogram.empty(2) + ScoreHistogram.empty(3)
    with pytest.raises(SettingError, match=r"between 0 and 1 \(a probability\), got 1.5"):
        ScoreHistogram.empty(2).at(0, 1.5)
