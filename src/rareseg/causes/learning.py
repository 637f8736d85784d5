"""Rules about how it learns: too few steps, a learning rate that starves, frozen layers, a loss without slope."""

from rareseg.causes.cause import (
    A_RATIO,
    DEAD,
    NO_SKILL,
    Suspicion,
    fell,
    missing,
    of_rare,
    ranks,
    rare_answers,
    sign,
    well,
)
from rareseg.records.diagnosis import Sign
from rareseg.records.evidence import ClassAnswers, Evidence, LearningEvidence, WiringEvidence

SATURATED = 0.5
STARVED = 1e-5
"""Change of weights per step, relative to them."""
STILL_FALLING = 0.03
FEW_EPOCHS = 5.0
MOSTLY_FROZEN = 0.7
LEARNS_ANEW = 0.2
"""Fall of the loss of fresh weights from which on their rate is high enough."""


def under_trained(evidence: Evidence) -> Suspicion | None:
    """It would learn, and has not yet."""
    found, learning = rare_answers(evidence), evidence.learning
    if found is None or learning is None or ranks(found) or not _learns(learning):
        return None
    if (learning.dead_before or 0) > DEAD or _starved(learning):
        return None
    confidence = 0.6 + 0.15 * (fell(learning) > STILL_FALLING or _rises(learning)) + 0.1 * _fits(learning)
    few = evidence.epochs_trained is not None and evidence.epochs_trained < FEW_EPOCHS
    confidence += 0.1 * few
    told = "" if evidence.epochs_trained is None else f" after {evidence.epochs_trained:g} epochs"
    return Suspicion(
        min(confidence, 0.95),
        f'"{found.name}" is not ranked yet{told} (lift {found.lift or 0:.2f}), but a copy goes on learning: its loss '
        f"fell by {fell(learning):.0%} in {learning.steps} steps, and {1 - (learning.dead_before or 0):.0%} of "
        "the units live.",
        (*of_rare(found), *_of_course(learning), *_of_slope(evidence, found)),
        apart="If more steps do not lift average precision above three times the prevalence, look at the rate.",
    )


def saturated(evidence: Evidence) -> Suspicion | None:
    """Sigmoid or tanh units at an end of their range, where they have no slope: inputs that are not scaled."""
    found, learning = rare_answers(evidence), evidence.learning
    if (
        learning is None
        or (learning.saturated_before or 0) < SATURATED
        or (found is not None and well(found))
    ):
        return None
    worst = max(learning.layers, key=lambda layer: layer.saturated)
    return Suspicion(
        0.65,
        f"{learning.saturated_before:.0%} of the units stand at an end of their range, most in {worst.layer} "
        f"({worst.saturated:.0%}): nothing passes there. Inputs of 0 to 255 do that to sigmoids.",
        (sign("saturated units", learning.saturated_before, f"< {SATURATED}"),),
        apart="Standardise the inputs and look again: if the units move, this was it.",
    )


def rate_too_low(evidence: Evidence) -> Suspicion | None:
    """Weights hardly move."""
    found, learning, wiring = rare_answers(evidence), evidence.learning, evidence.wiring
    if learning is None or learning.update_ratio is None or (found is not None and ranks(found)):
        return None
    if (learning.dead_before or 0) > DEAD or (wiring is not None and not wiring.trainable_parameters):
        return None
    starved, helped, known = _starved(learning), (learning.faster_gain or 0) >= 4, _adadelta(wiring)
    if not starved and not helped and not known:
        return None
    if wiring is not None and _frozen_share(wiring) > MOSTLY_FROZEN and not (helped or known):
        return None
    # A rate at which fresh weights learn is none too low: where the network stands, there is no slope.
    if (learning.fresh_fall or 0) > LEARNS_ANEW and not known:
        return None
    stuck = found is not None and _stands_at_constant(found, wiring)
    confidence = min(0.55 + 0.2 * starved + 0.25 * helped + 0.2 * known, 0.8 if stuck else 0.97)
    rate = None if wiring is None else wiring.learning_rate
    at = "" if rate is None else f" (learning rate {rate:g})"
    more = ""
    if helped:
        more = f" At {learning.faster_rate:g} times the rate the loss falls {learning.faster_gain:.0f} times as far."
    if known:
        more += " Keras's Adadelta starts at 0.001; the paper's rate is 1 (Zeiler 2012)."
    return Suspicion(
        confidence,
        f"A step changes weights by {learning.update_ratio:.1e} of their size{at}, about 1e-3 is usual; the loss "
        f"fell by {fell(learning):.1%} in {learning.steps} steps.{more}",
        (
            sign("change of weights per step, relative", learning.update_ratio, "1e-4..1e-2"),
            sign("times as far at a faster rate", learning.faster_gain, "about 1"),
        ),
        direct=(helped or known) and not stuck,
    )


