"""How large a pixel is on the ground."""

import math
from collections.abc import Mapping
from types import MappingProxyType

_DEGREE = 111_320.0
"""m: a degree of latitude, and one of longitude at the equator."""
_RADIUS = 6_378_137.0
"""m, of the Earth at the equator."""
_LEAST = 1e-6
"""m: pixels below are a mistake in the file."""


def metres_per_pixel(
    transform: tuple[float, float, float, float, float, float],
    height: int,
    *,
    unit: float | None,
    projection: Mapping[str, object] = MappingProxyType({}),
) -> float | None:
    """Return the side of a square of a pixel's area, m, at the middle row of an image.

    None beyond the poles, and where the transform gives pixels no area.

    Args:
        transform: (a, b, c, d, e, f): x = a * col + b * row + c, y = d * col + e * row + f.
        height: rows of the image.
        unit: metres per unit of x and y; None: they are degrees of longitude and latitude.
        projection: PROJ's parameters. On a Mercator map that is true at the equator, such as Web Mercator, a pixel is
            as much smaller on the ground as the map is stretched: by half at a latitude of 60 degrees.
    """
    a, b, _, d, e, top = transform
    area = abs(a * e - b * d)
    middle = top + e * height / 2
    if unit is None:
        latitude = math.radians(middle)
        side = math.sqrt(area * math.cos(latitude)) * _DEGREE if abs(latitude) < math.pi / 2 else 0.0
    else:
        # Snyder 1987, Map projections: the scale of the sphere's Mercator map is cosh(y / R).
        mercator = projection.get("proj") == "merc" and not projection.get("lat_ts")
        stretched = math.cosh(min(abs(middle * unit) / _RADIUS, 700.0)) if mercator else 1.0
        side = math.sqrt(area) * unit / stretched
    return side if _LEAST <= side < math.inf else None
