"""Rules about numbers that differ between training and evaluation, or that a format cannot hold."""

import math

from rareseg.causes.cause import Suspicion, rare_answers, sign
from rareseg.records.evidence import AnswersEvidence, Evidence

FAR = 3.0
"""Factor between shares of pixels that matters."""
LEAST = 1e-4
"""Shares below this are the same: none."""
MOVED = 0.5
"""Change of log-odds between modes, in their standard deviations, below which maps look alike."""
BEGUN = 10
"""Steps, told by the user, below which statistics cannot have settled."""
FIRST_EPOCHS = 2
"""The same in epochs, where no steps are told."""


def batch_norm_gap(evidence: Evidence) -> Suspicion | None:
    """Good with the batch's own statistics, bad with the running ones."""
    answers, wiring = evidence.answers, evidence.wiring
    if answers is None or wiring is None or not wiring.normalised:
        return None
    stirred, still = answers.train_mode_average_precision, answers.training_average_precision
    if stirred is None or still is None or stirred < 0.2:
        return None
    worse, nearer = stirred - still >= 0.25, _share_runs_away(answers, evidence)
    if not worse and nearer is None:
        return None
    share, usual = answers.eval_mode_share or 0.0, answers.train_mode_share or 0.0
    sure = 0.95 if worse or nearer else 0.85
    return Suspicion(
        # Running statistics follow in steps of 1 to 10 %: after a handful of steps they are of the first batches still.
        0.4 if _hardly_begun(evidence) else sure,
        f"On the same images, average precision is {stirred:.3g} with the batch's statistics and {still:.3g} with "
        f"those that evaluation uses, and the rarest class gets {usual:.3g} and {share:.3g} of the pixels (batches of "
        f"{wiring.smallest_batch}).",
        (
            sign("average precision in training mode", stirred, "-"),
            sign("in evaluation mode", still, "the same"),
            sign(
                "share of the rarest class, evaluation against training mode",
                f"{share:.3g} / {usual:.3g}",
                "equal",
            ),
            sign(
                "change of log-odds from mode to mode over their deviation", answers.mode_gap, f"< {MOVED:g}"
            ),
        ),
    )


def _hardly_begun(evidence: Evidence) -> bool:
    if evidence.steps_trained is not None:
        return evidence.steps_trained < BEGUN
    return evidence.epochs_trained is not None and evidence.epochs_trained < FIRST_EPOCHS


def _share_runs_away(answers: AnswersEvidence, evidence: Evidence) -> bool | None:
    """Return whether training mode gives the rarest class about its share; None if evaluation is not far off."""
    share, usual = answers.eval_mode_share or 0.0, answers.train_mode_share or 0.0
    found = rare_answers(evidence)
    there = answers.training_prevalence or (found.prevalence if found is not None else 0.0)
    if not there or there / FAR < share < FAR * there:
        return None
    away, usually = (abs(math.log(max(one, LEAST) / there)) for one in (share, usual))
    # A threshold that is off is off in both modes alike; answers that are moved or shrunk are so in one of them.
    if away - usually < math.log(FAR) or (answers.mode_gap is not None and answers.mode_gap < MOVED):
        return None
    return there / 2 < usual < 2 * there


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
