import numpy as np
import pytest

from rareseg.imagery.suspicion.batches import Held, evidence_of_batches

NAMES = ("field", "road")


def looked_at(pictures, labels, raw=None, **more):
    flat = labels.reshape(len(labels), -1)
    return evidence_of_batches(pictures, flat, labels if raw is None else raw, NAMES, **more)


def test_healthy_batches(drawn):
    pictures, labels = drawn(12)
    found, notes = looked_at(
        pictures, labels, batch_sizes=[4, 4, 4], validation=Held(*flat(drawn(4, seed=9)))
    )
    assert (found.out_of_range, found.between, found.ignored, found.empty_batches) == (0, 0, 0, 0)
    assert found.pair_information > found.shuffled_information + 3 * found.shuffled_deviation
    assert found.shift == (0, 0)
    assert (found.suspects, found.shared_images, found.nodata_labelled) == ((), 0, 0)
    assert found.shares[1] == pytest.approx((labels == 1).mean())
    assert notes == ()


def flat(drawn):
    pictures, labels = drawn
    return pictures, labels.reshape(len(labels), -1)


def test_wrong_pairs_show_no_information(drawn):
    pictures, labels = drawn(12)
    found, _ = looked_at(pictures, np.roll(labels, 1, axis=0))
    assert found.pair_information < found.shuffled_information + 3 * found.shuffled_deviation
    assert found.shift is None


def test_a_large_shift_is_no_wrong_pairing(drawn):
    pictures, labels = drawn(12, 80)
    labels[:, :, 9:], labels[:, :, :9] = labels[:, :, :-9].copy(), -1
    found, _ = looked_at(pictures, labels)
    assert found.shift == pytest.approx((0, -9), abs=1)
    assert found.pair_information > found.shuffled_information + 3 * found.shuffled_deviation


def test_mirrored_labels_are_noted(drawn):
    pictures, labels = drawn(12, 80)
    found, notes = looked_at(pictures, np.ascontiguousarray(labels[:, ::-1]))
    assert any("mirrored top to bottom" in note for note in notes)
    assert found.shift is None


def test_too_little_to_tell_leaves_the_shuffled_fields_empty(drawn):
    pictures, labels = drawn(6)
    few = np.zeros_like(labels)
    few[np.arange(6), 30, np.arange(6) * 7] = 1
    found, notes = looked_at(pictures, few)
    assert found.shuffled_information is None
    assert any("cannot be told" in note for note in notes)


@pytest.mark.parametrize("last", [True, False])
def test_channels(drawn, last):
    pictures, labels = drawn(4)
    hot = np.eye(2, dtype=np.float32)[labels]
    hot[:, :8] = 0
    hot[:, 8:24] = 1
    found, _ = looked_at(pictures, labels, hot if last else np.moveaxis(hot, -1, 1), quick=True)
    assert found.nothing_hot == 0.125
    assert found.several_hot == 0.25
    assert found.label_form == "multi-hot"
    clean, _ = looked_at(pictures, labels, np.eye(2)[labels], quick=True)
    assert (clean.nothing_hot, clean.several_hot, clean.label_form) == (0, 0, "one-hot")


def test_values_of_files_as_targets(drawn):
    pictures, labels = drawn(6)
    found, _ = looked_at(pictures, labels, labels[:, None] * 255, quick=True)
    assert found.out_of_range == pytest.approx(labels.mean())
    assert (found.distinct_values, found.between, found.grey_from_colour) == (2, 0, False)
    coloured, _ = looked_at(pictures, labels, labels * 76, quick=True)
    assert coloured.grey_from_colour


def test_the_ignored_value_that_eats_the_class(drawn):
    pictures, labels = drawn(6)
    void = np.where(labels == 1, -1, labels)
    found, _ = looked_at(pictures, void, labels * 255, ignore_index=255, quick=True)
    assert found.ignored_of_rare == 1
    assert found.ignored == pytest.approx(labels.mean())
    assert found.out_of_range == 0
    assert found.absent_in_training == ("road",)


def test_empty_batches_are_counted_by_batch(drawn):
    pictures, labels = drawn(6)
    labels[2:] = 0
    found, _ = looked_at(pictures, labels, batch_sizes=[1, 3, 2], quick=True)
    assert found.empty_batches == pytest.approx(1 / 3)


def test_validation_and_prediction_are_compared(drawn):
    pictures, labels = drawn(8)
    held = Held(pictures[:2], np.zeros((2, 64 * 64), np.int16))
    found, _ = looked_at(pictures, labels, validation=held, prediction=pictures[:3] / 255, quick=True)
    assert found.shared_images == 1
    assert found.absent_in_validation == ("road",)
    assert found.prediction_scale == pytest.approx(1 / 255, rel=0.2)
    moved, _ = looked_at(pictures, labels, prediction=pictures + 3 * pictures.std(), quick=True)
    assert moved.band_gap == pytest.approx(3, rel=0.2)
    assert moved.prediction_scale == pytest.approx(1)


def test_labels_where_the_photo_is_empty(drawn):
    pictures, labels = drawn(4, 96)
    pictures[:, :, :48] = 30
    found, _ = looked_at(pictures, labels, quick=True)
    assert found.nodata_labelled == pytest.approx((labels[:, :48] == 1).sum() / (labels == 1).sum(), abs=0.02)


def test_pixels_that_are_no_numbers_do_not_spread(drawn):
    pictures, labels = drawn(8)
    clean, _ = looked_at(pictures, labels)
    pictures[0, 0, :2], pictures[1, 0, :2] = np.nan, np.inf
    found, _ = looked_at(pictures, labels)
    assert found.pair_information == pytest.approx(clean.pair_information, rel=0.2)


def test_crops_that_overlap_training_crops_are_shared(drawn):
    pictures, labels = drawn(4, 128)
    window, beside = (slice(0, 64), slice(0, 64)), (slice(24, 88), slice(0, 64))
    known, crops = (np.stack([one[:, *here] for one in pictures]) for here in (window, beside))
    own = np.stack([one[window] for one in labels])
    held = Held(crops, np.stack([one[beside] for one in labels]).reshape(4, -1))
    found, _ = looked_at(known, own, validation=held)
    assert found.shared_images == 1
    other = Held(drawn(4, 64, seed=7)[0], drawn(4, 64, seed=7)[1].reshape(4, -1))
    assert looked_at(known, own, validation=other)[0].shared_images == 0


def test_pixels_of_no_class_are_not_left_out_where_classes_may_overlap(drawn):
    pictures, labels = drawn(12, contrast=4)
    void = np.where(labels == 1, -1, 0).astype(np.int16)
    assert looked_at(pictures, void, raw=np.where(void < 0, 255, void), ignore_index=255)[0].ignored_fit > 0.4
    hot = np.stack([labels == 0, np.zeros_like(labels)], axis=1).astype(np.float32)
    assert looked_at(pictures, void, raw=hot)[0].ignored_fit is None
