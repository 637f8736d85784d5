"""Rules about answers and histories: what is wrong after training, and what only looks wrong."""

from rareseg.causes.cause import Suspicion, fell, mean_skill, of_rare, ranks, rare_answers, sign, skill
from rareseg.records.evidence import AnswersEvidence, ClassAnswers, Evidence

SPREAD_OUT = 0.3
"""Standard deviation of log-odds of a network that has learnt something: below it any threshold is as good."""
BEGUN, APART = 10, 1.0
"""Steps, and standard deviation of log-odds, from which on a training that is still moving may be judged by its maps:
before, what fresh weights answer is not yet overwritten."""
LEAST_RARE, LEAST_IMAGES = 100, 4
"""Held-out pixels of a class, and images, below which its average precision is chance."""


def threshold_off(evidence: Evidence) -> Suspicion | None:
    """It ranks well, and is cut at the wrong place."""
    found = max(_badly_cut(evidence), key=_lost, default=None)
    if found is None:
        return None
    iou, best = found.iou or 0.0, found.best_iou or 0.0
    # While the loss still falls fast, the threshold finds its place by itself: after a few steps that is no finding.
    moving = evidence.learning is not None and fell(evidence.learning) > 0.3
    begun = (evidence.steps_trained or 0) >= BEGUN and (found.deviation or 0) >= APART
    usual = 0.93 if iou < 0.25 * best else 0.75
    return Suspicion(
        (0.55 if begun else 0.45) if moving else usual,
        f'"{found.name}" is ranked well (average precision {found.average_precision or 0:.3g}, {found.lift or 0:.1f} '
        f"times chance) and mapped badly: IoU {iou:.3g}, where a cut at probability {found.best_threshold or 0:.2g} "
        f"gives {best:.3g}. No new training is needed.",
        (*of_rare(found), sign("IoU at the best threshold", best, f"now {iou:.3g}")),
        apart="The loss still falls fast: train on as well, and choose the threshold at the end."
        if moving
        else None,
    )


def _badly_cut(evidence: Evidence) -> list[ClassAnswers]:
    """Return the classes but the most frequent that are ranked well and mapped badly."""
    if evidence.answers is None:
        return []
    classes = evidence.answers.classes
    most = max(classes, key=lambda one: one.prevalence)
    # Of several classes, one that is hard for its kind is none that a threshold would save.
    least = 0.25 if len(classes) > 2 else 0.1
    return [
        one
        for one in classes
        if one is not most
        and ranks(one)
        and (one.deviation is None or one.deviation >= SPREAD_OUT)
        and (one.best_iou or 0.0) >= least
        and (one.iou or 0.0) <= 0.4 * (one.best_iou or 0.0)
        and _lost(one) >= 0.08
    ]


def _lost(answers: ClassAnswers) -> float:
    """Return the IoU that the threshold costs."""
    return (answers.best_iou or 0.0) - (answers.iou or 0.0)


def late_collapse(evidence: Evidence) -> Suspicion | None:
    """It knew the rare class once."""
    history = evidence.history
    if history is None:
        return None
    for name, curve in (("share of the rare class", history.rare_shares), ("score", history.scores)):
        values = [value for value in curve if value is not None]
        if len(values) < 4:
            continue
        top = max(values)
        when = values.index(top)
        end = sum(values[-2:]) / 2
        if (
            top > 0
            and when < len(values) - 2
            and end < 0.4 * top
            and top > (0.05 if name == "score" else 1e-4)
        ):
            return Suspicion(
                0.93,
                f"The {name} reached {top:.3g} at entry {when + 1} and fell to {end:.3g} at entry {len(values)}, "
                "while training went on.",
                (sign(f"{name}, best", top, "-"), sign(f"{name}, at the end", end, "near the best")),
            )
    return None


