"""Where roads run: through roads, country lanes, and neighbourhoods of warped grids.

Roads are laid one after the other until they cover the wanted area; the last one ends where the area is
reached, as a dead end. So the share of road is met without ever making a road thinner than a road.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.scenes.noise import smooth_line
from rareseg.scenes.scene import Mask, Plane

Path = NDArray[np.float32]
"""Points (n, 2) of a road's middle, x and y in px, about STEP apart."""

Wave = NDArray[np.float64]
"""Two numbers, one for each direction in which a grid is bent."""

STEP = 4.0
_FINE = 3
"""Roads are drawn this many times larger and then averaged, so that their edges are soft."""
_NEAR_PX = 14.0


class Road(NamedTuple):
    """One road: its middle, its width at each point (px), and its rank."""

    path: Path
    widths: Plane
    rank: str
    """"main", "street" (with houses along it) or "lane"."""


def lay_roads(rng: np.random.Generator, size: int, share: float) -> tuple[Road, ...]:
    """Return roads that cover `share` (0..1) of a square of `size` px; none for 0."""
    wanted = share * size * size * _FINE**2
    drawn = np.zeros((size * _FINE, size * _FINE), np.uint8)
    near = np.zeros((size, size), np.uint8)
    roads: list[Road] = []
    for road in _candidates(rng, size, share, roads):
        if cv2.countNonZero(drawn) >= wanted * 0.985:
            break
        if _runs_along(road, near, 0.7 if road.rank == "street" else 0.4):
            continue
        laid = _shortened(road, drawn, wanted)
        if len(laid.path) < 5:
            continue
        _draw(drawn, laid, _FINE)
        _draw(near, laid, 1, extra=2 * _NEAR_PX)
        roads.append(laid)
    return tuple(roads)


def road_coverage(roads: tuple[Road, ...], size: int, *, extra: float = 0.0) -> Plane:
    """Return how much of each pixel (0..1) lies on a road widened by `extra` px in all, (size, size)."""
    drawn = np.zeros((size * _FINE, size * _FINE), np.uint8)
    for road in roads:
        _draw(drawn, road, _FINE, extra=extra)
    return np.asarray(cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA) / 255, np.float32)


def road_numbers(roads: tuple[Road, ...], size: int) -> Mask:
    """Return which road lies at each pixel, (size, size): k + 1 on and just beside road k, 0 elsewhere."""
    numbers = np.zeros((size, size), np.uint8)
    for index in reversed(range(len(roads))):
        _draw(numbers, roads[index], 1, extra=3, value=index % 255 + 1)
    return numbers


def tangents(path: Path) -> Path:
    """Return the unit vector along the road at each of its points, (n, 2)."""
    along = np.gradient(path, axis=0)
    return np.asarray(along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6), np.float32)


