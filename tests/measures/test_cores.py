import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.imagery.tiles import Window
from rareseg.measures.cores import check_core, check_shapes, cut, haloed


@pytest.mark.parametrize("window", [(0, 0, 10, 10), (5, 7, 3, 4), (0, 12, 10, 8), (9, 19, 1, 1)])
@pytest.mark.parametrize("halo", [0, 1, 3, 50])
def test_a_window_is_the_core_of_its_halo(window, halo):
    image = np.arange(200).reshape(10, 20)
    outer, core = haloed(window, image.shape, halo)
    np.testing.assert_array_equal(cut(cut(image, outer), core), cut(image, window))
    row, col, height, width = outer
    # On each side there are `halo` px more, or the image ends.
    assert row in (0, window[0] - halo) and col in (0, window[1] - halo)
    assert row + height in (10, window[0] + window[2] + halo)
    assert col + width in (20, window[1] + window[3] + halo)


def test_windows_of_the_imagery_are_cores():
    outer, core = haloed(Window(4, 4, 2, 2), (10, 10), 3)
    assert (outer, core) == ((1, 1, 8, 8), (3, 3, 2, 2))
    assert cut(np.zeros((5, 10, 10)), Window(4, 4, 2, 3)).shape == (5, 2, 3)
    assert cut(np.zeros((10, 10)), None).shape == (10, 10)


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, -1, 5, 5), (6, 0, 5, 5), (0, 6, 5, 5), (0, 0, 0, 5)])
def test_windows_outside_are_an_error(window):
    with pytest.raises(SettingError, match="Expected a window in an image of 10 x 10 px"):
        haloed(window, (10, 10), 1)
    with pytest.raises(SettingError, match="inside the window of 10 x 10 px"):
        check_core(window, (10, 10))


def test_a_halo_is_not_negative():
    with pytest.raises(SettingError, match=r"a halo of 0 px or more, got \(0, 0, 5, 5\) and -1"):
        haloed((0, 0, 5, 5), (10, 10), -1)


def test_shapes_must_be_one_and_flat():
    flat = np.zeros((4, 5))
    assert check_shapes(one=flat, two=flat) == (4, 5)
    with pytest.raises(SettingError, match=r"Expected one and two of one shape, got \(4, 5\) and \(5, 4\)"):
        check_shapes(one=flat, two=flat.T)
    with pytest.raises(SettingError, match="of one shape"):
        check_shapes(one=flat[None], two=flat[None])
