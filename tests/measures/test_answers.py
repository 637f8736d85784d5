import numpy as np
import pytest
from tests.measures.test_curves import exact_average_precision

from rareseg.errors import DataError, SettingError
from rareseg.measures.answers import AnswerCounts, answers_evidence
from rareseg.measures.probabilities import class_map, log_odds
from rareseg.measures.seams import Seams
from rareseg.records.dataset import VOID

NAMES = ("background", "road")


def drawn(seed=0, classes=3, shape=(120, 90)):
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, shape, p=[0.8, 0.15, 0.05][:classes]).astype(np.uint8)
    logits = rng.normal(size=(classes, *shape)) + 2 * (labels == np.arange(classes)[:, None, None])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=0)
    labels[rng.random(shape) < 0.1] = VOID
    return probabilities.astype(np.float32), labels


def test_numbers_are_those_of_plain_counting():
    probabilities, labels = drawn()
    found = AnswerCounts.of_probabilities(probabilities, labels).evidence("abc", source="probabilities")
    counted = labels != VOID
    given, truth = probabilities.argmax(axis=0)[counted], labels[counted]
    assert (found.pixels, found.images) == (counted.sum(), 1)
    assert found.accuracy == pytest.approx((given == truth).mean())
    ious = []
    for label, one in enumerate(found.classes):
        scores = probabilities[label][counted].astype(np.float64)
        precision = exact_average_precision(scores, truth == label)
        odds = np.log(scores / (1 - scores))
        ious.append(((given == label) & (truth == label)).sum() / ((given == label) | (truth == label)).sum())
        assert one.name == "abc"[label]
        assert one.prevalence == pytest.approx((truth == label).mean())
        assert one.average_precision == pytest.approx(precision, abs=1e-3)
        assert one.lift == pytest.approx(one.average_precision / one.prevalence)
        assert one.predicted_share == pytest.approx((given == label).mean())
        assert one.iou == pytest.approx(ious[-1])
        assert one.best_iou >= one.iou - 1e-9 or label == 0
        assert one.mean_probability == pytest.approx(scores.mean(), abs=1e-3)
        assert one.deviation == pytest.approx(odds.std(), rel=1e-3)
    assert found.macro_iou == pytest.approx(np.mean(ious))
    assert found.constant_accuracy == pytest.approx((truth == 0).mean())
    assert found.constant_macro_iou == pytest.approx((truth == 0).mean() / 3)


def test_one_channel_says_what_two_channels_say():
    probabilities, labels = drawn(1, 3)
    labels[labels == 2] = 0
    road = probabilities[1:2]
    one = AnswerCounts.of_probabilities(road, labels).evidence(NAMES, source="probabilities")
    two = AnswerCounts.of_probabilities(np.concatenate([1 - road, road]), labels)
    two = two.evidence(NAMES, source="probabilities")
    assert one.accuracy == pytest.approx(two.accuracy, abs=1e-9)
    for a, b in zip(one.classes, two.classes, strict=True):
        assert a.average_precision == pytest.approx(b.average_precision, abs=1e-3)
        assert a.best_iou == pytest.approx(b.best_iou, abs=1e-3)
        assert a.predicted_share == pytest.approx(b.predicted_share, abs=1e-9)
        assert a.mean_probability == pytest.approx(b.mean_probability, abs=1e-4)


def test_windows_add_up_in_any_order():
    probabilities, labels = drawn(2)
    whole = AnswerCounts.of_probabilities(probabilities, labels)
    parts = [
        AnswerCounts.of_probabilities(probabilities[:, rows], labels[rows], images=images)
        for rows, images in ((slice(70, None), 0), (slice(0, 33), 1), (slice(33, 70), 0))
    ]
    assert answers_evidence(iter(parts), "abc", source="model") == whole.evidence("abc", source="model")


def test_class_maps_rank_nothing_and_tell_their_ids():
    _, labels = drawn(3)
    given = np.where(labels == 1, 2, 0).astype(np.uint8)
    given[0] = VOID
    found = AnswerCounts.of_classes(given, labels, classes=3, stored=given)
    evidence = found.evidence("abc", source="classes")
    counted = (labels != VOID) & (given != VOID)
    assert evidence.pixels == counted.sum()
    assert found.unanswered == (labels[0] != VOID).sum()
    assert (evidence.distinct_ids, evidence.highest_id) == (2, 2)
    assert evidence.accuracy == pytest.approx((given == labels)[counted].mean())
    assert evidence.classes[2].predicted_share == pytest.approx((given == 2)[counted].mean())
    assert evidence.classes[1].average_precision is None and evidence.classes[1].deviation is None
    plain = AnswerCounts.of_classes(given, labels, classes=3).evidence("abc", source="classes")
    assert (plain.distinct_ids, plain.highest_id) == (None, None)