def _draw(canvas: Mask, road: Road, fine: int, *, extra: float = 0.0, value: int = 255) -> None:
    pieces = max(1, len(road.path) // 8)
    points = np.round((road.path + 0.5) * fine * 16 - 8).astype(np.int32)
    for index in np.array_split(np.arange(len(points)), pieces):
        piece = points[index[0] : index[-1] + 2].reshape(-1, 1, 2)
        thickness = max(1, round(float(road.widths[index].mean() + extra) * fine))
        cv2.polylines(canvas, [piece], False, value, thickness, cv2.LINE_8, 4)


def _shortened(road: Road, drawn: Mask, wanted: float) -> Road:
    """Cut the road's end off where it would cover more than what is wanted."""
    low, high = 2, len(road.path)
    if _area_with(road, drawn, high) <= wanted:
        return road
    while low < high:
        middle = (low + high) // 2
        if _area_with(road, drawn, middle) < wanted:
            low = middle + 1
        else:
            high = middle
    return _prefix(road, low)


def _area_with(road: Road, drawn: Mask, count: int) -> int:
    trial = drawn.copy()
    _draw(trial, _prefix(road, count), _FINE)
    return int(cv2.countNonZero(trial))


def _prefix(road: Road, count: int) -> Road:
    return Road(road.path[:count], road.widths[:count], road.rank)


def _inside(path: Path, size: int, margin: float = 0.0) -> NDArray[np.bool_]:
    return np.asarray(np.all((path > -margin) & (path < size - 1 + margin), axis=1))


def _runs_along(road: Road, near: Mask, bearable: float) -> bool:
    """Tell whether more than the bearable share of the road would run beside roads that are there already."""
    inside = road.path[_inside(road.path, len(near))].astype(int)
    if len(inside) < 5:
        return True
    return bool((near[inside[:, 1], inside[:, 0]] > 0).mean() > bearable)


def _candidates(rng: np.random.Generator, size: int, share: float, laid: list[Road]) -> Iterator[Road]:
    """Propose roads, the most important first; `laid` is what was accepted so far."""
    area = share * size * size
    stretch = 1 + 1.6 * share
    main_width = rng.uniform(7.0, 11.5) * stretch
    lane_width = float(np.clip(area / size / 1.1, rng.uniform(3.4, 4.2), rng.uniform(5.0, 6.5)))
    mains = int(area > 1.5 * size * main_width) + int(share > 0.09)
    for _ in range(mains):
        yield _through_road(
            rng, size, main_width * rng.uniform(0.9, 1.15), "main", bend=rng.uniform(0.1, 0.35)
        )
    if mains == 0:
        yield _through_road(rng, size, lane_width, "lane", bend=rng.uniform(0.3, 0.7))
    settled = share > 0.08 or (share > 0.012 and rng.random() < 0.75)
    if settled:
        yield from _neighbourhood(rng, size, share, laid)
    for attempt in range(240):
        if laid and attempt % 3:
            yield _side_road(rng, size, laid[rng.integers(len(laid))], rng.uniform(4.5, 6.5) * stretch)
        else:
            yield _through_road(rng, size, rng.uniform(5, 7) * stretch, "lane", bend=rng.uniform(0.2, 0.6))


def _road(rng: np.random.Generator, path: Path, width: float, rank: str) -> Road:
    sway = 1 + 0.06 * smooth_line(rng, len(path), 30)
    return Road(path, (width * sway).astype(np.float32), rank)


def _wander(rng: np.random.Generator, start: Path, heading: float, length: float, bend: float) -> Path:
    """Walk from `start`; the heading sways by about `bend` radians around the first one."""
    count = max(3, int(length / STEP))
    sway = bend * (smooth_line(rng, count, 45) + 0.5 * smooth_line(rng, count, 18))
    # The road leaves its start in the given direction, also at a junction.
    angle = heading + (sway - sway[0])
    steps = STEP * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(start + np.cumsum(steps, axis=0) - steps[0], np.float32)


def _through_road(rng: np.random.Generator, size: int, width: float, rank: str, *, bend: float) -> Road:
    """From outside one edge, past a point near the middle, on to wherever it leads."""
    middle = size * rng.uniform(0.2, 0.8, 2)
    heading = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(heading), np.sin(heading)])
    path = _wander(rng, (middle - along * size).astype(np.float32), heading, 2.4 * size, bend)
    inside = np.flatnonzero(_inside(path, size, 24))
    if len(inside) < 8:
        return _road(rng, path[:8], width, rank)
    leaves = np.flatnonzero(np.diff(inside) > 1)
    last = inside[leaves[0]] if len(leaves) else inside[-1]
    return _road(rng, path[inside[0] : last + 1], width, rank)


def _side_road(rng: np.random.Generator, size: int, parent: Road, width: float) -> Road:
    """Leave another road at about a right angle and wind off."""
    visible = np.flatnonzero(_inside(parent.path, size))
    at = int(rng.choice(visible)) if len(visible) else 0
    along = tangents(parent.path)[at]
    turn = rng.choice((-1, 1)) * rng.uniform(0.38, 0.62) * np.pi
    heading = float(np.arctan2(along[1], along[0]) + turn)
    path = _wander(rng, parent.path[at], heading, rng.uniform(0.4, 1.4) * size, rng.uniform(0.15, 0.6))
    outside = np.flatnonzero(~_inside(path, size, 24))
    return _road(rng, path[: outside[0]] if len(outside) else path, width, "street")


