"""25. Maps were put together from tiles, and are wrong along the tiles' borders."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import World, choice, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos, write_probabilities
from casebook.training import ask


def build(seed: int) -> Case:
    """Build a case: class maps or probabilities, good within tiles and bad near their borders."""
    return redrawn("seams", seed, _draw)


def write_truth(rng: np.random.Generator, world: World) -> tuple[Path, list[str], int]:
    """Write the world as a data folder; return it, the names and what masks were multiplied by."""
    folder, names = new_folder(), stems(rng, len(world.photos))
    factor = 255 if len(world.classes) == 2 else 1
    write_photos(folder / "images", names, world.photos)
    write_masks(folder / "masks", names, (world.labels * factor).astype(np.uint8))
    return folder, names, factor


def fair_maps(rng: np.random.Generator, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return maps as a good network gives them: edges a little off, a few things missed or dreamt."""
    maps = []
    for truth in labels:
        moved = np.roll(truth, int(rng.integers(-1, 2)), int(rng.integers(2)))
        noise = cv2.GaussianBlur(rng.standard_normal(truth.shape).astype(np.float32), (0, 0), 2.0)
        stray = np.abs(noise) > np.quantile(np.abs(noise), 0.995)
        maps.append(np.where(stray, np.roll(moved, 17, 0), moved))
    return np.stack(maps)


def torn(rng: np.random.Generator, maps: NDArray[np.int64], tile: int, rare: int) -> NDArray[np.int64]:
    """Answer background, the rare class or what lies far off, within some px of every border of tiles."""
    side, reach = maps.shape[-1], int(rng.integers(3, 8))
    at = np.arange(side)
    to_border = np.minimum(at % tile, tile - 1 - at % tile)
    inner = (at >= reach) & (at < side - reach)
    near = (to_border < reach) & inner
    band = near[:, None] | near[None, :]
    how = choice(rng, ("background", "far", "mixed"))
    hit = band & (rng.random(maps.shape) < rng.uniform(0.6, 1.0))
    far = np.roll(maps, (side // 3, side // 2), (1, 2))
    other = {
        "background": np.zeros_like(maps),
        "far": far,
        "mixed": np.where(rng.random(maps.shape) < 0.3, rare, far),
    }
    return np.where(hit, other[how], maps)


def draw_torn(rng: np.random.Generator) -> tuple[World, NDArray[np.int64], str]:
    """Draw a world of larger scenes, its torn maps, and the numbers that prove it."""
    tile = int(choice(rng, (48, 64, 64, 96, 128)))
    side = tile * int(choice(rng, (3, 4))) if tile < 100 else 256
    world = draw_world(
        rng, classes=choice(rng, (2, 2, 3, 5)), prevalence=(0.05, 0.15), size=side, images=8, real=True
    )
    maps = torn(rng, fair_maps(rng, world.labels), tile, world.rare)
    at = np.minimum(np.arange(side) % tile, tile - 1 - np.arange(side) % tile)
    inner = (np.arange(side) >= 8) & (np.arange(side) < side - 8)
    near = ((at < 8) & inner)[:, None] | ((at < 8) & inner)[None, :]
    wrong = (maps != world.labels).mean(0)
    ratio = float(wrong[near].mean() / max(wrong[~near].mean(), 1e-4))
    hold(ratio > 2, f"errors near borders are {ratio:.1f} times as frequent")
    return world, maps, f"tile {tile}, errors near borders {ratio:.1f} times as frequent"


def _draw(rng: np.random.Generator) -> Case:
    world, maps, proof = draw_torn(rng)
    folder, names, factor = write_truth(rng, world)
    answers = new_folder()
    if rng.random() < 0.4:
        classes = len(world.classes)
        soft = np.eye(classes, dtype=np.float32)[maps].transpose(0, 3, 1, 2) * 0.9 + 0.1 / classes
        write_probabilities(answers, names, soft[:, 1:] if classes == 2 else soft)
    else:
        write_masks(answers, names, (maps * factor).astype(np.uint8))
    return Case(
        expected=("seams",),
        beside=() if factor == 255 else ("display_only",),
        framework="files",
        diagnose=ask(subject=folder, predictions=answers),
        drawn=told(classes=len(world.classes), images=f"{len(names)}x{maps.shape[-1]}px", proof=proof),
    )
