"""Rules about numbers that differ between training and evaluation, or that a format cannot hold."""

from rareseg.causes.cause import Suspicion, rare_answers, sign
from rareseg.records.evidence import Evidence


def batch_norm_gap(evidence: Evidence) -> Suspicion | None:
    """Good with the batch's own statistics, bad with the running ones."""
    answers, wiring = evidence.answers, evidence.wiring
    if answers is None or wiring is None or not wiring.normalised:
        return None
    stirred, still = answers.train_mode_average_precision, answers.training_average_precision
    if stirred is None or still is None or stirred < 0.2:
        return None
    share, usual = answers.eval_mode_share or 0.0, answers.train_mode_share or 0.0
    found = rare_answers(evidence)
    there = found.prevalence if found is not None else 0.0
    # In training mode about as much as there is, in evaluation mode far from it.
    apart = there / 2 < usual < 2 * there and not there / 3 < share < 3 * there
    if stirred - still < 0.25 and not apart:
        return None
    return Suspicion(
        0.95,
        f"On the same images, average precision is {stirred:.3g} with the batch's statistics and {still:.3g} with "
        f"those that evaluation uses (batches of {wiring.smallest_batch}).",
        (
            sign("average precision in training mode", stirred, "-"),
            sign("in evaluation mode", still, "the same"),
            sign(
                "share of the rarest class, evaluation against training mode",
                f"{share:.3g} / {usual:.3g}",
                "equal",
            ),
        ),
    )


def half_precision(evidence: Evidence) -> Suspicion | None:
    """Numbers that fp16 cannot hold."""
    learning, wiring = evidence.learning, evidence.wiring
    if wiring is None or wiring.precision != "fp16":
        return None
    broken = learning is not None and learning.not_finite is not None
    if not broken and wiring.loss_now is not None:
        return None
    return Suspicion(
        0.95,
        "In fp16 the loss is no longer finite: its numbers end at 65,504, and a sum over pixels passes that soon.",
        (sign("loss in fp16", "not finite", "finite"),),
    )
