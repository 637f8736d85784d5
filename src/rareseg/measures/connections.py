"""What a user of a map of lines asks: how much of them is there, how often do they break, how many are invented?

Lengths within a buffer are those of Wiedemann, Heipke, Mayer and Jamet 1998 (Empirical evaluation of automatically
extracted road axes): a piece of line counts as met if the other map's line runs within the buffer of it.
"""

from dataclasses import dataclass
from typing import Self, final

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.measures.ground import Drawn, common_unit, drawn_lines
from rareseg.measures.lines import SPECK, LineGraph
from rareseg.measures.networks import nearest_places
from rareseg.measures.thinning import Pixels
from rareseg.measures.tracing import Floats

BUFFER = 3.0
"""px: the yardstick of the Massachusetts roads."""


@final
@dataclass(frozen=True, slots=True)
class ConnectionCounts:
    """Lengths, in `unit`, and faults; `+` merges images."""

    unit: str = ""
    """"m" or "px"; "" before the first image."""
    true_length: float = 0.0
    """Of the true lines."""
    found_length: float = 0.0
    """Of these, within the buffer of a predicted line."""
    predicted_length: float = 0.0
    """Of the predicted lines."""
    right_length: float = 0.0
    """Of these, within the buffer of a true line."""
    breaks: int = 0
    """Places where true lines are interrupted in the prediction, and go on beyond."""
    false_branches: int = 0
    """Connected predicted lines off every true pixel by more than the buffer, of 10 px or more."""

    def __add__(self, other: Self) -> Self:
        """Merge two disjoint sets of images.

        Raises:
            SettingError: if one was measured in metres and the other in px.
        """
        return type(self)(
            common_unit(self.unit, other.unit),
            self.true_length + other.true_length,
            self.found_length + other.found_length,
            self.predicted_length + other.predicted_length,
            self.right_length + other.right_length,
            self.breaks + other.breaks,
            self.false_branches + other.false_branches,
        )

    @property
    def completeness(self) -> float | None:
        """Share of the true length that was found, 0..1; None if the truth has no line."""
        return self.found_length / self.true_length if self.true_length else None

    @property
    def correctness(self) -> float | None:
        """Share of the predicted length that is right, 0 if there is none; None if the truth has no line."""
        if not self.true_length:
            return None
        return self.right_length / self.predicted_length if self.predicted_length else 0.0

    @property
    def quality(self) -> float | None:
        """Found length over that of both maps together, 0..1; None if the truth has no line."""
        if not self.true_length:
            return None
        return self.found_length / (self.true_length + self.predicted_length - self.right_length)

    @property
    def breaks_per_km(self) -> float | None:
        """Breaks per km of true line, or per 1,000 px where the unit is px; None if the truth has no line."""
        return 1000 * self.breaks / self.true_length if self.true_length else None

    @property
    def false_branches_per_km(self) -> float | None:
        """False branches per km of true line, or per 1,000 px; None if the truth has no line."""
        return 1000 * self.false_branches / self.true_length if self.true_length else None


def connection_counts(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    pixel_size: float | None = None,
    *,
    buffer: float = BUFFER,
) -> ConnectionCounts:
    """Count one image and class; whole images, because windows break lines.

    A break is where a true line leaves one predicted line for another that is not joined to it, or for none
    and meets one again farther on; where k found lines end at one missing piece, it counts k - 1 breaks.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; in others the prediction is taken as the truth, and neither length nor fault
            is counted.
        pixel_size: metres per px; None measures in px.
        buffer: px, how far lines may lie apart.

    Raises:
        SettingError: if shapes differ, the pixel size is not positive or the buffer is negative.
    """
    return connection_counts_of(drawn_lines(predicted, truth, counted, pixel_size), buffer=buffer)


