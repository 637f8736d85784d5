"""Intervals over scenes: as wide as scenes differ, paired where two maps share them."""

from dataclasses import replace

import numpy as np
import pytest

from rareseg.measures.confusion import Confusion
from rareseg.measures.curves import BINS, ScoreHistogram
from rareseg.measures.evaluation import Evaluation
from rareseg.measures.intervals import interval, scene_draws
from rareseg.measures.map_counts import MapCounts
from rareseg.measures.relaxed import RelaxedCounts
from rareseg.measures.score_intervals import (
    drawn,
    drawn_alike,
    of_class,
    of_difference,
    of_mean_difference,
    of_means,
)
from rareseg.measures.shape_counts import ShapeCounts
from rareseg.measures.topo import TopoCounts
from rareseg.measures.topology import TopologyCounts

SCORES = ("iou", "f1", "precision", "recall", "average_precision", "calibration_error")


def scenes(rows):
    """Counts of scenes; each row is (hits, missed, false, right background) and a score bin for hits."""
    found = Evaluation.begun(
        ["ground", "road"], [f"{number:03d}" for number in range(len(rows))],
        overlapping=False, ranked=True, shapes={},
    )  # fmt: skip
    for number, (hits, missed, false, rest) in enumerate(rows):
        confusion = Confusion(np.array([[rest, false], [missed, hits]]), overlapping=False)
        curve = ScoreHistogram.empty(2)
        curve.positives[1, BINS - 10], curve.positives[1, 10] = hits, missed
        curve.negatives[1, BINS - 10], curve.negatives[1, 10] = false, rest
        curve.positives[0, BINS - 10], curve.negatives[0, 10] = rest, hits
        found.by_scene.add(number, curve, confusion)
    return found


def values(rows):
    hits, missed, false, _ = np.sum(rows, axis=0)
    iou = hits / (hits + missed + false)
    own = dict.fromkeys(SCORES, (None, 0.5))
    return own | {"iou": (0.9, float(iou)), "recall": (0.9, float(hits / (hits + missed)))}


def test_scenes_that_agree_leave_no_doubt_and_others_do():
    alike = [(80, 20, 10, 890)] * 6
    spread = [(95, 5, 2, 898), (40, 60, 30, 870), (80, 20, 10, 890), (60, 40, 50, 850), (90, 10, 1, 899)]
    narrow = of_class(drawn(scenes(alike)), 1, values(alike))["iou"]
    wide = of_class(drawn(scenes(spread)), 1, values(spread))["iou"]
    assert narrow.low == pytest.approx(narrow.high) == pytest.approx(80 / 110)
    assert wide.high - wide.low > 0.2
    assert 0 <= wide.low < values(spread)["iou"][1] < wide.high <= 1


def test_the_interval_holds_the_score_of_new_scenes_nineteen_times_of_twenty():
    rng = np.random.default_rng(0)
    population = rng.beta(6, 3, 4000)
    truth = population.mean()
    held = 0
    for start in range(0, 800, 8):
        rows = [
            (round(1000 * one), 1000 - round(1000 * one), 0, 5000) for one in population[start : start + 8]
        ]
        span = of_class(drawn(scenes(rows)), 1, values(rows))["recall"]
        held += span.low <= truth <= span.high
    assert 0.9 <= held / 100 <= 0.99


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_scenes_have_none(count):
    rows = [(80, 20, 10, 890)] * count
    assert of_class(drawn(scenes(rows)), 1, values(rows)) == {}


def test_an_absent_class_has_no_interval():
    rows = [(80, 20, 10, 890), (70, 30, 10, 890), (60, 40, 10, 890)]
    absent = dict.fromkeys(SCORES, (None, None))
    assert of_class(drawn(scenes(rows)), 1, absent) == {}


def test_means_have_intervals_too():
    rows = [(95, 5, 2, 898), (40, 60, 30, 870), (80, 20, 10, 890), (60, 40, 50, 850)]
    by_class = {"iou": (0.9, 0.6), "f1": (None, None)}
    span = of_means(drawn(scenes(rows)), {"iou": 0.75, "f1": None}, by_class)
    assert set(span) == {"iou"}
    assert span["iou"].low < 0.75 < span["iou"].high


