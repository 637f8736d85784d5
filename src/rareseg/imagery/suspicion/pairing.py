"""Whether images and labels belong together: what local signs tell of the labels, as paired and shuffled.

The labels, one 0/1 plane per class, are regressed on the levels of the local signs, within images only, so that
neither brightness nor amount of a class counts. With R^2_c of class c and its share p_c, half of sum (1 - p_c)
R^2_c is the mutual information in nats where dependence is weak (half of Pearson's mean square contingency).
All shuffled pairings follow from one table of moments of each image with each label.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.local_signs import Levels, indicators, local_levels
from rareseg.imagery.suspicion.looks import VOID, Floats, Labels

LEVELS = 8
PERMUTATIONS = 60
LEAST_IMAGES = 4
"""With fewer there are too few other pairings to compare with."""
LEAST_POWER = 7.0
"""Deviations by which a class that is a standard deviation brighter must stand out."""
PLANTED = 1.0
"""Brightness, in standard deviations of the set, of a class that is planted to see whether it would be found."""
_RIDGE = 0.02
_MOST_PIXELS = 12_000
_ALIKE = 0.2
"""Share of images that may keep their own label in a shuffled pairing."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pairing:
    """What was found; nats per pixel.

    information, shuffled, deviation: as paired, and the mean and deviation over shuffled pairings.
    power: deviations by which a planted class of middling contrast stands out.
    fits: (images, images), how well label j fits image i by what the other images teach; own pairs on the diagonal.
    """

    information: float
    shuffled: float
    deviation: float
    power: float
    fits: Doubles

    @property
    def deviations(self) -> float:
        """By how many deviations the given pairing is better than shuffled ones."""
        return (self.information - self.shuffled) / max(self.deviation, 1e-12)

    @property
    def tells(self) -> bool:
        """Whether the labels hold enough to tell right pairs from wrong ones."""
        return self.power >= LEAST_POWER or self.deviations >= LEAST_POWER

    def wrong_share(self) -> float:
        """Estimate the share of wrong pairs: twice the share whose label fits worse than the usual other one."""
        images = len(self.fits)
        others = self.fits[~np.eye(images, dtype=bool)].reshape(images, images - 1)
        return min(1.0, 2 * float(np.mean(np.diag(self.fits) < np.median(others, axis=1))))


