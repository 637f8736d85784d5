"""Which samples, classes and places training draws: chances that follow from the audit's numbers."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.records.audit import CROP_SIZES, ClassFacts, PartFacts

SPREAD = 0.65
"""Classes drawn, counted as exp(entropy) of their chances, per class that occurs.

The published T = 0.01 was set for the 19 classes of Cityscapes. With their shares (0.369 road, 0.228 building,
0.159 vegetation, ... 0.001 motorcycle; from the class weights that ERFNet publishes) it draws as if there were 12.3
equally likely classes: 0.65 of 19. On three classes of 63, 25 and 12 % the same T draws as if there were one.
"""
ELONGATED = 5.0
"""Area over squared width from which a class is not blob-like: a disc has 0.79, an ellipse of 6 to 1 has 4.7."""
SELDOM = 0.05
"""Share below which one of several exclusive classes is left out by unweighted cross-entropy (CamVid)."""
MISSED = 0.3
"""Chance of a crop to hold a class below which crops are centred on it."""
_LOWEST, _HIGHEST = 1e-6, 100.0
_HALVINGS = 100


def class_chances(shares: Sequence[float], temperature: float) -> NDArray[np.float64]:
    """Return the chance of each class to be drawn, P(c) = softmax((1 - f_c) / T), shape (classes,), sum 1.

    `shares` holds f_c, the share of labelled pixels, 0..1; a class of share 0 is never drawn. `temperature` is
    T > 0: the lower, the more the rarest class is preferred.
    Raises SettingError if no share is above 0, one is outside 0..1 or not finite, or T is not above 0.

    Reference: Hoyer 2022 (DAFormer), arXiv:2111.14887, eq. 5 and 6.
    """
    if not 0 < temperature < math.inf:
        message = f"sampling.temperature must be a number above 0; got {temperature}. Leave it out to have it chosen."
        raise SettingError(message)
    values = np.asarray(shares, np.float64)
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)) or not values.any():
        message = (
            f"shares must be one number from 0 to 1 per class, one of them above 0; got {list(shares)}. "
            "Take them from the audit."
        )
        raise SettingError(message)
    # Of the rarest: its exponent is 0, so that no temperature overflows.
    exponents = (values[values > 0].min() - values) / temperature
    chances = np.where(values > 0, np.exp(np.minimum(exponents, 0)), 0)
    return np.asarray(chances / chances.sum(), np.float64)


def chosen_temperature(shares: Sequence[float]) -> float:
    """Return T of `class_chances` at which SPREAD of the classes that occur are drawn, by exp(entropy).

    A fixed T is right for one number of classes only: T = 0.01 draws 19 classes as if there were 12.3, and of
    three (63, 25, 12 %) the rarest alone, so that the others are never looked for. The spread rises with T from
    the number of classes that share the last place to the number of classes, so bisection finds it; where more
    than SPREAD of them share it, the lowest T, 1e-6, is nearest. One class alone has any T: 1 is returned.
    Raises SettingError as `class_chances`.
    """
    classes = np.count_nonzero(class_chances(shares, 1.0))
    if classes == 1:
        return 1.0
    low, high = math.log(_LOWEST), math.log(_HIGHEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _spread(class_chances(shares, math.exp(middle))) < SPREAD * classes:
            low = middle
        else:
            high = middle
    return math.exp(high)


def _spread(chances: NDArray[np.float64]) -> float:
    drawn = chances[chances > 0]
    return float(np.exp(-(drawn * np.log(drawn)).sum()))


def elongation(facts: ClassFacts) -> float | None:
    """Return area over squared width of a class's objects: 0.8 for discs, the ratio of sides for strips.

    The area is the larger of the median and the mean over objects, so that specks beside a road network do not
    hide it. None where the class is absent.
    """
    if facts.median_width is None or facts.median_size is None or not facts.objects:
        return None
    return max(facts.median_size, facts.pixels / facts.objects) / facts.median_width**2


def blob_like(facts: ClassFacts) -> bool:
    """Return whether objects of the class can be cut out and pasted elsewhere: compact, not parts of a network.

    A piece of road pasted into a field leads nowhere, and teaches that roads do. False for an absent class.
    """
    ratio = elongation(facts)
    return ratio is not None and ratio < ELONGATED


def blob_reason(facts: ClassFacts) -> str:
    """Return the sentence part that says with numbers whether a class is blob-like."""
    ratio = elongation(facts)
    if ratio is None:
        return f"{facts.name} does not occur"
    size = max(facts.median_size or 0, facts.pixels / facts.objects)
    kind = "compact" if blob_like(facts) else "linear or joined: pasted, it would lead nowhere"
    return (
        f"objects of {facts.name} cover {size:.4g} px at a width of {facts.median_width:.3g} px, {ratio:.3g} times "
        f"the width squared (a disc: 0.8; linear from {ELONGATED:g}): {kind}"
    )


def measured_crop(facts: PartFacts, crop: int) -> int | None:
    """Return the largest measured crop size not above `crop` (or the smallest), None if none was measured."""
    measured = [
        size for size, positions in zip(CROP_SIZES, facts.counts.crop_positions, strict=True) if positions
    ]
    return max((size for size in measured if size <= crop), default=measured[0] if measured else None)


def crop_chances(facts: PartFacts, crop: int) -> dict[int, float]:
    """Return the chance that a crop of `crop` px holds each class that is seldom, by index.

    Images too small to be measured are crops themselves.
    """
    looked_at = measured_crop(facts, crop)
    place = None if looked_at is None else CROP_SIZES.index(looked_at)
    found = {}
    for label, entry in enumerate(facts.classes):
        if entry.pixels and entry.share < SELDOM:
            chance = None if place is None else entry.crop_chance[place]
            found[label] = entry.images / facts.counts.images if chance is None else chance
    return found


def class_balanced_indices(
    labels: NDArray[np.integer], rng: np.random.Generator, draws: int
) -> NDArray[np.int64]:
    """Draw sample numbers so that every class that occurs comes up equally often, in random order.

    `labels` (n,) holds each sample's class. Each of the k classes that occur gets draws // k draws, and the
    remainder goes to classes drawn at random. Within a class all samples are drawn once before one is drawn
    again, so a rare class repeats as evenly as it can, and a frequent one not at all.
    Returns (draws,) indices into `labels`. A network trained so has learnt equal shares: see
    `priors.shift`. Raises SettingError if `labels` is empty or not flat, or `draws` is below 1.

    Reference: Kang et al. 2020, arXiv:1910.09217, sec. 3 (class-balanced sampling).
    """
    if labels.ndim != 1 or labels.size == 0:
        message = (
            "labels must be flat and hold at least one sample; "
            f"got shape {labels.shape}. Pass one label per sample."
        )
        raise SettingError(message)
    if draws < 1:
        message = f"draws must be 1 or more; got {draws}. Name how many samples an epoch has."
        raise SettingError(message)
    present = np.unique(labels)
    quota = np.full(len(present), draws // len(present))
    quota[rng.permutation(len(present))[: draws % len(present)]] += 1
    drawn = [
        _in_turns(np.flatnonzero(labels == label), rng, int(count))
        for label, count in zip(present, quota, strict=True)
    ]
    return np.asarray(rng.permutation(np.concatenate(drawn)), np.int64)


def _in_turns(members: NDArray[np.int64], rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    rounds = -(-count // len(members))
    return np.asarray(
        np.concatenate([members[:0], *(rng.permutation(members) for _ in range(rounds))])[:count]
    )
