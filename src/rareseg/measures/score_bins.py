"""The bins that scores fall into: 65,536 even steps of log-odds over [-20, 20], and the thresholds between them."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.histogram import histogram

BINS = 1 << 16
REACH = 20.0
"""Log-odds are clamped to [-REACH, REACH]: probabilities within 2e-9 of 0 and 1."""

_PER_UNIT = BINS / (2 * REACH)
# Pieces that stay in the processor's cache are several times faster than whole images.
_PIECE = 1 << 16
# From about 1e6 on, conversion to 16 bits overflows instead of saturating.
_FAR = 1e5
# Conversion rounds, so half a bin is taken off; the rest keeps values on a bin's lower edge in that bin.
_SHIFT = REACH * _PER_UNIT - 0.5 + 2.0**-8


def score_bins(log_odds: NDArray[np.float32], where: str) -> NDArray[np.uint16]:
    """Return the bin of each log-odds value, same shape; the outer bins are open.

    Edges lie at -20 + k * 40/65536, kept to within 0.01 of a bin (float32).

    Raises:
        DataError: naming `where`, if a value is not a number.
    """
    bins = np.empty(log_odds.shape, np.uint16)
    values, found = (log_odds, bins) if log_odds.ndim == 2 else (log_odds.reshape(1, -1), bins.reshape(1, -1))
    across = min(max(values.shape[1], 1), _PIECE)
    down = _PIECE // across
    for top in range(0, len(values), down):
        for left in range(0, values.shape[1], across):
            part = slice(top, top + down), slice(left, left + across)
            found[part] = _bins(values[part], log_odds, where)
    return bins


def count_bins(
    bins: NDArray[np.uint16], holds: NDArray[np.bool_], counted: NDArray[np.bool_] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the histograms of pixels that hold a class, and of all that count, (65536,) each.

    All of one shape; `holds` lies inside `counted`, and None means that every pixel counts.
    """
    positives = histogram(bins, BINS, holds) if holds.any() else np.zeros(BINS, np.int64)
    return positives, histogram(bins, BINS, counted)


def first_bin(threshold: float) -> int:
    """Return the first bin whose pixels reach the threshold (0..1); the highest bin is open upwards.

    Raises:
        SettingError: if the threshold is not a probability.
    """
    if not 0 <= threshold <= 1:
        message = f"Expected a threshold between 0 and 1 (a probability), got {threshold}."
        raise SettingError(message)
    if threshold in (0, 1):
        return 0 if threshold == 0 else BINS - 1
    log_odds = float(np.log(threshold) - np.log1p(-threshold))
    # The rounding keeps the threshold of a bin's own edge in that bin.
    edge = np.ceil(np.round((log_odds + REACH) * _PER_UNIT, 3))
    return int(np.clip(edge, 0, BINS - 1))


def bin_threshold(first: int) -> float:
    """Return the probability at the lower edge of a bin; 0 for the lowest, which is open downwards."""
    if first == 0:
        return 0.0
    return float(1 / (1 + np.exp(REACH - first / _PER_UNIT)))


def middle_threshold(given: NDArray[np.int64], first: int) -> float:
    """Return the middle of the thresholds that give the same pixels as from bin `first` on.

    `given` (65536,) are the pixels given from each bin on.
    """
    same = np.flatnonzero(given == given[first])
    # The lowest bin is open downwards: from there on everything is given, whatever its score.
    return bin_threshold(int(same[0] + same[-1] + 1) // 2) if same[0] else 0.0


def from_top(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each bin of (..., 65536), the pixels in it and above."""
    return np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]


def _bins(piece: NDArray[np.float32], whole: NDArray[np.float32], where: str) -> NDArray[Any]:
    # Both are not numbers if any value is none, at a fraction of the price of looking at each.
    low, high = float(piece.min()), float(piece.max())
    if math.isnan(low):
        message = (
            f"Expected log-odds, but {int(np.isnan(whole).sum())} values of {where} are not numbers "
            "(NaN). The network's weights may have diverged; train again at a lower learning rate."
        )
        raise DataError(message)
    if low < -_FAR or high > _FAR:
        piece = np.clip(piece, -REACH, REACH)
    return cv2.addWeighted(piece, _PER_UNIT, piece, 0, _SHIFT, dtype=cv2.CV_16U)
