"""What a comparison says in words: which candidate won, by how much, and what a reader must know beside it."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from rareseg.measures.intervals import LEAST_SCENES, LEAST_SEEDS
from rareseg.records.comparison import Comparison, Difference, Estimate, Row


class Decision(NamedTuple):
    """The winner, why it is the winner, and the sentence that sums up the comparison."""

    winner: str | None
    because: str
    summary: str


def spelled(estimate: Estimate | None, *, signed: bool = False) -> str:
    """Return "0.712 [0.661, 0.763]", or the value alone where the interval is unknown."""
    if estimate is None:
        return "–"
    sign = "+" if signed else ""
    value = f"{estimate.value:{sign}.3f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{estimate.low:{sign}.3f}, {estimate.high:{sign}.3f}]"


def with_verdicts(rows: Sequence[Row], *, default: str) -> tuple[Row, ...]:
    """Return the rows with their verdicts; `default` is the candidate that is trained as the rules say."""
    return tuple(replace(row, verdict=_verdict(row, default)) for row in rows)


def decided(rows: Sequence[Row], *, default: str, budget: str = "--minutes") -> Decision:
    """Choose the winner: the best, unless the default is level with it, because then its rules decide.

    `budget` is the option by which the comparison was given its length.

    A candidate that collapsed or failed on any seed cannot win.
    """
    sound = [row for row in rows if row.state == "compared" and row.scores is not None]
    if not sound:
        return _without_winner(rows, budget)
    best = sound[0]
    scored = f"{best.candidate} scores an average precision of {_ap(best)} ({best.steps} steps, {_seeds(best.seeds)})"
    if best.candidate == default:
        because = "it is the plan by the rules, and no other candidate scored higher"
        return Decision(
            default, because, f"{scored}; it is the plan by the rules, and nothing scored higher."
        )
    lead = best.to_default
    if lead is None:
        because = f"it scored highest, {_ap(best)}; the default ended without a score"
        return Decision(best.candidate, because, f"{scored}; the default ended without a score.")
    if lead.beyond_noise:
        by = spelled(lead.average_precision)
        because = f"it scored {_ap(best)} and beats the default by {by}"
        return Decision(best.candidate, because, f"{scored}; it beats the default by {by}.")
    gap = spelled(lead.average_precision, signed=True)
    summary = f"{scored}, but nothing beats the default by more than the noise ({gap} against it)."
    if any(row.candidate == default for row in sound):
        because = f"nothing beats it by more than the noise; {best.candidate} came closest with {gap}"
        return Decision(default, because, summary)
    because = f"it scored highest, {_ap(best)}, and the default did not stay sound"
    return Decision(best.candidate, because, summary)


def notes(comparison: Comparison) -> tuple[str, ...]:
    """Return what a reader must know before believing the numbers."""
    return (
        *_noise_notes(comparison),
        "All scores are of the validation part, on which best weights and thresholds were chosen too, and the best "
        "of several is a little lucky: expect a little less on new images.",
        *_test_note(comparison),
        "Intervals hold the true mean with a chance of 95 %, each on its own: of twenty comparisons between equals, "
        "about one would pass for a difference.",
        "Candidates share data, split, first weights and, but for their sampling, the order of crops. Budgets are "
        "equal in steps, not in time: see the seconds per step.",
        *_rung_note(comparison),
        *_outcome_note(comparison),
    )


def _verdict(row: Row, default: str) -> str:
    if row.state in ("failed", "same"):
        return row.reason
    if row.state == "waiting":
        return "not trained yet"
    # The reason itself is long, and stands beside the verdicts.
    fallen = f"{row.reason.partition(':')[0]}; " if row.state == "collapsed" else ""
    left = f"dropped after {row.steps} steps: " if row.state == "dropped" else ""
    if row.to_best is None:
        return fallen + left + _best_verdict(row, default)
    return fallen + left + _compared(row.to_best, "the best")


def _best_verdict(row: Row, default: str) -> str:
    lead = row.to_default
    if lead is None:
        return "best, and the default" if row.candidate == default else "best"
    return f"best; {_compared(lead, 'the default')}"


def _compared(gap: Difference, name: str) -> str:
    value = gap.average_precision
    if gap.beyond_noise:
        flipped = Estimate(
            value=abs(value.value),
            low=None if value.low is None or value.high is None else min(abs(value.low), abs(value.high)),
            high=None if value.low is None or value.high is None else max(abs(value.low), abs(value.high)),
        )
        return f"{'better' if value.value > 0 else 'worse'} than {name} by {spelled(flipped)}"
    if gap.seeds < LEAST_SEEDS:
        return f"{spelled(value, signed=True)} against {name}, one seed: no verdict"
    if value.low is not None and value.high is not None and (value.low > 0 or value.high < 0):
        return f"{spelled(value, signed=True)} against {name}, too few scenes: no verdict"
    return f"within the noise of {name}: {spelled(value, signed=True)}"


def _without_winner(rows: Sequence[Row], budget: str) -> Decision:
    collapsed = [row.candidate for row in rows if row.state == "collapsed"]
    if collapsed:
        summary = (
            f"No winner: every candidate of the last rung collapsed or failed ({', '.join(collapsed)} collapsed). "
            f"Give more {budget}, so that each is trained for longer."
        )
        return Decision(None, "", summary)
    return Decision(None, "", "No winner yet: no candidate has finished the last rung.")


def _noise_notes(comparison: Comparison) -> tuple[str, ...]:
    found = []
    if comparison.scenes < LEAST_SCENES:
        found.append(
            f"The validation part has {_few(comparison.scenes, 'scene')}: below {LEAST_SCENES}, intervals over scenes "
            "cannot be trusted, and no difference is called larger than the noise."
        )
    if comparison.request.seeds < LEAST_SEEDS:
        found.append(
            "With one seed, what another start would have given is unknown: no difference is called larger than "
            "the noise. Give --seeds 3."
        )
    return tuple(found)


def _test_note(comparison: Comparison) -> tuple[str, ...]:
    if not any(row.test for row in comparison.rows):
        return ()
    return (
        "Scores of the test part were taken once, for the candidates of the last rung, and decided nothing.",
    )


def _rung_note(comparison: Comparison) -> tuple[str, ...]:
    if len(comparison.rungs) < 2:
        return ()
    steps = ", ".join(str(rung.steps) for rung in comparison.rungs)
    return (
        f"Rungs of {steps} steps (successive halving): the best go on, none and default always. The learning rate "
        "follows the budget, so each rung trains anew; a remedy that starts slowly may have been dropped too early.",
    )


def _outcome_note(comparison: Comparison) -> tuple[str, ...]:
    if comparison.outcome == "out of time":
        return ("Time ran out before the last rung was through: what is missing was not trained.",)
    if comparison.outcome == "interrupted":
        return ("Stopped by hand: --resume goes on with the trials that are missing.",)
    return ()


def _ap(row: Row) -> str:
    return spelled(row.scores.average_precision if row.scores else None)


def _seeds(count: int) -> str:
    return _few(count, "seed")


def _few(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
