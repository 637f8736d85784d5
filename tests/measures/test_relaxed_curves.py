import cv2
import numpy as np
import pytest

from rareseg.errors import DataError, SettingError
from rareseg.measures.cores import cut, haloed
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.relaxed import RelaxedCounts, halo, relaxed_counts
from rareseg.measures.relaxed_curves import RelaxedHistogram
from rareseg.measures.score_bins import BINS, bin_threshold, score_bins
from rareseg.measures.tally import members
from rareseg.records.dataset import VOID


def smooth(rng, shape, width):
    found = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), width)
    return found / found.std()


def scene(seed=0, shape=(70, 90), void=True):
    """Log-odds (2, rows, cols) and labels: lines of a class, void patches, scores a little beside the truth."""
    rng = np.random.default_rng(seed)
    labels = (np.abs(smooth(rng, shape, 6)) < 0.1).astype(np.uint8)
    odds = 3 * np.roll(labels, 1, axis=1) + rng.normal(size=shape).astype(np.float32) - 2
    if void:
        labels[smooth(rng, shape, 4) > 1.3] = VOID
    return np.stack([-odds, odds]), labels


@pytest.mark.parametrize("rho", [0, 1, 2**0.5, 3, 7])
@pytest.mark.parametrize("overlapping", [False, True])
def test_counts_at_every_threshold_are_those_of_the_map_made_with_it(rho, overlapping):
    odds, labels = scene(1)
    if overlapping:
        labels = np.where(
            labels == VOID, VOID, labels * 2 + (np.random.default_rng(2).random(labels.shape) < 0.1)
        )
        labels = labels.astype(np.uint8)
    histogram = RelaxedHistogram.count(odds, labels, overlapping=overlapping, rho=rho)
    for index in (0, 1):
        bins = score_bins(odds[index], "here")
        truth = members(labels, index, overlapping=overlapping)
        for first in (0, 20_000, 28_000, 30_000, 32_768, 34_000, 38_000, BINS - 1):
            expected = relaxed_counts(bins >= first, truth, labels != VOID, rho)
            assert histogram.counts_at(index, bin_threshold(first)) == expected
            score = histogram.at(index, bin_threshold(first))
            assert score[1:] == (expected.precision, expected.recall, expected.f1)


def test_without_slack_it_is_the_plain_curve():
    odds, labels = scene(3)
    plain = ScoreHistogram.count(odds, labels, overlapping=False)
    relaxed = RelaxedHistogram.count(odds, labels, overlapping=False, rho=0)
    np.testing.assert_array_equal(relaxed.near, plain.positives)
    np.testing.assert_array_equal(relaxed.reached, plain.positives)
    np.testing.assert_array_equal(relaxed.far, plain.negatives)
    for ours, best in zip(relaxed.best(), plain.best(), strict=True):
        assert ours == pytest.approx(best[:4])


def test_slack_never_lowers_a_score():
    odds, labels = scene(4)
    scores = [
        RelaxedHistogram.count(odds, labels, overlapping=False, rho=rho).best()[1].f1
        for rho in (0, 1, 2, 3, 5)
    ]
    assert scores == sorted(scores) and scores[3] > scores[0] + 0.1


@pytest.mark.parametrize("rho", [0, 3, 4.3])
@pytest.mark.parametrize("side", [11, 32])
def test_windows_with_a_halo_add_up(rho, side):
    odds, labels = scene(5)
    rows, cols = labels.shape
    whole = RelaxedHistogram.count(odds, labels, overlapping=False, rho=rho)
    total, bare = (RelaxedHistogram.empty(2, rho) for _ in range(2))
    counts = RelaxedCounts()
    for row in range(0, rows, side):
        for col in range(0, cols, side):
            window = (row, col, min(side, rows - row), min(side, cols - col))
            outer, core = haloed(window, labels.shape, halo(rho))
            part, truth = cut(odds, outer), cut(labels, outer)
            total += RelaxedHistogram.count(part, truth, overlapping=False, rho=rho, core=core)
            counts += relaxed_counts(part[1] >= 0, truth == 1, truth != VOID, rho, core)
            bare += RelaxedHistogram.count(cut(odds, window), cut(labels, window), overlapping=False, rho=rho)
    for name in ("near", "far", "reached"):
        np.testing.assert_array_equal(getattr(total, name), getattr(whole, name))
    assert counts == relaxed_counts(odds[1] >= 0, labels == 1, labels != VOID, rho)
    assert (bare.reached.sum(), bare.near.sum() + bare.far.sum()) == (
        whole.reached.sum(),
        whole.near.sum() + whole.far.sum(),
    )
    # Without the halo, hits across the windows' edges are missed.
    assert (bare.near.sum() < whole.near.sum()) == (rho > 0)


def test_only_the_wanted_classes_are_counted():
    odds, labels = scene(6)
    both = RelaxedHistogram.count(odds, labels, overlapping=False)
    one = RelaxedHistogram.count(odds, labels, overlapping=False, only=[1])
    np.testing.assert_array_equal(one.near[1], both.near[1])
    assert one.best()[0] is None and one.best()[1] == both.best()[1]


def by_hand(near, far, reached):
    """One class whose scores fall from the first entry to the last."""
    histogram = RelaxedHistogram.empty(1)
    places = BINS - 1000 - 100 * np.arange(len(near))
    for side, counts in ((histogram.near, near), (histogram.far, far), (histogram.reached, reached)):
        side[0, places] = counts
    return histogram


