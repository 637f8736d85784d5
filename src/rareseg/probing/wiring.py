"""Whether network, last layer, loss and labels fit, from what the user's loss says to chosen answers.

The loss is asked as a black box, so that any loss of any framework can be studied: what it is at right, even and wrong
answers tells what it wants to be fed; how it moves with answers at the pixels of one class tells what they weigh.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rareseg.probing import chosen
from rareseg.probing.chosen import Form
from rareseg.probing.reading import Shown, shown
from rareseg.probing.subject import VOID_LABEL, Batch, Floats, ProbeError, Subject
from rareseg.records.evidence import Activation, WiringEvidence

Wants = str
NUDGE = 0.05
_RIGHT_OF_EVEN = 1e-3
"""A loss of probabilities is next to nothing where these are right."""
_STILL_FALLING = 0.95
"""A loss of logits goes on falling from answers 1 and 0 to 2 and -1, where probabilities end."""


class Questions:
    """The user's loss on one batch, asked about answers."""

    def __init__(self, subject: Subject, batch: Batch, channels: int) -> None:
        """Keep what every question needs."""
        self._subject = subject
        self.batch = batch
        self.truth = chosen.holds(batch, channels)
        self.counted: NDArray[np.bool_] = batch.labels != VOID_LABEL
        self.error: str | None = None
        """What the loss raised first."""

    def loss(self, answers: Floats) -> float | None:
        """Return the loss at `answers`; None if the loss raises or is not finite."""
        try:
            found = self._subject.loss(self.batch, answers)
        except ProbeError as error:
            self.error = self.error or str(error)
            return None
        return found if math.isfinite(found) else None

    def loss_without_rare(self, answers: Floats) -> float | None:
        """Return the loss if every counted pixel held class 0."""
        labels = np.where(self.counted, 0, self.batch.labels).astype(self.batch.labels.dtype)
        try:
            found = self._subject.loss_of_labels(self.batch, labels, answers)
        except ProbeError:
            return None
        return found if math.isfinite(found) else None


def wiring_evidence(subject: Subject, batch: Batch, rare: int) -> WiringEvidence:
    """Ask the loss and read the set-up.

    Args:
        subject: The model under study.
        batch: A training batch, with pixels of the rare class if there are any.
        rare: Index of the rarest class.
    """
    setup = subject.setup
    answers = subject.answers(batch)
    seen = shown(answers, setup.last_activation)
    asked = Questions(subject, batch, answers.shape[1])
    common = {
        "framework": setup.framework,
        "loss_name": setup.loss_name,
        "optimizer_name": setup.optimizer_name,
        "learning_rate": setup.learning_rate,
        "channels": answers.shape[1],
        "classes": len(setup.classes),
        "output_low": seen.low,
        "output_high": seen.high,
        "sums_to_one": seen.sums_to_one,
        "activation": seen.activation,
        "declared_weights": setup.declared_weights,
        "weighted_by": setup.weighted_by,
        "parameters": setup.parameters,
        "trainable_parameters": setup.trainable_parameters,
        "smallest_batch": batch.count,
        "normalised": setup.normalised,
        "upsampling": setup.upsampling,
        "precision": setup.precision,
        "versions": dict(setup.versions),
    }
    return WiringEvidence(**common, **_of_loss(asked, answers, seen, rare))  # type: ignore[arg-type]


def _of_loss(asked: Questions, answers: Floats, seen: Shown, rare: int) -> dict[str, object]:
    now = asked.loss(answers)
    error = asked.error
    wants = wanted_form(asked.loss, asked.truth)
    form = _form(wants, seen.activation)
    moved = _moved_by_shift(asked) if wants == "logits" and answers.shape[1] > 1 else None
    softmax = answers.shape[1] > 1 and not per_class(seen.activation, moved)
    even = chosen.even(asked.truth, form)
    return {
        "loss_now": now,
        "loss_error": error,
        "loss_at_right_logits": asked.loss(chosen.toward(asked.truth, chosen.SURE)),
        "loss_at_right_probabilities": asked.loss(chosen.one_hot(asked.truth)),
        "loss_at_even": asked.loss(even),
        "loss_at_prior": asked.loss(chosen.by_prior(asked.truth, asked.counted, form, softmax=softmax)),
        "loss_at_wrong": asked.loss(chosen.majority_everywhere(asked.truth, asked.counted, form)),
        "wants": wants,
        "moved_by_shift": moved,
        "effective_weights": _effective_weights(asked, even, form),
        "dice_like": _ratio_like(asked, even, form),
        "empty_slope": _empty_slope(asked, even, form, rare),
        "rare_slope": _rare_slope(asked, answers, form, rare),
    }


def per_class(activation: Activation, moved_by_shift: float | None) -> bool:
    """Tell whether answers are a yes or no per class, not one choice among classes."""
    if activation == "none":
        return moved_by_shift is not None and moved_by_shift > 1e-3
    return activation == "sigmoid"


