"""The numbers behind a diagnosis as short rows, for the terminal and for the page."""

from collections.abc import Iterator, Sequence

from rareseg.records.evidence import (
    AnswersEvidence,
    DataEvidence,
    Evidence,
    HistoryEvidence,
    LearningEvidence,
    WiringEvidence,
)
from rareseg.showing.layout import ABSENT, spell_count, spell_score, spell_share

CLASS_HEADINGS = ("class", "share %", "given %", "AP", "lift", "IoU", "best IoU", "spread")
_MOST_CLASSES = 12
_MOST_SHARES = 6

_WORDS = ((0.9, "almost certain"), (0.7, "likely"), (0.4, "possible"), (0.0, "unlikely"))


def spell_confidence(confidence: float) -> str:
    """0.82 -> "likely, 82 %"."""
    word = next(word for least, word in _WORDS if confidence >= least)
    return f"{word}, {100 * confidence:.0f} %"


def spell_number(value: float | None) -> str:
    """Three significant digits."""
    return ABSENT if value is None else f"{value:.3g}"


def measured(evidence: Evidence) -> list[tuple[str, str]]:
    """Return (what, value) of the main numbers that were measured; nothing of what was not."""
    rows = [*_trained(evidence)]
    if evidence.data is not None:
        rows += _data(evidence.data)
    if evidence.wiring is not None:
        rows += _wiring(evidence.wiring, evidence.prior_entropy)
    if evidence.learning is not None:
        rows += _learning(evidence.learning)
    if evidence.answers is not None:
        rows += _answers(evidence.answers)
    if evidence.history is not None:
        rows += _history(evidence.history)
    return rows


def class_rows(answers: AnswersEvidence) -> list[tuple[str, ...]]:
    """Return a row per class under CLASS_HEADINGS, the rarest first, at most 12."""
    ordered = sorted(answers.classes, key=lambda one: one.prevalence)[:_MOST_CLASSES]
    return [
        (
            one.name,
            spell_share(one.prevalence),
            spell_share(one.predicted_share),
            spell_score(one.average_precision),
            ABSENT if one.lift is None else f"{one.lift:.1f}",
            spell_score(one.iou),
            spell_score(one.best_iou),
            spell_number(one.deviation),
        )
        for one in ordered
    ]


def _trained(evidence: Evidence) -> Iterator[tuple[str, str]]:
    told = []
    if evidence.steps_trained is not None:
        told.append(f"{spell_count(evidence.steps_trained)} steps")
    if evidence.epochs_trained is not None:
        told.append(f"{evidence.epochs_trained:g} epochs")
    if told:
        yield "trained for", ", ".join(told)


def _data(data: DataEvidence) -> Iterator[tuple[str, str]]:
    where = "files" if data.source == "files" else "batches of the training"
    yield "labels", f"{spell_count(data.images)} images, {spell_count(data.pixels)} px, from {where}"
    pairs = sorted(zip(data.classes, data.shares, strict=False), key=lambda pair: pair[1])
    shares = ", ".join(f"{name} {spell_share(share)} %" for name, share in pairs[:_MOST_SHARES])
    more = len(pairs) - _MOST_SHARES
    yield "class shares", shares + (f" and {more} more" if more > 0 else "")
    for what, value in (
        ("labels of no class", data.out_of_range),
        ("left out", data.ignored),
        ("values between classes", data.between),
        ("batches without the rare class", data.empty_batches),
    ):
        if value:
            yield what, f"{spell_share(value)} %"


def _wiring(wiring: WiringEvidence, entropy: float | None) -> Iterator[tuple[str, str]]:
    rate = "" if wiring.learning_rate is None else f" at {wiring.learning_rate:g}"
    yield "set-up", f"{wiring.loss_name}, {wiring.optimizer_name}{rate} ({wiring.framework})"
    frozen = wiring.parameters - wiring.trainable_parameters
    kept = f", of which {spell_count(frozen)} frozen" if frozen else ""
    yield "parameters", f"{spell_count(wiring.parameters)}{kept}"
    yield "last layer", f"{wiring.channels} channels, {wiring.activation}; the loss wants {wiring.wants}"
    losses = [("now", wiring.loss_now), ("shares everywhere", wiring.loss_at_prior)]
    losses += [("even", wiring.loss_at_even), ("right", _right(wiring))]
    told = ", ".join(f"{what} {value:.4f}" for what, value in losses if value is not None)
    if told:
        known = "" if entropy is None else f"; entropy of the shares {entropy:.4f} nats"
        yield "loss of answers", told + known


def _right(wiring: WiringEvidence) -> float | None:
    chances = wiring.wants == "probabilities"
    return wiring.loss_at_right_probabilities if chances else wiring.loss_at_right_logits


def _learning(learning: LearningEvidence) -> Iterator[tuple[str, str]]:
    if learning.losses:
        yield "first steps", f"{_course(learning.losses)} in {learning.steps} steps"
    if learning.update_ratio is not None:
        yield "change over weight, a step", f"{learning.update_ratio:.2g} (1e-3 is usual)"
    dead = [("brought", learning.dead_before), ("new weights", learning.dead_at_start)]
    dead += [("after the steps", learning.dead_after)]
    told = ", ".join(f"{what} {100 * value:.0f} %" for what, value in dead if value is not None)
    if told:
        yield "dead units", told
    if learning.fit_losses:
        reached = ""
        if learning.fit_average_precision is not None:
            chance = spell_score(learning.fit_prevalence)
            reached = f"; AP {spell_score(learning.fit_average_precision)}, chance {chance}"
        yield "one batch again and again", f"{_course(learning.fit_losses)}{reached}"


def _answers(answers: AnswersEvidence) -> Iterator[tuple[str, str]]:
    yield (
        "accuracy",
        f"{spell_score(answers.accuracy)}; the constant answer {spell_score(answers.constant_accuracy)}",
    )
    yield (
        "mean IoU",
        f"{spell_score(answers.macro_iou)}; the constant answer {spell_score(answers.constant_macro_iou)}",
    )


def _history(history: HistoryEvidence) -> Iterator[tuple[str, str]]:
    named = [("loss", history.losses), ("validation loss", history.validation_losses)]
    named += [("share given to the rare class", history.rare_shares), ("score", history.scores)]
    for what, values in named:
        known = [value for value in values if value is not None]
        if known:
            yield f"history, {what}", f"{_course(known)} over {len(values)} entries"


def _course(values: Sequence[float]) -> str:
    return f"{values[0]:.4g} to {values[-1]:.4g}"
