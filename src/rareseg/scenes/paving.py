"""Road surfaces: verges, asphalt of many ages, wear, markings and cars."""

import cv2
import numpy as np

from rareseg.scenes.ground import blended
from rareseg.scenes.noise import cloudy_plane
from rareseg.scenes.roads import Road, road_coverage, road_numbers, tangents
from rareseg.scenes.scene import Colour, Picture

ASPHALTS: tuple[Colour, ...] = (
    (126, 128, 130),
    (112, 113, 114),
    (98, 99, 102),
    (84, 84, 86),
    (138, 136, 132),
    (122, 117, 110),
)
"""Old and pale, fresh and dark, gravelled: what houses' roofs and yards take their colours from too."""

_CARS: tuple[Colour, ...] = ((225, 226, 228), (30, 31, 34), (150, 154, 160), (120, 38, 36), (44, 58, 92))


def paved(rng: np.random.Generator, picture: Picture, roads: tuple[Road, ...]) -> Picture:
    """Lay the roads on the ground."""
    size = len(picture)
    if not roads:
        return picture
    verge = np.array([128, 122, 98], np.float32) + rng.normal(0, 8, 3).astype(np.float32)
    beside = road_coverage(roads, size, extra=rng.uniform(2, 4)) * np.float32(rng.uniform(0.25, 0.6))
    beside = np.asarray(cv2.GaussianBlur(beside, (0, 0), 1.2), np.float32)
    picture = blended(picture, np.broadcast_to(verge, picture.shape), beside)
    tones = np.array(ASPHALTS, np.float32)[rng.integers(len(ASPHALTS), size=256)]
    # Roads of one place resemble one another, so that contrast with the ground differs between scenes.
    shared = tones[0] + rng.normal(0, 6)
    tones = 0.55 * shared + 0.45 * tones + rng.normal(0, 3, (256, 1)).astype(np.float32)
    surface = tones[road_numbers(roads, size)]
    wear = 5 * cloudy_plane(rng, size, 26) + 2.5 * rng.standard_normal((size, size), dtype=np.float32)
    picture = blended(picture, surface + wear[..., None], road_coverage(roads, size))
    for road in roads:
        if road.rank == "main":
            _mark(rng, picture, road)
    return picture


def cars(rng: np.random.Generator, picture: Picture, roads: tuple[Road, ...], density: float) -> None:
    """Put cars on the roads, about `density` per 100 px of road, in place."""
    for road in roads:
        if len(road.path) < 4:
            continue
        along = tangents(road.path)
        for _ in range(rng.poisson(density * len(road.path) * 0.04)):
            at = int(rng.integers(len(road.path)))
            across = np.array([-along[at, 1], along[at, 0]])
            middle = road.path[at] + across * road.widths[at] * rng.choice((-0.26, 0.26))
            car(rng, picture, middle, float(np.arctan2(along[at, 1], along[at, 0])))


def car(rng: np.random.Generator, picture: Picture, middle: np.ndarray, angle: float) -> None:
    """Draw one car of 4 x 2 px with the shadow beside it, in place."""
    colour = _CARS[rng.integers(len(_CARS))]
    for shift, paint in ((1.0, (40.0, 40.0, 44.0)), (0.0, colour)):
        box = cv2.boxPoints(
            ((float(middle[0]) + shift, float(middle[1]) + shift), (4.2, 2.0), np.degrees(angle))
        )
        cv2.fillConvexPoly(picture, np.round(box * 16).astype(np.int32), paint, cv2.LINE_8, 4)


def _mark(rng: np.random.Generator, picture: Picture, road: Road) -> None:
    """Draw the middle line and, on wide roads, the edge lines, faintly and in place."""
    along = tangents(road.path)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    lines = np.zeros(picture.shape[:2], np.uint8)
    for offset in (0.0, -0.4, 0.4) if road.widths.mean() > 9 else (0.0,):
        points = np.round((road.path + across * road.widths[:, None] * offset) * 16).astype(np.int32)
        cv2.polylines(lines, [points.reshape(-1, 1, 2)], False, 255, 1, cv2.LINE_AA, 4)
    strength = lines.astype(np.float32) / 255 * np.float32(rng.uniform(0.12, 0.4))
    picture += strength[..., None] * (np.array([205, 200, 175], np.float32) - picture)
