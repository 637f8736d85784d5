"""How numbers are spelled and tables drawn, the same on every page."""

from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

ABSENT = "–"
"""Stands where a value cannot be measured."""

RARE_SHARE = 0.05
"""Classes below this share of the pixels are coloured."""

_ROOMY = 100
_MINUTE, _HOUR = 60, 3600


def spell_count(count: int) -> str:
    """1234567 -> "1,234,567"."""
    return f"{count:,}"


def spell_share(share: float | None) -> str:
    """Percentage of a share 0..1, without the sign: two decimals, below 1 % three significant digits."""
    if share is None:
        return ABSENT
    percent = 100 * share
    if percent == 0:
        return "0"
    if percent < 0.001:
        return "<0.001"
    return f"{percent:.2f}" if percent >= 1 else f"{percent:#.3g}"


def spell_chance(chance: float | None) -> str:
    """Percentage of a chance 0..1 for a narrow column: "100", "63", "2.4"; never rounded to 0 or 100."""
    if chance is None:
        return ABSENT
    percent = 100 * chance
    if percent in (0, 100):
        return f"{percent:.0f}"
    if percent > 99:
        return ">99"
    return "<0.1" if percent < 0.1 else f"{percent:.1f}" if percent < 10 else f"{percent:.0f}"


def spell_score(score: float | None) -> str:
    """Three decimals."""
    return ABSENT if score is None else f"{score:.3f}"


def spell_size(size: float | None) -> str:
    """Pixels: one decimal below 100, then grouped integers."""
    if size is None:
        return ABSENT
    return f"{size:.1f}" if size < 100 else f"{size:,.0f}"


def spell_time(seconds: float) -> str:
    """ "42 s", "4 min 58 s", "2 h 05 min"."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"


def spell_short(count: int) -> str:
    """Three digits for a narrow column: 15000 -> "15.0 k", 1234567 -> "1.23 M"."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:#.3g}".rstrip(".") + f" {unit}"
    return str(count)


def is_narrow(width: int) -> bool:
    """Whether `width` columns call for short numbers and tight columns."""
    return width < _ROOMY


def table(
    headings: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[str | Text]],
    *,
    tight: bool = False,
    lines: bool = False,
) -> Table:
    """Draw a table without vertical lines.

    Args:
        headings: (name, "left" | "right") per column; without any name there is no heading line.
        rows: cells as text; nothing in them is read as markup.
        tight: one space between columns instead of two.
        lines: leave a free line under each row, for cells of several lines.
    """
    drawn = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 0 if tight else 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        show_lines=lines,
        show_header=any(name for name, _ in headings),
        header_style="dim",
        border_style="dim",
    )
    for name, side in headings:
        justify: Literal["left", "right"] = "right" if side == "right" else "left"
        drawn.add_column(Text(name), justify=justify, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return drawn


def section(title: str, *parts: RenderableType) -> Group:
    """Put a heading above indented parts."""
    return Group(Text(title, style="bold"), *(Padding(part, (0, 0, 0, 2), expand=False) for part in parts))


def bullets(title: str, sentences: Iterable[str]) -> Group:
    """Put a heading above sentences, each with a dot in front and its further lines indented."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    for sentence in sentences:
        grid.add_row("·", Text(sentence))
    return section(title, grid)


def class_name(name: str, share: float | None) -> Text:
    """The class in bold, coloured where it is rare."""
    rare = share is not None and share < RARE_SHARE
    return Text(name, style="bold yellow" if rare else "bold")


def remark(text: str) -> Text:
    """A sentence below a table."""
    return Text(text, style="dim")