def wanted_form(loss: Callable[[Floats], float | None], truth: NDArray[np.bool_]) -> Wants:
    """Tell what a loss wants to be fed: "logits", "probabilities", "log-probabilities" or "unknown".

    Args:
        loss: Of answers shaped like `truth`; None where it raises or is not finite.
        truth: (images, channels, pixels).
    """
    right, three = loss(chosen.one_hot(truth)), loss(chosen.one_hot(truth, 3.0))
    if right is None:
        return "unknown"
    even = loss(chosen.even(truth, "probabilities"))
    zero = loss(chosen.even(truth, "logits"))
    beyond = loss(3 * chosen.one_hot(truth) - 1)
    if (
        three is not None
        and zero is not None
        and right < 0
        and math.isclose(three - zero, 3 * (right - zero), rel_tol=1e-3)
    ):
        return "log-probabilities"
    if abs(right) <= _RIGHT_OF_EVEN * abs(even or 1.0):
        return "probabilities"
    if beyond is None or beyond >= _STILL_FALLING * right:
        return "probabilities"
    return "logits"


def _form(wants: Wants, activation: Activation) -> Form:
    if wants == "unknown":
        return "logits" if activation == "none" else "probabilities"
    return wants  # type: ignore[return-value]


def _moved_by_shift(asked: Questions) -> float | None:
    """Return how much the loss changes when 1 is added to all logits of a pixel, relative to it."""
    answers = np.random.default_rng(0).normal(size=asked.truth.shape).astype(np.float32)
    before, after = asked.loss(answers), asked.loss(answers + 1)
    return None if before is None or after is None or not before else abs(after - before) / abs(before)


def _effective_weights(asked: Questions, even: Floats, form: Form) -> tuple[float, ...] | None:
    """Return what a pixel of each class costs at the even answer, relative to the first class present."""
    channels = even.shape[1]
    start = asked.loss(even)
    if start is None or asked.batch.several is not None:
        return None
    prices: list[float] = []
    for label in range(max(channels, 2)):
        where = asked.batch.labels == label
        pixels = int(where.sum())
        moved = asked.loss(chosen.nudged(even, asked.truth, where, form, NUDGE)) if pixels else None
        prices.append(0.0 if moved is None else (start - moved) / pixels)
    first = next((price for price in prices if price > 0), None)
    return None if first is None else tuple(price / first for price in prices)


def _ratio_like(asked: Questions, even: Floats, form: Form) -> float | None:
    """Return how far the loss is from a mean over pixels: 0 if what is right here and there adds up.

    With answers A and B at two sets of pixels, a mean over pixels has L(A|B) + L(B|A) = L(A) + L(B). The sets are
    the pixels of the channel that holds least, and all others: a ratio is furthest from adding up there.
    """
    good = chosen.nudged(even, asked.truth, asked.counted, form, 0.5 if form == "probabilities" else 2.0)
    pixels = asked.truth.sum(axis=(0, 2))
    here = asked.truth[:, int(np.argmin(np.where(pixels > 0, pixels, pixels.max() + 1)))][:, None]
    mixed = np.where(here, good, even), np.where(here, even, good)
    found = [asked.loss(answers) for answers in (*mixed, good, even)]
    if any(one is None for one in found):
        return None
    first, second, best, worst = (float(one or 0.0) for one in found)
    return abs(first + second - best - worst) / abs(worst - best) if worst != best else None


def _empty_slope(asked: Questions, even: Floats, form: Form, rare: int) -> float | None:
    """Return how the loss punishes claims of the rare class where there is none, over claims of it in this batch."""
    if asked.batch.several is not None or rare == 0:
        return None
    none = np.zeros_like(asked.truth)
    if asked.truth.shape[1] > 1:
        none[:, 0] = True
    worse = chosen.nudged(
        even, ~none if none.shape[1] == 1 else _claimed(none, rare), asked.counted, form, NUDGE
    )
    start, end = asked.loss_without_rare(even), asked.loss_without_rare(worse)
    rest = asked.counted & (asked.batch.labels != rare)
    full, more = (
        asked.loss(even),
        asked.loss(chosen.nudged(even, _claimed(asked.truth, rare), rest, form, NUDGE)),
    )
    if start is None or end is None or full is None or more is None or full == more:
        return None
    return (end - start) / abs(more - full)


def _claimed(truth: NDArray[np.bool_], rare: int) -> NDArray[np.bool_]:
    """Return the answer "rare class" everywhere."""
    if truth.shape[1] == 1:
        return np.ones_like(truth)
    said = np.zeros_like(truth)
    said[:, min(rare, truth.shape[1] - 1)] = True
    return said


def _rare_slope(asked: Questions, answers: Floats, form: Form, rare: int) -> float | None:
    """Return the share of the loss's slope, at the present answers, that lies at pixels of the rare class."""
    now = asked.loss(answers)
    if now is None:
        return None
    slopes: list[float] = []
    for where in (asked.batch.labels == rare, asked.counted & (asked.batch.labels != rare)):
        moved = asked.loss(chosen.nudged(answers, asked.truth, where, form, NUDGE))
        if moved is None:
            return None
        slopes.append(abs(now - moved))
    return slopes[0] / sum(slopes) if sum(slopes) > 0 else None