def frozen(evidence: Evidence) -> Suspicion | None:
    """Most of the network does not train."""
    wiring = evidence.wiring
    if wiring is None or not wiring.parameters:
        return None
    share = _frozen_share(wiring)
    if share < 0.3:
        return None
    found = rare_answers(evidence)
    if found is not None and ranks(found) and not missing(found):
        return None
    learning = evidence.learning
    cannot = learning is not None and not _fits(learning)
    return Suspicion(
        0.97 if share == 1 else 0.9 if share > MOSTLY_FROZEN else 0.8 if cannot else 0.6,
        f"{share:.0%} of the {wiring.parameters:,} parameters are frozen"
        + (", and what is left does not learn one batch by heart." if cannot else "."),
        (sign("frozen share of the parameters", share, "0, unless the frozen part is pretrained"),),
        apart="Frozen layers are no fault if they hold pretrained weights for this kind of image, fed as they were.",
        direct=True,
    )


def dice_stuck(evidence: Evidence) -> Suspicion | None:
    """An overlap loss at a constant answer, where it has no slope."""
    found, wiring, learning = rare_answers(evidence), evidence.wiring, evidence.learning
    if found is None or wiring is None or not _of_overlaps(wiring) or not missing(found):
        return None
    if ranks(found) or (learning is not None and (learning.dead_before or 0) > 0.6):
        return None
    near = _near(wiring.loss_now, wiring.loss_at_wrong)
    flat = learning is None or fell(learning) < STILL_FALLING
    if not near and not flat:
        return None
    return Suspicion(
        0.6 + 0.2 * near + 0.15 * flat,
        f"The loss ({wiring.loss_name}) is made of overlaps and stands at {_spell(wiring.loss_now)}; the majority "
        f"everywhere scores {_spell(wiring.loss_at_wrong)}. There it has next to no slope: "
        + (
            "nothing was trained." if learning is None else f"{fell(learning):.1%} in {learning.steps} steps."
        ),
        (
            sign("loss", wiring.loss_now, "falling"),
            sign("loss of the majority everywhere", wiring.loss_at_wrong, "-"),
            *of_rare(found),
            *_of_slope(evidence, found),
        ),
    )


def _of_overlaps(wiring: WiringEvidence) -> bool:
    return (wiring.dice_like or 0) >= A_RATIO


def _stands_at_constant(found: ClassAnswers, wiring: WiringEvidence | None) -> bool:
    """Tell whether an overlap loss stands where its slope is gone: steps are small there at any rate."""
    if wiring is None or not _of_overlaps(wiring):
        return False
    return missing(found) and _near(wiring.loss_now, wiring.loss_at_wrong)


def _learns(learning: LearningEvidence) -> bool:
    return fell(learning) > STILL_FALLING or _rises(learning) or _fits(learning)


def _rises(learning: LearningEvidence) -> bool:
    """Tell whether the steps ranked the rare class better."""
    before, after = learning.precision_before, learning.precision_after
    return before is not None and after is not None and after > before + 0.05


def _fits(learning: LearningEvidence) -> bool:
    """Tell whether one batch is learnt by heart, at least by half."""
    found, prevalence = learning.fit_average_precision, learning.fit_prevalence or 0.0
    if found is None or prevalence >= 1:
        return False
    return (found - prevalence) / (1 - prevalence) > max(0.3, NO_SKILL)


def _adadelta(wiring: WiringEvidence | None) -> bool:
    """Tell whether it is Adadelta at a rate that only its Keras default explains."""
    if wiring is None or wiring.learning_rate is None:
        return False
    return "adadelta" in wiring.optimizer_name.lower() and wiring.learning_rate < 0.1


def _starved(learning: LearningEvidence) -> bool:
    return learning.update_ratio is not None and learning.update_ratio < STARVED


def _of_course(learning: LearningEvidence) -> tuple[Sign, ...]:
    return (
        sign(
            f"fall of the loss over {learning.steps} steps of a copy",
            fell(learning),
            f"> {STILL_FALLING}",
        ),
        sign("average precision on one batch learnt by heart", learning.fit_average_precision, "near 1"),
        sign("dead units", learning.dead_before, f"< {DEAD}"),
    )


def _of_slope(evidence: Evidence, found: ClassAnswers) -> tuple[Sign, ...]:
    slope = None if evidence.wiring is None else evidence.wiring.rare_slope
    what = "share of the loss's slope at pixels of the rarest class"
    return () if slope is None else (sign(what, slope, f"{found.prevalence:.3g} or more"),)


def _frozen_share(wiring: WiringEvidence) -> float:
    return 1 - wiring.trainable_parameters / wiring.parameters if wiring.parameters else 0.0


def _near(first: float | None, second: float | None) -> bool:
    return first is not None and second is not None and abs(first - second) <= 0.1 * max(abs(second), 1e-6)


def _spell(value: float | None) -> str:
    return "no number" if value is None else f"{value:.3g}"
