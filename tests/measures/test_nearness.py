import cv2
import numpy as np
import pytest

from rareseg.measures.nearness import box_of, greatest_near, near, within


def by_distances(mask, rho):
    places = np.argwhere(mask)
    grid = np.stack(np.indices(mask.shape), axis=-1)
    apart = np.linalg.norm(grid[:, :, None].astype(np.float64) - places, axis=-1)
    return (apart <= rho + 1e-9).any(axis=-1)


@pytest.mark.parametrize("rho", [0, 0.5, 1, 2**0.5, 2, 5**0.5, 3, 3.7, 10, 24, 25, 30])
def test_near_is_within_the_euclidean_distance(rho):
    mask = np.random.default_rng(0).random((61, 47)) < 0.004
    assert mask.any()
    np.testing.assert_array_equal(near(mask, rho), by_distances(mask, rho))
    np.testing.assert_array_equal(near(mask & False, rho), mask & False)


def test_a_disc_of_3_px_is_that_of_the_distance_transform():
    mask = np.random.default_rng(1).random((200, 200)) < 0.01
    apart = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    np.testing.assert_array_equal(near(mask, 3), apart <= 3 + 1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("rho", [0, 1, 3])
def test_greatest_value_near(dtype, rho):
    values = np.random.default_rng(2).integers(0, np.iinfo(dtype).max + 1, (20, 30)).astype(dtype)
    found = greatest_near(values, rho)
    for place in np.ndindex(values.shape):
        one = np.zeros(values.shape, np.bool_)
        one[place] = True
        assert found[place] == values[by_distances(one, rho)].max()


def test_box_of_a_mask():
    mask = np.zeros((20, 30), np.bool_)
    assert box_of(mask) is None
    mask[3:5, 7], mask[10, 2] = True, True
    assert box_of(mask) == (slice(3, 11), slice(2, 8))
    assert box_of(mask, 4) == (slice(0, 15), slice(0, 12))


def test_within_a_core():
    mask = np.ones((6, 6), np.bool_)
    assert within(mask, None) is mask
    inside = within(mask, (1, 2, 3, 4))
    assert inside.sum() == 12 and inside[1:4, 2:6].all()
