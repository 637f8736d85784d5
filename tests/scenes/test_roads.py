import numpy as np
import pytest

from rareseg.scenes.roads import Road, lay_roads, road_coverage, road_numbers, tangents


def straight(width: float) -> Road:
    path = np.stack([np.linspace(-20, 120, 36), np.full(36, 50.0)], axis=1).astype(np.float32)
    return Road(path, np.full(36, width, np.float32), "lane")


def test_coverage_of_a_straight_road_is_its_width():
    assert road_coverage((straight(6.0),), 100).sum() == pytest.approx(600, rel=0.06)
    assert road_coverage((straight(6.0),), 100, extra=10).sum() == pytest.approx(1600, rel=0.06)


def test_coverage_lies_on_the_path():
    rows = np.flatnonzero(road_coverage((straight(6.0),), 100)[:, 50] > 0.5)
    assert rows.mean() == pytest.approx(50, abs=0.5)


def test_no_roads_cover_nothing():
    assert not road_coverage((), 64).any()
    assert not road_numbers((), 64).any()
    assert lay_roads(np.random.default_rng(0), 128, 0.0) == ()


def test_numbers_name_every_covered_pixel():
    roads = lay_roads(np.random.default_rng(2), 256, 0.1)
    numbers = road_numbers(roads, 256)
    assert (numbers[road_coverage(roads, 256) >= 0.5] > 0).all()
    assert numbers.max() <= len(roads)


@pytest.mark.parametrize("share", [0.3, 0.1, 0.04, 0.005])
def test_wanted_area_is_laid(share):
    for seed in range(4):
        roads = lay_roads(np.random.default_rng(seed), 512, share)
        assert (road_coverage(roads, 512) >= 0.5).mean() == pytest.approx(share, rel=0.06)


def test_main_roads_are_wider_than_streets():
    roads = [road for seed in range(6) for road in lay_roads(np.random.default_rng(seed), 512, 0.08)]
    widths = {
        rank: [road.widths.mean() for road in roads if road.rank == rank] for rank in ("main", "street")
    }
    assert np.mean(widths["main"]) > np.mean(widths["street"]) + 1


def test_roads_bend_and_their_widths_change_gently():
    road = max(lay_roads(np.random.default_rng(1), 512, 0.04), key=lambda entry: len(entry.path))
    along = tangents(road.path)
    assert np.arccos(np.clip(along @ along[0], -1, 1)).max() > 0.05
    assert 0 < np.abs(np.diff(road.widths)).max() < 0.1 * road.widths.mean()


def test_tangents_have_unit_length():
    assert np.linalg.norm(tangents(straight(4.0).path), axis=1) == pytest.approx(np.ones(36))