def metric_illusion(evidence: Evidence) -> Suspicion | None:
    """Accuracy that the constant answer has too."""
    answers, history = evidence.answers, evidence.history
    if answers is None:
        return None
    told = [value for value in (history.accuracies if history else ()) if value is not None]
    told_accuracy = told[-1] if told else None
    found = rare_answers(evidence)
    if answers.accuracy < answers.constant_accuracy - 0.03:
        return None
    if answers.source != "model":
        blind = _blank(answers)
    else:
        blind = found is not None and (found.iou or 0) < 0.05 and answers.constant_accuracy >= 0.6
    if answers.macro_iou > answers.constant_macro_iou + 0.05 or not blind:
        return None
    believed = told_accuracy is not None and told_accuracy >= answers.constant_accuracy - 0.03
    # Of maps without their network there is nothing else to say.
    return Suspicion(
        0.7 if believed else 0.6 if answers.source != "model" else 0.35,
        f"Accuracy {told_accuracy if told_accuracy is not None else answers.accuracy:.3g} is what the constant answer "
        f"scores ({answers.constant_accuracy:.3g}); mean IoU is {answers.macro_iou:.3g}, the constant answer's "
        f"{answers.constant_macro_iou:.3g}.",
        (
            sign("accuracy", answers.accuracy, f"> {answers.constant_accuracy:.3g}"),
            sign("mean IoU", answers.macro_iou, f"> {answers.constant_macro_iou:.3g}"),
        ),
    )


def _blank(answers: AnswersEvidence) -> bool:
    """Tell whether hardly anything but one class is given."""
    most = max(answers.classes, key=lambda one: one.predicted_share)
    return all(one.predicted_share < 0.1 * one.prevalence for one in answers.classes if one is not most)


def display_only(evidence: Evidence) -> Suspicion | None:
    """The map is right, and a viewer shows it black."""
    answers = evidence.answers
    if answers is None or answers.source != "classes" or answers.highest_id is None:
        return None
    if (answers.distinct_ids or 0) < 2 or answers.highest_id >= 20:
        return None
    mapped = [
        one for one in answers.classes if one.iou is not None and one.iou > 0.2 and one.prevalence < 0.5
    ]
    if not mapped:
        return None
    # Whether anybody saw black maps is not known: of files alone this can be no more than a likely reading.
    return Suspicion(
        0.6,
        f'If the maps look black: they are right ("{mapped[0].name}" has an IoU of {mapped[0].iou:.3g}), and hold '
        f"{answers.distinct_ids} classes with ids up to {answers.highest_id}, which a viewer of 0..255 shows as black.",
        (
            sign("largest id", answers.highest_id, "a palette, or 255"),
            sign("distinct ids", answers.distinct_ids, "> 1"),
        ),
    )


def seams(evidence: Evidence) -> Suspicion | None:
    """Errors, or jumps, at the borders of tiles."""
    answers = evidence.answers
    if answers is None or answers.tile is None:
        return None
    ratio = answers.seam_ratio or 0.0
    errors = f"errors are {ratio:.2g} times as frequent as elsewhere" if ratio > 1.2 else "answers jump"
    return Suspicion(
        0.93 if ratio > 1.5 else 0.8,
        f"At the borders of {answers.tile} px tiles {errors}.",
        (sign("errors within 8 px of tile borders over elsewhere", ratio, "about 1"),),
    )


def overfitted(evidence: Evidence) -> Suspicion | None:
    """It knows its training images by heart, and no others."""
    answers, found = evidence.answers, rare_answers(evidence)
    if answers is None or found is None or answers.training_average_precision is None:
        return None
    seen, unseen = answers.training_average_precision, found.average_precision or 0.0
    enough = found.prevalence * answers.pixels >= LEAST_RARE and answers.images >= LEAST_IMAGES
    if seen < 0.6 or unseen > 0.5 * seen or skill(found) > 0.4 or not enough or mean_skill(evidence) > 0.4:
        return None
    return Suspicion(
        0.6,
        f'"{found.name}" is ranked at {seen:.3g} on training images and at {unseen:.3g} on others.',
        (sign("average precision, training", seen, "-"), sign("validation", unseen, "near it")),
        apart="Look at pairs and preprocessing first: validation that is fed otherwise looks the same.",
    )
