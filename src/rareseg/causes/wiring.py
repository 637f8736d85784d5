"""Rules about how network, last layer, loss and class weights fit together."""

from rareseg.causes.cause import A_RATIO, Suspicion, fails, missing, ranks, rare_answers, sign
from rareseg.records.evidence import Evidence, WiringEvidence

STRANGE = 1e-4
"""Share of labels that no class has."""
SAME = 1.15
"""Weights within this factor are the same."""


def activation_twice(evidence: Evidence) -> Suspicion | None:
    """Probabilities given to a loss that makes probabilities itself."""
    wiring = evidence.wiring
    if wiring is None or wiring.wants != "logits" or wiring.activation not in ("sigmoid", "softmax"):
        return None
    floor, even = wiring.loss_at_right_probabilities, wiring.loss_at_even
    return Suspicion(
        0.96,
        f"The network ends in {wiring.activation}, and the loss ({wiring.loss_name}) applies one of its own: even a "
        f"perfect answer costs {_number(floor)}, where not knowing costs {_number(even)}.",
        (
            sign(
                "range of the network's answers",
                _range(wiring),
                "logits",
            ),
            sign("loss at perfect answers", floor, "0"),
        ),
    )


def logits_to_probabilities(evidence: Evidence) -> Suspicion | None:
    """Logits given to a loss of probabilities."""
    wiring = evidence.wiring
    if (
        wiring is None
        or wiring.wants not in ("probabilities", "log-probabilities")
        or wiring.activation != "none"
    ):
        return None
    if evidence.data is not None and (evidence.data.out_of_range or 0) > STRANGE:
        # Targets of 255 turn what the loss says to right answers upside down.
        return None
    return Suspicion(
        0.95,
        f"The loss ({wiring.loss_name}) wants {wiring.wants}, and the network answers {_range(wiring)}: "
        f"what lies outside is clipped, and clipped answers have no slope.",
        (sign("range of the answers", _range(wiring), "0..1"),),
    )


def softmax_on_one_channel(evidence: Evidence) -> Suspicion | None:
    """Softmax over one channel is 1 everywhere."""
    wiring = evidence.wiring
    if wiring is None or wiring.activation != "constant":
        return None
    return Suspicion(
        0.98,
        "The last layer is a softmax over one channel: it answers 1 at every pixel, whatever the network computes.",
        (sign("answers", _range(wiring), "0..1, varying"),),
    )


def sigmoids_on_exclusive(evidence: Evidence) -> Suspicion | None:
    """A sigmoid per class with binary cross-entropy, where every pixel has one class."""
    wiring, data = evidence.wiring, evidence.data
    if wiring is None or wiring.channels < 2 or not _by_sigmoids(wiring):
        return None
    if data is not None and (data.label_form == "multi-hot" or (data.several_hot or 0) > 0.001):
        return None
    found = rare_answers(evidence)
    works = found is not None and ranks(found) and not missing(found)
    confidence = (0.45 if works else 0.9) if wiring.channels > 2 else (0.3 if works else 0.55)
    return Suspicion(
        confidence,
        f"{wiring.channels} sigmoids answer a question with one answer: every pixel has one class, so each channel "
        f"is pulled to its own share, and the largest wins ({wiring.loss_name}).",
        (
            sign("channels sum to 1 at share of pixels", wiring.sums_to_one, "1"),
            sign(
                "pixels with several classes",
                0.0 if data is None else data.several_hot or 0.0,
                "> 0 for sigmoids",
            ),
        ),
        apart="Train 200 steps with softmax and categorical cross-entropy: if the rarer classes appear, this was it.",
    )


def weights_ignored(evidence: Evidence) -> Suspicion | None:
    """Class weights are named, and change nothing."""
    pair = _compared(evidence)
    if pair is None:
        return None
    declared, effective = pair
    if _spread(declared) < SAME or _spread(effective) > SAME:
        return None
    return Suspicion(
        0.95,
        f"Class weights {_listed(declared)} are given ({_where(evidence)}), and the loss weighs all classes alike.",
        (sign("declared", _listed(declared), "-"), sign("effective", _listed(effective), _listed(declared))),
    )


