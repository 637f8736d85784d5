"""Where training crops lie: the plan's sampling rule, on the places that the audit counted."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import TrainingError
from rareseg.imagery.rasters import Window
from rareseg.measures.places import crop_counts
from rareseg.measures.tally import members
from rareseg.network.crops import CropStore
from rareseg.network.pasting import paste_objects
from rareseg.records.dataset import VOID
from rareseg.records.places import BLOCK
from rareseg.records.plan import Plan
from rareseg.remedies.sampling import class_chances

_TRIES = 20
"""Crops drawn anew before the place is chosen by what is labelled, and again before any crop is accepted."""
_RARE_TRIES = 10
"""Crops drawn around a rare class until one holds enough of it (Hoyer 2022)."""
_SHIFTS = 4
"""Places tried within half a block of one that is known to hold more than the mean."""


class Crop(NamedTuple):
    """Photo (bands, rows, cols) and labels (rows, cols), and whether the sampling rule placed it."""

    photo: NDArray[np.generic]
    labels: NDArray[np.uint8]
    placed: bool


_Cut = tuple[NDArray[np.generic], NDArray[np.uint8]]
_Draw = Callable[[np.random.Generator], _Cut | None]
"""Draws a crop as a rule says, or nothing where the part holds nothing to place it by."""


@final
class CropSampler:
    """Draws crops from a store as `plan.sampling` says; what is drawn depends on the generator given alone."""

    def __init__(self, store: CropStore, plan: Plan) -> None:
        """Prepare to draw.

        Raises:
            TrainingError: if the store holds no image.
        """
        if len(store) == 0:
            message = "The training part holds no image. Check the split in the audit."
            raise TrainingError(message)
        self._cutter = _Cutter(store, plan.crop.size, overlapping=plan.overlapping, classes=len(plan.classes))
        self._share = plan.sampling.share or 0.0
        self._rule = _rule(self._cutter, plan) if plan.sampling.rule != "uniform" else None

    def draw(self, rng: np.random.Generator) -> Crop:
        """Return photo (bands, size, size) and labels (size, size) of one crop that holds a counted pixel.

        With the chance `plan.sampling.share` the rule places it; otherwise, and where the part holds nothing to
        place it by, it lies anywhere.
        """
        cut = self._rule(rng) if self._rule is not None and rng.random() < self._share else None
        photo, labels = self._cutter.anywhere(rng) if cut is None else cut
        return Crop(*_padded(photo, labels, self._cutter.size), cut is not None)


def _rule(cutter: "_Cutter", plan: Plan) -> _Draw:
    sampling = plan.sampling
    if sampling.rule == "rare_class":
        return _rare_class(cutter, sampling.temperature or 1.0, sampling.minimum_pixels or 1)
    # A class without a pixel in this part has no place to draw.
    labels = [label for label in sampling.labels or () if len(cutter.store.holders(label))]
    if sampling.rule == "above_mean":
        return _above_mean(cutter, labels)
    if sampling.rule == "copy_paste":
        return partial(_pasted, cutter, labels, plan)
    return partial(_centred, cutter, labels)


@final
class _Cutter:
    """Cuts crops of one size out of a store."""

    def __init__(self, store: CropStore, size: int, *, overlapping: bool, classes: int) -> None:
        self.store, self.size = store, size
        self._overlapping, self.classes = overlapping, classes
        # Images are drawn in proportion to their pixels.
        self._up_to = np.cumsum(store.pixels())

    def pixels(self, labels: NDArray[np.uint8], label: int) -> int:
        """Count the pixels of a class."""
        return int(np.count_nonzero(members(labels, label, overlapping=self._overlapping)))

    def at(self, image: int, row: int, col: int) -> _Cut:
        """Return the crop that starts at a row and column, px, or as near to them as the image allows."""
        pair, size = self.store.pairs[image], self.size
        top = min(max(row, 0), max(pair.height - size, 0))
        left = min(max(col, 0), max(pair.width - size, 0))
        return self.store.crop(image, Window(top, left, min(size, pair.height), min(size, pair.width)))

    def around(self, place: tuple[int, int, int], rng: np.random.Generator) -> _Cut:
        """Return a crop around some pixel of a block, given its image, top and left (px)."""
        image, top, left = place
        down, right = (int(shift) for shift in rng.integers(0, BLOCK, size=2))
        return self.at(image, top + down - self.size // 2, left + right - self.size // 2)

    def anywhere(self, rng: np.random.Generator) -> _Cut:
        """Return a crop from anywhere that holds a labelled pixel, unless the part holds none."""
        for _ in range(_TRIES):
            image = int(np.searchsorted(self._up_to, rng.random() * self._up_to[-1], side="right"))
            pair = self.store.pairs[image]
            row = int(rng.integers(max(pair.height - self.size, 0) + 1))
            col = int(rng.integers(max(pair.width - self.size, 0) + 1))
            cut = self.at(image, row, col)
            if (cut[1] != VOID).any():
                return cut
        # Where next to everything is void, chance alone would go on missing what is labelled.
        labelled = self.store.holders(self.classes)
        for _ in range(_TRIES if len(labelled) else 0):
            cut = self.around(labelled.drawn(rng), rng)
            if (cut[1] != VOID).any():
                break
        return cut


def _centred(cutter: _Cutter, labels: Sequence[int], rng: np.random.Generator) -> _Cut | None:
    """Draw a class, then a block that holds it, all being equally likely (nnU-Net, Isensee 2021)."""
    if not labels:
        return None
    label = labels[int(rng.integers(len(labels)))]
    holders = cutter.store.holders(label)
    for _ in range(2 * _TRIES):
        cut = cutter.around(holders.drawn(rng), rng)
        if cutter.pixels(cut[1], label):
            return cut
    return None


def _rare_class(cutter: _Cutter, temperature: float, minimum: int) -> _Draw:
    """Draw a class by its rarity, an image that holds enough of it, and a place in there (Hoyer 2022)."""
    shares = [cutter.store.share(label) for label in range(cutter.classes)]
    if not any(shares):
        return lambda _: None
    chances = class_chances(shares, temperature)
    images = []
    for label in range(cutter.classes):
        pixels = cutter.store.holders(label).pixels if shares[label] else np.zeros(0, np.int64)
        # Where no image holds enough of the class, all that hold some must do.
        images.append(np.flatnonzero(pixels >= (minimum if (pixels >= minimum).any() else 1)))

    def draw(rng: np.random.Generator) -> _Cut | None:
        label = int(rng.choice(len(chances), p=chances))
        holders = cutter.store.holders(label)
        image = int(images[label][rng.integers(len(images[label]))])
        best, most = None, 0
        for _ in range(_RARE_TRIES):
            cut = cutter.around(holders.drawn_within(image, rng), rng)
            held = cutter.pixels(cut[1], label)
            if held > most:
                best, most = cut, held
            if held >= minimum:
                break
        return best

    return draw


def _above_mean(cutter: _Cutter, labels: Sequence[int]) -> _Draw:
    """Draw a class, then a crop in which its share of the labelled pixels is above its share of the part."""
    richer = {label: _Richer(cutter, label) for label in labels}
    usable = [label for label in labels if richer[label].places]

    def draw(rng: np.random.Generator) -> _Cut | None:
        if not usable:
            return None
        return richer[usable[int(rng.integers(len(usable)))]].draw(rng)

    return draw


@final
class _Richer:
    """Places at which a crop holds more of a class than the mean, by the counts of its blocks.

    Crops that start with a block are known without looking at a pixel; those within half a block of them are
    looked at. Every image comes up as often as crops from anywhere above the mean would lie in it.
    """

    def __init__(self, cutter: _Cutter, label: int) -> None:
        self._cutter, self._label, self._mean = cutter, label, cutter.store.share(label)
        self._places: list[NDArray[np.uint32]] = []
        self._starts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        chances = []
        for image in cutter.store.images:
            held = crop_counts(image, label, cutter.size)
            labelled = crop_counts(image, cutter.classes, cutter.size)
            richer = np.flatnonzero(held.least > self._mean * labelled.most)
            self._places.append(richer.astype(np.uint32))
            self._starts.append((held.rows, held.cols))
            chances.append(image.height * image.width * len(richer) / held.least.size)
        self._up_to = np.cumsum(chances)
        self.places = sum(len(found) for found in self._places)

    def draw(self, rng: np.random.Generator) -> _Cut:
        image = int(np.searchsorted(self._up_to, rng.random() * self._up_to[-1], side="right"))
        place = int(self._places[image][rng.integers(len(self._places[image]))])
        rows, cols = self._starts[image]
        row, col = int(rows[place // len(cols)]), int(cols[place % len(cols)])
        for _ in range(_SHIFTS):
            down, right = (int(shift) for shift in rng.integers(-BLOCK // 2, BLOCK // 2, size=2))
            cut = self._cutter.at(image, row + down, col + right)
            held = self._cutter.pixels(cut[1], self._label)
            if held > self._mean * np.count_nonzero(cut[1] != VOID):
                return cut
        return self._cutter.at(image, row, col)


def _pasted(cutter: _Cutter, labels: Sequence[int], plan: Plan, rng: np.random.Generator) -> _Cut | None:
    """Draw a crop from anywhere, and paste objects from around a place that holds a rare class."""
    if not labels:
        return None
    label = labels[int(rng.integers(len(labels)))]
    source = cutter.around(cutter.store.holders(label).drawn(rng), rng)
    return paste_objects(
        source,
        cutter.anywhere(rng),
        label,
        overlapping=plan.overlapping,
        mirror=plan.augmentation.mirror,
        rng=rng,
    )


def _padded(photo: NDArray[np.generic], labels: NDArray[np.uint8], size: int) -> _Cut:
    """Enlarge a crop of a small image to (size, size): photo mirrored at its edge, labels void."""
    rows, cols = size - labels.shape[0], size - labels.shape[1]
    if rows == 0 and cols == 0:
        return photo, labels
    return (
        np.pad(photo, ((0, 0), (0, rows), (0, cols)), mode="symmetric"),
        np.pad(labels, ((0, rows), (0, cols)), constant_values=VOID),
    )
