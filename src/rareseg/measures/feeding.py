"""How a model wants its images: layout, scale, order of bands; and what its answers are.

Model files seldom say it. Each way is tried on a few labelled images, and the one under which the answers rank the
labels best is taken, if it is better by more than chance; of ways that do equally well, the most usual one. A model
that ranks nothing tells nothing: then the usual way stands, marked as not certain.

"Better by more than chance" compares the same images: the jackknife over images gives the standard error of the
difference (Efron & Stein 1981, Annals of Statistics 9:586).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.feeding_trials import MOST_IMAGES, Sample, Trials, Tried, order
from rareseg.measures.preparations import (
    LAYOUTS,
    Answerer,
    Floats,
    Layout,
    Scale,
    Way,
    in_planes,
    probabilities_of,
)
from rareseg.records.evidence import Activation

__all__ = ["Feeding", "Sample", "Tried", "Way", "infer_feeding"]

RANKS = 0.1
"""Least skill, (AP - prevalence) / (1 - prevalence), at which a model is said to rank pixels at all."""
FAR_BETTER = 0.1
"""From such a gain in skill on, feeding is said to be wrong rather than not quite right."""

_LEAST_GAIN = 0.02
_SURE, _LIKELY = 2.5, 1.0
"""Standard errors from which on a way is surely better, and from which on it is taken."""


@final
@dataclass(frozen=True, slots=True)
class Feeding:
    """How a model is fed, and how its answers are read."""

    way: Way
    activation: Activation
    channels: tuple[int, ...]
    """Channel of each class; of one channel: (0,), or (-1,) if it answers for the other class of two."""
    classes: int
    overlapping: bool
    certain: bool
    """The answers fit best this way, and every other way does worse by more than chance."""
    because: str
    """One sentence with the numbers."""
    tried: tuple[Tried, ...]
    """All ways, best first."""

    @property
    def used(self) -> Tried:
        """The way that is used, and how well its answers fit."""
        return next(one for one in self.tried if one.way == self.way)

    @property
    def gain(self) -> float:
        """Skill over that of the next best way; negative if another one does better."""
        others = [one.skill for one in self.tried if one.way != self.way]
        return self.used.skill - max(others, default=0.0)

    @property
    def far_better(self) -> Tried | None:
        """The best way, if it beats the one that is used by far and not by chance: so the model was trained."""
        best, used = self.tried[0], self.used
        far = best.skill >= RANKS and best.skill - used.skill >= FAR_BETTER
        return best if far and _beats(best, used) else None

    def answer(self, model: Answerer, images: NDArray[Any]) -> Floats:
        """Return probabilities (N, classes, rows, cols), or (N, 1, rows, cols) of class 1 of two.

        Args:
            model: the one that this was inferred for.
            images: (N, bands, rows, cols) as stored.
        """
        answers = np.asarray(model(self.way.feed(images)), np.float32)
        planes = in_planes(answers, self.way.layout, _size(images), self.classes)
        found = probabilities_of(planes, self.activation, overlapping=self.overlapping)
        if self.channels == (-1,):
            return 1 - found
        return found if self.channels == tuple(range(len(self.channels))) else found[:, list(self.channels)]


def infer_feeding(
    model: Answerer,
    samples: Sequence[Sample],
    *,
    classes: int,
    overlapping: bool = False,
    layout: Layout | None = None,
    scale: Scale | None = None,
    reversed_bands: bool | None = None,
    activation: Activation | None = None,
    most: int = MOST_IMAGES,
) -> Feeding:
    """Find out how a model is fed.

    Args:
        model: takes float32 images in its own layout and gives float32 answers in its own. An attribute `input_shape`
            (batch, channels, rows, cols in its order, None where any will do) is heeded where it has one.
        samples: labelled images, best 3 to 8, with and without the rare class.
        classes: number of classes.
        overlapping: whether labels are bit sets.
        layout: as the caller says; the other one is not tried.
        scale: as the caller says. The others are tried too, and `Feeding.far_better` tells if that was wrong.
        reversed_bands: as the caller says; as for `scale`.
        activation: as the caller says.
        most: images that are looked at; each is answered up to 14 times. With fewer than 3, nothing is certain.

    Raises:
        DataError: if no sample holds a labelled pixel.
        SettingError: if the model runs in no layout, with what it raised, or answers for other classes.
    """
    trials = Trials(
        model, samples, classes=classes, overlapping=overlapping, activation=activation, most=most
    )
    tried = trials.all(LAYOUTS if layout is None else (layout,))
    informative = tried[0].skill >= RANKS
    equal = [one for one in tried if not informative or not _beats(tried[0], one)]
    near = [one for one in equal if not informative or not _beats(tried[0], one, errors=_LIKELY)]
    usual = min(near, key=lambda one: order(one.way))
    chosen = _said(usual, tried, scale, reversed_bands)
    return Feeding(
        way=chosen.way,
        activation=chosen.activation,
        channels=chosen.channels if informative else _plain(chosen),
        classes=classes,
        overlapping=overlapping,
        certain=informative and len(equal) == 1 and chosen is usual,
        because=_because(chosen, tried, equal, informative=informative, said=chosen is not usual),
        tried=tried,
    )


def _plain(one: Tried) -> tuple[int, ...]:
    return tuple(range(len(one.channels)))


def _said(usual: Tried, tried: Sequence[Tried], scale: Scale | None, reversed_bands: bool | None) -> Tried:
    """Return the best of the ways that the caller allows; what is found where nothing was said."""
    if scale is None and reversed_bands is None:
        return usual
    allowed = [
        one
        for one in tried
        if scale in (None, one.way.scale) and reversed_bands in (None, one.way.reversed_bands)
    ]
    if not allowed:
        message = f"There is no scale {scale!r} with reversed bands {reversed_bands} for images of this kind."
        raise SettingError(message)
    return usual if usual in allowed else allowed[0]


def _beats(better: Tried, worse: Tried, *, errors: float = _SURE) -> bool:
    """Tell whether one way fits better than another by so many standard errors, by the jackknife over images."""
    gain, images = better.skill - worse.skill, len(better.without)
    if gain < _LEAST_GAIN or images < 3:
        return False
    left_out = np.subtract(better.without, worse.without)
    error = float(np.sqrt((images - 1) / images * np.square(left_out - left_out.mean()).sum()))
    return gain > errors * error


def _because(
    chosen: Tried, tried: Sequence[Tried], equal: Sequence[Tried], *, informative: bool, said: bool
) -> str:
    ways = f"{len(tried)} ways of feeding were tried"
    if said:
        better = f"; best is {tried[0].skill:.3f} with {tried[0].way}" if tried[0].way != chosen.way else ""
        return f"As said: {chosen.way}. Skill {chosen.skill:.3f}{better}."
    if not informative:
        return (
            f"It cannot be told how this model is fed: {ways}, and under none do its answers rank the labels "
            f"(best skill {tried[0].skill:.3f}). Taken as usual: {chosen.way}."
        )
    others = [one for one in tried if one.way != chosen.way]
    next_best = f", next best {others[0].skill:.3f} with {others[0].way}" if others else ""
    equally = f" {len(equal) - 1} other ways do as well, within chance." if len(equal) > 1 else ""
    return (
        f"{ways}: answers fit the labels with skill {chosen.skill:.3f} with {chosen.way}{next_best}.{equally}"
    )


def _size(images: NDArray[Any]) -> tuple[int, int]:
    return int(images.shape[-2]), int(images.shape[-1])
