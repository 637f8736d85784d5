"""Causes that a diagnosis can name, as a list."""

from collections.abc import Iterable

from rich.console import RenderableType
from rich.text import Text

from rareseg.showing.layout import table

Row = tuple[str, int, str, str]
"""Name, number, title and prescription of a cause."""


def cause_list(causes: Iterable[Row]) -> list[RenderableType]:
    """Return one table of all causes, by their numbers in docs/diagnose.md."""
    headings = [("", "right"), ("cause", "left"), ("what it is", "left"), ("what to do", "left")]
    rows: list[tuple[str | Text, ...]] = [
        (str(mode), Text(name, style="bold"), title, prescription)
        for name, mode, title, prescription in sorted(causes, key=lambda row: (row[1], row[0]))
    ]
    return [table(headings, rows, lines=True)]
