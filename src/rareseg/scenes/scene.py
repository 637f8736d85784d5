"""What the painters hand to one another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""One value per pixel, (h, w)."""

Picture = NDArray[np.float32]
"""Red, green and blue per pixel, (h, w, 3), 0..255."""

Mask = NDArray[np.uint8]
"""(h, w): 0 where not, non-zero where so."""

Colour = tuple[float, float, float]
"""Red, green, blue, 0..255."""


@dataclass(frozen=True)
class Scene:
    """A generated aerial photo and what lies in it.

    `photo` (3, h, w) uint8, red, green, blue; `labels` (h, w) uint8, indices into `classes`.
    """

    photo: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Sun:
    """Where the light comes from. `x`, `y`: unit vector in the image that points to the sun; `reach`: px of
    shadow per px of height."""

    x: float
    y: float
    reach: float

    def shadow(self, height: float) -> tuple[float, float]:
        """Return how far, in px (x, y), the shadow of something `height` px high falls."""
        return -self.x * self.reach * height, -self.y * self.reach * height
