"""The Comparison as tables: who won, every candidate with its verdict, and the finalists class by class."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from rareseg.records.comparison import ClassEstimates, Comparison, Estimate, Row, Scores
from rareseg.showing.layout import (
    ABSENT,
    bullets,
    is_narrow,
    remark,
    section,
    spell_count,
    spell_score,
    spell_time,
    table,
)

_COLOURS = {"collapsed": "red", "failed": "red", "dropped": "dim", "same": "dim", "waiting": "dim"}


def comparison_tables(comparison: Comparison, width: int) -> list[RenderableType]:
    """Return the comparison's sections, drawn for `width` columns."""
    sections = [_title(comparison), _candidates(comparison, width)]
    collapsed = [f"{row.candidate}: {row.reason}" for row in comparison.rows if row.state == "collapsed"]
    if collapsed:
        sections.append(bullets("Collapsed", collapsed))
    finalists = [row for row in comparison.rows if row.state in ("compared", "collapsed") and row.scores]
    if finalists:
        sections.append(_per_class("Per class, on the validation part", _val(finalists), width))
    tested = [(row, row.test) for row in comparison.rows if row.test]
    if tested:
        title = f"Per class, on the test part ({comparison.test_scenes} scenes), which decided nothing"
        sections.append(_per_class(title, tested, width))
    if comparison.notes:
        sections.append(bullets("Worth knowing", comparison.notes))
    return sections


def spell_estimate(estimate: Estimate | None) -> str:
    """ "0.712 [.672 .752]": a mean with its interval; without one where it is unknown."""
    if estimate is None:
        return ABSENT
    if estimate.low is None or estimate.high is None:
        return spell_score(estimate.value)
    low, high = (f"{end:.3f}".removeprefix("0") for end in (estimate.low, estimate.high))
    return f"{spell_score(estimate.value)} [{low} {high}]"


def spell_mean(estimate: Estimate | None) -> str:
    """The mean alone."""
    return spell_score(None if estimate is None else estimate.value)


def spell_steps(row: Row) -> str:
    """Steps of the last rung that the candidate was trained for."""
    return spell_count(row.steps) if row.steps else ABSENT


def spell_step_time(row: Row) -> str:
    """Seconds per step, three significant digits."""
    return ABSENT if row.seconds_per_step is None else f"{row.seconds_per_step:.3g}"


def _title(comparison: Comparison) -> RenderableType:
    minutes = comparison.request.minutes
    of = f" of {minutes:g} minutes" if minutes else ""
    trials = sum(point.seeds for row in comparison.rows for point in row.history)
    return Text.assemble(
        ("Comparison ", "bold"),
        (f" {comparison.outcome}", "bold green" if comparison.outcome == "finished" else "bold yellow"),
        f"  {comparison.summary}\n",
        (
            f"{comparison.data}: {trials} trainings in {spell_time(comparison.seconds)}{of}; "
            f"{comparison.scenes} validation scenes",
            "dim",
        ),
    )


def _candidates(comparison: Comparison, width: int) -> RenderableType:
    narrow = is_narrow(width)
    headings = [("\ncandidate", "left"), ("\nsteps", "right"), ("\nseeds", "right"), ("\nAP", "left")]
    headings += [("\nIoU", "right"), ("calib.\nerror", "right"), ("s per\nstep", "right")]
    rows = [_row(row, winner=row.candidate == comparison.winner, narrow=narrow) for row in comparison.rows]
    verdicts = [Text(row.verdict, style=_COLOURS.get(row.state, "")) for row in comparison.rows]
    rare = ", ".join(comparison.rare_classes)
    title = f"Candidates: scores {'of' if len(comparison.rare_classes) == 1 else 'mean over'} {rare}"
    if not narrow:
        headings.append(("\nverdict", "left"))
        listed = [[*row, verdict] for row, verdict in zip(rows, verdicts, strict=True)]
        return section(title, table(headings, listed), *_legend(comparison))
    # A narrow column would break each verdict into many short lines.
    said = table([("verdict on", "left"), ("", "left")], zip((row[0] for row in rows), verdicts, strict=True))
    return section(title, table(headings, rows, tight=True), *_legend(comparison), Text(" "), said)


def _row(row: Row, *, winner: bool, narrow: bool) -> list[str | Text]:
    scores = row.scores
    style = "bold green" if winner else _COLOURS.get(row.state, "bold")
    return [
        Text(_name(row.candidate, narrow=narrow), style=style),
        spell_steps(row),
        str(row.seeds) if row.seeds else ABSENT,
        spell_estimate(scores.average_precision if scores else None),
        spell_mean(scores.iou if scores else None),
        spell_mean(scores.calibration_error if scores else None),
        spell_step_time(row),
    ]


def _name(candidate: str, *, narrow: bool) -> str:
    return candidate.replace("+", "\n+") if narrow else candidate


def _legend(comparison: Comparison) -> Iterator[Text]:
    yield remark(
        f"AP: average precision with its 95 % interval over scenes and seeds; chance {comparison.chance:.3g}"
    )
    yield remark(
        "calib. error: expected calibration error, the mean gap between probability and share of the class"
    )
    if comparison.winner is not None:
        yield remark(f"in green: the winner, whose plan is written; {comparison.because}")


def _val(rows: Sequence[Row]) -> list[tuple[Row, Scores]]:
    return [(row, row.scores) for row in rows if row.scores]


def _per_class(title: str, held: Sequence[tuple[Row, Scores]], width: int) -> RenderableType:
    narrow = is_narrow(width)
    headings = [
        ("class", "left"),
        ("candidate", "left"),
        ("AP", "left"),
        ("IoU", "left"),
        ("calib. error", "left"),
    ]
    rows: list[list[str | Text]] = []
    for place, found in enumerate(held[0][1].classes):
        for number, (row, scores) in enumerate(held):
            name = Text("" if number else found.name, style="bold")
            rows.append(
                [name, _name(row.candidate, narrow=narrow), *_estimates(scores.classes[place], narrow=narrow)]
            )
    return section(title, table(headings, rows, tight=narrow))


def _estimates(found: ClassEstimates, *, narrow: bool) -> list[str]:
    error = found.calibration_error
    return [
        spell_estimate(found.average_precision),
        spell_estimate(found.iou),
        spell_mean(error) if narrow else spell_estimate(error),
    ]
