"""Pixels on the ground."""

import math

import pytest
from rasterio.crs import CRS

from rareseg.imagery.ground import metres_per_pixel
from rareseg.imagery.rasters import Georeference


def test_metres_feet_and_turned_grids():
    assert metres_per_pixel((0.5, 0, 0, 0, -0.5, 0), 100, unit=1.0) == pytest.approx(0.5)
    assert metres_per_pixel((2, 0, 0, 0, -2, 0), 100, unit=0.3048) == pytest.approx(0.6096)
    assert metres_per_pixel((0.3, 0.4, 0, 0.4, -0.3, 0), 100, unit=1.0) == pytest.approx(0.5)


def test_degrees_shrink_towards_the_poles():
    equator = metres_per_pixel((1e-5, 0, 0, 0, -1e-5, 0.0005), 100, unit=None)
    assert equator == pytest.approx(1.1132, rel=1e-4)
    sixty = metres_per_pixel((1e-5, 0, 0, 0, -1e-5, 60.0005), 100, unit=None)
    assert sixty == pytest.approx(1.1132 * 0.5**0.5, rel=1e-3)
    assert metres_per_pixel((1, 0, 0, 0, -1, 100), 1, unit=None) is None


def test_mercator_maps_are_stretched_towards_the_poles():
    at_sixty = 6_378_137 * math.asinh(math.tan(math.radians(60)))
    place = (1.0, 0.0, 1e6, 0.0, -1.0, at_sixty + 50)
    for code, side in ((3857, 0.5), (3395, 0.5), (32633, 1.0)):
        found = Georeference(CRS.from_epsg(code).to_wkt(), place).metres_per_pixel(100)
        assert found == pytest.approx(side, rel=0.01), code
    assert metres_per_pixel((1, 0, 0, 0, -1, 0), 100, unit=1.0, projection={"proj": "merc"}) == pytest.approx(
        1.0
    )
    assert metres_per_pixel((1, 0, 0, 0, -1, 1e300), 100, unit=1.0, projection={"proj": "merc"}) is None


@pytest.mark.parametrize("transform", [(1, 0, 0, 0, 0, 0), (1, 1, 0, 1, 1, 0), (1, 0, 0, 0, 1e-200, 0)])
def test_pixels_without_area_have_no_size(transform):
    assert metres_per_pixel(transform, 100, unit=1.0) is None
    assert metres_per_pixel(transform, 100, unit=None) is None


def test_a_georeference_knows_its_unit():
    place = (0.5, 0.0, 500000.0, 0.0, -0.5, 5200000.0)
    assert Georeference(CRS.from_epsg(32632).to_wkt(), place).metres_per_pixel(100) == pytest.approx(0.5)
    feet = Georeference(CRS.from_epsg(2249).to_wkt(), place).metres_per_pixel(100)
    assert feet == pytest.approx(0.5 * 0.3048006, rel=1e-5)
    degrees = Georeference(CRS.from_epsg(4326).to_wkt(), (1e-5, 0, 8.0, 0, -1e-5, 47.0))
    assert degrees.metres_per_pixel(10) == pytest.approx(1.1132 * 0.682**0.5, rel=1e-3)
    assert Georeference(None, place).metres_per_pixel(100) is None
    assert Georeference('LOCAL_CS["here",UNIT["m",1]]', place).metres_per_pixel(100) is None
