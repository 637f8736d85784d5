"""What lies under everything: fields with furrows, meadows, lawns, woods and water."""

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.scenes.noise import canopy, cells, cloudy_plane, smooth_plane, streaks
from rareseg.scenes.scene import Colour, Picture, Plane, Sun

CROPS: tuple[Colour, ...] = (
    (84, 106, 58),
    (112, 124, 74),
    (96, 96, 60),
    (140, 132, 92),
    (158, 144, 112),
    (128, 108, 84),
    (98, 82, 68),
    (132, 127, 116),
    (116, 112, 104),
)
"""From young crop over stubble to bare soil; the last two are as grey as a road."""

_MEADOWS: tuple[Colour, ...] = ((96, 104, 66), (118, 116, 80), (138, 128, 96), (86, 98, 56))
_LAWNS: tuple[Colour, ...] = ((92, 102, 66), (116, 112, 82), (132, 122, 96), (104, 98, 78), (80, 92, 54))


def fields(rng: np.random.Generator, size: int, parcel: float) -> Picture:
    """Paint fields and meadows: parcels about `parcel` px wide, each with its crop, furrows and edge."""
    number, count = _parcels(rng, size, parcel)
    colours = np.array(CROPS + _MEADOWS, np.float32)
    crop = rng.integers(len(colours), size=count)
    picture = _tinted(rng, colours[crop], 9)[number]
    rough = rng.uniform(1.5, 4.5, count).astype(np.float32)
    height = np.where(crop < len(CROPS), rng.uniform(1, 10, count), 0).astype(np.float32)
    relief = _furrows(rng, size, number, count) * height[number]
    relief += rng.standard_normal((size, size), dtype=np.float32) * rough[number]
    relief += 6 * cloudy_plane(rng, size, 60) + 3 * smooth_plane(rng, size, 6)
    picture += relief[..., None] * np.array([1.0, 0.97, 0.85], np.float32)
    picture += 4 * smooth_plane(rng, size, 90)[..., None] * np.array([1.0, 0.2, -0.1], np.float32)
    return _edged(rng, picture, number)


def lawns(rng: np.random.Generator, size: int) -> Picture:
    """Paint gardens: plots of grass, dry grass and trodden ground that run into one another."""
    number, count = _parcels(rng, size, 24)
    kinds = np.array(_LAWNS, np.float32)
    main = rng.integers(len(kinds))
    kind = np.where(rng.random(count) < 0.5, main, rng.integers(len(kinds), size=count))
    plots = np.asarray(cv2.blur(_tinted(rng, kinds[kind], 8)[number], (3, 3)), np.float32)
    patchy = cloudy_plane(rng, size, 30, 4)
    bare = np.array([128, 118, 98], np.float32)
    picture = blended(
        plots, np.broadcast_to(bare, plots.shape), np.clip(0.5 * patchy, 0, 0.7).astype(np.float32)
    )
    relief = 9 * cloudy_plane(rng, size, 12, 3) + 6 * rng.standard_normal((size, size), dtype=np.float32)
    return np.asarray(picture + relief[..., None], np.float32)


def woods(rng: np.random.Generator, size: int, sun: Sun) -> Picture:
    """Paint closed woods: dark green conifers and bare or brown broadleaves, mixed in patches."""
    light, tint = canopy(rng, size, rng.uniform(4.5, 6.5), (sun.x, sun.y))
    grain = rng.standard_normal((size, size), dtype=np.float32)
    needles = np.array([46, 66, 38], np.float32) + rng.normal(0, 5, 3).astype(np.float32)
    needles = needles * (1 + 0.7 * light + 0.2 * tint + 0.08 * grain)[..., None]
    bare = _tinted(rng, np.array([[104, 97, 86]], np.float32), 9)[0]
    twigs = streaks(rng, size, float(np.arctan2(sun.y, sun.x)), 7)
    broad = bare * (0.94 + 0.22 * twigs + 0.2 * light + 0.09 * tint + 0.05 * grain)[..., None]
    broad += 5 * cloudy_plane(rng, size, 40)[..., None]
    leafy = np.array([74, 88, 50], np.float32) * (1 + 0.6 * light + 0.2 * tint)[..., None]
    mix = cloudy_plane(rng, size, 110, 4) + 0.5 * tint
    picture = np.where((mix > rng.normal(0.2, 0.6))[..., None], needles, broad)
    return np.asarray(np.where((mix < rng.normal(-1.5, 0.5))[..., None], leafy, picture), np.float32)


