"""What notebooks show: the tables of a terminal for the large records, fields and values for the others."""

import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from msgspec import structs
from rich.console import Console, RenderableType

from rareseg.records.audit import Audit
from rareseg.records.codec import HTML, Record
from rareseg.records.comparison import Comparison
from rareseg.records.plan import Plan
from rareseg.records.report import Report
from rareseg.records.run import Run
from rareseg.records.scores import Interval
from rareseg.showing.audit_tables import audit_tables
from rareseg.showing.comparison_tables import comparison_tables
from rareseg.showing.plan_tables import plan_tables
from rareseg.showing.run_tables import run_tables
from rareseg.showing.score_tables import score_tables

_WIDTH = 110
_MOST_ITEMS = 12
_MOST_TEXT = 200
_FORMAT = (
    '<pre style="font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.85em;line-height:1.25;'
    'white-space:pre;overflow-x:auto">{code}</pre>'
)


def register() -> None:
    """Let notebooks show every record."""
    HTML[Record] = fields
    HTML[Audit] = _tables(lambda record: audit_tables(record, _WIDTH))
    HTML[Plan] = _tables(lambda record: plan_tables(record, explain=True))
    HTML[Run] = _tables(run_tables)
    HTML[Report] = _tables(lambda record: score_tables(record, _WIDTH))
    HTML[Comparison] = _tables(lambda record: comparison_tables(record, _WIDTH))


def fields(record: Record) -> str:
    """Return a record as a table of its fields."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{_value(value)}</td></tr>'
        for name, value in structs.asdict(record).items()
    )
    return f"<table><caption>{escape(type(record).__name__)}</caption><tbody>{rows}</tbody></table>"


def _tables(draw: Callable[[Any], Sequence[RenderableType]]) -> Callable[[Any], str]:
    def html(record: Any) -> str:
        console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
        for part in draw(record):
            console.print(part)
            console.print()
        return console.export_html(inline_styles=True, code_format=_FORMAT)

    return html


def _value(value: object) -> str:
    if isinstance(value, Interval):
        return f"{value.low:.6g} to {value.high:.6g}"
    if isinstance(value, Record):
        return f"<details><summary>{escape(type(value).__name__)}</summary>{fields(value)}</details>"
    if isinstance(value, Mapping):
        listed = [f"{escape(str(key))}: {_value(one)}" for key, one in list(value.items())[:_MOST_ITEMS]]
        return "<br>".join([*listed, *_more(len(value))]) or "–"
    if isinstance(value, list | tuple):
        listed = [_value(one) for one in value[:_MOST_ITEMS]]
        apart = "" if any(isinstance(one, Record) for one in value) else ", "
        return apart.join([*listed, *_more(len(value))]) or "–"
    text = f"{value:.6g}" if isinstance(value, float) else "–" if value is None else str(value)
    return escape(text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}…")


def _more(count: int) -> list[str]:
    return [f"… {count - _MOST_ITEMS} more"] if count > _MOST_ITEMS else []
