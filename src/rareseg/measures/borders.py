"""What lies at the lines of a grid against what lies beside them: jumps of a map, and its errors.

Everything is in rows; columns are done by turning the map. Rows are kept in segments of 64 columns, so that the pieces
of a line that belong to different tiles can be told apart.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEGMENT = 64
"""px of columns that are kept together."""
NEAR = 8
"""px to either side of a border in which errors are counted."""

_STEP = 3
_FAINT = np.float32(0.02)
"""Nats per px that a segment's jumps are raised by: below, a map is flat."""
_APART, _APART_SMALL = 64, 32
"""px between a border and its controls, and the same of tiles below 128 px. Networks leave artefacts with the period
of their stride: 32 px at most is usual, and both must carry them. Also how far from the ends of a window nothing is
compared: padding there shows in any map."""
_SMALL = 128
_LEAST_PIECE = 2 * SEGMENT
_LEAST_ERRORS = 8

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]


class Profile(NamedTuple):
    """One window, row by row."""

    sharp: Floats
    """(rows - 1, segments): log of the step from row r to r + 1 over those 3 px away; NaN without answer."""
    wrong: Counts
    """(rows + 1, segments): wrong pixels above row r."""
    counted: Counts
    """(rows + 1, segments): counted pixels above row r."""
    top: int
    """Place of the first row in the image."""
    left: int
    """Place of the first column."""


class Borders(NamedTuple):
    """One grid in one window: sums over the pieces of its lines."""

    jumps: tuple[float, float, float]
    """Pieces, sum and sum of squares of the log by which a border is sharper than its controls."""
    errors: tuple[float, float, float]
    """The same of (a - b) / (a + b), a and b being the error rates near the border and its controls."""
    near: tuple[int, int]
    """Wrong and counted pixels near borders."""


def profile(
    fields: Sequence[Floats], wrong: NDArray[np.bool_], counted: NDArray[np.bool_], top: int, left: int
) -> Profile:
    """Summarise a window.

    Args:
        fields: (rows, cols) each, what jumps are measured in; NaN without answer.
        wrong: (rows, cols), where the answer is wrong.
        counted: (rows, cols), where it counts.
        top: place of the first row in the image.
        left: place of the first column.
    """
    rows, cols = wrong.shape
    segments = cols // SEGMENT
    jumps = np.zeros((max(rows - 1, 0), segments), np.float32)
    for field in fields:
        used = field[:, : segments * SEGMENT]
        jumps += _by_segment(np.abs(used[1:] - used[:-1]), segments).mean(axis=2) / np.float32(len(fields))
    return Profile(_sharpness(jumps), _summed(wrong, segments), _summed(counted, segments), top, left)


def borders(seen: Profile, tile: int) -> Borders:
    """Compare the lines of a grid of `tile` px with lines 64 px (tiles below 128 px: 32 px) to either side."""
    jumps, errors, near = np.zeros(3), np.zeros(3), np.zeros(2, np.int64)
    rows = len(seen.wrong) - 1
    starts = _pieces(seen, tile)
    for line, controls in _lines(tile, seen.top, rows) if starts.size else ():
        for excess in _excess(seen.sharp, line, controls, starts):
            jumps += (1, excess, excess * excess)
        here, beside = _band(seen, [line], starts), _band(seen, controls, starts)
        near += here.sum(axis=1)
        for contrast in _contrasts(here, beside):
            errors += (1, contrast, contrast * contrast)
    return Borders(_three(jumps), _three(errors), (int(near[0]), int(near[1])))


def _three(sums: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(sums[0]), float(sums[1]), float(sums[2])


def _by_segment(values: Floats, segments: int) -> Floats:
    parts: Floats = values.reshape(len(values), segments, SEGMENT)
    return parts


def _summed(holds: NDArray[np.bool_], segments: int) -> Counts:
    used = holds[:, : segments * SEGMENT].reshape(len(holds), segments, SEGMENT)
    sums = np.zeros((len(holds) + 1, segments), np.int64)
    np.cumsum(np.count_nonzero(used, axis=2), axis=0, out=sums[1:])
    return sums


def _sharpness(jumps: Floats) -> Floats:
    logs: Floats = np.log(jumps + _FAINT)
    sharp = np.full_like(logs, np.nan)
    if len(logs) > 2 * _STEP:
        sharp[_STEP:-_STEP] = logs[_STEP:-_STEP] - (logs[2 * _STEP :] + logs[: -2 * _STEP]) / 2
    return sharp


def _pieces(seen: Profile, tile: int) -> NDArray[np.intp]:
    """Return the first segments of the pieces that lie in different tiles, each of 128 px or more."""
    places = (seen.left + SEGMENT * np.arange(seen.sharp.shape[1])) // max(tile, _LEAST_PIECE)
    return np.flatnonzero(np.diff(places, prepend=-1)).astype(np.intp)


def _lines(tile: int, start: int, rows: int) -> Iterator[tuple[int, list[int]]]:
    """Yield each border inside a window (the row after it) and its controls, all away from the window's ends."""
    apart = _APART if tile >= _SMALL else _APART_SMALL
    for line in range(-start % tile, rows, tile):
        controls = [row for row in (line - apart, line + apart) if apart <= row <= rows - apart]
        if controls and apart <= line <= rows - apart:
            yield line, controls


def _excess(sharp: Floats, line: int, controls: Sequence[int], starts: NDArray[np.intp]) -> list[float]:
    """Return how much sharper each piece of a border is than its controls, over segments that are not flat."""
    # The border before pixel row `line` is the step that starts in the row above it.
    here, beside = sharp[line - 1], sharp[[control - 1 for control in controls]]
    active = np.isfinite(here) & np.isfinite(beside).all(axis=0) & ((here != 0) | (beside != 0).any(axis=0))
    excess = np.where(active, here - beside.mean(axis=0), np.float32(0)).astype(np.float64)
    counts = np.add.reduceat(active, starts, dtype=np.int64)
    sums = np.add.reduceat(excess, starts)
    return [total / count for total, count in zip(sums.tolist(), counts.tolist(), strict=True) if count > 1]


def _band(seen: Profile, lines: Sequence[int], starts: NDArray[np.intp]) -> Counts:
    """Return wrong and counted pixels within 8 px of lines, (2, pieces)."""
    sums = [
        sum(total[line + NEAR] - total[line - NEAR] for line in lines) for total in (seen.wrong, seen.counted)
    ]
    return np.add.reduceat(np.asarray(sums, np.int64), starts, axis=1)


def _contrasts(here: Counts, beside: Counts) -> list[float]:
    """Return (a - b) / (a + b) of the error rates of pieces in which there are enough errors."""
    used = (here[0] + beside[0] >= _LEAST_ERRORS) & (here[1] > 0) & (beside[1] > 0)
    a, b = here[0][used] / here[1][used], beside[0][used] / beside[1][used]
    contrasts: list[float] = ((a - b) / (a + b)).tolist()
    return contrasts
