"""Scores of answers as evidence, however they were counted: class by class, and beside the constant answer."""

from collections.abc import Sequence
from typing import Literal

from rareseg.measures.baseline import constant_predictor
from rareseg.measures.curves import Score
from rareseg.records.evidence import AnswersEvidence, ClassAnswers

Source = Literal["model", "probabilities", "classes"]


def class_answers(
    name: str,
    prevalence: float,
    *,
    precision: float | None,
    best: Score | None,
    predicted_share: float,
    iou: float | None,
    mean_probability: float | None,
    deviation: float | None,
) -> ClassAnswers:
    """Return what is answered of one class; all shares and scores 0..1, `deviation` in nats of log-odds."""
    return ClassAnswers(
        name=name,
        prevalence=prevalence,
        average_precision=precision,
        lift=precision / prevalence if precision is not None and prevalence else None,
        predicted_share=predicted_share,
        iou=iou,
        best_iou=None if best is None else best.iou,
        best_threshold=None if best is None else best.threshold,
        mean_probability=mean_probability,
        deviation=deviation,
    )


def beside_constant(
    classes: tuple[ClassAnswers, ...],
    pixels: Sequence[int],
    counted: int,
    *,
    source: Source,
    images: int,
    accuracy: float,
    macro_iou: float,
    overlapping: bool,
) -> AnswersEvidence:
    """Return scores beside those of the best constant answer.

    Args:
        classes: what is answered of each.
        pixels: labelled pixels of each.
        counted: labelled pixels in all.
        source: what the answers are.
        images: how many were looked at.
        accuracy, macro_iou: of the map, 0..1.
        overlapping: whether a pixel may belong to several classes.
    """
    names = [one.name for one in classes]
    constant = constant_predictor(pixels, counted, names, overlapping=overlapping)
    return AnswersEvidence(
        source=source,
        images=images,
        pixels=counted,
        classes=classes,
        accuracy=accuracy,
        macro_iou=macro_iou,
        constant_accuracy=constant.accuracy,
        constant_macro_iou=constant.macro_iou,
    )
