"""All probes of one model, in the order in which each makes the next meaningful, within a budget of time."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from rareseg.probing.clock import Clock
from rareseg.probing.learning import Trainer, learning_evidence, tried
from rareseg.probing.reading import shown
from rareseg.probing.scoring import Answered, Read, answered_by, answers_evidence, scored
from rareseg.probing.subject import VOID_LABEL, Batch, Setup, Subject
from rareseg.probing.wiring import per_class, wiring_evidence
from rareseg.progress import Progress
from rareseg.records.evidence import (
    AnswersEvidence,
    DataEvidence,
    Evidence,
    HistoryEvidence,
    LearningEvidence,
    WiringEvidence,
)

MOST_BATCHES = 32
MANY_BATCHES = 1000
"""Of small batches: a toy's batch may be ten numbers."""
ENOUGH_PIXELS = 1 << 18
_FEW = 6
"""Batches that are scored at least."""

_NOTHING = "No pixel of the batches has a label that counts, so that neither loss nor answers can be judged."

LookAtData = Callable[[Sequence[Batch], Sequence[Batch], Setup], tuple[DataEvidence, tuple[str, ...]]]
"""Measures batches of training and of validation; returns what was found, and notes on what could not be."""


class Told(NamedTuple):
    """What the user says beside the objects."""

    steps: int | None = None
    epochs: float | None = None
    history: HistoryEvidence | None = None


class Shares(NamedTuple):
    """Counted pixels of each class in the training batches."""

    pixels: tuple[int, ...]

    @property
    def rare(self) -> int:
        """Return the rarest class present, of equals the last; of two classes the second if that is absent."""
        present = [label for label, count in enumerate(self.pixels) if count]
        if len(self.pixels) == 2 and present != [0, 1]:
            return 1
        return min(reversed(present), key=lambda label: self.pixels[label]) if present else 0

    @property
    def entropy(self) -> float | None:
        """Return the entropy of the shares in nats."""
        total = sum(self.pixels)
        shares = np.array([count / total for count in self.pixels if count]) if total else None
        return None if shares is None else float(-(shares * np.log(shares)).sum())


def examine(
    subject: Subject,
    told: Told,
    look_at_data: LookAtData,
    *,
    seconds: float,
    quick: bool,
    progress: Progress,
) -> Evidence:
    """Probe a model under study; it is left as it is.

    Args:
        subject: The model.
        told: What the user says of the training so far.
        look_at_data: Measures the batches.
        seconds: About how long it may take.
        quick: Leave out the probes that train copies.
        progress: Shows what is being done.
    """
    clock = Clock(seconds)
    progress.say("Reading batches.")
    training, validation = enough(subject.training_batches), enough(subject.validation_batches)
    classes = subject.setup.classes
    shares = Shares(_pixels(training, len(classes)))
    data, remarks = look_at_data(training, validation, subject.setup)
    notes = list(remarks)
    counted = [batch for batch in training if (batch.labels != VOID_LABEL).any()]
    found = Evidence(
        subject=_described(subject),
        classes=classes,
        rare=shares.rare,
        prior_entropy=shares.entropy,
        steps_trained=told.steps,
        epochs_trained=told.epochs,
        data=data,
        history=told.history,
    )
    if not counted:
        return replace(found, notes=(*notes, _NOTHING))
    fullest = max(counted, key=lambda batch: int((batch.labels == shares.rare).sum()))
    progress.say("Asking the loss.")
    trainable = subject.setup.trainable
    wiring = wiring_evidence(subject, fullest, shares.rare) if trainable else None
    read = reading(subject, wiring, fullest)
    progress.say("Scoring answers.")
    answers = _answers(subject, counted, validation, read, shares.rare)
    how = (shares.rare, read, clock)
    learns = trainable and not quick
    learning = _learning(subject, counted, fullest, how, notes=notes, progress=progress) if learns else None
    return replace(found, wiring=wiring, answers=answers, learning=learning, notes=tuple(notes))


