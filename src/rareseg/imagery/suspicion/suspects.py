"""Images whose labels disagree with what the labels of all other images teach."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.imagery.suspicion.local_signs import indicators, local_levels
from rareseg.imagery.suspicion.looks import VOID, Floats, Labels
from rareseg.imagery.suspicion.pairing import whitener

LEVELS = 8
LEAST_IMAGES = 12
LEAST_FIT = 0.25
"""Median correlation of labels with what the others teach, below which no image is suspected."""
OUTLYING = 4.5
"""Robust deviations below the median from which on an image is suspected."""
MOST_FIT, MOST_OF_USUAL = 0.08, 1 / 3
"""Correlation, and share of the usual one, above both of which no image is suspected, however well the others fit:
wrong labels meet a third of what they should by chance."""
MISSED = 0.3
"""Unlabelled pixels more like the class than half of it is, over those labelled in the usual image."""
BEYOND_CHANCE = 2.5
"""The same over what looks like the class beside it in labelled images."""
LEAST_LABELLED = 0.3
"""Labelled pixels, over those of the usual image, below which an image is not suspected of wrong ones."""
MOST_LISTED = 20

Doubles = NDArray[np.float64]


class Suspect(NamedTuple):
    """An image, by its number, and why."""

    image: int
    reason: str
    weight: float


def suspects_of(pictures: Floats, labels: Labels, rare: int) -> tuple[Suspect, ...]:
    """Find images whose labels look wrong, worst first.

    The class `rare` against all others is regressed on local signs over all other images, and the answer is
    correlated with the image's own labels.

    Args:
        pictures: (images, bands, rows, cols) float32, finite; windows without the class may be among them.
        labels: (images, rows, cols) int16, -1 where not counted.
        rare: the class.
    """
    if len(pictures) < LEAST_IMAGES:
        return ()
    flat = labels.reshape(len(labels), -1)
    held = ((flat == rare) & (flat != VOID)).astype(np.float32)
    amounts = held.mean(axis=1)
    labelled = np.flatnonzero(amounts > 0)
    if len(labelled) < LEAST_IMAGES // 2:
        return ()
    scores = _scores(pictures, held, flat != VOID)
    fits = _fits(scores, held, flat != VOID)
    usual = float(np.nanmedian(fits[labelled])) if np.isfinite(fits[labelled]).any() else 0.0
    if usual < LEAST_FIT:
        return ()
    found = [*_outlying(fits, amounts, usual), *_missed(scores, held, _away(labels == rare), labelled)]
    return tuple(sorted(found, key=lambda suspect: -suspect.weight)[:MOST_LISTED])


def correlations(pictures: Floats, held: Floats, counted: NDArray[np.bool_]) -> Doubles:
    """Return how what is marked in each image follows what the marks of all other images teach, (images,), -1..1.

    Args:
        pictures: (images, bands, rows, cols) float32, finite.
        held: (images, pixels) float32, 1 where marked, else 0.
        counted: (images, pixels); NaN comes of images in which what is counted is all marked, or nothing is.
    """
    return _fits(_scores(pictures, held, counted), held, counted)


def _fits(scores: Floats, held: Floats, counted: NDArray[np.bool_]) -> Doubles:
    return np.array([_correlation(*one) for one in zip(scores, held, counted, strict=True)])


def _scores(pictures: Floats, held: Floats, counted: NDArray[np.bool_]) -> Floats:
    """Return, per image and pixel, what a model of the other images answers; (images, pixels), no unit."""
    levels = local_levels(pictures, LEVELS)
    joint, within = [], []
    for image, own, known in zip(levels, held, counted, strict=True):
        rows = indicators(image, LEVELS)
        centred = (own - own[known].mean() if known.any() else own) * known
        joint.append((rows @ centred).astype(np.float64))
        within.append((rows @ rows.T).astype(np.float64))
    all_joint, all_within = np.sum(joint, axis=0), np.sum(within, axis=0)
    scores = np.empty(held.shape, np.float32)
    for index, image in enumerate(levels):
        white = whitener(all_within - within[index])
        slope = white.T @ (white @ (all_joint - joint[index]))
        scores[index] = slope.astype(np.float32) @ indicators(image, LEVELS)
    return scores


def _correlation(score: Floats, held: Floats, counted: NDArray[np.bool_]) -> float:
    score, held = score[counted], held[counted]
    if not held.size or held.std() == 0 or score.std() == 0:
        return float("nan")
    return float(np.corrcoef(score, held)[0, 1])


def _outlying(fits: Doubles, amounts: Floats, usual: float) -> list[Suspect]:
    labelled = np.flatnonzero(amounts >= LEAST_LABELLED * np.median(amounts[amounts > 0]))
    spread = 1.4826 * float(np.nanmedian(np.abs(fits[labelled] - usual))) + 0.02
    return [
        Suspect(
            int(index),
            f"its labels follow what the other images teach by {fits[index]:.2f} only (usually {usual:.2f})",
            float((usual - fits[index]) / spread),
        )
        for index in labelled
        if fits[index] < min(max(MOST_FIT, MOST_OF_USUAL * usual), usual - OUTLYING * spread)
    ]


def _away(held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels further than 3 px from the class, (images, pixels): beside it much looks alike."""
    square = np.ones((7, 7), np.uint8)
    near = [cv2.dilate(np.asarray(one, np.uint8), square) for one in held]
    return np.asarray(np.stack(near).reshape(len(held), -1) == 0)


def _missed(
    scores: Floats, held: Floats, away: NDArray[np.bool_], labelled: NDArray[np.int64]
) -> list[Suspect]:
    """Find images that look like holding the class, and have no label of it."""
    amounts = held.mean(axis=1)
    typical = float(np.median(amounts[labelled]))
    least = float(np.median(np.concatenate([scores[i][held[i] > 0] for i in labelled])))
    alike = np.array([float(np.mean(score[far] > least)) if far.any() else 0.0
                      for score, far in zip(scores, away, strict=True)])  # fmt: skip
    # Of labelled images this is what looks alike by chance.
    limit = max(float(np.quantile(alike[labelled], 0.95)) * BEYOND_CHANCE, MISSED * typical)
    return [
        Suspect(
            int(index),
            f"{alike[index]:.1%} of it looks like the class, and none is labelled (usually {typical:.1%} is)",
            float(alike[index] / limit),
        )
        for index in np.flatnonzero((amounts == 0) & (alike > limit))
    ]


def chosen_names(found: Sequence[Suspect], names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the suspects' names and the reasons."""
    return tuple(names[one.image] for one in found), tuple(one.reason for one in found)