def test_the_same_answer_everywhere_deviates_by_nothing_and_lifts_nothing():
    _, labels = drawn(4)
    labels[labels == 2] = 1
    found = AnswerCounts.of_probabilities(np.full((1, *labels.shape), 0.04, np.float32), labels)
    road = found.evidence(NAMES, source="model").classes[1]
    assert (road.deviation, road.predicted_share, road.iou) == (0, 0, 0)
    assert road.lift == pytest.approx(1)
    assert road.mean_probability == pytest.approx(0.04, abs=1e-4)


def test_pixels_without_an_answer_count_nowhere():
    probabilities, labels = drawn(5)
    holed = probabilities.copy()
    holed[1, 10:20] = np.nan
    holed[0, 30] = np.inf
    kept = labels.copy()
    kept[10:20] = kept[30] = VOID
    found, wanted = (
        AnswerCounts.of_probabilities(*pair) for pair in ((holed, labels), (probabilities, kept))
    )
    assert found.evidence("abc", source="model") == wanted.evidence("abc", source="model")
    assert found.unanswered == (labels != VOID).sum() - (kept != VOID).sum()


def test_overlapping_classes_are_given_from_half_on():
    probabilities = np.array([[[0.9, 0.4]], [[0.6, 0.5]]], np.float32)
    labels = np.array([[0b11, 0b01]], np.uint8)
    found = AnswerCounts.of_probabilities(probabilities, labels, overlapping=True)
    first, second = found.evidence(NAMES, source="model").classes
    assert (first.prevalence, first.predicted_share, first.iou) == (1, 0.5, 0.5)
    assert (second.prevalence, second.predicted_share, second.iou) == (0.5, 1, 0.5)


def test_a_stored_zero_is_half_a_step_from_zero():
    odds = log_odds(np.array([0, 0.5, 1], np.float32), 1 / 255)
    np.testing.assert_allclose(odds, [-np.log(509), 0, np.log(509)], rtol=1e-4, atol=1e-6)
    assert np.isneginf(log_odds(np.zeros(1, np.float32))).all()


def test_the_first_of_equals_is_given():
    assert class_map(np.full((3, 1, 1), 1 / 3, np.float32), overlapping=False) == 0
    probabilities, _ = drawn(6)
    np.testing.assert_array_equal(class_map(probabilities, overlapping=False), probabilities.argmax(axis=0))


def test_an_absent_class_is_not_measurable():
    probabilities, labels = drawn(7)
    labels[labels == 2] = 0
    absent = AnswerCounts.of_probabilities(probabilities, labels).evidence("abc", source="model").classes[2]
    assert (absent.prevalence, absent.iou, absent.average_precision, absent.lift) == (0, None, None, None)


def test_seams_are_handed_on():
    probabilities, labels = drawn(8)
    found = AnswerCounts.of_probabilities(probabilities, labels)
    evidence = found.evidence("abc", source="model", seams=Seams(256, 2.5, 3.0, 9.0))
    assert (evidence.tile, evidence.seam_ratio) == (256, 2.5)


def test_errors():
    probabilities, labels = drawn()
    with pytest.raises(DataError, match=r"from -5 to 5\. If these are logits"):
        AnswerCounts.of_probabilities(
            np.stack([labels * 0 - 5.0, labels * 0 + 5.0]).astype(np.float32), labels
        )
    with pytest.raises(SettingError, match=r"got \(3, 120, 90\) and \(4, 4\)"):
        AnswerCounts.of_probabilities(probabilities, labels[:4, :4])
    with pytest.raises(DataError, match="labels 0..1 where pixels are counted"):
        AnswerCounts.of_probabilities(probabilities[:2] / 2, labels)
    with pytest.raises(DataError, match="No labelled pixel of 1 images"):
        AnswerCounts.of_probabilities(probabilities, np.full_like(labels, VOID)).evidence(
            "abc", source="model"
        )
    with pytest.raises(DataError, match="There are no answers to measure"):
        answers_evidence([], "abc", source="model")
    with pytest.raises(SettingError, match="cannot be added"):
        AnswerCounts.empty(3) + AnswerCounts.empty(3, ranked=False)
    with pytest.raises(SettingError, match="names of 3 classes, got 2"):
        AnswerCounts.of_probabilities(probabilities, labels).evidence("ab", source="model")
