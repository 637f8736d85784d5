"""How large a pixel is on the ground."""

import math

_DEGREE = 111_320.0
"""m: a degree of latitude, and one of longitude at the equator."""


def metres_per_pixel(
    transform: tuple[float, float, float, float, float, float], height: int, *, unit: float | None
) -> float | None:
    """Return the side of a square of a pixel's area, m, at the middle row of an image; None beyond the poles.

    Args:
        transform: (a, b, c, d, e, f): x = a * col + b * row + c, y = d * col + e * row + f.
        height: rows of the image.
        unit: metres per unit of x and y; None: they are degrees of longitude and latitude.
    """
    a, b, _, d, e, top = transform
    area = abs(a * e - b * d)
    if unit is not None:
        return math.sqrt(area) * unit
    latitude = math.radians(top + e * height / 2)
    if abs(latitude) >= math.pi / 2:
        return None
    return math.sqrt(area * math.cos(latitude)) * _DEGREE
