import numpy as np
import pytest

from rareseg.probing.watch_arrays import layout_of
from rareseg.probing.watch_sample import Sampler


def _sampler(logits, labels, ignore=255, seed=0):
    layout = layout_of(logits.shape, labels.shape, axis="auto", classes=None)
    return Sampler(layout, ignore_index=ignore, seed=seed)


def _scene(shape=(8, 200, 216), share=0.01, seed=3):
    random = np.random.default_rng(seed)
    labels = (random.random(shape) < share).astype(np.int64)
    # Each pixel's logits say where it lies, so that a pixel that is mistaken for another shows.
    place = np.arange(labels.size, dtype=np.float32).reshape(shape)
    return np.stack([place, labels.astype(np.float32)], axis=1), labels


def test_answers_and_labels_are_of_the_same_pixels():
    logits, labels = _scene()
    sample = _sampler(logits, labels).draw(logits, labels)
    np.testing.assert_array_equal(sample.members[1], sample.logits[1] == 1)
    np.testing.assert_array_equal(sample.members[0], ~sample.members[1])
    assert len(np.unique(sample.logits[0])) == sample.logits.shape[1]


@pytest.mark.parametrize("share", [0.002, 0.02, 0.3])
def test_shares_come_out_right_over_many_draws(share):
    logits, labels = _scene(share=share)
    sampler = _sampler(logits, labels)
    draws = [sampler.draw(logits, labels) for _ in range(60)]
    found = sum(int(draw.weights[draw.members[1]].sum()) for draw in draws)
    assert found / sum(int(draw.weights.sum()) for draw in draws) == pytest.approx(labels.mean(), rel=0.04)
    assert max(draw.weights.size for draw in draws) < 4_500


def test_rare_pixels_are_all_kept_and_others_thinned():
    logits, labels = _scene(share=0.01)
    sample = _sampler(logits, labels).draw(logits, labels)
    assert set(sample.weights[sample.members[1]]) == {1}
    assert len(set(sample.weights[sample.members[0]])) == 1
    assert sample.weights[sample.members[0]][0] > 4
    assert sample.members[1].sum() == pytest.approx(0.01 * sample.looked_at, rel=0.2)


def test_every_pixel_can_be_drawn():
    logits, labels = _scene(shape=(2, 300, 300), share=0.3)
    sampler = _sampler(logits, labels)
    seen = np.zeros(labels.size, np.int64)
    for _ in range(400):
        np.add.at(seen, sampler.draw(logits, labels).logits[0].astype(int), 1)
    assert (seen > 0).mean() > 0.98
    halves = seen.reshape(labels.shape)
    assert halves[:, ::2].sum() == pytest.approx(halves[:, 1::2].sum(), rel=0.2)
    assert halves[:, :, ::2].sum() == pytest.approx(halves[:, :, 1::2].sum(), rel=0.2)


def test_a_crowded_batch_keeps_its_bound_and_its_share():
    logits, labels = _scene(shape=(8, 256, 256), share=0.01)
    sampler = _sampler(logits, labels)
    for _ in range(20):
        sampler.draw(logits, labels)
    crowded, full = _scene(shape=(8, 256, 256), share=0.6)
    sample = sampler.draw(crowded, full)
    assert sample.weights.size < 8_000
    share = sample.weights[sample.members[1]].sum() / sample.weights.sum()
    assert share == pytest.approx(0.6, rel=0.05)


def test_small_batches_are_looked_at_wholly():
    logits, labels = _scene(shape=(2, 16, 16), share=0.1)
    sample = _sampler(logits, labels).draw(logits, labels)
    assert sample.weights.tolist() == [1] * 512
    assert sample.looked_at == 512


