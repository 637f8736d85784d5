import numpy as np
import pytest

from rareseg.scenes.estate import Box, Estate, Tree, farms, plant, settle, uproot
from rareseg.scenes.roads import lay_roads, road_coverage


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


@pytest.fixture
def town():
    roads = lay_roads(rng(), 256, 0.1)
    return roads, (road_coverage(roads, 256) > 0).astype(np.uint8)


def middles(boxes):
    return np.array([box.middle for box in boxes])


def test_corners_span_length_and_width():
    corners = Box(np.array([10.0, 20.0]), 8.0, 4.0, 0.0).corners(margin=1.0)
    assert np.ptp(corners, axis=0) == pytest.approx([10, 6])
    assert corners.mean(0) == pytest.approx([10, 20])


def test_houses_stand_beside_roads_and_apart(town):
    roads, taken = town
    before = taken.copy()
    estate = Estate(taken)
    settle(rng(), estate, roads)
    assert len(estate.houses) > 10
    inside = [tuple(np.floor(middle).astype(int)) for middle in middles(estate.houses)]
    assert not any(before[y, x] for x, y in inside if 0 <= x < 256 and 0 <= y < 256)
    apart = np.linalg.norm(middles(estate.houses)[:, None] - middles(estate.houses)[None], axis=2)
    assert apart[~np.eye(len(apart), dtype=bool)].min() > 7


def test_few_houses_have_a_drive(town):
    roads, taken = town
    estate = Estate(taken)
    settle(rng(), estate, roads)
    assert 0 < len(estate.drives) < 0.5 * len(estate.houses)


def test_nothing_is_built_on_taken_ground():
    estate = Estate(np.full((128, 128), 255, np.uint8))
    farms(rng(), estate, 10)
    assert not estate.houses
    assert not estate.yards


def test_some_trees_reach_over_roads(town):
    roads, taken = town
    estate = Estate(taken)
    plant(rng(), estate, roads, 5.0, 20)
    reach = [
        taken[max(0, int(y - r)) : int(y + r) + 1, max(0, int(x - r)) : int(x + r) + 1].any()
        for x, y, r in estate.trees
    ]
    assert 0 < sum(reach) < len(reach)


def test_no_tree_stays_in_water():
    water = np.zeros((64, 64), np.uint8)
    water[:, 32:] = 255
    estate = Estate(water.copy(), trees=[Tree(10, 5, 3), Tree(40, 5, 3), Tree(-2, 70, 3), Tree(70, 70, 3)])
    uproot(estate, water)
    assert estate.trees == [Tree(10, 5, 3), Tree(-2, 70, 3)]