def enough(batches: Callable[[int], list[Batch]]) -> list[Batch]:
    """Return some batches; many where they are small, so that a rare class can be ranked."""
    found = batches(MOST_BATCHES)
    if len(found) == MOST_BATCHES and sum(batch.labels.size for batch in found) < ENOUGH_PIXELS:
        return batches(MANY_BATCHES)
    return found


def reading(subject: Subject, wiring: WiringEvidence | None, batch: Batch) -> Read:
    """Return how the model's answers are to be read."""
    if wiring is None:
        seen = shown(subject.answers(batch), subject.setup.last_activation)
        return seen.activation, seen.activation == "sigmoid"
    return wiring.activation, per_class(wiring.activation, wiring.moved_by_shift)


def _learning(
    subject: Subject,
    batches: list[Batch],
    fullest: Batch,
    how: tuple[int, Read, Clock],
    *,
    notes: list[str],
    progress: Progress,
) -> LearningEvidence | None:
    raised = tried(subject, fullest)
    if raised is not None:
        notes.append(f"No training step could be made: {raised}")
        return None
    rare, read, clock = how
    trainer = Trainer(subject, batches, rare, read, clock)
    return learning_evidence(trainer, subject, batches, fullest, progress)


def _answers(
    subject: Subject, training: list[Batch], validation: list[Batch], read: Read, rare: int
) -> AnswersEvidence:
    held_out = [batch for batch in validation if (batch.labels != VOID_LABEL).any()]
    looked_at = _spread(held_out or training)
    found = answers_evidence(
        answered_by(subject, looked_at, read), subject.setup.classes, sum(batch.count for batch in looked_at)
    )
    few = _spread(training)
    still, stirred = answered_by(subject, few, read), answered_by(subject, few, read, training=True)
    seen, seen_stirred = scored(still, rare), scored(stirred, rare)
    return replace(
        found,
        training_average_precision=seen.average_precision,
        training_prevalence=seen.prevalence,
        eval_mode_share=seen.predicted_share,
        train_mode_average_precision=seen_stirred.average_precision,
        train_mode_share=seen_stirred.predicted_share,
        mode_gap=_mode_gap(still, stirred, rare),
    )


def _mode_gap(still: Answered, stirred: Answered, rare: int) -> float | None:
    """Return how far answers move from training to evaluation mode, over how far they differ between pixels."""
    if rare >= len(still.odds) or not still.labels.size:
        return None
    one, other = (
        np.nan_to_num(found.odds[rare].astype(np.float64), nan=0.0, posinf=60.0, neginf=-60.0)
        for found in (still, stirred)
    )
    spread = float(other.std())
    return float(np.sqrt(np.square(one - other).mean())) / spread if spread > 0 else None


def _spread(batches: list[Batch]) -> list[Batch]:
    """Return some batches, evenly from all: at least a few, and so many that they hold enough pixels."""
    each = max(1, sum(batch.labels.size for batch in batches) // max(1, len(batches)))
    few = max(_FEW, -(-ENOUGH_PIXELS // each))
    if len(batches) <= few:
        return batches
    return [batches[index * len(batches) // few] for index in range(few)]


def _pixels(batches: Sequence[Batch], classes: int) -> tuple[int, ...]:
    total = np.zeros(classes, np.int64)
    for batch in batches:
        if batch.several is None:
            counted = batch.labels[batch.labels != VOID_LABEL]
            total += np.bincount(counted, minlength=classes)[:classes]
        else:
            total[: batch.several.shape[1]] += batch.several.sum(axis=(0, 2))[:classes]
    return tuple(total.tolist())


def _described(subject: Subject) -> str:
    setup = subject.setup
    return f"a {setup.framework} model of {setup.parameters:,} parameters, {setup.loss_name}, {setup.optimizer_name}"
