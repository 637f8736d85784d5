"""Pixels on the ground."""

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


def test_a_georeference_knows_its_unit():
    place = (0.5, 0.0, 500000.0, 0.0, -0.5, 5200000.0)
    assert Georeference(CRS.from_epsg(32632).to_wkt(), place).metres_per_pixel(100) == pytest.approx(0.5)
    feet = Georeference(CRS.from_epsg(2249).to_wkt(), place).metres_per_pixel(100)
    assert feet == pytest.approx(0.5 * 0.3048006, rel=1e-5)
    degrees = Georeference(CRS.from_epsg(4326).to_wkt(), (1e-5, 0, 8.0, 0, -1e-5, 47.0))
    assert degrees.metres_per_pixel(10) == pytest.approx(1.1132 * 0.682**0.5, rel=1e-3)
    assert Georeference(None, place).metres_per_pixel(100) is None
    assert Georeference('LOCAL_CS["here",UNIT["m",1]]', place).metres_per_pixel(100) is None