def weights_misapplied(evidence: Evidence) -> Suspicion | None:
    """Class weights reach the wrong pixels, or weigh the rare class less."""
    wiring = evidence.wiring
    if wiring is None:
        return None
    if wiring.weighted_by == "class_weight" and wiring.loss_error and _is_about_weights(wiring.loss_error):
        return Suspicion(
            0.93,
            f"class_weight cannot be applied to masks: {wiring.loss_error}",
            (sign("class_weight on masks", "refused", "per-pixel weights"),),
        )
    pair = _compared(evidence)
    if pair is not None and _spread(pair[1]) > SAME and not _alike(*pair):
        return Suspicion(
            0.92,
            f"Class weights {_listed(pair[0])} are given ({_where(evidence)}), and the loss weighs {_listed(pair[1])}.",
            (sign("declared", _listed(pair[0]), "-"), sign("effective", _listed(pair[1]), _listed(pair[0]))),
        )
    return _weighed_less(evidence, wiring)


def weights_unbounded(evidence: Evidence) -> Suspicion | None:
    """Weights hundreds of times apart: a few pixels steer the training."""
    wiring = evidence.wiring
    if wiring is None or wiring.effective_weights is None or (wiring.dice_like or 0) > A_RATIO:
        return None
    spread = _spread(_present(wiring.effective_weights))
    if spread < 50:
        return None
    learning = evidence.learning
    losses = () if learning is None else learning.losses
    jumps = max(losses) / max(min(losses), 1e-9) if losses and min(losses) > 0 else 1.0
    hurts = fails(evidence) or jumps > 5
    return Suspicion(
        (0.88 if hurts else 0.5) if spread >= 100 else (0.7 if hurts else 0.45),
        f"The heaviest class weighs {spread:.0f} times the lightest; the loss varies by a factor of {jumps:.1f} from "
        "batch to batch.",
        (
            sign("largest over smallest weight", spread, "< 50"),
            sign("largest over smallest loss", jumps, "< 5"),
        ),
    )


def _weighed_less(evidence: Evidence, wiring: WiringEvidence) -> Suspicion | None:
    """The rarest class weighs less than the most frequent: focal's alpha = 0.25, or weights in the wrong order."""
    data, weights = evidence.data, wiring.effective_weights
    if (
        data is None
        or weights is None
        or (wiring.dice_like or 0) > A_RATIO
        or len(weights) != len(data.shares)
    ):
        return None
    most = max(range(len(weights)), key=lambda label: data.shares[label])
    rare, heavy = weights[evidence.rare], weights[most]
    if evidence.rare == most or rare <= 0 or heavy / rare < 2:
        return None
    names = data.classes
    return Suspicion(
        0.85,
        f'A pixel of the rare class "{names[evidence.rare]}" weighs {rare / heavy:.2g} times one of '
        f'"{names[most]}": the weights are the wrong way round, or alpha is that of the other class.',
        (sign("weight of the rare class over the most frequent", rare / heavy, ">= 1"),),
    )


def _by_sigmoids(wiring: WiringEvidence) -> bool:
    if wiring.activation == "none":
        return wiring.wants == "logits" and (wiring.moved_by_shift or 0) > 1e-3
    return wiring.activation == "sigmoid"


def _compared(evidence: Evidence) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Return declared and effective weights of the classes present, relative to the first, where comparable."""
    wiring = evidence.wiring
    if wiring is None or wiring.declared_weights is None or wiring.effective_weights is None:
        return None
    if len(wiring.declared_weights) != len(wiring.effective_weights) or (wiring.dice_like or 0) > A_RATIO:
        return None
    pairs = [
        (given, found)
        for given, found in zip(wiring.declared_weights, wiring.effective_weights, strict=True)
        if found > 0 and given > 0
    ]
    if len(pairs) < 2:
        return None
    first_given, first_found = pairs[0]
    return tuple(given / first_given for given, _ in pairs), tuple(found / first_found for _, found in pairs)


def _present(weights: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(weight for weight in weights if weight > 0)


def _spread(weights: tuple[float, ...]) -> float:
    return max(weights) / min(weights) if weights and min(weights) > 0 else 1.0


def _alike(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return all(1 / 1.3 < one / other < 1.3 for one, other in zip(first, second, strict=True))


def _is_about_weights(error: str) -> bool:
    return "weight" in error.lower()


def _where(evidence: Evidence) -> str:
    return (evidence.wiring.weighted_by if evidence.wiring else None) or "as told"


def _listed(weights: tuple[float, ...]) -> str:
    return " : ".join(f"{weight:.3g}" for weight in weights)


def _range(wiring: WiringEvidence) -> str:
    if wiring.output_low is None or wiring.output_high is None:
        return "nothing finite"
    return f"{wiring.output_low:.3g} to {wiring.output_high:.3g}"


def _number(value: float | None) -> str:
    return "nothing measurable" if value is None else f"{value:.3g}"
