"""Small labelled sets of any pixel type, and progress that presses Ctrl-C."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from rareseg.imagery.rasters import Georeference, RasterWriter
from rareseg.imagery.tiles import Window


@pytest.fixture
def write_raster() -> Callable[..., Path]:
    def write(path: Path, pixels: np.ndarray, **more: object) -> Path:
        bands, height, width = pixels.shape
        with RasterWriter(
            path, height=height, width=width, bands=bands, dtype=str(pixels.dtype), **more
        ) as writer:
            writer.write(Window(0, 0, height, width), pixels)
        return path

    return write


@pytest.fixture
def write_set(write_raster) -> Callable[..., Path]:
    """Return a function that writes photos and masks into images/ and masks/ of a folder."""

    def write(
        folder: Path, photos: Sequence[np.ndarray], masks: Sequence[np.ndarray], *, ending: str = ".tif"
    ) -> Path:
        for number, (photo, mask) in enumerate(zip(photos, masks, strict=True)):
            write_raster(folder / "images" / f"place{number}{ending}", photo)
            planes = mask if mask.ndim == 3 else mask[None]
            mask_ending = ".tif" if len(planes) == 2 else ".png"
            write_raster(folder / "masks" / f"place{number}{mask_ending}", planes)
        return folder

    return write


@pytest.fixture
def striped(write_set, rng) -> Callable[..., Path]:
    """Return a function that writes 6 photos with a bright stripe of class 255, of any bands and dtype."""

    def write(folder: Path, *, bands: int = 3, dtype: str = "uint8", size: int = 64) -> Path:
        photos, masks = [], []
        for number in range(6):
            mask = np.zeros((size, size), np.uint8)
            mask[:, 10 + 5 * number : 18 + 5 * number] = 255
            photo = rng.normal(90, 12, (bands, size, size)) + 80.0 * (mask > 0)
            scale = {"uint8": 1, "uint16": 200, "float32": 0.01}[dtype]
            photos.append((photo.clip(1, 250) * scale).astype(dtype))
            masks.append(mask)
        return write_set(folder, photos, masks)

    return write


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def somewhere() -> Georeference:
    from rasterio.crs import CRS

    return Georeference(CRS.from_epsg(32632).to_wkt(), (0.5, 0.0, 500000.0, 0.0, -0.5, 5200000.0))


class Stopping:
    """Progress that presses Ctrl-C at a call of `advance` of the task with some title."""

    def __init__(self, title: str, at: int) -> None:
        self.title, self.at, self.said = title, at, []

    @contextmanager
    def task(self, title, total):
        yield _Task(self if title == self.title else None)

    def say(self, message):
        self.said.append(message)


class _Task:
    def __init__(self, owner):
        self.owner, self.calls = owner, 0

    def advance(self, amount=1.0, *, note=""):
        if self.owner is not None and self.calls == self.owner.at:
            raise KeyboardInterrupt
        self.calls += 1


@pytest.fixture
def ctrl_c() -> type[Stopping]:
    return Stopping
