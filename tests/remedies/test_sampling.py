import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.remedies.sampling import class_balanced_indices

LABELS = np.array([1] * 985 + [0] * 15)


def drawn(labels=LABELS, draws=1000, seed=0):
    return class_balanced_indices(labels, np.random.default_rng(seed), draws)


def test_classes_come_up_equally_often():
    assert np.bincount(LABELS[drawn()]).tolist() == [500, 500]


def test_remainder_goes_to_classes_at_random():
    labels = np.array([0, 1, 2, 2, 2])
    extra = {tuple(np.bincount(labels[drawn(labels, 4, seed)])) for seed in range(40)}
    assert extra == {(2, 1, 1), (1, 2, 1), (1, 1, 2)}


def test_samples_of_a_class_take_turns():
    times = np.bincount(drawn(), minlength=len(LABELS))
    assert set(times[LABELS == 1]) == {0, 1}
    assert set(times[LABELS == 0]) == {33, 34}


def test_order_is_mixed():
    first, second = np.split(LABELS[drawn()], 2)
    assert abs(first.mean() - second.mean()) < 0.15


def test_seed_decides():
    assert np.array_equal(drawn(seed=3), drawn(seed=3))
    assert not np.array_equal(drawn(seed=3), drawn(seed=4))


def test_one_class_alone_is_drawn_as_it_is():
    assert sorted(drawn(np.zeros(6, int), 6)) == list(range(6))


def test_fewer_draws_than_classes():
    assert len(set(drawn(np.arange(5), 3))) == 3


def test_bad_input_is_refused():
    for labels in (np.zeros((2, 2), int), np.zeros(0, int)):
        with pytest.raises(SettingError, match="labels must be flat and hold at least one sample; got shape"):
            drawn(labels)
    with pytest.raises(SettingError, match="draws must be 1 or more; got 0"):
        drawn(draws=0)


def test_majority_samples_are_drawn_from_the_whole_class():
    assert drawn().max() > 980
    assert not np.array_equal(np.unique(drawn(seed=1)), np.unique(drawn(seed=2)))