def connection_counts_of(drawn: Drawn, *, buffer: float = BUFFER) -> ConnectionCounts:
    """Do the same with lines that were drawn before."""
    if not buffer >= 0:
        message = f"Expected a buffer of 0 px or more, got {buffer}. The usual one is 3."
        raise SettingError(message)
    ours, theirs = drawn.predicted_lines, drawn.true_lines
    true, guess = _Pieces.of(theirs, drawn.counted), _Pieces.of(ours, drawn.counted)
    nearest = nearest_places(ours, true.points, buffer)
    right = nearest_places(theirs, guess.points, buffer) >= 0
    scale = drawn.scale
    return ConnectionCounts(
        unit=drawn.unit,
        true_length=scale * float(true.weight.sum()),
        found_length=scale * float(true.weight[nearest >= 0].sum()),
        predicted_length=scale * float(guess.weight.sum()),
        right_length=scale * float(guess.weight[right].sum()),
        breaks=_breaks(true, _pieces_at(ours, nearest)),
        false_branches=_false_branches(guess, right, drawn.truth, buffer),
    )


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """The pixels of some lines, each once. `weight`: px of line that each stands for, 0 where it does not count.

    `one`, `other`: which of them follow each other on a line.
    """

    pixels: Pixels
    points: Floats
    counted: NDArray[np.bool_]
    weight: Floats
    one: Pixels
    other: Pixels

    @classmethod
    def of(cls, lines: LineGraph, counted: NDArray[np.bool_]) -> Self:
        """Take the lines apart."""
        pixels, place, number = np.unique(lines.pixels, return_index=True, return_inverse=True)
        follows = np.flatnonzero(lines.edge[1:] == lines.edge[:-1])
        one, other = number[follows], number[follows + 1]
        # Edges that leave a junction by the same pixel share the step to it.
        steps, kept = np.unique(
            np.minimum(one, other) * pixels.size + np.maximum(one, other), return_index=True
        )
        one, other = np.divmod(steps, max(pixels.size, 1))
        length = (lines.along[follows + 1] - lines.along[follows])[kept]
        counts = counted.ravel()[pixels]
        weight = np.bincount(one, length, pixels.size) + np.bincount(other, length, pixels.size)
        return cls(pixels, lines.points[place], counts, np.where(counts, weight / 2, 0), one, other)

    def grouped(self, chosen: NDArray[np.bool_]) -> tuple[int, Pixels]:
        """Number the connected groups of the `chosen` pixels; pixels that are not chosen are groups of one."""
        # SciPy takes longer to load than most commands of this library.
        from scipy.sparse import coo_array  # noqa: PLC0415
        from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

        both = chosen[self.one] & chosen[self.other]
        ones = np.ones(int(np.count_nonzero(both)), np.int8)
        links = coo_array((ones, (self.one[both], self.other[both])), shape=(self.pixels.size,) * 2)
        groups, number = connected_components(links.tocsr(), directed=False)
        return int(groups), np.asarray(number, np.int64)


def _pieces_at(lines: LineGraph, places: Pixels) -> Pixels:
    """Return the connected piece of `lines` at each place, -1 where there is none."""
    pieces = np.full(places.size, -1, np.int64)
    known = places >= 0
    pieces[known] = lines.piece[lines.edge[places[known]]]
    return pieces


def _breaks(true: _Pieces, piece: Pixels) -> int:
    """Count breaks; `piece` is the predicted piece beside each true pixel, -1 where it was missed."""
    if not true.pixels.size:
        return 0
    one, other = true.one, true.other
    counts = true.counted[one] & true.counted[other]
    jumps = counts & (piece[one] >= 0) & (piece[other] >= 0) & (piece[one] != piece[other])
    missed = true.counted & (piece < 0)
    groups, number = true.grouped(missed)
    edge = counts & (missed[one] != missed[other])
    inside = np.where(missed[one[edge]], one[edge], other[edge])
    contacts = np.bincount(number[inside], minlength=groups)
    return int(np.count_nonzero(jumps)) + int(np.maximum(contacts - 1, 0).sum())


def _false_branches(guess: _Pieces, right: NDArray[np.bool_], truth: NDArray[np.bool_], buffer: float) -> int:
    """Count connected predicted lines that are neither near a true line nor near any true pixel."""
    if not guess.pixels.size:
        return 0
    far = guess.counted & ~right
    if truth.any():
        distance = cv2.distanceTransform((~truth).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        # Two calls of this transform may differ in the last digit of a root.
        far &= distance.ravel()[guess.pixels] > buffer + 1e-4
    groups, number = guess.grouped(far)
    length = np.bincount(number[far], guess.weight[far], groups)
    return int(np.count_nonzero(length >= SPECK))
