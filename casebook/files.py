"""Folders of images, masks and predictions, written into a temporary place that goes with the process."""

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin


@cache
def _root() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="casebook-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def new_folder() -> Path:
    """Return a fresh, empty folder."""
    return Path(tempfile.mkdtemp(dir=_root()))


def stems(rng: np.random.Generator, count: int) -> list[str]:
    """Return names as people give them."""
    prefix = ("scene", "img_", "tile-", "DSC", "")[int(rng.integers(5))]
    first = int(rng.integers(1, 500))
    return [f"{prefix}{first + index:05d}" for index in range(count)]


def write_photos(folder: Path, names: Iterable[str], photos: NDArray[np.uint8], suffix: str = ".png") -> None:
    """Write photos (n, 3, rows, cols), red first."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, photo in zip(names, photos, strict=True):
        _write(folder / f"{name}{suffix}", np.ascontiguousarray(photo.transpose(1, 2, 0)[..., ::-1]))


def write_masks(folder: Path, names: Iterable[str], masks: NDArray[Any], suffix: str = ".png") -> None:
    """Write masks (n, rows, cols), or (n, rows, cols, 3) red first."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in zip(names, masks, strict=True):
        pixels = mask[..., ::-1] if mask.ndim == 3 else mask
        _write(folder / f"{name}{suffix}", np.ascontiguousarray(pixels))


def write_probabilities(folder: Path, names: Iterable[str], values: NDArray[np.floating]) -> None:
    """Write probabilities (n, bands, rows, cols) as float32 GeoTIFF."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, bands in zip(names, values, strict=True):
        write_raster(folder / f"{name}.tif", bands.astype(np.float32))


def write_raster(path: Path, bands: NDArray[Any], origin: tuple[float, float] | None = None) -> None:
    """Write bands (n, rows, cols), at 1 m per px from `origin` (east, north) where it is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place: dict[str, Any] = {}
    if origin is not None:
        place = {"crs": "EPSG:32618", "transform": from_origin(*origin, 1.0, 1.0)}
    else:
        place = {"transform": from_origin(0, 0, 1.0, 1.0)}
    count, height, width = bands.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype=bands.dtype, **place
    ) as file:
        file.write(bands)


def _write(path: Path, pixels: NDArray[Any]) -> None:
    if not cv2.imwrite(str(path), pixels):
        message = f"{path} could not be written. Check the place and the kind of file."
        raise OSError(message)


def write_toml(folder: Path, classes: Iterable[tuple[str, tuple[int, ...]]], more: str = "") -> Path:
    """Write a description of images/ and masks/ beside them; return its path."""
    lines = ['images = "images"', 'masks = "masks"', more]
    for name, values in classes:
        lines += ["[[classes]]", f'name = "{name}"', f"values = {list(values)}"]
    path = folder / "data.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
