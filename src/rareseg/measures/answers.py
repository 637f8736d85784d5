"""Answers beside the truth: what a network's maps say of each class, from one pass over windows.

`AnswerCounts` form a monoid under `+` with `AnswerCounts.empty` as zero, of a size that depends on the classes only.
Everything is read off two tables: confusion counts of what was given, and histograms of log-odds. From the latter
come average precision, the best threshold, the mean probability and the deviation, so that a pixel is looked at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.answer_scores import Source, beside_constant, class_answers
from rareseg.measures.calibration import expected_share
from rareseg.measures.confusion import Confusion, mean_of_present
from rareseg.measures.curves import BINS, REACH, ScoreHistogram
from rareseg.measures.histogram import histogram
from rareseg.measures.probabilities import answered, class_map, log_odds
from rareseg.measures.seams import Seams
from rareseg.records.dataset import VOID
from rareseg.records.evidence import AnswersEvidence, ClassAnswers

Labels = NDArray[np.uint8]

_STRIP_PIXELS = 1 << 21
_LOG_ODDS = (np.arange(BINS) + 0.5) * (2 * REACH / BINS) - REACH


@final
@dataclass(frozen=True, slots=True, eq=False)
class AnswerCounts:
    """What was counted of answers beside labels; `+` merges windows, images and machines."""

    images: int
    confusion: Confusion
    curve: ScoreHistogram | None
    """None where only class maps were counted: they rank nothing."""
    stored: NDArray[np.int64]
    """Pixels of each value 0..255 as class maps of 8 bits store it, int64 (256,); zeros without such maps."""
    unanswered: int
    """Labelled pixels that have no answer; they count nowhere."""

    @classmethod
    def empty(cls, classes: int, *, overlapping: bool = False, ranked: bool = True) -> Self:
        """Return the counts of nothing; `ranked` for answers that are probabilities."""
        curve = ScoreHistogram.empty(classes) if ranked else None
        return cls(0, Confusion.empty(classes, overlapping=overlapping), curve, np.zeros(256, np.int64), 0)

    @classmethod
    def of_probabilities(
        cls,
        probabilities: NDArray[np.float32],
        labels: Labels,
        *,
        overlapping: bool = False,
        step: float = 0.0,
        images: int = 1,
    ) -> Self:
        """Count one window of probabilities.

        Args:
            probabilities: (classes, rows, cols) float32, 0..1; one channel is the probability of class 1 of two.
                A pixel that is not finite in some channel has no answer.
            labels: (rows, cols), class indices, or bit sets if `overlapping`; 255 counts nowhere.
            overlapping: whether a pixel may belong to several classes, so that each is given from 0.5 on.
            step: distance of the values that can be stored, 1/255 for 8 bits: 0 and 1 are then taken to lie
                half a step inside.
            images: how many images this completes: 0 for all windows of an image but one.

        Raises:
            SettingError: if the shapes do not fit together.
            DataError: if a value is no probability, or a label no class.
        """
        _check_shapes(probabilities, labels)
        classes = _classes(probabilities, overlapping)
        total = cls.empty(classes, overlapping=overlapping)
        rows = max(1, _STRIP_PIXELS // max(labels.shape[1] * len(probabilities), 1))
        for top in range(0, len(labels), rows):
            strip = slice(top, top + rows)
            total += cls._of_strip(probabilities[:, strip], labels[strip], overlapping, step)
        return cls(images, total.confusion, total.curve, total.stored, total.unanswered)

    @classmethod
    def of_classes(
        cls,
        given: Labels,
        labels: Labels,
        *,
        classes: int,
        overlapping: bool = False,
        stored: NDArray[np.uint8] | None = None,
        images: int = 1,
    ) -> Self:
        """Count one window of a class map.

        Args:
            given: (rows, cols), class indices, or bit sets if `overlapping`; 255 has no answer.
            labels: the same, 255 counts nowhere.
            classes: number of classes.
            overlapping: whether a pixel may belong to several classes.
            stored: (rows, cols), the values as the file holds them, if a viewer would show these as grey levels of
                8 bits; None for coloured files.
            images: as for `of_probabilities`.

        Raises:
            SettingError: if the shapes differ.
            DataError: if a value is no class.
        """
        kept, unanswered = _answered_classes(given, labels)
        confusion = Confusion.count(given, kept, classes=classes, overlapping=overlapping)
        levels = np.zeros(256, np.int64) if stored is None else histogram(stored, 256, given != VOID)
        return cls(images, confusion, None, levels, unanswered)

    def __add__(self, other: Self) -> Self:
        """Merge the counts of two disjoint sets of pixels.

        Raises:
            SettingError: if the classes differ, or one of them ranks pixels and the other does not.
        """
        if (self.curve is None) != (other.curve is None):
            message = "Counts of class maps and of probabilities cannot be added: give one kind of map for all images."
            raise SettingError(message)
        curve = None if self.curve is None or other.curve is None else self.curve + other.curve
        return type(self)(
            self.images + other.images,
            self.confusion + other.confusion,
            curve,
            self.stored + other.stored,
            self.unanswered + other.unanswered,
        )

    def evidence(
        self, names: Sequence[str], *, source: Source, seams: Seams | None = None
    ) -> AnswersEvidence:
        """Return what was counted as evidence.

        Raises:
            SettingError: if there is not a name for each class.
            DataError: if no labelled pixel has an answer.
        """
        if len(names) != len(self.confusion.counts):
            message = f"Expected names of {len(self.confusion.counts)} classes, got {len(names)}: {', '.join(names)}."
            raise SettingError(message)
        if not self.confusion.counted:
            message = (
                f"No labelled pixel of {self.images} images has an answer ({self.unanswered} labelled pixels are "
                "without one). Give maps of labelled images, with answers where the labels are."
            )
            raise DataError(message)
        overlapping = self.confusion.overlapping
        used = np.flatnonzero(self.stored)
        beside = beside_constant(
            self._classes(names),
            self.confusion.pixels,
            self.confusion.counted,
            source=source,
            images=self.images,
            accuracy=self.confusion.accuracy or 0.0,
            macro_iou=mean_of_present(self.confusion.iou()) or 0.0,
            overlapping=overlapping,
        )
        return replace(
            beside,
            seam_ratio=None if seams is None else seams.ratio,
            tile=None if seams is None else seams.tile,
            distinct_ids=len(used) or None,
            highest_id=int(used[-1]) if used.size else None,
        )

    def _classes(self, names: Sequence[str]) -> tuple[ClassAnswers, ...]:
        given = _given_shares(self.confusion)
        nothing: tuple[None, ...] = (None,) * len(names)
        ranking = nothing if self.curve is None else self.curve.average_precision()
        best = nothing if self.curve is None else self.curve.best()
        means = nothing if self.curve is None else expected_share(self.curve)
        rows = []
        for index, name in enumerate(names):
            prevalence = self.confusion.pixels[index] / self.confusion.counted
            rows.append(
                class_answers(
                    name,
                    prevalence,
                    precision=ranking[index],
                    best=best[index],
                    predicted_share=given[index],
                    iou=self.confusion.iou()[index],
                    mean_probability=means[index],
                    deviation=None if self.curve is None else deviation(self.curve, index),
                )
            )
        return tuple(rows)

    @classmethod
    def _of_strip(
        cls, probabilities: NDArray[np.float32], labels: Labels, overlapping: bool, step: float
    ) -> Self:
        kept, unanswered = answered(probabilities, labels)
        classes, odds = _classes(probabilities, overlapping), log_odds(probabilities, step)
        given = class_map(probabilities, overlapping=overlapping)
        confusion = Confusion.count(given, kept, classes=classes, overlapping=overlapping)
        if _is_one_of_two(probabilities, overlapping):
            curve = _both_of_two(ScoreHistogram.count(-odds, kept, overlapping=False))
        else:
            curve = ScoreHistogram.count(odds, kept, overlapping=overlapping)
        return cls(0, confusion, curve, np.zeros(256, np.int64), unanswered)


def answers_evidence(
    windows: Iterable[AnswerCounts], names: Sequence[str], *, source: Source, seams: Seams | None = None
) -> AnswersEvidence:
    """Add up the counts of windows and return them as evidence.

    Args:
        windows: counts of disjoint windows, such as `AnswerCounts.of_probabilities` gives; may be a generator.
        names: of the classes.
        source: what the answers are.
        seams: what `measures.seams` found, if anything.

    Raises:
        DataError: if there is no window, or no labelled pixel has an answer.
        SettingError: if windows of different kinds are mixed.
    """
    total: AnswerCounts | None = None
    for window in windows:
        total = window if total is None else total + window
    if total is None:
        message = "There are no answers to measure: give predictions of at least one labelled image."
        raise DataError(message)
    return total.evidence(names, source=source, seams=seams)


def deviation(curve: ScoreHistogram, index: int) -> float | None:
    """Return the standard deviation over counted pixels of a class's log-odds (nats); None if none is counted.

    Log-odds are those of histogram bins, so that values within 0.0006 of each other count as equal, and the same
    answer everywhere gives exactly 0. Ends lie at +-20.
    """
    every = curve.positives[index] + curve.negatives[index]
    pixels = int(every.sum())
    if not pixels:
        return None
    mean = float(every @ _LOG_ODDS) / pixels
    return float(np.sqrt(every @ np.square(_LOG_ODDS - mean) / pixels))


def _check_shapes(probabilities: NDArray[np.float32], labels: Labels) -> None:
    if probabilities.ndim != 3 or probabilities.shape[1:] != labels.shape or not len(probabilities):
        message = (
            "Expected probabilities (classes, rows, cols) and labels (rows, cols), got "
            f"{probabilities.shape} and {labels.shape}. Give the map that belongs to these labels."
        )
        raise SettingError(message)


def _is_one_of_two(probabilities: NDArray[np.float32], overlapping: bool) -> bool:
    return len(probabilities) == 1 and not overlapping


def _classes(probabilities: NDArray[np.float32], overlapping: bool) -> int:
    return 2 if _is_one_of_two(probabilities, overlapping) else len(probabilities)


def _answered_classes(given: Labels, labels: Labels) -> tuple[Labels, int]:
    """Return the labels with 255 where the map holds 255, and how many labelled pixels that took."""
    missing = given == VOID
    if given.shape != labels.shape or not missing.any():
        return labels, 0
    lost = int(np.count_nonzero(missing & (labels != VOID)))
    return np.where(missing, np.uint8(VOID), labels), lost


def _both_of_two(first: ScoreHistogram) -> ScoreHistogram:
    """Return the histograms of both classes of two from that of class 0: log-odds mirrored, labels swapped."""
    positives, negatives = first.positives[0], first.negatives[0]
    return ScoreHistogram(np.stack([positives, negatives[::-1]]), np.stack([negatives, positives[::-1]]))


def _given_shares(confusion: Confusion) -> tuple[float, ...]:
    """Return the share of counted pixels that is given to each class."""
    counts = confusion.counts[:, :, 1].sum(axis=1) if confusion.overlapping else confusion.counts.sum(axis=0)
    return tuple((counts / confusion.counted).tolist())