EMPTY = (0, 0, 0, 1000)
"""A scene without the class."""


@pytest.mark.parametrize("holding", [1, 2])
def test_a_class_of_fewer_than_three_scenes_has_none_however_many_scenes_there_are(holding):
    rows = [(80, 20, 10, 890)] * holding + [EMPTY] * 20
    found = drawn(scenes(rows))
    # Whether probabilities can be believed is seen without the class, too.
    assert set(of_class(found, 1, values(rows))) == {"calibration_error"}
    assert "iou" in of_class(found, 0, values(rows))
    assert of_difference(found, found, "iou", 1, 0.1) is None
    assert of_means(found, {"iou": 0.8}, {"iou": (0.9, 0.7)}) == {}


def test_scenes_that_lack_the_class_are_no_witnesses():
    rows = [(95, 5, 2, 898), (40, 60, 30, 870), (80, 20, 10, 890)]
    few = of_class(drawn(scenes(rows)), 1, values(rows))["recall"]
    among = of_class(drawn(scenes(rows + [EMPTY] * 20)), 1, values(rows))["recall"]
    assert among.high - among.low > 0.8 * (few.high - few.low)


def test_the_interval_of_a_class_in_few_of_many_scenes_holds_what_it_says():
    rng = np.random.default_rng(1)
    population = rng.beta(6, 3, 4000)
    held = 0
    for start in range(0, 800, 4):
        rows = [
            (round(1000 * one), 1000 - round(1000 * one), 0, 5000) for one in population[start : start + 4]
        ]
        rows += [EMPTY] * 16
        span = of_class(drawn(scenes(rows)), 1, values(rows))["recall"]
        held += span.low <= population.mean() <= span.high
    assert 0.91 <= held / 200 <= 0.99


def test_two_maps_that_count_other_scenes_are_still_paired():
    rows = [(95, 5, 2, 898), (40, 60, 30, 870), (80, 20, 10, 890), (60, 40, 50, 850), (20, 80, 40, 860)]
    left_out = [*rows[:-1], (0, 0, 0, 0)]
    one, other = drawn_alike(scenes(rows), scenes(left_out))
    assert one.scenes == other.scenes == 5
    # Draws without the last scene score the same by both.
    same = one.scores["iou"][:, 1] == other.scores["iou"][:, 1]
    assert 0.2 < same.mean() < 0.7


def test_nothing_counted_has_no_interval():
    nothing = [(0, 0, 0, 0)] * 3
    one, other = drawn_alike(scenes(nothing), scenes(nothing))
    assert one.scenes == 0
    assert of_difference(one, other, "iou", 1, None) is None


def test_a_paired_difference_is_surer_than_two_scores():
    easy = [(95, 5, 2, 898), (40, 60, 30, 870), (80, 20, 10, 890), (60, 40, 50, 850), (20, 80, 40, 860)]
    harder = [(hits - 5, missed + 5, false, rest) for hits, missed, false, rest in easy]
    one, other = drawn(scenes(easy)), drawn(scenes(harder))
    gap = values(easy)["iou"][1] - values(harder)["iou"][1]
    span = of_difference(one, other, "iou", 1, gap)
    alone = of_class(one, 1, values(easy))["iou"]
    assert 0 < span.low < gap < span.high
    assert span.high - span.low < (alone.high - alone.low) / 4
    assert of_difference(one, other, "iou", 1, None) is None
    assert of_difference(other, one, "iou", 1, -gap).high < 0


def detailed(rows):
    """Scenes of class 1 with (true, true_near, holes, holes met)."""
    found = scenes([(80, 20, 10, 890)] * len(rows))
    for number, (true, near, holes, met) in enumerate(rows):
        counts = MapCounts.empty(2, overlapping=False, ranked=True)
        relaxed = (RelaxedCounts(), RelaxedCounts(predicted=9, predicted_near=9, true=true, true_near=near))
        topo = TopoCounts("m", 1, holes, 50, met, 50)
        shape = ShapeCounts(lines=TopologyCounts(topo=topo))
        found.details.add(number, replace(counts, relaxed=relaxed), {1: shape})
    return found


