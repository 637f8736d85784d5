"""What a network scored in each scene, kept small enough to be pooled over scenes drawn again and again.

Log-odds histograms are coarsened from 65,536 to 2,048 bins, each 0.02 wide: average precision moves by less than
0.001 where thousands of pixels hold the class, and by 0.003 where hundreds do. More than 256 scenes are dealt to
256 blocks, which are then drawn as scenes are.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import RecordError
from rareseg.measures.calibration import USUAL_BINS
from rareseg.measures.confusion import Confusion
from rareseg.measures.curves import BINS, REACH, ScoreHistogram

COARSE = 2048
MOST_BLOCKS = 256

_ARRAYS = ("positives", "negatives", "confusion")
_DRAWS = 16
_MOST_BYTES = 1 << 33


class Pooled(NamedTuple):
    """Scores over drawn scenes, each (draws, classes) float64; NaN where the draw lacks the class."""

    average_precision: NDArray[np.float64]
    iou: NDArray[np.float64]
    calibration_error: NDArray[np.float64]
    """Expected calibration error of "is it this class", 0..1."""
    f1: NDArray[np.float64]
    precision: NDArray[np.float64]
    """0 where the class is there and never given."""
    recall: NDArray[np.float64]
    roc_area: NDArray[np.float64]
    """NaN, too, where every pixel of the draw holds the class."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class SceneCounts:
    """Counts of each scene: all int64, all not negative.

    positives, negatives: (scenes, classes, 2048), as in ScoreHistogram. confusion: (scenes, classes, classes), or
    (scenes, classes, 2, 2) for overlapping classes, as in Confusion.
    """

    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]
    confusion: NDArray[np.int64]

    @classmethod
    def empty(cls, scenes: int, classes: int, *, overlapping: bool) -> Self:
        """Return the counts of nothing, to be added to."""
        curves = (scenes, classes, COARSE)
        square = (scenes, classes, 2, 2) if overlapping else (scenes, classes, classes)
        return cls(np.zeros(curves, np.int64), np.zeros(curves, np.int64), np.zeros(square, np.int64))

    def add(self, scene: int, curve: ScoreHistogram, confusion: Confusion) -> None:
        """Add the counts of some pixels of scene number `scene`, in place."""
        self.positives[scene] += coarsened(curve.positives)
        self.negatives[scene] += coarsened(curve.negatives)
        self.confusion[scene] += confusion.counts

    @property
    def witnesses(self) -> NDArray[np.bool_]:
        """Which scenes have counted pixels, (scenes,): one that is all void is no witness."""
        # By the class maps, as maps of classes have no scores.
        return np.asarray(self.confusion.reshape(len(self), -1).any(axis=1))

    def counted(self) -> Self:
        """Return the scenes with counted pixels."""
        return self.chosen(self.witnesses)

    def chosen(self, scenes: NDArray[np.bool_]) -> Self:
        """Return some of the scenes."""
        return type(self)(self.positives[scenes], self.negatives[scenes], self.confusion[scenes])

    def holding(self) -> NDArray[np.int64]:
        """Return in how many scenes each class lies, (classes,)."""
        there = self.confusion.sum(axis=-1)
        held: NDArray[np.bool_] = (there if there.ndim == 2 else there[:, :, 1]) > 0
        return np.asarray(held.sum(axis=0), np.int64)

    def effective(self) -> tuple[NDArray[np.float64], float]:
        """Return how many scenes of one size would tell as much of each class, (classes,), and of all pixels.

        (sum w)^2 / sum w^2, with w the pixels in each scene (Kish 1965): where one scene holds nearly all of a class,
        the others tell little of it. 0 without a pixel.
        """
        there = self.confusion.sum(axis=-1)
        own = (there if there.ndim == 2 else there[:, :, 1]).astype(np.float64)
        counted = (there.sum(axis=1) if there.ndim == 2 else there[:, 0].sum(axis=1)).astype(np.float64)
        weights = np.concatenate([own, counted[:, None]], axis=1)
        found = _ratio(weights.sum(axis=0) ** 2, (weights**2).sum(axis=0), empty=0.0)
        return found[:-1], float(found[-1])

    def __len__(self) -> int:
        """Return the number of scenes (or blocks of scenes)."""
        return len(self.positives)

    def pooled(self, draws: NDArray[np.float64]) -> Pooled:
        """Score every draw: (draws, scenes), how often each scene counts."""
        classes = self.positives.shape[1]
        precision, error, area = np.empty((3, len(draws), classes))
        for label in range(classes):
            holds, lacks = (side[:, label].astype(np.float64) for side in (self.positives, self.negatives))
            # A few draws at a time stay in the processor's cache, which is several times faster than all at once.
            for start in range(0, len(draws), _DRAWS):
                part = slice(start, start + _DRAWS)
                drawn = draws[part] @ holds, draws[part] @ lacks
                precision[part, label] = average_precision(*drawn)
                error[part, label] = calibration_error(*drawn)
                area[part, label] = roc_area(*drawn)
        hits, there, given = self._given(draws)
        absent = np.where(there > 0, 0.0, np.nan)
        return Pooled(
            average_precision=precision,
            iou=_ratio(hits, there + given - hits) + absent,
            calibration_error=error,
            f1=_ratio(2 * hits, there + given) + absent,
            precision=_ratio(hits, given, empty=0.0) + absent,
            recall=_ratio(hits, there),
            roc_area=area,
        )

    def _given(
        self, draws: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return pixels that are right, labelled and given, (draws, classes) each."""
        counts = np.tensordot(draws, self.confusion.astype(np.float64), axes=1)
        if counts.ndim == 4:
            return counts[:, :, 1, 1], counts[:, :, 1].sum(axis=2), counts[:, :, :, 1].sum(axis=2)
        return counts.diagonal(axis1=1, axis2=2), counts.sum(axis=2), counts.sum(axis=1)

    def to_bytes(self) -> bytes:
        """Return the counts as a compressed NPZ, which holds numbers only."""
        stream = io.BytesIO()
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        np.savez_compressed(stream, allow_pickle=False, **arrays)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, where: str, *, scenes: int, classes: int, overlapping: bool) -> Self:
        """Read what `to_bytes` gave.

        Raises:
            RecordError: naming `where`, if it is damaged, or holds other arrays, shapes, types or values.
        """
        curves = (scenes, classes, COARSE)
        square = (scenes, classes, 2, 2) if overlapping else (scenes, classes, classes)
        wanted = {"positives": curves, "negatives": curves, "confusion": square}
        arrays = _arrays(data, where, wanted)
        return cls(arrays["positives"], arrays["negatives"], arrays["confusion"])


def blocks(scenes: Iterable[str]) -> dict[str, int]:
    """Number scenes by their names, in order; from MOST_BLOCKS on, numbers come round again."""
    return {name: place % MOST_BLOCKS for place, name in enumerate(sorted(set(scenes)))}


def coarsened(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add up neighbouring bins: (classes, 65536) to (classes, 2048)."""
    summed: NDArray[np.int64] = counts.reshape(len(counts), COARSE, BINS // COARSE).sum(axis=2)
    return summed


def average_precision(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the average precision of each row of (rows, bins) histograms, scores rising; NaN without positives."""
    hits = np.cumsum(positives[:, ::-1], axis=1)
    given = hits + np.cumsum(negatives[:, ::-1], axis=1)
    gained = positives[:, ::-1] * _ratio(hits, given, empty=0.0)
    return _ratio(gained.sum(axis=1), hits[:, -1])


def roc_area(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ROC area of each row of (rows, bins) histograms, scores rising; NaN without both kinds of pixels."""
    below = np.cumsum(negatives, axis=1) - negatives / 2
    return _ratio((positives * below).sum(axis=1), positives.sum(axis=1) * negatives.sum(axis=1))


def calibration_error(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected calibration error of each row of (rows, 2048) log-odds histograms; NaN if it is empty.

    As measures.calibration.calibration_error with its usual bins, but for many histograms at once, and with
    the coarse bins' wider middles: it differs from the exact one by at most 0.0025.
    """
    total = positives + negatives
    gap = total * _PROBABILITIES - positives
    counted = total.sum(axis=1)
    error: NDArray[np.float64] = _ratio(np.abs(gap @ _MEMBERS).sum(axis=1), counted)
    return error


def _ratio(
    over: NDArray[np.float64], under: NDArray[np.float64], *, empty: float = np.nan
) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.divide(over, under, out=np.full(np.shape(over), empty), where=under > 0)
    return ratio


def _middles() -> NDArray[np.float64]:
    """Return the probability at the middle of each coarse bin."""
    log_odds = (np.arange(COARSE) + 0.5) * (2 * REACH / COARSE) - REACH
    return np.asarray(1 / (1 + np.exp(-log_odds)))


_PROBABILITIES = _middles()
_MEMBERS = np.eye(USUAL_BINS)[np.minimum((_PROBABILITIES * USUAL_BINS).astype(int), USUAL_BINS - 1)]
"""(2048, 15) which bin of probability each coarse bin lies in."""


def _arrays(data: bytes, where: str, wanted: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.int64]]:
    try:
        # Sizes are looked at first: a few bytes of NPZ can unpack to any amount.
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
        arrays = {}
        if unpacked <= _MOST_BYTES:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        message = f"{where}: expected counts per scene (NPZ), but it cannot be read ({error}). {_ADVICE}"
        raise RecordError(message) from error
    found = {name: (array.dtype.name, array.shape) for name, array in arrays.items()}
    if found != {name: ("int64", shape) for name, shape in wanted.items()}:
        message = f"{where}: expected int64 arrays {dict(wanted)}, got {found}. {_ADVICE}"
        raise RecordError(message)
    if any((array < 0).any() for array in arrays.values()):
        message = f"{where}: expected counts, but some are below 0. {_ADVICE}"
        raise RecordError(message)
    return arrays


_ADVICE = "Remove the folder of this trial, and go on with --resume: it is then trained again."