def _neighbourhood(rng: np.random.Generator, size: int, share: float, laid: list[Road]) -> Iterator[Road]:
    """Streets of a grid that follows the first road and is warped, nearest to its centre first."""
    spine, at = _spine(rng, size, laid)
    narrow = float(np.clip(1.15 - 1.6 * share, 0.6, 1.0))
    rows, columns = rng.uniform(56, 74) * narrow, rng.uniform(95, 150) * narrow
    radius = size * (1.5 if share > 0.08 else rng.uniform(0.22, 0.42))
    width = rng.uniform(5.6, 7.4) * (1 + 1.6 * share)
    waves = rng.uniform(0, 2 * np.pi, 2), rng.uniform(2, 9, 2), rng.uniform(200, 420, 2)
    for grid in _grid_lines(rng, radius, rows, columns):
        path = _along_spine(spine, at, _warp(grid, rows, *waves))
        inside = np.flatnonzero(_inside(path, size, 24))
        if len(inside) > 6:
            yield _road(rng, path[inside[0] : inside[-1] + 1], width * rng.uniform(0.9, 1.1), "street")


def _spine(rng: np.random.Generator, size: int, laid: list[Road]) -> tuple[Path, int]:
    """Return the road that the neighbourhood grows from, and the point of it in its centre."""
    path = (
        laid[0].path
        if laid
        else _line((0, size * rng.uniform(0.3, 0.7)), (size, size * rng.uniform(0.3, 0.7)))
    )
    visible = np.flatnonzero(_inside(path, size, -size * 0.15))
    return path, int(rng.choice(visible)) if len(visible) else len(path) // 2


def _along_spine(spine: Path, at: int, grid: Path) -> Path:
    """Turn grid coordinates (u along the spine, v across it; px) into image coordinates."""
    along = tangents(spine)[at]
    across = np.array([-along[1], along[0]])
    position = at + grid[:, 0] / STEP
    inner = np.clip(position, 0, len(spine) - 1)
    points = np.stack([np.interp(inner, np.arange(len(spine)), spine[:, axis]) for axis in (0, 1)], axis=1)
    beyond = (position - inner)[:, None] * STEP * along
    return np.asarray(points + beyond + grid[:, 1:] * across, np.float32)


def _warp(grid: Path, rows: float, phase: Wave, height: Wave, length: Wave) -> Path:
    """Bend the grid, but not where it joins its spine (v = 0)."""
    u, v = grid[:, 0], grid[:, 1]
    wave = height * np.sin(2 * np.pi * np.stack([v, u + v], axis=1) / length + phase)
    return np.asarray(grid + wave * np.minimum(np.abs(v) / rows, 1)[:, None], np.float32)


def _grid_lines(rng: np.random.Generator, radius: float, rows: float, columns: float) -> Iterator[Path]:
    """Yield straight lines (n, 2) of a grid in its own axes, from the centre outwards, with gaps."""
    lines: list[tuple[float, Path]] = []
    half = int(radius / rows)
    for k in range(-half, half + 1):
        reach = float(np.sqrt(max(radius**2 - (k * rows) ** 2, 0)))
        if k:
            start, end = -reach * rng.uniform(0.6, 1), reach * rng.uniform(0.6, 1)
            lines.append((abs(k) * rows, _line((start, k * rows), (end, k * rows))))
        for u in np.arange(-reach + rng.uniform(0, columns), reach, columns):
            blocks = 1 + int(rng.random() < 0.35)
            away = blocks if k >= 0 else -blocks
            if rng.random() < 0.9:
                distance = float(0.6 * abs(u) + abs(k) * rows)
                lines.append((distance, _line((u, k * rows), (u, (k + away) * rows))))
    for _, line in sorted(lines, key=lambda entry: entry[0]):
        yield line


def _line(start: tuple[float, float], end: tuple[float, float]) -> Path:
    count = max(3, int(np.hypot(end[0] - start[0], end[1] - start[1]) / STEP))
    return np.linspace(start, end, count, dtype=np.float32)
