"""The casebook's own measurements: they say whether a disease is there, and share nothing with what is measured."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class Scores(NamedTuple):
    """How the rarest class is answered on scenes that training does not see."""

    prevalence: float
    average_precision: float
    predicted: float
    """Share of pixels given to the class by argmax, or at 0.5."""
    iou: float
    deviation: float
    """Of the log-odds over pixels."""
    mean: float
    """Mean probability."""
    macro_iou: float
    dead: float
    """Share of ReLU channels that are 0 at every pixel."""
    least_iou: float = 0.0
    """Of the class that is mapped worst."""

    @property
    def lift(self) -> float:
        """Return average precision over prevalence."""
        return self.average_precision / max(self.prevalence, 1e-9)

    def told(self) -> str:
        """Return the numbers as text."""
        return (
            f"AP/prev {self.lift:.2f} predicted {self.predicted:.4f} iou {self.iou:.3f} "
            f"std {self.deviation:.3f} dead {self.dead:.2f}"
        )


def average_precision(scores: Floats, truth: NDArray[np.bool_]) -> float:
    """Return the area under precision over recall; ties share their precision."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    found = hits[last] / hits[-1]
    precision = hits[last] / (last + 1)
    return float(np.sum(np.diff(found, prepend=0.0) * precision))


def scores(probabilities: Floats, labels: NDArray[np.integer], rare: int, dead: float) -> Scores:
    """Measure `probabilities` (images, 1 or classes, rows, cols) against `labels` (images, rows, cols)."""
    finite = np.nan_to_num(probabilities.astype(np.float64), nan=0.0)
    if finite.shape[1] == 1:
        finite = np.concatenate([1 - finite, finite], axis=1)
    decided = finite.argmax(axis=1)
    truth, kept = labels == rare, labels >= 0
    rank = finite[:, rare][kept]
    ious = [iou(decided[kept], labels[kept], k) for k in range(finite.shape[1])]
    odds = np.log(np.clip(rank, 1e-7, 1)) - np.log(np.clip(1 - rank, 1e-7, 1))
    return Scores(
        prevalence=float(truth[kept].mean()),
        average_precision=average_precision(rank, truth[kept]),
        predicted=float((decided == rare)[kept].mean()),
        iou=iou(decided[kept], labels[kept], rare),
        deviation=float(odds.std()),
        mean=float(rank.mean()),
        macro_iou=float(np.nanmean(ious)),
        dead=dead,
        least_iou=float(np.nanmin(ious)),
    )


def iou(decided: NDArray[np.integer], labels: NDArray[np.integer], index: int) -> float:
    """Return the intersection over union of one class; NaN where neither shows it."""
    union = ((decided == index) | (labels == index)).sum()
    return float(((decided == index) & (labels == index)).sum() / union) if union else float("nan")


def information(photos: NDArray[np.integer], labels: NDArray[np.integer]) -> float:
    """Return nats per pixel of mutual information between coarse colour and class."""
    coarse = (photos >> 5).astype(np.int64)
    colour = (coarse[:, 0] * 64 + coarse[:, 1] * 8 + coarse[:, 2]).ravel()
    classes = int(labels.max()) + 1
    joint = np.bincount(colour * classes + labels.ravel(), minlength=512 * classes).reshape(512, classes)
    joint = joint / joint.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    return float(np.sum(joint * np.log(np.where(joint > 0, joint, 1) / np.where(apart > 0, apart, 1))))
