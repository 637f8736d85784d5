"""Small photo-like scenes of any number of classes, drawn in milliseconds: blobs and stripes with texture and noise."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Photos = NDArray[np.uint8]
"""(images, 3, rows, cols), 0..255."""
Labels = NDArray[np.int64]
"""(images, rows, cols), class indices."""

NAMES = (
    *("background", "road", "house", "tree", "water", "car", "pole", "sign", "fence", "person"),
    *("cyclist", "rail"),
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What scenes of one world look like. Shares are of the pixels; colours, textures and noise in grey levels."""

    shares: tuple[float, ...]
    colours: NDArray[np.float32]
    """(classes, 3)."""
    textures: tuple[float, ...]
    stripes: tuple[bool, ...]
    scales: tuple[float, ...]
    """Size of the things of a class in px, as the deviation of the blur that makes them."""
    noise: float
    spread: float
    """Deviation of the logarithm of a class's share from image to image."""
    decoys: float = 0.0
    """Share of pixels that look like the rarest class and are background."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes."""
        return NAMES[: len(self.shares)]

    @property
    def rare(self) -> int:
        """Return the index of the rarest class."""
        return int(np.argmin(self.shares))


def draw_look(
    rng: np.random.Generator,
    *,
    classes: int,
    prevalence: float,
    contrast: float = 4.0,
    decoys: float = 0.0,
) -> Look:
    """Draw a world whose rarest class covers `prevalence`; `contrast`: distance of colours over noise."""
    noise = float(rng.uniform(8, 18))
    return Look(
        shares=_shares(rng, classes, prevalence),
        colours=_colours(rng, classes, contrast * noise),
        textures=tuple(float(rng.uniform(2, 10)) for _ in range(classes)),
        stripes=tuple(bool(rng.random() < 0.4) for _ in range(classes)),
        scales=tuple(float(rng.uniform(2.0, 4.5)) for _ in range(classes)),
        noise=noise,
        spread=float(rng.uniform(0.1, 0.5)),
        decoys=decoys,
    )


def draw_scenes(rng: np.random.Generator, look: Look, count: int, size: int) -> tuple[Photos, Labels]:
    """Draw `count` scenes of `size` px."""
    drawn = [_scene(rng, look, size) for _ in range(count)]
    return np.stack([photo for photo, _ in drawn]), np.stack([labels for _, labels in drawn])


def empty_scenes(rng: np.random.Generator, look: Look, count: int, size: int) -> tuple[Photos, Labels]:
    """Draw scenes without the rarest class."""
    shares = np.array(look.shares)
    shares[look.rare] = 0.0
    return draw_scenes(rng, replace(look, shares=tuple(shares / shares.sum())), count, size)


def field(rng: np.random.Generator, size: int, scale: float) -> NDArray[np.float32]:
    """Return smooth noise, (size, size), of mean about 0 and deviation 1."""
    noise = rng.standard_normal((size, size), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), scale, borderType=cv2.BORDER_REFLECT)
    return np.asarray((smooth - smooth.mean()) / (smooth.std() + 1e-6), np.float32)


def _shares(rng: np.random.Generator, classes: int, prevalence: float) -> tuple[float, ...]:
    """Background first; the rarest class last or anywhere behind it; those between more frequent."""
    if classes == 2:
        return (1 - prevalence, prevalence)
    low = min(prevalence * 1.5, 0.9 / classes)
    others = np.exp(rng.uniform(np.log(low), np.log(max(0.25, low * 1.1)), classes - 2))
    others *= min(1.0, (0.6 - prevalence) / others.sum())
    foreground = np.append(np.maximum(others, prevalence * 1.2), prevalence)
    rng.shuffle(foreground)
    return (float(1 - foreground.sum()), *map(float, foreground))


def _colours(rng: np.random.Generator, classes: int, distance: float) -> NDArray[np.float32]:
    """Draw colours at least `distance` apart, or as far apart as many tries give."""
    colours = [rng.uniform(70, 170, 3)]
    while len(colours) < classes:
        tries = rng.uniform(20, 235, (60, 3))
        nearest = np.min([np.linalg.norm(tries - colour, axis=1) for colour in colours], axis=0)
        fits = np.flatnonzero(nearest >= distance)
        colours.append(tries[fits[0] if len(fits) else int(np.argmax(nearest))])
    return np.array(colours, np.float32)


def _scene(rng: np.random.Generator, look: Look, size: int) -> tuple[Photos, Labels]:
    labels = np.zeros((size, size), np.int64)
    seen = labels.copy()
    order = sorted(range(1, len(look.shares)), key=lambda index: -look.shares[index])
    if look.decoys:
        seen[_region(rng, look, look.rare, look.decoys, size)] = look.rare
    for index in order:
        if look.shares[index] > 0:
            region = _region(rng, look, index, look.shares[index], size)
            labels[region] = seen[region] = index
    return _photo(rng, look, seen), labels


def _region(rng: np.random.Generator, look: Look, index: int, share: float, size: int) -> NDArray[np.bool_]:
    share = float(np.clip(share * np.exp(rng.normal(0, look.spread) - look.spread**2 / 2), 0, 0.8))
    values = field(rng, size, look.scales[index] * (1.5 if look.stripes[index] else 1))
    if look.stripes[index]:
        values = -np.abs(values - rng.normal(0, 0.3))
    return np.asarray(values > np.quantile(values, 1 - share))


def _photo(rng: np.random.Generator, look: Look, seen: Labels) -> Photos:
    size = len(seen)
    texture = field(rng, size, 1.2) * np.array(look.textures, np.float32)[seen]
    light = 1 + 0.08 * field(rng, size, size / 4)
    picture = (look.colours[seen] + texture[..., None]) * light[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), 0.6)
    picture += rng.normal(0, look.noise, picture.shape)
    return np.ascontiguousarray(np.clip(picture, 0, 255).astype(np.uint8).transpose(2, 0, 1))
