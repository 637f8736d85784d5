import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.measures.samples import PixelSample
from rareseg.records.dataset import VOID


def numbered(rows, cols):
    """Probabilities whose first plane numbers the pixels, and labels that repeat 0, 1, 2."""
    places = np.arange(rows * cols, dtype=np.float32).reshape(rows, cols)
    return np.stack([places, -places]), (places % 3).astype(np.uint8)


def test_all_pixels_are_kept_where_there_is_room():
    probabilities, labels = numbered(20, 30)
    labels[3] = VOID
    sample = PixelSample.of(600, 2, values=1200)
    sample.add(probabilities[:, :10], labels[:10])
    sample.add(probabilities[:, 10:], labels[10:])
    found, held = sample.pixels()
    np.testing.assert_array_equal(found, probabilities[:, labels != VOID])
    np.testing.assert_array_equal(held, labels[labels != VOID])


@pytest.mark.parametrize("every", [2, 7, 30])
def test_one_of_every_n_is_kept_whatever_the_blocks(every):
    """Blocks of 7 rows of 30: n that divide the row would otherwise give a single column."""
    probabilities, labels = numbered(210, 30)
    sample = PixelSample(every)
    for row in range(0, 210, 7):
        sample.add(probabilities[:, row : row + 7], labels[row : row + 7])
    found, held = sample.pixels()
    assert len(held) == pytest.approx(6300 / every, rel=0.08)
    np.testing.assert_array_equal(held, found[0] % 3)
    assert len(np.unique(found[0])) == len(held)
    assert len(np.unique(found[0] % 30)) > 25 or every == 2


def test_size_stays_below_what_is_asked_for():
    assert PixelSample.of(1_000_000, 11, values=100_000).every == 110
    assert PixelSample.of(10, 3).every == 1


def test_nothing_taken_is_nothing():
    sample = PixelSample(1)
    assert sample.pixels() is None
    sample.add(np.zeros((2, 3, 3), np.float32), np.full((3, 3), VOID, np.uint8))
    assert sample.pixels() is None
    with pytest.raises(SettingError, match=r"got \(2, 3, 3\) and \(4, 3\)"):
        sample.add(np.zeros((2, 3, 3), np.float32), np.zeros((4, 3), np.uint8))