def test_the_same_course_draws_the_same_and_the_process_s_chance_is_left_alone():
    logits, labels = _scene()
    np.random.seed(5)  # noqa: NPY002 - what is tested
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = (_sampler(logits, labels).draw(logits, labels) for _ in range(2))
    np.testing.assert_array_equal(one.logits, two.logits)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_the_ignored_label_counts_nowhere():
    logits, labels = _scene(share=0.2)
    labels[:, :100] = 255
    sample = _sampler(logits, labels).draw(logits, labels)
    assert sample.void == pytest.approx(sample.looked_at / 2, rel=0.05)
    assert (sample.logits[0].astype(int) % (200 * 216) // 216 >= 100).all()
    assert sample.strange == ()


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.int32])
def test_labels_that_no_class_has_are_named(dtype):
    logits, labels = _scene(share=0.2)
    labels = labels.astype(dtype)
    labels[:, :20] = -100
    labels[:, 20:40] = 7
    sample = _sampler(logits, labels).draw(logits, labels)
    assert sample.strange == (-100.0, 7.0)
    assert (sample.logits[0].astype(int) % (200 * 216) // 216 >= 40).all()


@pytest.mark.parametrize("hot", [False, True])
def test_a_class_can_be_what_is_ignored(hot):
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, size=(2, 16, 16))
    logits = random.normal(size=(2, 3, 16, 16)).astype(np.float32)
    given = np.moveaxis(np.eye(3)[labels], 3, 1) if hot else labels
    sample = _sampler(logits, given, ignore=0).draw(logits, given)
    assert sample.void == (labels == 0).sum()
    assert sample.members.sum(axis=1).tolist() == [0, (labels == 1).sum(), (labels == 2).sum()]
    assert sample.weights.size == (labels != 0).sum()


def test_a_negative_ignored_label_is_no_stranger():
    logits, labels = _scene(share=0.2)
    labels[:, :50] = -100
    assert _sampler(logits, labels, ignore=-100).draw(logits, labels).strange == ()


def test_values_between_two_of_several_classes_are_strange_and_soft_masks_of_one_are_not():
    logits, labels = _scene(shape=(2, 16, 16), share=0.2)
    soft = labels.astype(np.float32)
    soft[0, 0] = 0.75
    assert _sampler(logits, soft).draw(logits, soft).strange == (0.75,)
    sample = _sampler(logits[:, 1], soft).draw(logits[:, 1], soft)
    assert sample.strange == ()
    assert sample.members[0, :16].all()


def test_one_hot_labels_read_as_indices_do():
    logits, labels = _scene(share=0.02)
    hot = np.eye(2, dtype=np.float32)[labels]
    channels_last = np.moveaxis(logits, 1, 3)
    by_index = _sampler(logits, labels).draw(logits, labels)
    by_channel = _sampler(channels_last, hot).draw(channels_last, hot)
    np.testing.assert_array_equal(by_index.logits, by_channel.logits)
    np.testing.assert_array_equal(by_index.members, by_channel.members)
    np.testing.assert_array_equal(by_index.weights, by_channel.weights)


def test_hot_labels_of_other_values_are_named_and_the_ignored_one_is_left_out():
    logits, labels = _scene(shape=(2, 16, 16), share=0.2)
    hot = np.moveaxis(np.eye(2, dtype=np.float32)[labels], 3, 1)
    hot[0, :, 0] = 255
    sample = _sampler(logits, hot).draw(logits, hot)
    assert (sample.void, sample.strange, sample.weights.size) == (16, (), 496)
    hot[0, 1, 1] = 3
    assert _sampler(logits, hot).draw(logits, hot).strange == (3.0,)


def test_answers_that_are_not_finite_are_counted_and_left_out():
    logits, labels = _scene(shape=(2, 16, 16), share=0.2)
    logits[0, 0, 0, :3] = [np.nan, np.inf, -np.inf]
    sample = _sampler(logits, labels).draw(logits, labels)
    assert sample.not_finite == 3
    assert np.isfinite(sample.logits).all()
    assert sample.members.shape[1] == sample.weights.size == 509
