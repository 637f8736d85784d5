"""How a map differs from the one that it was scored against: a column of each table of scores."""

from collections.abc import Sequence

from rareseg.records.report import Report
from rareseg.records.scores import Difference
from rareseg.showing.layout import ABSENT
from rareseg.showing.report_page_elements import Html, name, signed_interval
from rareseg.showing.report_page_subjects import Shown, rivals


def difference_headings(subjects: Sequence[Shown]) -> list[Html]:
    """Return a heading for each pair that was scored against each other."""
    return [f"{name(one.name)} − {name(other.name)}" for one, other in rivals(subjects)]


def difference_cells(subjects: Sequence[Shown], asked: str, score: str) -> list[Html]:
    """Return a cell for each pair: the difference with its paired interval, in bold where it is certain.

    Args:
        subjects: all that are shown.
        asked: name of the class; "" for the mean over classes.
        score: as in `Difference.score`.
    """
    return [_cell(difference_of(one.report, asked, score)) for one, _ in rivals(subjects)]


def difference_of(report: Report, asked: str, score: str) -> Difference | None:
    """Return the difference of one score, None if the report does not hold it."""
    return next((held for held in report.differences if (held.name, held.score) == (asked, score)), None)


def _cell(held: Difference | None) -> Html:
    if held is None or held.difference is None:
        return ABSENT
    told = f"{held.difference:+.3f}{signed_interval(held.interval)}"
    return f"<strong>{told}</strong>" if held.certain else told
