"""Trying ways of feeding a model on crops of labelled images, and scoring how well its answers fit."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.collapse import skill
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.preparations import (
    LAYOUTS,
    SCALES,
    Answerer,
    Floats,
    Layout,
    Way,
    activation_of,
    in_planes,
    probabilities_of,
    scales_for,
)
from rareseg.measures.probabilities import log_odds
from rareseg.measures.tally import members
from rareseg.records.dataset import VOID
from rareseg.records.evidence import Activation

Labels = NDArray[np.uint8]

MOST_IMAGES = 8
SIDE = 256
"""px: of the crops that are tried, where the model does not fix another size."""

_MULTIPLE = 32
_HANDICAP = 0.1
"""What answers of other channels than the usual must be better by, in skill, to be believed."""


class Sample(NamedTuple):
    """One labelled image as stored: (bands, rows, cols), and (rows, cols) uint8 with 255 where not counted."""

    image: NDArray[Any]
    labels: Labels


class Tried(NamedTuple):
    """One way of feeding, and how well the answers fit."""

    way: Way
    skill: float
    """Mean over the classes asked for of (AP - prevalence) / (1 - prevalence): 0 is chance, 1 perfect."""
    without: tuple[float, ...]
    """The same with each of the images left out in turn."""
    channels: tuple[int, ...]
    """Channel that fits each class; of one channel: (0,), or (-1,) if it answers for the other class of two."""
    activation: Activation


@final
class Trials:
    """A model, crops of labelled images, and what is asked of them."""

    def __init__(
        self,
        model: Answerer,
        samples: Sequence[Sample],
        *,
        classes: int,
        overlapping: bool,
        activation: Activation | None,
        most: int = MOST_IMAGES,
    ) -> None:
        """Choose up to `most` images, those with most rare pixels first.

        Raises:
            DataError: if no sample holds a labelled pixel, or they differ in type or bands.
        """
        self._model, self._classes = model, classes
        self._overlapping, self._activation = overlapping, activation
        counts = np.array([_class_pixels(one.labels, classes, overlapping) for one in samples]).reshape(
            -1, classes
        )
        if not counts.sum():
            message = (
                "Expected labelled images to find out how the model is fed, but no pixel of them is labelled."
            )
            raise DataError(message)
        kinds = {(one.image.dtype, len(one.image)) for one in samples}
        if len(kinds) > 1:
            message = f"Expected images of one type and number of bands, got {sorted(map(str, kinds))}."
            raise DataError(message)
        total = counts.sum(axis=0)
        self._rare = (
            int(np.where(total > 0, total, total.max() + 1).argmin()) if classes > 2 else min(1, classes - 1)
        )
        order = np.argsort(-counts[:, self._rare], kind="stable")[:most]
        self._samples = [samples[index] for index in order]
        self.dtype, self.bands = samples[0].image.dtype, len(samples[0].image)

    def all(self, layouts: Sequence[Layout]) -> tuple[Tried, ...]:
        """Try all scales and both orders of bands in those layouts that run; best first.

        Raises:
            SettingError: if the model runs in no layout, with what it raised, or answers for other classes.
        """
        runs, refusals = [], []
        for layout in layouts:
            try:
                runs.append((layout, self._try(Way(layout=layout))))
            except Exception as error:  # the model may be of any framework
                refusals.append(f"{layout.upper()}: {str(error).strip() or type(error).__name__}")
        if not runs:
            message = (
                f"The model does not run on images of {self.bands} bands. {' / '.join(refusals)} "
                "Say its layout, and bring images with the bands it was trained on."
            )
            raise SettingError(message)
        tried = [first for _, first in runs]
        orders = (False, True) if self.bands >= 3 else (False,)
        every = product(scales_for(self.dtype, self.bands), orders, (layout for layout, _ in runs))
        ways = [Way(*one) for one in every]
        tried += self._those_that_run(way for way in ways if way.scale != "unit" or way.reversed_bands)
        return tuple(sorted(tried, key=_by_skill))

    def _those_that_run(self, ways: Iterable[Way]) -> list[Tried]:
        """Try ways, and leave out those under which the model raises or answers with what is no number."""
        found = []
        for way in ways:
            try:
                found.append(self._try(way))
            except Exception:  # the model may be of any framework
                continue
        return found

    def _try(self, way: Way) -> Tried:
        crops = [_crop(one, self._side(way.layout), self._rare, self._overlapping) for one in self._samples]
        planes = []
        for crop in crops:
            answers = self._model(way.feed(crop.image[None]))
            planes.append(
                in_planes(np.asarray(answers, np.float32), way.layout, crop.labels.shape, self._classes)
            )
        activation = self._activation or activation_of(planes)
        odds = [_odds(one[0], activation, overlapping=self._overlapping) for one in planes]
        curves, channels = self._curves(odds, crops), tuple(range(len(odds[0])))
        best = self._mean_skill(_total(curves))
        for exchanged in self._exchanges(odds, crops):
            others = self._curves([_arranged(one, exchanged) for one in odds], crops)
            if (other := self._mean_skill(_total(others))) - _HANDICAP > best:
                best, curves, channels = other, others, exchanged
        return Tried(way, best, self._without_each(curves), channels, activation)

    def _exchanges(self, odds: Sequence[Floats], crops: Sequence[Sample]) -> list[tuple[int, ...]]:
        """Return orders of channels other than the usual that may fit better."""
        channels = len(odds[0])
        if channels == 1:
            return [(-1,)] if not self._overlapping else []
        if channels == 2:
            return [(1, 0)]
        fits = np.stack([self._fit_of_channel(odds, crops, channel) for channel in range(channels)])
        return [_assigned(fits)]

    def _fit_of_channel(
        self, odds: Sequence[Floats], crops: Sequence[Sample], channel: int
    ) -> NDArray[np.float64]:
        """Return the skill of one channel for each of the classes."""
        alike = [np.broadcast_to(one[channel], one.shape) for one in odds]
        curve = self._curves(alike, crops)
        return np.array([0.0 if value is None else value for value in _skills(_total(curve))])

    def _without_each(self, curves: Sequence[ScoreHistogram]) -> tuple[float, ...]:
        """Return the skill with each crop left out."""
        total = _total(curves)
        rests = (
            ScoreHistogram(total.positives - one.positives, total.negatives - one.negatives) for one in curves
        )
        return tuple(self._mean_skill(rest) for rest in rests)

    def _curves(self, odds: Sequence[Floats], crops: Sequence[Sample]) -> list[ScoreHistogram]:
        """Count each crop; one channel of two classes stands for class 1."""
        counted = []
        for one, crop in zip(odds, crops, strict=True):
            labels = crop.labels
            if len(one) == 1 and not self._overlapping:
                # The only channel is the first of the histogram: class 1 takes the place of class 0.
                labels = np.where(labels == VOID, labels, (labels != 1).astype(np.uint8))
            counted.append(
                ScoreHistogram.count(np.ascontiguousarray(one), labels, overlapping=self._overlapping)
            )
        return counted

    def _mean_skill(self, curve: ScoreHistogram) -> float:
        """Return the mean skill over the classes asked for: the rare one of two, else all that are present."""
        skills = _skills(curve)
        asked = skills if len(skills) != 2 or self._overlapping else skills[1:]
        present = [value for value in asked if value is not None]
        return float(np.mean(present)) if present else 0.0

    def _side(self, layout: Layout) -> tuple[int | None, int | None]:
        """Return rows and cols that the model fixes."""
        shape = getattr(self._model, "input_shape", None)
        if not isinstance(shape, tuple) or len(shape) != 4:
            return None, None
        return (shape[2], shape[3]) if layout == "nchw" else (shape[1], shape[2])


def order(way: Way) -> tuple[int, int, int]:
    """Return a key that sorts ways by how usual they are."""
    return LAYOUTS.index(way.layout), int(way.reversed_bands), list(SCALES).index(way.scale)


def _by_skill(one: Tried) -> tuple[float, tuple[int, int, int]]:
    return -one.skill, order(one.way)


def _class_pixels(labels: Labels, classes: int, overlapping: bool) -> list[int]:
    return [
        int(np.count_nonzero(members(labels, index, overlapping=overlapping))) for index in range(classes)
    ]


def _skills(curve: ScoreHistogram) -> list[float | None]:
    """Return the skill for each class, None where it is absent or everywhere."""
    found: list[float | None] = []
    for index, precision in enumerate(curve.average_precision()):
        here = int(curve.positives[index].sum())
        prevalence = here / max(here + int(curve.negatives[index].sum()), 1)
        found.append(None if precision is None or prevalence == 1 else skill(precision, prevalence))
    return found


def _arranged(odds: Floats, channels: tuple[int, ...]) -> Floats:
    """Return the channels in the order of the classes; (-1,) is one channel for the other class."""
    return -odds if channels == (-1,) else odds[list(channels)]


def _total(curves: Sequence[ScoreHistogram]) -> ScoreHistogram:
    total = curves[0]
    for one in curves[1:]:
        total += one
    return total


def _assigned(fits: NDArray[np.float64]) -> tuple[int, ...]:
    """Give each class a channel of its own, best fits first; `fits` is (channels, classes)."""
    left, chosen = fits.copy(), np.zeros(len(fits), np.int64)
    for _ in range(len(fits)):
        channel, label = np.unravel_index(int(left.argmax()), left.shape)
        chosen[label] = channel
        left[channel, :] = left[:, label] = -np.inf
    return tuple(chosen.tolist())


def _odds(planes: Floats, activation: Activation, *, overlapping: bool) -> Floats:
    """Return log-odds (channels, rows, cols): of logits directly, since probabilities round to 1."""
    if activation != "none":
        return log_odds(probabilities_of(planes[None], activation, overlapping=overlapping)[0])
    if len(planes) == 1 or overlapping:
        return planes
    odds = np.empty_like(planes)
    for index in range(len(planes)):
        others = np.delete(planes, index, axis=0)
        most = others.max(axis=0)
        odds[index] = planes[index] - most - np.log(np.exp(others - most).sum(axis=0))
    return odds


def _crop(sample: Sample, sides: tuple[int | None, int | None], rare: int, overlapping: bool) -> Sample:
    """Return the part of an image with most pixels of the rare class; what lies outside the image is void."""
    wanted = tuple(
        said or max(_MULTIPLE, min(full, SIDE) // _MULTIPLE * _MULTIPLE)
        for said, full in zip(sides, sample.labels.shape, strict=True)
    )
    holds = members(sample.labels, rare, overlapping=overlapping)
    most, place = -1, (0, 0)
    for top, left in product(*(_starts(full, side) for full, side in zip(holds.shape, wanted, strict=True))):
        count = int(np.count_nonzero(holds[top : top + wanted[0], left : left + wanted[1]]))
        if count > most:
            most, place = count, (top, left)
    part = tuple(slice(start, start + side) for start, side in zip(place, wanted, strict=True))
    image, labels = sample.image[:, *part], sample.labels[part]
    missing = [(0, side - got) for side, got in zip(wanted, labels.shape, strict=True)]
    return Sample(
        np.pad(image, [(0, 0), *missing], mode="edge"), np.pad(labels, missing, constant_values=VOID)
    )


def _starts(full: int, side: int) -> list[int]:
    last = max(0, full - side)
    return sorted({*range(0, last, max(side // 2, 1)), last})
