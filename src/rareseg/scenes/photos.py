"""Whole scenes: where things are decided, and in which order they are painted."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from rareseg.errors import SettingError
from rareseg.scenes.estate import Estate, farms, parking, plant, settle, uproot
from rareseg.scenes.ground import blended, feathered, fields, lawns, water, woods
from rareseg.scenes.light import cast_shadow, exposed, shaded, sunlight
from rareseg.scenes.noise import cloudy_plane
from rareseg.scenes.objects import draw_houses, draw_trees, draw_yards, shadows
from rareseg.scenes.paving import cars, paved
from rareseg.scenes.roads import Road, lay_roads, road_coverage
from rareseg.scenes.scene import Mask, Picture, Scene, Sun

ROAD_CLASSES = ("background", "road")
SHARES = (0.0002, 0.2)
"""Smallest and largest share of road that may be asked for."""
SMALLEST_SIZE = 64

_SHORTEST_ROAD_PX = 300
"""Area below which a road is no longer seen as one; smaller shares come from scenes without any."""


def road_scene(seed: int, *, size: int = 512, road_share: float = 0.04) -> Scene:
    """Return an aerial-like photo with roads, and where they run (also under trees and shade).

    The photo shows `size` x `size` px of about 1 m. Classes: background, road. Roads bend and cross, cars
    drive on them; roofs, yards, drives, car parks and grey fields have the colours of roads and are
    background.

    `road_share` (0.0002..0.2) is the share of road pixels over many scenes. One scene holds half to one and
    a half times as much, in turns over consecutive seeds, so that already a few dozen come to the share
    asked for; where that would leave less than a visible piece of road, some scenes hold one and the
    others none.
    The same arguments give the same scene. Raises SettingError for values outside these ranges.
    """
    check_scene(seed, size)
    if not SHARES[0] <= road_share <= SHARES[1]:
        message = f"road_share must lie in {SHARES[0]}..{SHARES[1]}; got {road_share}. Name another share."
        raise SettingError(message)
    rng = np.random.default_rng((seed, size, 1))
    roads = lay_roads(rng, size, share_of_scene(seed, size, road_share))
    labels = (road_coverage(roads, size) >= 0.5).astype(np.uint8)
    sun = sunlight(rng)
    country = _country(rng, size, roads, sun)
    picture = _built(rng, country, roads, sun)
    return Scene(exposed(rng, picture), labels, ROAD_CLASSES)


def share_of_scene(seed: int, size: int, road_share: float) -> float:
    """Return the share of road that the scene of this seed is given; its mean over seeds is `road_share`."""
    turn = even_turn(seed)
    smallest = _SHORTEST_ROAD_PX / size**2
    if road_share >= 2 * smallest:
        return road_share * (0.5 + turn)
    often = min(1.0, road_share / (1.2 * smallest))
    return road_share / often * (0.8 + 0.4 * turn / often) if turn < often else 0.0


def even_turn(seed: int) -> float:
    """Return a number in 0..1; those of consecutive seeds fill the range evenly (golden-ratio sequence)."""
    return ((seed + 1) * 0x9E3779B97F4A7C15 % 2**64) / 2**64


def check_scene(seed: int, size: int) -> None:
    """Raise SettingError if no scene can be made of these."""
    if seed < 0:
        message = f"seed must be 0 or more; got {seed}. Name another seed."
        raise SettingError(message)
    if size < SMALLEST_SIZE:
        message = f"size must be at least {SMALLEST_SIZE} px; got {size}. Ask for larger scenes."
        raise SettingError(message)


class _Country(NamedTuple):
    picture: Picture
    wood: Mask
    lake: Mask


def _country(rng: np.random.Generator, size: int, roads: tuple[Road, ...], sun: Sun) -> _Country:
    """Paint the ground, before roads and houses."""
    picture = fields(rng, size, rng.uniform(70, 150))
    streets = tuple(road for road in roads if road.rank == "street")
    town = _town(rng, size, streets)
    picture = blended(picture, lawns(rng, size), feathered(town, 4))
    relief = cloudy_plane(rng, size, 130, 5)
    wooded = relief > np.quantile(relief, 1 - rng.uniform(0.15, 0.8))
    opening = _near(roads, size, rng.uniform(4, 16)) if roads else np.zeros((size, size), np.uint8)
    crowns = cloudy_plane(rng, size, 10, 2)
    kept = wooded & (cv2.blur(opening.astype(np.float32), (7, 7)) / 255 + 0.2 * crowns < 0.5)
    kept &= (town == 0) | (crowns + 0.4 * relief > 1.3)
    wood = kept.astype(np.uint8) * 255
    picture = blended(picture, woods(rng, size, sun), feathered(wood, 0.8))
    lake = np.zeros_like(wood)
    if rng.random() < 0.3:
        low = (relief < np.quantile(relief, rng.uniform(0.02, 0.12))) & (opening == 0) & (town == 0)
        opened = cv2.morphologyEx(low.astype(np.uint8) * 255, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
        lake = np.asarray(opened, np.uint8)
        picture = blended(picture, water(rng, size, sun), feathered(lake, 0.9))
    return _Country(picture, wood, lake)


def _town(rng: np.random.Generator, size: int, streets: tuple[Road, ...]) -> Mask:
    """Mark the gardens: what lies near the streets, with a ragged outline."""
    if not streets:
        return np.zeros((size, size), np.uint8)
    away = cv2.distanceTransform(255 - _near(streets, size, 0), cv2.DIST_L2, cv2.DIST_MASK_3)
    return np.asarray((away + 14 * cloudy_plane(rng, size, 60, 4) < rng.uniform(35, 60)) * 255, np.uint8)


def _built(rng: np.random.Generator, country: _Country, roads: tuple[Road, ...], sun: Sun) -> Picture:
    """Add roads and what stands on the ground, with its shade."""
    picture, wood, lake = country._replace(picture=paved(rng, country.picture, roads))
    size = len(picture)
    taken = _near(roads, size, 3) if roads else np.zeros((size, size), np.uint8)
    estate = Estate(np.maximum(taken, lake))
    area = (size / 512) ** 2
    parking(rng, estate, roads, int(rng.poisson(0.9 * area)))
    settle(rng, estate, roads)
    farms(rng, estate, int(rng.poisson(3.0 * area)))
    plant(rng, estate, roads, rng.uniform(0.3, 6), int(rng.poisson(rng.uniform(10, 60) * area)))
    uproot(estate, lake)
    draw_yards(rng, picture, estate)
    cars(rng, picture, roads, rng.uniform(0, 1.5))
    dark = shadows(estate, sun)
    dark = np.maximum(dark, cast_shadow(wood, sun, 6.0))
    picture = shaded(picture, dark, float(rng.uniform(0.5, 0.75)))
    draw_houses(rng, picture, estate, sun)
    draw_trees(rng, picture, estate, sun)
    return picture


def _near(roads: Sequence[Road], size: int, distance: float) -> Mask:
    """Mark what lies within `distance` px of the roads' edges."""
    return ((road_coverage(tuple(roads), size, extra=2 * distance) > 0) * 255).astype(np.uint8)