def test_break_even_is_where_precision_equals_recall():
    # Precision 1, 0.8, 0.6 against recall 0.25, 0.5, 1: between the second point and the third.
    histogram = by_hand([5, 3, 1], [0, 2, 4], [5, 5, 10])
    (found,) = histogram.break_even()
    share = np.linspace(0, 1, 2_000_001)
    precision, recall = (8 + share) / (10 + 5 * share), (10 + 10 * share) / 20
    meeting = int(np.abs(precision - recall).argmin())
    assert found.score == pytest.approx(recall[meeting], abs=1e-6)
    # The second point is the closer one: 0.8 against 0.5, after it 0.6 against 1.
    assert found.threshold == bin_threshold(BINS - 1100)


def test_break_even_on_a_point():
    (found,) = by_hand([8, 0], [2, 90], [8, 2]).break_even()
    assert found == (bin_threshold(BINS - 1000), pytest.approx(0.8))


@pytest.mark.parametrize("seed", range(30))
def test_of_several_break_evens_the_highest(seed):
    rng = np.random.default_rng(seed)
    near, far, reached = rng.integers(0, 9, (3, 6)) * (rng.random((3, 6)) < 0.7)
    near[0], reached[-1], far[-1] = near[0] + 1, reached[-1] + 1, far[-1] + 20
    far += near + far == 0  # True pixels are reached by pixels that count.
    (found,) = by_hand(near, far, reached).break_even()
    marks = np.linspace(0, 6, 600_001)
    hits, given, got = (
        np.interp(marks, range(7), np.concatenate([[0], np.cumsum(side)]))
        for side in (near, near + far, reached)
    )
    lead = hits * got[-1] - got * given
    met = np.flatnonzero((np.sign(lead[1:]) != np.sign(lead[:-1])) | (lead[1:] == 0))
    assert found.score == pytest.approx((got[met + 1] / got[-1]).max(), abs=1e-4)


def test_break_even_of_one_score_for_all_is_the_share_near_the_truth():
    (found,) = by_hand([30], [70], [10]).break_even()
    assert (found.score, found.threshold) == (pytest.approx(0.3), bin_threshold(BINS - 1000))
    labels = np.zeros((20, 20), np.uint8)
    labels[10] = 1
    constant = RelaxedHistogram.count(np.zeros((1, 20, 20), np.float32), labels, overlapping=True, rho=3)
    assert constant.break_even()[0].score == pytest.approx(7 / 20)
    assert constant.at(0, 0.5)[1:3] == (7 / 20, 1.0)


def test_break_even_of_perfect_and_of_wrong_scores():
    labels = np.zeros((20, 20), np.uint8)
    labels[10] = 1
    sure = np.where(labels == 1, np.float32(9), np.float32(-9))[None]
    assert RelaxedHistogram.count(sure, labels, overlapping=True).break_even()[0].score == 1.0
    wrong = RelaxedHistogram.count(-sure, labels, overlapping=True, rho=0).break_even()[0]
    assert 0 <= wrong.score <= 0.05


def test_plain_break_even_is_where_as_many_are_given_as_are_true():
    odds, labels = scene(7, (300, 300), void=False)
    histogram = RelaxedHistogram.count(odds, labels, overlapping=False, rho=0)
    true = int((labels == 1).sum())
    order = np.argsort(-odds[1].ravel())
    expected = (labels.ravel()[order[:true]] == 1).mean()
    found = histogram.break_even()[1]
    assert found.score == pytest.approx(expected, abs=1e-3)
    assert histogram.at(1, found.threshold)[1:3] == pytest.approx((found.score, found.score), abs=2e-3)


def test_points_and_best():
    odds, labels = scene(8, (200, 200))
    histogram = RelaxedHistogram.count(odds, labels, overlapping=False)
    points = histogram.points(1)
    best = histogram.best()[1]
    assert best in points and 50 < len(points) <= 200 and points[-1].recall == 1
    for point in points:
        assert histogram.at(1, point.threshold) == pytest.approx(point)
        assert point.f1 <= best.f1
    for threshold in np.linspace(0.01, 0.99, 50):
        assert histogram.at(1, threshold).f1 <= best.f1 + 1e-12


def test_absent_void_and_empty_are_not_measurable():
    odds = np.zeros((2, 6, 6), np.float32)
    for labels in (np.zeros((6, 6), np.uint8), np.full((6, 6), VOID, np.uint8)):
        histogram = RelaxedHistogram.count(odds, labels, overlapping=False)
        assert (histogram.best()[1], histogram.break_even()[1], histogram.at(1, 0.5)) == (None,) * 3
        assert histogram.points(1) == ()
    assert histogram.far.sum() == histogram.near.sum() == 0
    one = RelaxedHistogram.count(odds[:1, :1, :1], np.ones((1, 1), np.uint8), overlapping=True)
    assert one.break_even()[0].score == 1.0 and one.best()[0].f1 == 1.0


def test_errors():
    odds, labels = scene()
    with pytest.raises(SettingError, match="0 px or more, got -1"):
        RelaxedHistogram.count(odds, labels, overlapping=False, rho=-1)
    with pytest.raises(SettingError, match="0 px or more, got nan"):
        RelaxedHistogram.empty(1, float("nan"))
    with pytest.raises(SettingError, match=r"got \(2, 70, 90\) and \(69, 90\)"):
        RelaxedHistogram.count(odds, labels[1:], overlapping=False)
    with pytest.raises(SettingError, match="inside the window of 70 x 90 px"):
        RelaxedHistogram.count(odds, labels, overlapping=False, core=(0, 0, 71, 90))
    with pytest.raises(DataError, match="not numbers"):
        RelaxedHistogram.count(odds * np.float32("nan"), labels, overlapping=False)
    with pytest.raises(SettingError, match="2 classes at 3 px and of 2 classes at 2 px cannot be added"):
        RelaxedHistogram.empty(2, 3) + RelaxedHistogram.empty(2, 2)
    with pytest.raises(SettingError, match="between 0 and 1"):
        RelaxedHistogram.empty(2).at(0, 2)
