"""How things that stand on the ground are drawn, and their shade.

Roofs and yards take their colours from asphalt: they are what a map of road colour gets wrong.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.scenes.estate import Estate
from rareseg.scenes.paving import ASPHALTS, car
from rareseg.scenes.scene import Colour, Mask, Picture, Sun

_ROOFS: tuple[Colour, ...] = (
    *ASPHALTS,
    (92, 80, 72),
    (120, 92, 80),
    (196, 195, 192),
    (178, 176, 170),
    (66, 62, 62),
)
_TREES: tuple[Colour, ...] = ((44, 62, 36), (58, 76, 42), (80, 86, 54), (98, 88, 72), (108, 96, 84))


def shadows(estate: Estate, sun: Sun) -> Mask:
    """Return where houses and trees shade the ground, (h, w), 255 in full shade."""
    dark = np.zeros_like(estate.taken)
    for house in estate.houses:
        corners = house.corners()
        reach = np.array(sun.shadow(4.0 + 0.12 * house.width), np.float32)
        hull = np.asarray(cv2.convexHull(np.concatenate([corners, corners + reach])), np.float32)
        cv2.fillConvexPoly(dark, _fixed(hull), 255, cv2.LINE_8, 4)
    for x, y, radius in estate.trees:
        dx, dy = sun.shadow(1.7 * radius)
        ends = _fixed(np.array([[x, y], [x + dx, y + dy]]))
        cv2.line(dark, ends[0], ends[1], 255, max(1, round(1.6 * radius)), cv2.LINE_8, 4)
    return dark


def draw_yards(rng: np.random.Generator, picture: Picture, estate: Estate) -> None:
    """Draw yards and car parks with their cars, and drives, in the colours of asphalt, in place."""
    for yard in estate.yards:
        cv2.fillConvexPoly(picture, _fixed(yard.corners()), _tone(rng, ASPHALTS, 6), cv2.LINE_8, 4)
        angle = yard.angle
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        for _ in range(rng.poisson(yard.length * yard.width / 260)):
            bay = np.array([rng.uniform(-0.45, 0.45) * yard.length, rng.choice((-0.3, 0.3)) * yard.width])
            car(rng, picture, yard.middle + bay @ turn, angle + np.pi / 2)
    for drive in estate.drives:
        ends = _fixed(np.stack([drive.start, drive.end]))
        tone = _tone(rng, ASPHALTS, 8)
        cv2.line(picture, ends[0], ends[1], tone, round(drive.width), cv2.LINE_8, 4)


def draw_houses(rng: np.random.Generator, picture: Picture, estate: Estate, sun: Sun) -> None:
    """Draw roofs in place: gables with a lit and a shaded side, flat ones on large buildings."""
    for house in estate.houses:
        tone = np.array(_tone(rng, _ROOFS, 8))
        if house.length * house.width > 500:
            flat = tuple((tone * rng.uniform(0.9, 1.2)).tolist())
            cv2.fillConvexPoly(picture, _fixed(house.corners()), flat, cv2.LINE_8, 4)
            continue
        across = np.array([-np.sin(house.angle), np.cos(house.angle)])
        lit = float(across @ np.array([sun.x, sun.y]))
        for side in (-1, 1):
            half = house._replace(
                middle=house.middle + across * side * house.width / 4, width=house.width / 2
            )
            shade = tuple((tone * (1 + 0.24 * side * lit)).tolist())
            cv2.fillConvexPoly(picture, _fixed(half.corners()), shade, cv2.LINE_8, 4)


def draw_trees(rng: np.random.Generator, picture: Picture, estate: Estate, sun: Sun) -> None:
    """Draw crowns in place, brighter towards the sun, ragged at the edge."""
    for x, y, radius in estate.trees:
        tone = np.array(_tone(rng, _TREES, 0)) * rng.uniform(0.8, 1.2)
        for share, light in ((1.0, 0.72), (0.75, 1.0), (0.4, 1.3)):
            lean = (1 - share) * radius * 0.6
            spot = np.array([x + sun.x * lean, y + sun.y * lean]) + rng.normal(0, 0.16 * radius, 2)
            colour = tuple((tone * light).tolist())
            cv2.circle(picture, _fixed(spot).tolist(), int(radius * share * 16), colour, -1, cv2.LINE_8, 4)


def _tone(rng: np.random.Generator, colours: tuple[Colour, ...], spread: float) -> Colour:
    """Take one of the colours, a little brighter or darker."""
    red, green, blue = np.array(colours[rng.integers(len(colours))]) + rng.normal(0, 1) * spread
    return float(red), float(green), float(blue)


def _fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return px as the sixteenths that OpenCV draws with when its `shift` is 4."""
    return np.round(points * 16).astype(np.int32)
