"""Generated data sets on disk: a folder with images/ and masks/, in the ways that masks are met."""

import secrets
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import OutputExistsError, SettingError
from rareseg.imagery.rasters import RasterWriter
from rareseg.imagery.tiles import Window
from rareseg.progress import Progress, Silent
from rareseg.records.codec import refuse_existing
from rareseg.scenes.land import land_scene
from rareseg.scenes.photos import road_scene
from rareseg.scenes.scene import Scene

RoadMasks = Literal["0/255", "indices", "palette", "rgb", "noisy"]
LandMasks = Literal["indices", "palette", "rgb"]

Palette = dict[int, tuple[int, int, int]]

PALETTE: tuple[tuple[int, int, int], ...] = ((0, 0, 0), (230, 60, 40), (40, 120, 220))
"""Colour of each class in masks of kind "palette" and "rgb"."""

NOISY_ROAD = 237
NOISY_SHARE = 0.025
"""Of the background pixels of masks of kind "noisy", the share that holds 1..5 instead of 0."""

_SEEDS_PER_SET = 1_000_000
_FOLDERS = ("images", "masks")


def write_roads(
    folder: Path | str,
    *,
    count: int,
    size: int = 512,
    road_share: float = 0.04,
    seed: int = 0,
    overwrite: bool = False,
    masks: RoadMasks = "0/255",
    progress: Progress | None = None,
) -> Path:
    """Write `count` road scenes (see `road_scene`) as PNG into folder/images and folder/masks; return folder.

    `masks`: "0/255" (road 255), "indices" (road 1), "palette" (indices with a colour table), "rgb" (three
    bands, the colours of `PALETTE`) or "noisy" (road 237; background 0, but 1..5 on 2.5 % of its pixels).
    Sets of different `seed` share no scene. The folder appears complete or not at all.
    Raises SettingError for values out of range, and OutputExistsError if the folder holds anything already:
    with `overwrite` its images/ and masks/ are replaced, but only where nothing else lies beside them.
    """
    _check(masks, get_args(RoadMasks), count, seed)
    make = partial(road_scene, size=size, road_share=road_share)
    return _written(
        Path(folder), make, count, seed, masks, overwrite=overwrite, progress=progress or Silent()
    )


def write_land(
    folder: Path | str,
    *,
    count: int,
    size: int = 256,
    shares: Sequence[float] = (0.6293, 0.2546, 0.1161),
    seed: int = 0,
    overwrite: bool = False,
    masks: LandMasks = "indices",
    progress: Progress | None = None,
) -> Path:
    """Write `count` three-class scenes (see `land_scene`) as PNG; all else as in `write_roads`."""
    _check(masks, get_args(LandMasks), count, seed)
    make = partial(land_scene, size=size, shares=shares)
    return _written(
        Path(folder), make, count, seed, masks, overwrite=overwrite, progress=progress or Silent()
    )


def write_photo(
    path: Path | str, *, seed: int, size: int = 1024, road_share: float = 0.04, overwrite: bool = False
) -> Path:
    """Write the photo alone of the road scene `seed` (see `road_scene`) to `path`, a .png; return path.

    `write_roads` of seed n uses the scene seeds from 1,000,000 n on: others give scenes that it does not hold.

    Raises SettingError for values out of range or another ending, and OutputExistsError if `path` exists and
    `overwrite` is false.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        message = f"{path}: photos of scenes are written as .png, not as {path.suffix or 'no ending'}."
        raise SettingError(message)
    refuse_existing(path, overwrite=overwrite)
    _write(path, road_scene(seed, size=size, road_share=road_share).photo, overwrite=overwrite)
    return path


def _check(masks: str, known: tuple[str, ...], count: int, seed: int) -> None:
    if masks not in known:
        message = f"masks must be one of {', '.join(known)}; got {masks!r}. Name one of these."
        raise SettingError(message)
    if not 1 <= count <= _SEEDS_PER_SET:
        message = f"count must lie in 1..{_SEEDS_PER_SET}; got {count}. Name how many scenes to write."
        raise SettingError(message)
    if seed < 0:
        message = f"seed must be 0 or more; got {seed}. Name another seed."
        raise SettingError(message)


def _written(
    folder: Path,
    make: Callable[[int], Scene],
    count: int,
    seed: int,
    masks: str,
    *,
    overwrite: bool,
    progress: Progress,
) -> Path:
    _refuse_foreign(folder, overwrite=overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}")
    try:
        with progress.task(f"scenes for {folder.name}", count) as task:
            for index in range(count):
                number = seed * _SEEDS_PER_SET + index
                noise = np.random.default_rng((number, 3))
                _write_scene(scratch, f"scene{index:04d}.png", make(number), masks, noise)
                task.advance()
        if folder.exists():
            shutil.rmtree(folder)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _refuse_foreign(folder: Path, *, overwrite: bool) -> None:
    """Refuse a place that is taken; even to overwrite, remove nothing but what looks like our own."""
    if not folder.exists():
        return
    if not folder.is_dir():
        message = f"{folder} is a file; scenes are written into a folder. Name another place."
        raise OutputExistsError(message)
    inside = sorted(folder.iterdir())
    if inside and not overwrite:
        message = f"{folder} exists and is not empty. Name another folder, or ask to overwrite."
        raise OutputExistsError(message)
    foreign = [path for path in inside if path.name not in _FOLDERS]
    foreign += [file for path in inside if path.name in _FOLDERS for file in _not_png(path)]
    if foreign:
        message = (
            f"{folder} holds {foreign[0].relative_to(folder)}, which no generated set holds, "
            "so it is not replaced. Name another folder."
        )
        raise OutputExistsError(message)


def _not_png(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return [folder]
    return [path for path in sorted(folder.iterdir()) if path.suffix != ".png" or path.is_dir()]


def _write_scene(folder: Path, name: str, scene: Scene, masks: str, rng: np.random.Generator) -> None:
    _write(folder / "images" / name, scene.photo)
    pixels = _drawn_mask(scene.labels, masks, rng)
    colours = dict(enumerate(PALETTE[: len(scene.classes)])) if masks == "palette" else None
    _write(folder / "masks" / name, pixels, colours)


def _drawn_mask(labels: NDArray[np.uint8], masks: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return what stands in the mask's file, (bands, h, w) uint8."""
    if masks == "rgb":
        return np.ascontiguousarray(np.array(PALETTE, np.uint8)[labels].transpose(2, 0, 1))
    if masks == "0/255":
        return np.asarray(labels[None] * np.uint8(255))
    if masks == "noisy":
        noise = rng.integers(1, 6, labels.shape, dtype=np.uint8) * (rng.random(labels.shape) < NOISY_SHARE)
        return np.where(labels == 1, NOISY_ROAD, noise)[None].astype(np.uint8)
    return labels[None]


def _write(
    path: Path, pixels: NDArray[np.uint8], palette: Palette | None = None, *, overwrite: bool = False
) -> None:
    bands, height, width = pixels.shape
    with RasterWriter(
        path, height=height, width=width, bands=bands, dtype="uint8", palette=palette, overwrite=overwrite
    ) as writer:
        writer.write(Window(0, 0, height, width), pixels)
