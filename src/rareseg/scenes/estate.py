"""Where things stand: houses, barns, yards, car parks, drives and trees, none of them on a road."""

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.scenes.roads import STEP, Road, tangents
from rareseg.scenes.scene import Mask

Point = NDArray[np.floating]
"""x and y in px, (2,) or (n, 2)."""


class Box(NamedTuple):
    """A rectangle on the ground: middle (px), length along `angle` (radians) and width (px)."""

    middle: Point
    length: float
    width: float
    angle: float

    def corners(self, margin: float = 0.0) -> NDArray[np.float32]:
        """Return the four corners (4, 2) of the box, moved outwards by `margin` px."""
        centre = (float(self.middle[0]), float(self.middle[1]))
        size = (float(self.length + 2 * margin), float(self.width + 2 * margin))
        return np.asarray(cv2.boxPoints((centre, size, float(np.degrees(self.angle)))), np.float32)


class Drive(NamedTuple):
    """A straight drive from a road to a house: two ends and a width, px."""

    start: Point
    end: Point
    width: float


class Tree(NamedTuple):
    """A single tree: middle and radius of its crown, px."""

    x: float
    y: float
    radius: float


@dataclass
class Estate:
    """What is to be drawn; `taken` (h, w) marks ground that is built on or water."""

    taken: Mask
    houses: list[Box] = field(default_factory=list)
    yards: list[Box] = field(default_factory=list)
    drives: list[Drive] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)


def settle(rng: np.random.Generator, estate: Estate, roads: tuple[Road, ...]) -> None:
    """Place houses along the roads, a few of them with a drive."""
    gaps = {"street": (14, 22), "main": (24, 90), "lane": (60, 200)}
    for road in roads:
        gap = rng.uniform(*gaps[road.rank])
        for distance in np.arange(rng.uniform(0, gap), len(road.path) * STEP, gap):
            for side in (-1, 1):
                if rng.random() < 0.85:
                    _house_beside(rng, estate, road, int(distance / STEP), side)


def farms(rng: np.random.Generator, estate: Estate, count: int) -> None:
    """Place barns and sheds around yards, away from any road."""
    for _ in range(count):
        middle, angle = rng.uniform(0, len(estate.taken), 2), rng.uniform(0, np.pi)
        if rng.random() < 0.6:
            yard = Box(middle, rng.uniform(16, 42), rng.uniform(12, 26), angle)
            _place(estate, estate.yards, yard, margin=0)
        for _ in range(rng.integers(1, 5)):
            spot = middle + rng.normal(0, 22, 2)
            barn = Box(spot, rng.uniform(14, 46), rng.uniform(8, 18), angle)
            _place(estate, estate.houses, barn, margin=2)


def parking(rng: np.random.Generator, estate: Estate, roads: tuple[Road, ...], count: int) -> None:
    """Place car parks of asphalt, each with a large flat building, beside roads."""
    for _ in range(count if roads else 0):
        road = roads[rng.integers(len(roads))]
        at = int(rng.integers(len(road.path)))
        along = tangents(road.path)[at]
        across = np.array([-along[1], along[0]]) * rng.choice((-1, 1))
        depth, length = rng.uniform(18, 36), rng.uniform(26, 60)
        angle = float(np.arctan2(along[1], along[0]))
        lot = road.path[at] + across * (road.widths[at] / 2 + depth / 2 + 4)
        _place(estate, estate.yards, Box(lot, length, depth, angle), margin=0)
        hall = Box(lot + across * (depth / 2 + 14), length * 0.9, rng.uniform(16, 24), angle)
        _place(estate, estate.houses, hall, margin=1)


def plant(
    rng: np.random.Generator, estate: Estate, roads: tuple[Road, ...], density: float, scattered: int
) -> None:
    """Place trees beside the roads, about `density` per 100 px, some reaching over them, and elsewhere."""
    for road in roads:
        along = tangents(road.path)
        count = rng.poisson(density * len(road.path) * STEP / 100)
        at = rng.integers(len(road.path), size=count)
        across = np.stack([-along[at, 1], along[at, 0]], axis=1) * rng.choice((-1, 1), count)[:, None]
        away = road.widths[at] / 2 + rng.exponential(7, count) - 0.5
        _add_trees(rng, estate, road.path[at] + across * away[:, None], (2.0, 4.6))
    for _ in range(scattered):
        group = rng.uniform(0, len(estate.taken), 2) + rng.normal(0, 14, (rng.integers(1, 7), 2))
        _add_trees(rng, estate, group, (2.2, 5.2))


def uproot(estate: Estate, water: Mask) -> None:
    """Take away the trees that would stand in water."""
    last = len(water) - 1
    estate.trees = [
        tree
        for tree in estate.trees
        if not water[min(max(int(tree.y), 0), last), min(max(int(tree.x), 0), last)]
    ]


def _add_trees(rng: np.random.Generator, estate: Estate, spots: Point, radii: tuple[float, float]) -> None:
    estate.trees += [Tree(float(x), float(y), float(rng.uniform(*radii))) for x, y in spots]


def _house_beside(rng: np.random.Generator, estate: Estate, road: Road, at: int, side: int) -> None:
    along = tangents(road.path)[at]
    across = np.array([-along[1], along[0]]) * side
    length, width = rng.uniform(9, 19), rng.uniform(7, 12)
    setback = road.widths[at] / 2 + width / 2 + rng.uniform(3, 11)
    middle = road.path[at] + across * setback + along * rng.uniform(-3, 3)
    turned = np.pi / 2 if rng.random() < 0.35 else 0.0
    angle = float(np.arctan2(along[1], along[0]) + rng.normal(0, 0.07) + turned)
    if _place(estate, estate.houses, Box(middle, length, width, angle), margin=1.5) and rng.random() < 0.3:
        beside = along * length * 0.62
        start = road.path[at] + beside + across * road.widths[at] / 2
        estate.drives.append(Drive(start, middle + beside, rng.uniform(2, 3.4)))


def _place(estate: Estate, group: list[Box], box: Box, *, margin: float) -> bool:
    """Add a box to the group if its ground is free and in the picture; tell whether it was."""
    corners = box.corners(margin)
    u, v = (axis.reshape(-1, 1) for axis in np.meshgrid(np.linspace(0, 1, 7), np.linspace(0, 1, 6)))
    points = corners[0] + u * (corners[1] - corners[0]) + v * (corners[3] - corners[0])
    column, row = np.floor(points).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < len(estate.taken)) & (row < len(estate.taken))
    if not inside.any() or estate.taken[row[inside], column[inside]].any():
        return False
    cv2.fillConvexPoly(estate.taken, np.round(corners).astype(np.int32), 255)
    group.append(box)
    return True
