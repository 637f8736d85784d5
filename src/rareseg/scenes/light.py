"""Light and camera: shade, uneven light, haze, blur and sensor noise."""

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.scenes.noise import smooth_plane
from rareseg.scenes.scene import Mask, Picture, Plane, Sun


def sunlight(rng: np.random.Generator) -> Sun:
    """Draw where the sun stands: any direction; shadows 0.5 to 1.5 times as long as things are high."""
    angle = rng.uniform(0, 2 * np.pi)
    return Sun(float(np.cos(angle)), float(np.sin(angle)), float(rng.uniform(0.5, 1.5)))


def cast_shadow(mask: Mask, sun: Sun, height: float) -> Mask:
    """Return the shade that what is marked (255) and `height` px high throws on the ground beside it."""
    dx, dy = sun.shadow(height)
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    thrown = cv2.warpAffine(mask, move, mask.shape[::-1], flags=cv2.INTER_NEAREST)
    return np.asarray(np.where(mask > 0, 0, thrown), np.uint8)


def shaded(picture: Picture, shade: Mask, depth: float) -> Picture:
    """Darken by the share `depth` where `shade` is 255, a little less in blue, with soft edges."""
    weight = cv2.GaussianBlur(shade.astype(np.float32) / 255, (0, 0), 0.7)[..., None]
    return np.asarray(
        picture * (1 - weight * np.array([depth, depth * 0.98, depth * 0.9], np.float32)), np.float32
    )


def exposed(rng: np.random.Generator, picture: Picture) -> NDArray[np.uint8]:
    """Turn the painted scene into a photo (3, h, w) uint8: gradient, haze, colour cast, blur, noise."""
    size = len(picture)
    light = np.float32(rng.uniform(0.8, 1.12)) * (_slope(rng, size) + 0.035 * smooth_plane(rng, size, 170))
    cast = 1 + rng.normal(0, 0.02, 3).astype(np.float32)
    haze = np.float32(rng.uniform(0, 0.08))
    photo = (picture * light[..., None] * cast) * (1 - haze) + haze * np.array([150, 158, 170], np.float32)
    contrast = np.float32(rng.uniform(1.1, 1.5))
    photo = (photo - 100) * contrast + 96
    grey = photo.mean(axis=2, keepdims=True)
    photo = grey + (photo - grey) * np.float32(rng.uniform(0.65, 0.95))
    photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.45, 0.8))
    grain = rng.standard_normal(photo.shape, dtype=np.float32) * np.float32(rng.uniform(1.5, 4.0))
    photo = photo + grain * np.sqrt(np.maximum(photo, 12) / 110)
    return np.ascontiguousarray(np.clip(np.round(photo), 0, 255).astype(np.uint8).transpose(2, 0, 1))


def _slope(rng: np.random.Generator, size: int) -> Plane:
    """Return light that rises from one side to the other, mean 1."""
    angle, height = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.16)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    return np.asarray(1 + height * (np.cos(angle) * line[None] + np.sin(angle) * line[:, None]), np.float32)
