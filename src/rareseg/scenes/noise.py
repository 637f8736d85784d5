"""Smooth randomness: the stuff that ground, roads and light are varied with.

All functions draw from the generator they are given and depend on nothing else.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.scenes.scene import Plane

_SPLINE_STD = 0.479**0.5
"""Mean over positions of the root of the summed squares of the four cubic B-spline weights, one axis."""


def spline_weights(count: int, scale: float, offset: float) -> Plane:
    """Weights (count, knots) of a uniform cubic B-spline read at offset + i / scale, i = 0 .. count - 1.

    `scale` is the distance of the knots in samples; `offset` lies in 0..1. Each row sums to 1.
    """
    knots = int(np.ceil(count / scale)) + 5
    position = offset + np.arange(count) / scale
    base = np.floor(position).astype(int)
    part = position - base
    pieces = (
        (1 - part) ** 3 / 6,
        (3 * part**3 - 6 * part**2 + 4) / 6,
        (-3 * part**3 + 3 * part**2 + 3 * part + 1) / 6,
        part**3 / 6,
    )
    weights = np.zeros((count, knots), np.float32)
    for step, piece in enumerate(pieces):
        weights[np.arange(count), base + step] = piece
    return weights


def smooth_line(rng: np.random.Generator, count: int, scale: float) -> Plane:
    """Return `count` samples of a smooth random curve, mean 0, standard deviation about 1."""
    weights = spline_weights(count, scale, rng.random())
    return np.asarray(weights @ rng.standard_normal(weights.shape[1], dtype=np.float32) / _SPLINE_STD)


def smooth_plane(rng: np.random.Generator, size: int, scale: float) -> Plane:
    """Return a smooth random surface (size, size), mean 0, deviation about 1, features of `scale` px."""
    rows = spline_weights(size, scale, rng.random())
    columns = spline_weights(size, scale, rng.random())
    knots = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    return np.asarray(rows @ knots @ columns.T / _SPLINE_STD**2)


def cloudy_plane(rng: np.random.Generator, size: int, scale: float, octaves: int = 3) -> Plane:
    """Sum `octaves` smooth surfaces, each of half the scale and half the height of the one before."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        total += smooth_plane(rng, size, max(scale / 2**octave, 1.5)) / 2**octave
    return total


def streaks(rng: np.random.Generator, size: int, angle: float, length: int) -> Plane:
    """White noise smeared over `length` px along `angle` (radians), deviation 1: bare twigs, ripples."""
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    start, end = (np.round(length + sign * reach).astype(int) for sign in (-1, 1))
    cv2.line(kernel, tuple(start.tolist()), tuple(end.tolist()), 1.0, 1, cv2.LINE_AA)
    kernel /= kernel.sum()
    noise = rng.standard_normal((size, size), dtype=np.float32)
    smeared = cv2.filter2D(noise, -1, kernel, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smeared / np.sqrt((kernel**2).sum()), np.float32)


def cells(
    rng: np.random.Generator, size: int, spacing: float, *, jitter: float = 0.45
) -> tuple[NDArray[np.int32], Plane, int]:
    """Cut the plane into cells around points of a grid, moved by up to `jitter` spacings.

    Returns each pixel's cell number (size, size), its distance to the cell's point (px), and how many cells.
    """
    lines = np.arange(-spacing, size + 2 * spacing, spacing)
    points = np.stack(np.meshgrid(lines, lines), axis=-1).reshape(-1, 2)
    points = points + rng.uniform(-jitter, jitter, points.shape) * spacing
    margin = int(2 * spacing) + 2
    blank = np.ones((size + 2 * margin, size + 2 * margin), np.uint8)
    column, row = np.clip(np.round(points + margin), 0, len(blank) - 1).astype(int).T
    blank[row, column] = 0
    distance, number = cv2.distanceTransformWithLabels(
        blank, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    inner = slice(margin, margin + size)
    plane = np.asarray(number[inner, inner], np.int32), np.asarray(distance[inner, inner], np.float32)
    return *plane, int(number.max()) + 1


def canopy(
    rng: np.random.Generator, size: int, spacing: float, sun: tuple[float, float]
) -> tuple[Plane, Plane]:
    """Seen from above, a closed cover of tree crowns about `spacing` px wide.

    `sun` is the unit vector (x, y) that points to the sun. Returns the light on the crowns (mean about 0,
    bright towards the sun, dark in the gaps) and a random number of each crown in -1..1, both (size, size).
    """
    number, distance, count = cells(rng, size, spacing)
    dome = 1 - (distance / (0.72 * spacing)) ** 2
    dome = np.maximum(dome, -0.6)
    away = np.roll(dome, (round(2 * sun[1]), round(2 * sun[0])), axis=(0, 1))
    light = 0.55 * (dome - 0.45) + 0.8 * (away - dome)
    tint = rng.uniform(-1, 1, count).astype(np.float32)[number]
    return light.astype(np.float32), tint
