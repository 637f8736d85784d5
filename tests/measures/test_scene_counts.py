import io

import numpy as np
import pytest
from tests.references.comparisons import counted_scene, counts_of, labelled_scene

from rareseg.errors import RecordError
from rareseg.measures.calibration import calibration_error
from rareseg.measures.confusion import Confusion
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.scene_counts import MOST_BLOCKS, SceneCounts, average_precision, blocks

SEEDS = range(4)


@pytest.fixture(scope="module")
def scenes():
    return [counted_scene(seed, separation=1.0 + seed / 2) for seed in SEEDS]


@pytest.fixture(scope="module")
def counts(scenes):
    found = SceneCounts.empty(len(scenes), 2, overlapping=False)
    for place, (curve, confusion) in enumerate(scenes):
        found.add(place, curve, confusion)
    return found


@pytest.mark.parametrize("draw", [(1, 1, 1, 1), (0, 2, 1, 0), (3, 0, 0, 1)])
def test_pooled_scores_are_those_of_the_scenes_put_together(scenes, counts, draw):
    curve, confusion = ScoreHistogram.empty(2), Confusion.empty(2, overlapping=False)
    for times, (one, given) in zip(draw, scenes, strict=True):
        for _ in range(times):
            curve, confusion = curve + one, confusion + given
    found = counts.pooled(np.array([draw], np.float64))
    assert found.average_precision[0] == pytest.approx(curve.average_precision(), abs=3e-3)
    assert found.iou[0] == pytest.approx(confusion.iou())
    assert found.calibration_error[0] == pytest.approx(calibration_error(curve), abs=2.5e-3)


def test_overlapping_classes_pool_too():
    odds, labels = labelled_scene(5, separation=2.0)
    labels = labels * 3
    confusion = Confusion.count((odds[1] > 0).astype(np.uint8) * 2, labels, classes=2, overlapping=True)
    counts = SceneCounts.empty(1, 2, overlapping=True)
    counts.add(0, ScoreHistogram.count(odds, labels, overlapping=True), confusion)
    assert counts.pooled(np.ones((1, 1))).iou[0] == pytest.approx(confusion.iou())


def test_a_draw_without_the_class_has_no_score():
    counts = SceneCounts.empty(2, 2, overlapping=False)
    counts.add(0, *counted_scene(0, separation=2.0, share=0.0))
    counts.add(1, *counted_scene(1, separation=2.0))
    found = counts.pooled(np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(found.average_precision[0, 1])
    assert np.isnan(found.iou[0, 1])
    assert np.isfinite(found.average_precision[1]).all()


def test_average_precision_of_counts_done_by_hand():
    # From the top: 1 of 1 right, then 1 of 3, then 3 of 6 in all.
    positives, negatives = np.array([[2.0, 0, 1]]), np.array([[1.0, 2, 0]])
    assert average_precision(positives, negatives) == pytest.approx([1 / 3 * 1 + 2 / 3 * 3 / 6])


def test_scenes_without_counted_pixels_are_no_witnesses(scenes):
    counts = SceneCounts.empty(3, 2, overlapping=False)
    counts.add(0, *scenes[0])
    counts.add(2, *scenes[1])
    assert len(counts) == 3
    assert len(counts.counted()) == 2
    assert (counts.counted().positives[1] == counts.positives[2]).all()


def test_very_many_scenes_share_blocks():
    names = [f"scene{number:04d}" for number in range(MOST_BLOCKS + 3)]
    numbered = blocks([*names, names[0]])
    assert sorted(set(numbered.values())) == list(range(MOST_BLOCKS))
    assert numbered[names[0]] == numbered[names[MOST_BLOCKS]] == 0


def test_counts_come_back_from_bytes(counts):
    data = counts.to_bytes()
    back = SceneCounts.from_bytes(data, "x.npz", scenes=4, classes=2, overlapping=False)
    for name in ("positives", "negatives", "confusion"):
        assert (getattr(back, name) == getattr(counts, name)).all()


@pytest.mark.parametrize("wrong", [{"scenes": 3}, {"classes": 3}, {"overlapping": True}])
def test_other_shapes_are_refused(counts, wrong):
    expected = {"scenes": 4, "classes": 2, "overlapping": False} | wrong
    with pytest.raises(RecordError, match=r"x\.npz: expected int64 arrays"):
        SceneCounts.from_bytes(counts.to_bytes(), "x.npz", **expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positives": np.full((4, 2, 2048), -1)}, "below 0"),
        ({"positives": np.zeros((4, 2, 2048), np.float64)}, "expected int64"),
        ({"more": np.zeros(3, np.int64)}, "expected int64"),
    ],
)
def test_other_contents_are_refused(counts, change, message):
    stream = io.BytesIO()
    arrays = {name: getattr(counts, name) for name in ("positives", "negatives", "confusion")}
    np.savez_compressed(stream, **arrays | change)
    with pytest.raises(RecordError, match=message):
        SceneCounts.from_bytes(stream.getvalue(), "x.npz", scenes=4, classes=2, overlapping=False)


def test_objects_are_never_unpickled():
    stream = io.BytesIO()
    np.savez(stream, positives=np.array([{}], object))
    with pytest.raises(RecordError, match="cannot be read"):
        SceneCounts.from_bytes(stream.getvalue(), "x.npz", scenes=4, classes=2, overlapping=False)


@pytest.mark.parametrize("cut", [0, 1, 100, -10])
def test_damaged_files_are_refused(counts, cut):
    with pytest.raises(RecordError, match="cannot be read"):
        SceneCounts.from_bytes(counts.to_bytes()[:cut], "x.npz", scenes=4, classes=2, overlapping=False)


def test_counts_of_helper_scores_higher_the_further_classes_lie_apart():
    scores = [
        counts_of(range(3), separation=apart).pooled(np.ones((1, 3))).average_precision[0, 1]
        for apart in (0.0, 1.0, 3.0)
    ]
    assert scores == sorted(scores)
