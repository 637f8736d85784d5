"""Confusion counts, and the scores that follow from them; None = the class is absent, never 0 or 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.histogram import EXACT, histogram
from rareseg.records.dataset import VOID

# Pairs of label and prediction are counted as 16-bit codes: label * 256 + prediction.
_CODES = 1 << 16
# Each histogram of codes costs 0.1 ms, so they are made for this many pixels at a time (2 MB).
_PIECE = EXACT >> 4
# Up to so many values, comparing and counting bits is several times faster than a histogram.
_FEW = 4
_FEW_PIECE = 1 << 16


@final
@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Counts of labels against predictions; `+` merges windows, images and machines.

    `counts` is int64. Exclusive classes: (classes, classes), row = label, column = prediction.
    Overlapping classes: (classes, 2, 2), the same for "does the pixel hold class k".
    """

    counts: NDArray[np.int64]
    overlapping: bool

    @classmethod
    def empty(cls, classes: int, *, overlapping: bool) -> Self:
        """Return the counts of nothing."""
        shape = (classes, 2, 2) if overlapping else (classes, classes)
        return cls(np.zeros(shape, np.int64), overlapping)

    @classmethod
    def count(
        cls,
        predicted: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        *,
        classes: int,
        overlapping: bool,
    ) -> Self:
        """Count one window.

        Args:
            predicted: (height, width), class indices, or bit sets if `overlapping`.
            labels: the same, with 255 where nothing is counted.
            classes: number of classes.
            overlapping: whether a pixel may belong to several classes.

        Raises:
            SettingError: if the shapes differ.
            DataError: if a counted pixel's label or prediction is not a class.
        """
        if predicted.shape != labels.shape:
            message = (
                f"Expected a prediction and labels of one shape, got {predicted.shape} and {labels.shape}. "
                "Map the photo that belongs to this mask."
            )
            raise SettingError(message)
        most = (1 << classes) if overlapping else classes
        pairs = _pairs_of_few(predicted, labels, most) if most <= _FEW else None
        if pairs is None:
            joint = _joint(predicted, labels)
            _refuse_strangers(joint, most)
            pairs = joint[:most, :most].copy()
        if not overlapping:
            return cls(pairs, overlapping)
        bits = (np.arange(most) >> np.arange(classes)[:, None]) & 1
        holds = np.stack([1 - bits, bits], axis=1)
        return cls(np.einsum("kal,lp,kbp->kab", holds, pairs, holds), overlapping)

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels."""
        if self.counts.shape != other.counts.shape or self.overlapping != other.overlapping:
            message = (
                f"Confusion counts of shape {self.counts.shape} and {other.counts.shape} cannot be added. "
                "Count both with the same classes."
            )
            raise SettingError(message)
        return type(self)(self.counts + other.counts, self.overlapping)

    @property
    def counted(self) -> int:
        """Pixels counted."""
        return int(self.counts[0].sum()) if self.overlapping else int(self.counts.sum())

    @property
    def pixels(self) -> tuple[int, ...]:
        """Labelled pixels of each class."""
        return tuple(int(hit + missed) for hit, missed in zip(self._hits, self._missed, strict=True))

    @property
    def accuracy(self) -> float | None:
        """Share of pixels that are right (overlapping: of answers, one per pixel and class)."""
        total = int(self.counts.sum())
        right = self.counts.trace() if not self.overlapping else self.counts.trace(axis1=1, axis2=2).sum()
        return float(right) / total if total else None

    def iou(self) -> tuple[float | None, ...]:
        """Return hits / (hits + false + missed) per class."""
        return self._ratios(self._hits, self._hits + self._false + self._missed)

    def f1(self) -> tuple[float | None, ...]:
        """Return 2 hits / (2 hits + false + missed) per class."""
        return self._ratios(2 * self._hits, 2 * self._hits + self._false + self._missed)

    def precision(self) -> tuple[float | None, ...]:
        """Return hits / predicted per class; 0 where the class is present but never predicted."""
        return self._ratios(self._hits, self._hits + self._false)

    def recall(self) -> tuple[float | None, ...]:
        """Return hits / labelled per class."""
        return self._ratios(self._hits, self._hits + self._missed)

    @property
    def _hits(self) -> NDArray[np.int64]:
        return self.counts[:, 1, 1] if self.overlapping else self.counts.diagonal()

    @property
    def _false(self) -> NDArray[np.int64]:
        """Predicted, but labelled otherwise."""
        return self.counts[:, 0, 1] if self.overlapping else self.counts.sum(axis=0) - self._hits

    @property
    def _missed(self) -> NDArray[np.int64]:
        """Labelled, but predicted otherwise."""
        return self.counts[:, 1, 0] if self.overlapping else self.counts.sum(axis=1) - self._hits

    def _ratios(self, over: NDArray[np.int64], under: NDArray[np.int64]) -> tuple[float | None, ...]:
        rows = zip(self.pixels, over.tolist(), under.tolist(), strict=True)
        return tuple((a / b if b else 0.0) if present else None for present, a, b in rows)


def mean_of_present(values: Sequence[float | None]) -> float | None:
    """Return the plain mean over the classes that are present (not None); None if none is."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def _pairs_of_few(
    predicted: NDArray[np.uint8], labels: NDArray[np.uint8], most: int
) -> NDArray[np.int64] | None:
    """Count pairs into (most labels, most predictions); None if a counted pixel holds another value."""
    pairs = np.zeros((most, most), np.int64)
    flat_labels, flat_predicted = labels.reshape(-1), predicted.reshape(-1)
    for start in range(0, flat_labels.size, _FEW_PIECE):
        part, answers = (flat[start : start + _FEW_PIECE] for flat in (flat_labels, flat_predicted))
        given = [answers == value for value in range(most)]
        for value in range(most):
            holds = part == value
            pairs[value] += [np.count_nonzero(holds & answer) for answer in given]
    counted = labels.size - int(np.count_nonzero(labels == VOID))
    return pairs if int(pairs.sum()) == counted else None


def _joint(predicted: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count pairs into (256 labels, 256 predictions), void left out."""
    total = np.zeros(_CODES, np.int64)
    flat_labels, flat_predicted = labels.reshape(-1), predicted.reshape(-1)
    codes = np.empty(min(_PIECE, flat_labels.size), np.uint16)
    for start in range(0, flat_labels.size, _PIECE):
        part = flat_labels[start : start + _PIECE]
        code = codes[: part.size]
        np.left_shift(part, 8, out=code, dtype=np.uint16)
        code |= flat_predicted[start : start + _PIECE]
        total += histogram(code, _CODES)
    joint = total.reshape(256, 256)
    joint[VOID] = 0
    return joint


def _refuse_strangers(joint: NDArray[np.int64], most: int) -> None:
    for what, counts in (("labels", joint.sum(axis=1)), ("predictions", joint.sum(axis=0))):
        strange = np.flatnonzero(counts[most:]) + most
        if strange.size:
            message = (
                f"Expected {what} 0..{most - 1} where pixels are counted, but {int(counts[strange].sum())} "
                f"pixels hold {', '.join(map(str, strange[:5].tolist()))}. Score with the classes of the run."
            )
            raise DataError(message)
