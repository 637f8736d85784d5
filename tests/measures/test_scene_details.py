"""What is beside pixels and curves, scene by scene: sums over scenes are the whole, draws are sums of scenes."""

import numpy as np
import pytest

from rareseg.measures.class_counts import NAMES, ratios
from rareseg.measures.map_counts import MapCounts
from rareseg.measures.scene_details import BREAK_EVEN, SceneDetails
from rareseg.measures.shape_counts import shape_counts

SHAPES = {1: "lines", 2: "objects"}


def scene(seed, *, noise=1.5):
    """Log-odds of three classes, the likeliest one, and labels: a line, blobs, and ground."""
    import cv2

    rng = np.random.default_rng(seed)
    labels = np.zeros((90, 110), np.uint8)
    cv2.line(labels, (0, int(rng.integers(10, 80))), (109, int(rng.integers(10, 80))), 1, 4)
    for _ in range(4):
        cv2.circle(labels, tuple(int(one) for one in rng.integers(8, 80, 2)), 5, 2, -1)
    odds = np.stack([np.where(labels == label, 1.5, -1.5) for label in range(3)])
    odds = (odds + noise * rng.normal(size=odds.shape)).astype(np.float32)
    return odds, odds.argmax(0).astype(np.uint8), labels


def counted(seed, *, ranked=True):
    odds, given, labels = scene(seed)
    found = MapCounts.count(odds if ranked else None, given, labels, classes=3, overlapping=False, width=2)
    shapes = shape_counts(given, labels, SHAPES, overlapping=False, pixel_size=None)
    return found, shapes


@pytest.fixture(scope="module")
def scenes():
    return [counted(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def details(scenes):
    held = SceneDetails.empty(4, 3, ranked=True)
    for number, (found, shapes) in enumerate(scenes):
        held.add(number, found, shapes)
    return held


def test_the_sum_of_all_scenes_is_the_whole(details, scenes):
    total = sum((found for found, _ in scenes[1:]), scenes[0][0])
    for label in range(3):
        own = details.total(label)
        assert own.relaxed == total.relaxed[label]
        assert own.boundary == total.boundary[label]
    lines = sum((shapes[1] for _, shapes in scenes[1:]), scenes[0][1][1])
    assert details.total(1).shape.lines == lines.lines
    assert details.total(1).shape.objects is None


def test_a_draw_scores_what_its_scenes_score_together(details, scenes):
    draw = np.array([2, 0, 1, 0])
    pooled = details.pooled(draw[None].astype(np.float64), 3)
    chosen = [scenes[0], scenes[0], scenes[2]]
    total = sum((found for found, _ in chosen[1:]), chosen[0][0])
    again = SceneDetails.empty(1, 3, ranked=True)
    for found, shapes in chosen:
        again.add(0, found, shapes)
    for label in range(3):
        for name, value in ratios(again.total(label)).items():
            got = pooled[name][0, label]
            assert (np.isnan(got) and value is None) or got == pytest.approx(value), (name, label)
        exact = total.relaxed_curve.break_even()[label]
        assert pooled[BREAK_EVEN][0, label] == pytest.approx(exact.score, abs=3e-3)
    assert set(pooled) == {*NAMES, BREAK_EVEN}
    assert np.isfinite(pooled["lines.apls"][0, 1]) and np.isnan(pooled["lines.apls"][0, 2])
    assert np.isfinite(pooled["objects.f1"][0, 2]) and np.isnan(pooled["objects.f1"][0, 1])


def test_one_of_the_scenes_alone(details, scenes):
    one = details.chosen(np.array([False, True, False, False]))
    assert one.total(1).relaxed == scenes[1][0].relaxed[1]
    (alone,) = one.pooled(np.ones((1, 1)), 3)["relaxed_f1"]
    assert alone[1] == pytest.approx(scenes[1][0].relaxed[1].f1)


def test_maps_of_classes_have_no_break_even():
    held = SceneDetails.empty(1, 3, ranked=False)
    held.add(0, *counted(0, ranked=False))
    pooled = held.pooled(np.ones((2, 1)), 3)
    assert np.isnan(pooled[BREAK_EVEN]).all()
    assert np.isfinite(pooled["boundary_iou"]).all()


def test_nothing_counted_is_not_measurable():
    pooled = SceneDetails.empty(0, 2, ranked=True).pooled(np.zeros((5, 0)), 2)
    assert all(np.isnan(values).all() and values.shape == (5, 2) for values in pooled.values())
    absent = SceneDetails.empty(2, 2, ranked=True).pooled(np.ones((5, 2)), 2)
    assert all(np.isnan(values).all() for values in absent.values())


def test_images_whose_shapes_were_left_out_add_nothing_to_shapes(scenes):
    held = SceneDetails.empty(2, 3, ranked=True)
    held.add(0, *scenes[0])
    held.add(1, scenes[1][0], {})
    pooled = held.pooled(np.array([[1.0, 1.0], [0.0, 2.0]]), 3)
    alone = scenes[0][1][1].lines
    assert pooled["lines.completeness"][0, 1] == pytest.approx(alone.connections.completeness)
    assert np.isnan(pooled["lines.completeness"][1, 1])
