"""Folders of generated photos and masks."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

DRIVERS = {".png": "PNG", ".jpg": "JPEG", ".tif": "GTiff"}
Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Write `pixels` (bands, height, width) below the test's folder, with rasterio alone."""

    def write(
        name: str, pixels: NDArray[Any], *, palette: dict[int, Any] | None = None, **profile: Any
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        bands, height, width = pixels.shape
        driver = DRIVERS[path.suffix.lower()]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(
                path,
                "w",
                driver=driver,
                height=height,
                width=width,
                count=bands,
                dtype=pixels.dtype,
                **profile,
            ) as target:
                target.write(pixels)
                if palette is not None:
                    target.write_colormap(1, palette)
        return path

    return write


@pytest.fixture
def random() -> np.random.Generator:
    """A seeded source of pixels."""
    return np.random.default_rng(7)
