"""Seams: does a map break where one tile ends and the next begins?

For a tile size T, borders lie at rows and columns T, 2T, ... of the image. Two things are measured at each of them, and
at two lines 64 px (tiles below 128 px: 32 px) to either side, which see the same kind of picture but no border:

- the jump: mean |difference of log-odds| of the two pixels that meet there, over that of steps 3 px away;
- with labels, the share of wrong pixels within 8 px.

A grid counts as seams only if its borders differ from their own controls, by a t-test over pieces of a tile's length,
and by a factor that matters. Networks leave artefacts with the period of their stride, 32 px at most, on maps without
any tile; borders and controls lie a multiple of 32 px apart, so that both carry them.

The sums of the t-tests add up, so memory does not grow with the images. Reference: Student 1908; the normal score of
t is that of Wallace 1959 (Annals of Mathematical Statistics 30:1121).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.borders import borders, profile
from rareseg.measures.probabilities import class_map, log_odds
from rareseg.records.dataset import VOID

TILES = (
    *(48, 64, 80, 96, 100, 112, 128, 144, 150, 160, 192, 200, 224, 240, 250, 256, 288, 300, 320, 384, 400, 448, 480),
    *(500, 512, 576, 600, 640, 768, 800, 1000, 1024),
)  # fmt: skip
"""px: usual sides of tiles, in powers of two, their halves and thirds, and round numbers."""
SURE = 4.0
"""Normal score from which on a grid counts: p = 3e-5 for each of the tile sizes, 1 in 500 maps for all of them."""
MATTERS = 1.2
"""Least factor of jumps or errors at borders over those elsewhere."""
LEAST_TILE = 48
"""px: borders of smaller tiles lie too close to be compared with anything."""

_REACH = 6.0
"""Log-odds beyond are levelled: a step from 1e-5 to 1e-4 changes no map."""
_LEAST_PIECES = 4
_NEARLY = 0.65

Answers = NDArray[np.float32] | NDArray[np.uint8]


class Seams(NamedTuple):
    """What was found; all None if there are no seams that can be told from chance."""

    tile: int | None = None
    """px"""
    ratio: float | None = None
    """Error rate within 8 px of borders over that elsewhere; None without labels."""
    jump: float | None = None
    """Jumps across borders over those at lines beside them."""
    score: float | None = None
    """Normal score of the clearer of the two: how sure it is."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class SeamCounts:
    """Sums over the borders of each tile size; `+` merges windows, images and machines.

    `jumps` and `errors` are float64 (tiles, 3): pieces, sum and sum of squares of what a border has over its controls,
    in log units and as (a - b) / (a + b). `near` is int64 (tiles, 2): wrong and counted pixels within 8 px of borders;
    `all` int64 (2,): of all pixels, both counted once along rows and once along columns.
    """

    tiles: tuple[int, ...]
    jumps: NDArray[np.float64]
    errors: NDArray[np.float64]
    near: NDArray[np.int64]
    all: NDArray[np.int64]

    @classmethod
    def empty(cls, tiles: Sequence[int] = ()) -> Self:
        """Return the counts of nothing, for the usual tile sizes and those in `tiles` (px, at least 48).

        Raises:
            SettingError: if a tile is smaller.
        """
        if any(tile < LEAST_TILE for tile in tiles):
            message = f"Seams can be told for tiles of {LEAST_TILE} px and more, got {min(tiles)} px."
            raise SettingError(message)
        every = tuple(sorted({*TILES, *tiles}))
        zeros = np.zeros((len(every), 3))
        return cls(every, zeros, zeros, np.zeros((len(every), 2), np.int64), np.zeros(2, np.int64))

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of windows."""
        if self.tiles != other.tiles:
            message = (
                f"Counts for tiles of {self.tiles} and {other.tiles} px cannot be added. Count both alike."
            )
            raise SettingError(message)
        sums = (self.jumps + other.jumps, self.errors + other.errors)
        return type(self)(self.tiles, *sums, self.near + other.near, self.all + other.all)

    def add(
        self,
        answers: Answers,
        labels: NDArray[np.uint8] | None = None,
        *,
        top: int = 0,
        left: int = 0,
        step: float = 0.0,
        overlapping: bool = False,
    ) -> Self:
        """Return the counts with one window of an image added; borders within 64 px of its ends are left out.

        Args:
            answers: probabilities (classes, rows, cols) float32, NaN without answer, or a class map (rows, cols)
                uint8, 255 without answer.
            labels: (rows, cols) uint8, 255 where not counted; None if there is no truth.
            top: the window's first row in its image.
            left: its first column.
            step: distance of the probabilities that the file can store; as for `AnswerCounts`.
            overlapping: whether labels are bit sets.

        Raises:
            SettingError: if the shapes do not fit together.
        """
        if answers.ndim not in (2, 3) or (labels is not None and labels.shape != answers.shape[-2:]):
            shape = None if labels is None else labels.shape
            message = (
                f"Expected answers and labels of one size (rows, cols), got {answers.shape} and {shape}."
            )
            raise SettingError(message)
        fields = _fields(answers, step)
        wrong, counted = _wrong(answers, labels, overlapping=overlapping)
        rows = profile(fields, wrong, counted, top, left)
        cols = profile([field.T for field in fields], wrong.T, counted.T, left, top)
        found = [borders(seen, tile) for tile in self.tiles for seen in (rows, cols)]
        shape = (len(self.tiles), 2, -1)
        jumps, errors = (
            np.array(sums).reshape(shape).sum(axis=1)
            for sums in ([one.jumps for one in found], [one.errors for one in found])
        )
        near = np.array([one.near for one in found], np.int64).reshape(shape).sum(axis=1)
        total = 2 * np.array([np.count_nonzero(wrong), np.count_nonzero(counted)], np.int64)
        return self + type(self)(self.tiles, jumps, errors, near, total)

    def found(self) -> Seams:
        """Return the tile size whose borders show: of those that show as clearly, the smallest."""
        judged = [self._judged(index) for index in range(len(self.tiles))]
        sure = [one for one in judged if one is not None]
        if not sure:
            return Seams()
        most = max(one.effect for one in sure)
        # Of 128 px tiles, every second border is one of 256 px and shows as well; one of 64 px shows half as much.
        return next(one.seams for one in sure if one.effect >= _NEARLY * most)

    def _judged(self, index: int) -> "_Judged | None":
        """Return what one grid shows, or None if that is nothing."""
        jump_score, excess = normal_score(*self.jumps[index].tolist())
        error_score, _ = normal_score(*self.errors[index].tolist())
        ratio, jump = self._ratio(index), float(np.exp(excess))
        by_jump = jump_score >= SURE and jump >= MATTERS
        by_error = error_score >= SURE and ratio is not None and ratio >= MATTERS
        if not by_jump and not by_error:
            return None
        effect = max(excess if by_jump else 0.0, float(np.log(ratio)) if by_error and ratio else 0.0)
        return _Judged(Seams(self.tiles[index], ratio, jump, max(jump_score, error_score)), effect)

    def _ratio(self, index: int) -> float | None:
        near, elsewhere = self.near[index], self.all - self.near[index]
        if not near[1] or not elsewhere[0]:
            return None
        return float(near[0] / near[1] / (elsewhere[0] / elsewhere[1]))


class _Judged(NamedTuple):
    seams: Seams
    effect: float
    """Log of the factor by which borders stand out."""


def normal_score(pieces: float, total: float, squares: float) -> tuple[float, float]:
    """Return how many standard deviations a mean lies above 0, as if it were normal, and the mean.

    Args:
        pieces: number of values; fewer than 4 score 0.
        total: their sum.
        squares: the sum of their squares.
    """
    if pieces < _LEAST_PIECES:
        return 0.0, 0.0
    mean, free = total / pieces, pieces - 1
    error = max(squares / pieces - mean * mean, 1e-12) / free
    factor = (8 * free + 1) / (8 * free + 3)
    return float(np.sign(mean) * factor * np.sqrt(free * np.log1p(mean * mean / error / free))), mean


def _fields(answers: Answers, step: float) -> list[NDArray[np.float32]]:
    """Return what jumps are measured in: log-odds within +-6, or the class ids; NaN without answer."""
    values = answers.astype(np.float32)
    if answers.ndim == 2:
        values[answers == VOID] = np.nan
        return [values]
    missing = ~np.isfinite(values)
    odds = np.clip(log_odds(values, step), -_REACH, _REACH)
    odds[missing] = np.nan
    return list(odds)


def _wrong(
    answers: Answers, labels: NDArray[np.uint8] | None, *, overlapping: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where the answer is wrong, and where it counts; nowhere without labels."""
    if labels is None:
        nowhere = np.zeros(answers.shape[-2:], np.bool_)
        return nowhere, nowhere
    if answers.ndim == 2:
        given: NDArray[np.generic] = answers
        answered: NDArray[np.bool_] = np.not_equal(answers, VOID)
    else:
        given = class_map(answers.astype(np.float32, copy=False), overlapping=overlapping)
        answered = np.asarray(np.isfinite(answers).all(axis=0))
    counted = answered & (labels != VOID)
    return np.asarray((given != labels) & counted), np.asarray(counted)
