import numpy as np
import pytest

from rareseg.imagery.suspicion.shifts import shift_of


def moved(labels, rows, cols):
    found = np.full_like(labels, -1)
    height, width = labels.shape[1:]
    into = np.s_[:, max(0, rows) : height + min(0, rows), max(0, cols) : width + min(0, cols)]
    out_of = np.s_[:, max(0, -rows) : height + min(0, -rows), max(0, -cols) : width + min(0, -cols)]
    found[into] = labels[out_of]
    return found


@pytest.mark.parametrize(("rows", "cols"), [(4, 0), (-3, 5), (0, -7), (8, 8)])
def test_finds_the_shift_that_takes_labels_back(drawn, rows, cols):
    pictures, labels = drawn(10, 80)
    found = shift_of(pictures, moved(labels, -rows, -cols), 2)
    assert (found.rows, found.cols) == pytest.approx((rows, cols), abs=1)
    assert found.gain > 1.2
    assert found.sure >= 0.75


@pytest.mark.parametrize("seed", range(4))
def test_labels_in_place_are_left_there(drawn, seed):
    found = shift_of(*drawn(8, seed=seed), 2)
    assert (found.rows, found.cols) == (0, 0)
    assert found.gain == 1
    assert found.agreement > 0.5


def test_wrong_pairs_have_no_sure_shift(drawn):
    pictures, labels = drawn(10)
    found = shift_of(pictures, np.roll(labels, 1, axis=0), 2)
    assert (found.rows, found.cols) == (0, 0)


def test_one_image_or_tiny_ones_tell_nothing(drawn):
    pictures, labels = drawn(4)
    assert shift_of(pictures[:1], labels[:1], 2) is None
    assert shift_of(pictures[..., :10, :10], labels[:, :10, :10], 2) is None
