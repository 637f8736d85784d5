"""From what an evaluation gathered to the Report."""

from collections.abc import Sequence
from typing import NamedTuple

from rareseg.measures.baseline import constant_predictor
from rareseg.measures.class_scores import class_scores, transfers, values
from rareseg.measures.confusion import mean_of_present
from rareseg.measures.evaluation import Evaluation
from rareseg.measures.intervals import LEAST_SCENES
from rareseg.measures.relaxed import RELAXED_PX
from rareseg.measures.score_intervals import (
    Drawn,
    Values,
    drawn,
    drawn_alike,
    of_difference,
    of_mean_difference,
    of_means,
)
from rareseg.records.audit import ConstantPredictor
from rareseg.records.report import MacroScores, MicroScores, Report
from rareseg.records.scores import Difference

MEANS = ("iou", "f1", "precision", "recall", "average_precision")
"""Scores that have a mean over classes."""
MOST_CONFUSED = 64
"""Classes up to which the confusion table is written."""


class Decision(NamedTuple):
    """How class maps came of probabilities."""

    rule: str
    """As in Report.decision."""
    thresholds: Sequence[float | None]
    """Per class."""
    thresholds_from: str
    chosen_shares: Sequence[float | None]
    """Each class's share where thresholds were chosen; None where that is unknown."""


def report(
    found: Evaluation,
    *,
    decision: Decision,
    name: str,
    run_digest: str,
    data: str,
    part: str,
    source: str,
    boundary_px: int,
    notes: tuple[str, ...],
) -> Report:
    """Return the Report of an evaluation.

    Args:
        found: everything that was counted; at least one pixel.
        decision: how maps were decided.
        name, run_digest, data, part, source, boundary_px, notes: as in Report.
    """
    total = found.total
    scores, draws = values(found), drawn(found)
    return Report(
        name=name,
        run_digest=run_digest,
        data=data,
        part=part,
        images=len(found.images),
        decision=decision.rule,
        thresholds_from=decision.thresholds_from,
        relaxed_px=int(RELAXED_PX),
        classes={
            name: class_scores(found, label, scores=scores, draws=draws, threshold=decision.thresholds[label])
            for label, name in enumerate(found.classes)
        },
        macro=_macro(scores, draws, total.confusion.pixels),
        constant_predictor=_constant(found),
        counted_pixels=total.confusion.counted,
        uncounted_pixels=total.uncounted,
        notes=(*notes, *_notes(found, draws)),
        micro=MicroScores(accuracy=total.confusion.accuracy or 0.0),
        source=source,
        scenes=draws.scenes,
        boundary_px=boundary_px,
        confusion=_confusion(found),
        by_image=tuple(found.images),
        transfer=transfers(found, decision.chosen_shares, decision.thresholds),
    )


def differences(one: Evaluation, other: Evaluation) -> tuple[Difference, ...]:
    """Return how `one` and `other`, of the same images, differ, with paired intervals.

    Every score of every class, and the means over the classes that are present, called "".
    """
    both = values(one), values(other)
    first, second = drawn_alike(one, other)
    found = []
    for label, name in enumerate(one.classes):
        for score in both[0]:
            this, that = (held[score][label] for held in both)
            if this is None and that is None:
                continue
            gap = None if this is None or that is None else this - that
            span = of_difference(first, second, score, label, gap)
            found.append(
                Difference(name=name, score=score, this=this, other=that, difference=gap, interval=span)
            )
    return (*found, *(_of_means(first, second, score, both) for score in MEANS))


def _of_means(first: Drawn, second: Drawn, score: str, both: tuple[Values, Values]) -> Difference:
    ours, theirs = (held[score] for held in both)
    this, that = mean_of_present(ours), mean_of_present(theirs)
    # Means over unlike classes cannot be compared.
    alike = all((one is None) == (other is None) for one, other in zip(ours, theirs, strict=True))
    gap = this - that if alike and this is not None and that is not None else None
    span = of_mean_difference(first, second, score, gap, both)
    return Difference(name="", score=score, this=this, other=that, difference=gap, interval=span)


def unanswered_notes(found: Evaluation, name: str = "The map") -> tuple[str, ...]:
    """Return what is said of labelled pixels for which there is no answer: who leaves out what is hard looks good."""
    lost = found.total.unanswered
    if not lost:
        return ()
    share = lost / (lost + found.total.confusion.counted)
    return (
        f"{name} has no answer (NaN, no-data or 255) for {lost:,} labelled pixels, {share:.2%} of them. They count "
        "nowhere: its scores hold for the others only.",
    )


def _constant(found: Evaluation) -> ConstantPredictor:
    confusion = found.total.confusion
    return constant_predictor(
        confusion.pixels, confusion.counted, found.classes, overlapping=found.overlapping
    )


def _macro(scores: Values, draws: Drawn, pixels: Sequence[int]) -> MacroScores:
    means = {name: mean_of_present(scores[name]) for name in MEANS}
    present = sum(count > 0 for count in pixels)
    return MacroScores(**means, classes=present, intervals=of_means(draws, means, scores))


def _notes(found: Evaluation, draws: Drawn) -> tuple[str, ...]:
    return (
        *unanswered_notes(found),
        *_absent_notes(found),
        *_shape_notes(found),
        *_scene_notes(found, draws),
    )


def _absent_notes(found: Evaluation) -> tuple[str, ...]:
    pixels = zip(found.classes, found.total.confusion.pixels, strict=True)
    absent = [name for name, count in pixels if not count]
    return (f"Not measurable, as no counted pixel holds them: {', '.join(absent)}.",) if absent else ()


def _confusion(found: Evaluation) -> tuple[tuple[int, ...], ...]:
    if found.overlapping or len(found.classes) > MOST_CONFUSED:
        return ()
    return tuple(tuple(int(count) for count in row) for row in found.total.confusion.counts)


def _shape_notes(found: Evaluation) -> tuple[str, ...]:
    notes: list[str] = []
    if found.too_large:
        notes.append(
            f"{found.too_large} images are too large for scores of lines and objects (above 67 megapixels): they are "
            "left out there. Cut them into tiles to have them scored."
        )
    if found.unsized:
        notes.append(
            f"{found.unsized} of {len(found.images)} images do not say how large a pixel is on the ground: lengths of "
            "lines are in px for all. Georeference them to have lengths in metres."
        )
    return tuple(notes)


def _scene_notes(found: Evaluation, draws: Drawn) -> tuple[str, ...]:
    few = [
        name
        for name, count in zip(found.classes, draws.holding.tolist(), strict=True)
        if 0 < count < LEAST_SCENES <= draws.scenes
    ]
    if few:
        return (
            f"Fewer than {LEAST_SCENES} of {draws.scenes} scenes hold {', '.join(few)}: no interval can be told there, "
            "so the scores may be luck.",
        )
    if draws.scenes >= LEAST_SCENES or not draws.scenes:
        return ()
    return (
        f"{draws.scenes} scene{'s' if draws.scenes != 1 else ''}: no interval can be told from fewer than "
        f"{LEAST_SCENES}, so the scores may be luck. Name the scenes in a TOML (group) if images of several are there.",
    )