def water(rng: np.random.Generator, size: int, sun: Sun) -> Picture:
    """Paint a lake: dark, a little green or grey, with ripples across the wind and some glitter."""
    base = np.array([42, 58, 54], np.float32) + rng.normal(0, 8, 3).astype(np.float32)
    ripples = streaks(rng, size, float(np.arctan2(sun.y, sun.x) + np.pi / 2), 9)
    depth = cloudy_plane(rng, size, 120)
    light = 1 + 0.08 * ripples + 0.08 * depth
    glitter = (ripples > 2.7) * rng.uniform(0, 40)
    return np.asarray(base * light[..., None] + glitter[..., None], np.float32)


def feathered(mask: NDArray[np.generic], blur_px: float) -> Plane:
    """Turn a mask into weights 0..1 with soft edges, (h, w)."""
    return np.asarray(cv2.GaussianBlur((mask != 0).astype(np.float32), (0, 0), blur_px), np.float32)


def blended(under: Picture, over: Picture, weight: Plane) -> Picture:
    """Lay `over` on `under` where `weight` (0..1, (h, w)) says."""
    return np.asarray(under + (over - under) * weight[..., None], np.float32)


def _tinted(rng: np.random.Generator, colours: NDArray[np.float32], spread: float) -> NDArray[np.float32]:
    """Vary colours (n, 3) in brightness by `spread`, and in hue only a little."""
    count = len(colours)
    shift = rng.normal(0, spread, (count, 1)) + rng.normal(0, 0.3 * spread, (count, 3))
    return np.asarray(colours + shift, np.float32)


def _parcels(rng: np.random.Generator, size: int, parcel: float) -> tuple[NDArray[np.int32], int]:
    """Number the parcels: cells of a turned, stretched and slightly bent plane."""
    number, _, count = cells(rng, 2 * size, parcel, jitter=0.3)
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.45, 0.9)
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    x, y = x - size / 2 + 5 * smooth_plane(rng, size, 50), y - size / 2 + 5 * smooth_plane(rng, size, 50)
    u = (np.cos(turn) * x + np.sin(turn) * y) * 1.0 + size
    v = (np.cos(turn) * y - np.sin(turn) * x) * stretch + size
    column, row = (np.clip(np.round(axis), 0, 2 * size - 1).astype(np.int32) for axis in (u, v))
    return number[row, column], count


def _furrows(rng: np.random.Generator, size: int, number: NDArray[np.int32], count: int) -> Plane:
    """Return parallel rows, -1..1, in each parcel's own direction and distance."""
    angle = rng.uniform(0, np.pi, count)
    period = rng.uniform(3, 9, count)
    wave_x = (2 * np.pi * np.cos(angle) / period).astype(np.float32)[number]
    wave_y = (2 * np.pi * np.sin(angle) / period).astype(np.float32)[number]
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    return np.asarray(np.sin(wave_x * x + wave_y * y + smooth_plane(rng, size, 40)), np.float32)


def _edged(rng: np.random.Generator, picture: Picture, number: NDArray[np.int32]) -> Picture:
    """Draw the strips between parcels: hedge, grass or worn ground."""
    border = np.zeros(number.shape, np.uint8)
    border[:, 1:] |= number[:, 1:] != number[:, :-1]
    border[1:] |= number[1:] != number[:-1]
    kinds = np.array([(52, 62, 40), (102, 108, 70), (146, 138, 118), (90, 84, 66)], np.float32)
    # Each stretch of border takes its kind from the parcels' numbers, so that it does not change on the way.
    kind = kinds[rng.integers(4, size=int(number.max()) + 1)[number]]
    strip = cv2.dilate(border, np.ones((2, 2), np.uint8))
    return blended(picture, kind, feathered(strip, 0.8) * np.float32(0.75))
