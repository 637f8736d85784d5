"""How well answers rank and map each class: the numbers that tell a bad threshold from a bad network."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.answer_scores import beside_constant, class_answers
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.probabilities import sigmoid
from rareseg.probing.reading import log_odds
from rareseg.probing.subject import VOID_LABEL, Batch, Floats, Subject
from rareseg.records.evidence import Activation, AnswersEvidence, ClassAnswers

Read = tuple[Activation, bool]
"""The last layer's activation, and whether logits are of a sigmoid per class."""


class Scored(NamedTuple):
    """One class in one set of batches."""

    prevalence: float
    average_precision: float | None
    predicted_share: float
    deviation: float


class Answered(NamedTuple):
    """Log-odds and labels of counted pixels, in one row."""

    odds: Floats
    """(classes, pixels)."""
    labels: NDArray[np.int32]
    """(pixels); bit sets if `overlapping`."""
    overlapping: bool
    by_image: NDArray[np.int32]
    """(pixels) number of the image."""


def gather(batches: list[Batch], answers: list[Floats], read: Read) -> Answered:
    """Put batches together."""
    odds, labels, numbers = [], [], []
    overlapping = any(batch.several is not None for batch in batches)
    images = 0
    for batch, answered in zip(batches, answers, strict=True):
        found = log_odds(answered, read[0], per_class=read[1])
        counted = batch.labels != VOID_LABEL
        marks = _marks(batch) if overlapping else batch.labels
        number = np.broadcast_to(np.arange(batch.count, dtype=np.int32)[:, None] + images, counted.shape)
        odds.append(found.swapaxes(0, 1)[:, counted])
        labels.append(marks[counted].astype(np.int32))
        numbers.append(number[counted])
        images += batch.count
    return Answered(
        np.concatenate(odds, axis=1), np.concatenate(labels), overlapping, np.concatenate(numbers)
    )


def scored(answered: Answered, label: int) -> Scored:
    """Return the numbers of one class; a network with fewer channels than the class has none."""
    if label >= len(answered.odds) or not answered.labels.size:
        return Scored(0.0, None, 0.0, 0.0)
    plane = answered.odds[label]
    holds = _holds(answered, label)
    finite = np.nan_to_num(plane, nan=0.0, posinf=60.0, neginf=-60.0)
    precision = _histogram(finite, holds).average_precision()[0] if holds.any() and not holds.all() else None
    given = finite > 0 if answered.overlapping else _winners(answered) == label
    return Scored(float(holds.mean()), precision, float(given.mean()), float(finite.astype(np.float64).std()))


def answers_evidence(answered: Answered, classes: tuple[str, ...], images: int) -> AnswersEvidence:
    """Score every class, and the map as a whole beside the constant answer."""
    found = tuple(_of_class(answered, label, name) for label, name in enumerate(classes))
    pixels = [int(_holds(answered, label).sum()) for label in range(len(classes))]
    ious = [one.iou for one in found if one.iou is not None]
    winners = _winners(answered)
    right = 0.0 if answered.overlapping else float((winners == answered.labels).mean())
    macro = float(np.mean(ious)) if ious else 0.0
    return beside_constant(
        found, pixels, answered.labels.size, source="model", images=images, accuracy=right, macro_iou=macro,
        overlapping=answered.overlapping,
    )  # fmt: skip


def answered_by(subject: Subject, batches: list[Batch], read: Read, *, training: bool = False) -> Answered:
    """Ask the model about batches."""
    return gather(batches, [subject.answers(batch, training=training) for batch in batches], read)


def _of_class(answered: Answered, label: int, name: str) -> ClassAnswers:
    if label >= len(answered.odds):
        return class_answers(
            name, float(_holds(answered, label).mean()), precision=None, best=None, predicted_share=0.0, iou=None,
            mean_probability=None, deviation=None,
        )  # fmt: skip
    one, holds = scored(answered, label), _holds(answered, label)
    plane = np.nan_to_num(answered.odds[label], nan=0.0, posinf=60.0, neginf=-60.0)
    given = plane > 0 if answered.overlapping else _winners(answered) == label
    union = int((given | holds).sum())
    best = _histogram(plane, holds).best()[0] if holds.any() and not holds.all() else None
    return class_answers(
        name,
        one.prevalence,
        precision=one.average_precision,
        best=best,
        predicted_share=one.predicted_share,
        iou=float((given & holds).sum()) / union if holds.any() and union else None,
        mean_probability=float(sigmoid(plane.astype(np.float64)).mean(dtype=np.float64)),
        deviation=one.deviation,
    )


def _histogram(plane: Floats, holds: NDArray[np.bool_]) -> ScoreHistogram:
    return ScoreHistogram.count(plane[None, None], holds.astype(np.uint8)[None], overlapping=True)


def _holds(answered: Answered, label: int) -> NDArray[np.bool_]:
    if answered.overlapping:
        bits: NDArray[np.bool_] = (answered.labels >> label & 1) == 1
        return bits
    same: NDArray[np.bool_] = answered.labels == label
    return same


def _winners(answered: Answered) -> NDArray[np.intp]:
    best: NDArray[np.intp] = answered.odds.argmax(axis=0)
    return best


def _marks(batch: Batch) -> NDArray[np.int64]:
    """Return labels as bit sets."""
    if batch.several is None:
        return 1 << np.maximum(batch.labels, 0).astype(np.int64)
    bits = 1 << np.arange(batch.several.shape[1], dtype=np.int64)
    found: NDArray[np.int64] = (batch.several * bits[:, None]).sum(axis=1)
    return found
