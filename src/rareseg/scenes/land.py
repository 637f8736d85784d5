"""Three-class scenes: fields, woods and water, told apart by texture as much as by colour."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.scenes.ground import blended, feathered, fields, water, woods
from rareseg.scenes.light import cast_shadow, exposed, shaded, sunlight
from rareseg.scenes.noise import cloudy_plane, smooth_plane, streaks
from rareseg.scenes.photos import check_scene, even_turn
from rareseg.scenes.scene import Mask, Picture, Scene, Sun

LAND_CLASSES = ("field", "wood", "water")


def land_scene(seed: int, *, size: int = 256, shares: Sequence[float] = (0.6293, 0.2546, 0.1161)) -> Scene:
    """Return an aerial-like photo of fields, woods and water, every pixel of exactly one class.

    `shares` (three numbers >= 0 that add up to 1) are the shares of the classes over many scenes. Single
    scenes differ from them by up to a half; one of even seed and the next balance each other out.
    Colours overlap (green crops and green woods, ponds with weed, wet dark soil), textures do not.
    The same arguments give the same scene. Raises SettingError for values outside these ranges.
    """
    check_scene(seed, size)
    own = _shares_of_scene(seed, _checked_shares(shares))
    rng = np.random.default_rng((seed, size, 2))
    labels = _regions(rng, size, own)
    sun = sunlight(rng)
    picture = fields(rng, size, rng.uniform(45, 90))
    picture = blended(picture, _weedy(rng, water(rng, size, sun), sun), feathered(labels == 2, 0.8))
    picture = blended(picture, woods(rng, size, sun), feathered(labels == 1, 0.8))
    dark = cast_shadow((labels == 1).astype(np.uint8) * 255, sun, 5.0)
    picture = shaded(picture, dark, float(rng.uniform(0.4, 0.65)))
    return Scene(exposed(rng, picture), labels, LAND_CLASSES)


def _checked_shares(shares: Sequence[float]) -> NDArray[np.float64]:
    given = np.asarray(shares, np.float64)
    if given.shape != (3,) or not (given >= 0).all() or abs(given.sum() - 1) > 1e-6:
        message = (
            f"shares must be three numbers >= 0 that add up to 1, for {', '.join(LAND_CLASSES)}; "
            f"got {tuple(shares)}, sum {float(given.sum()):g}. Divide them by their sum."
        )
        raise SettingError(message)
    return given


def _shares_of_scene(seed: int, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move the shares one way in scenes of even seed and the other way, by as much, in the next one."""
    pair, sign = seed // 2, 1 - 2 * (seed % 2)
    size = np.array([even_turn(pair) - 0.5, even_turn(pair + 7) - 0.5]) * shares[1:]
    # What wood and water gain the fields lose: never more than half of what they have.
    room = 0.5 * shares[0] / max(abs(float(size.sum())), 1e-12)
    size = size * min(1.0, room)
    return np.asarray(shares + sign * np.array([-size.sum(), *size]), np.float64)


def _regions(rng: np.random.Generator, size: int, shares: NDArray[np.float64]) -> Mask:
    """Cut the plane into water (low ground), woods (with clearings) and fields, in exact shares."""
    labels = np.zeros(size * size, np.uint8)
    low = np.argsort(cloudy_plane(rng, size, 70, 4).ravel())
    wet = round(float(shares[2]) * labels.size)
    labels[low[:wet]] = 2
    order = np.argsort(cloudy_plane(rng, size, 55, 5).ravel())
    dry = order[labels[order] == 0]
    trees = round(float(shares[1]) * labels.size)
    labels[dry[len(dry) - trees :]] = 1
    return labels.reshape(size, size)


def _weedy(rng: np.random.Generator, picture: Picture, sun: Sun) -> Picture:
    """Let weed or mud colour part of the water like the land around it."""
    tones = np.array([(62, 76, 44), (86, 96, 62), (104, 92, 72), (34, 44, 48)], np.float32)
    tone = tones[rng.integers(len(tones))] + rng.normal(0, 6, 3).astype(np.float32)
    ripples = streaks(rng, len(picture), float(np.arctan2(sun.y, sun.x) + np.pi / 2), 9)
    over = tone * (1 + 0.08 * ripples)[..., None]
    weight = np.clip(0.5 + 0.5 * smooth_plane(rng, len(picture), 60) + rng.uniform(-0.4, 0.4), 0, 1)
    return blended(picture, over.astype(np.float32), weight.astype(np.float32))