def test_scores_of_nearness_and_lines_are_drawn_over_scenes_too():
    rows = [(100, 90, 40, 30), (100, 50, 60, 20), (100, 70, 50, 45), (100, 80, 10, 9)]
    found = detailed(rows)
    true, near, holes, met = np.sum(rows, axis=0)
    recalls = {"relaxed_recall": (None, near / true), "lines.topo_recall": (None, met / holes)}
    spans = of_class(drawn(found), 1, recalls)
    for name, by_class in recalls.items():
        assert spans[name].low < by_class[1] < spans[name].high
    # By hand: the same draws of the same sums.
    sums = scene_draws(4) @ np.array(rows, np.float64)
    by_hand = interval(np.array([met / holes]), (sums[:, 3] / sums[:, 2])[None], scenes=4, least=0, most=1)
    assert (spans["lines.topo_recall"].low, spans["lines.topo_recall"].high) == pytest.approx(by_hand[1:])


def test_rates_may_be_above_one_and_shares_may_not():
    rows = [(95, 5, 2, 898), (40, 60, 30, 870), (80, 20, 10, 890), (60, 40, 50, 850)]
    found = drawn(scenes(rows))
    noisy = np.tile([[1.0, 9.0], [2.0, 0.5]], (250, 1))
    wide = found._replace(scores=dict.fromkeys(("lines.breaks", "iou"), noisy))
    spans = of_class(wide, 1, {"lines.breaks": (None, 4.0), "iou": (None, 0.9)})
    assert spans["lines.breaks"].high > 4 and spans["lines.breaks"].low == 0
    assert spans["iou"].high == 1
    gap = of_difference(wide, wide._replace(scores={"lines.breaks": noisy[::-1]}), "lines.breaks", 1, -3.0)
    assert gap.low < -3 < gap.high


def test_a_mean_over_classes_is_never_surer_than_its_scenes_allow():
    """Ten classes of the same six scenes are six witnesses, not sixty."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(150):
        hits = rng.beta(6, 3, 6)
        shares = np.tile(hits, (10, 1)).T  # every class varies as its scene does
        draws = scene_draws(6)
        resampled = draws @ shares / draws.sum(axis=1, keepdims=True)
        one = drawn(scenes([(80, 20, 10, 890)] * 6))
        wide = one._replace(scores={"iou": resampled}, holding=np.full(10, 6), effective=np.full(10, 6.0))
        span = of_means(wide, {"iou": shares.mean()}, {"iou": tuple(shares.mean(axis=0))})["iou"]
        held += span.low <= 6 / 9 <= span.high
    assert 0.91 <= held / 150 <= 0.99


def test_scenes_that_hold_little_of_a_class_are_weak_witnesses():
    even = [(80, 20, 10, 890), (60, 40, 10, 890), (70, 30, 10, 890), (75, 25, 10, 890)]
    # The same, and a scene that holds thirty times as much: four small ones say little about it.
    skewed = [(2400, 600, 300, 890), *even[1:]]
    assert drawn(scenes(even)).witnesses("recall", 1) == pytest.approx(4)
    found = drawn(scenes(skewed))
    assert found.witnesses("recall", 1) == 2
    assert found.holding[1] == 4 and found.scenes == 4
    weights = np.array([3000, 100, 100, 100])
    assert found.effective[1] == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert of_class(found, 1, values(skewed))["recall"].low < 0.75


def test_the_difference_of_means_is_paired():
    easy = [(95, 5, 2, 898), (40, 60, 30, 870), (80, 20, 10, 890), (60, 40, 50, 850), (20, 80, 40, 860)]
    harder = [(hits - 5, missed + 5, false, rest) for hits, missed, false, rest in easy]
    one, other = drawn_alike(scenes(easy), scenes(harder))
    both = values(easy), values(harder)
    gap = np.mean(both[0]["iou"]) - np.mean(both[1]["iou"])
    span = of_mean_difference(one, other, "iou", gap, both)
    assert 0 < span.low < gap < span.high
    assert of_mean_difference(one, other, "iou", None, both) is None
    few = drawn_alike(scenes(easy[:2]), scenes(harder[:2]))
    assert of_mean_difference(*few, "iou", gap, both) is None