def pairing_of(
    pictures: Floats, labels: Labels, classes: int, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> Pairing | None:
    """Compare the given pairing with shuffled ones.

    Args:
        pictures: (images, bands, rows, cols) float32, finite.
        labels: (images, rows, cols) int16, -1 where not counted.
        classes: how many there are.
        permutations: shuffled pairings to draw.
        seed: of the draw.

    Returns:
        None with fewer than 4 images, or where labels do not vary within images.
    """
    if len(pictures) < LEAST_IMAGES:
        return None
    planes, shares = class_planes(labels, classes)
    if not len(shares):
        return None
    step = max(1, -(-labels[0].size // _MOST_PIXELS))
    planes = planes[..., _some_pixels(labels[0].size, step)]
    levels = local_levels(pictures, LEVELS)
    moments = _Moments.of(_flat(levels, step), planes, shares)
    rng = np.random.default_rng(seed)
    orders = [_shuffled(rng, len(pictures)) for _ in range(permutations)]
    own = moments.information(np.arange(len(pictures)))
    nulls = np.array([moments.information(order) for order in orders])
    return Pairing(
        own,
        float(nulls.mean()),
        float(nulls.std()),
        _power(pictures, labels, planes, shares, orders),
        moments.fits(),
    )


def class_planes(labels: Labels, classes: int) -> tuple[Floats, Doubles]:
    """Return 0/1 planes of the classes that vary within images, mean 0 per image and 0 where void, and shares.

    Returns:
        (images, classes kept, pixels) float32, and the share of each class kept; of two classes one is kept,
        as the other is its mirror image.
    """
    flat = labels.reshape(len(labels), -1)
    counted = flat != VOID
    shares = np.array([np.mean(flat[counted] == label) if counted.any() else 0.0 for label in range(classes)])
    held = np.flatnonzero(shares > 0)
    # The commonest class is what the others leave.
    kept = sorted(set(held.tolist()) - {int(shares.argmax())}) if len(held) > 1 else []
    planes = np.zeros((len(labels), len(kept), flat.shape[1]), np.float32)
    for place, label in enumerate(kept):
        plane = ((flat == label) & counted).astype(np.float32)
        mean = plane.sum(axis=1, keepdims=True) / np.maximum(counted.sum(axis=1, keepdims=True), 1)
        planes[:, place] = (plane - mean) * counted
    vary = (planes**2).sum(axis=(0, 2)) > 0
    return planes[:, vary], shares[kept][vary]


@dataclass(frozen=True, slots=True)
class _Moments:
    """table: (images, images, indicators, classes), image i against label j, whitened by all images."""

    table: Doubles
    spread: Doubles
    """Sum of squares of each class's planes."""
    weights: Doubles
    """1 - share of each class."""

    @classmethod
    def of(cls, levels: Levels, planes: Floats, shares: Doubles) -> "_Moments":
        images, kept, pixels = planes.shape
        every = planes.reshape(-1, pixels).T
        table, within = [], np.zeros(())
        for image in levels:
            rows = indicators(image, LEVELS)
            table.append((rows @ every).reshape(len(rows), images, kept).transpose(1, 0, 2))
            within = within + (rows @ rows.T).astype(np.float64)
        white = whitener(within)
        whitened = np.einsum("ef,ijfc->ijec", white, np.stack(table).astype(np.float64), optimize=True)
        return cls(whitened, (planes.astype(np.float64) ** 2).sum(axis=(0, 2)), 1 - shares)

    def information(self, order: NDArray[np.int64]) -> float:
        """Return the nats per pixel if image i had label order[i]."""
        joint = self.table[np.arange(len(order)), order].sum(axis=0)
        return 0.5 * float(((joint**2).sum(axis=0) / np.maximum(self.spread, 1e-12) * self.weights).sum())

    def fits(self) -> Doubles:
        """Return how label j fits image i by a model of the other images' own pairs, (images, images)."""
        own = self.table[np.arange(len(self.table)), np.arange(len(self.table))]
        others = own.sum(axis=0) - own
        scaled = others / np.maximum(self.spread, 1e-12) * self.weights
        return np.asarray(np.einsum("ijec,iec->ij", self.table, scaled, optimize=True))


def whitener(within: Doubles) -> Doubles:
    """Return the matrix that makes indicators with these sums of products uncorrelated, slightly shrunk."""
    ridge = _RIDGE * np.trace(within) / len(within)
    values, vectors = np.linalg.eigh(within + max(ridge, 1e-9) * np.eye(len(within)))
    return np.asarray((vectors / np.sqrt(values)).T)


def _some_pixels(pixels: int, step: int) -> NDArray[np.int64]:
    """Every so many pixels, each row of steps at a place of its own, so that no column is favoured."""
    starts = np.arange(0, pixels - step + 1, step)
    return starts + np.random.default_rng(1).integers(0, step, len(starts))


def _flat(levels: Levels, step: int) -> Levels:
    flat = levels.reshape(*levels.shape[:2], -1)
    return flat[..., _some_pixels(flat.shape[2], step)]


def _shuffled(rng: np.random.Generator, images: int) -> NDArray[np.int64]:
    while True:
        order = rng.permutation(images)
        if np.mean(order == np.arange(images)) <= _ALIKE:
            return order


def _power(
    pictures: Floats, labels: Labels, planes: Floats, shares: Doubles, orders: list[NDArray[np.int64]]
) -> float:
    """Return by how many deviations a class of middling brightness would stand out.

    It is planted in the images turned by 180 degrees, where no shuffled pairing meets what the labels are of.
    """
    grey = pictures.mean(axis=1)[:, ::-1, ::-1]
    pixels = labels[0].size
    some = _some_pixels(pixels, max(1, -(-pixels // _MOST_PIXELS)))
    flat = (grey / (grey.std() + 1e-12)).reshape(len(labels), -1)[:, some]
    # Classes in turn brighter and darker, so that several stand apart from one another too.
    signs = PLANTED * np.resize(np.array([1, -1], np.float32), planes.shape[1])
    flat = flat + np.einsum("icp,c->ip", (planes > 0).astype(np.float32), signs)
    limits = np.quantile(flat, np.arange(1, LEVELS) / LEVELS)
    levels = np.searchsorted(limits, flat).astype(np.uint8)[:, None]
    moments = _Moments.of(levels, planes, shares)
    nulls = np.array([moments.information(order) for order in orders])
    own = moments.information(np.arange(len(labels)))
    return float((own - nulls.mean()) / max(float(nulls.std()), 1e-12))
