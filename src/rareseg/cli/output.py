"""What a command answers, on stdout: tables for a reader, or one JSON record for a program."""

from collections.abc import Callable, Iterable

import click
from msgspec import Struct
from rich.console import Console, RenderableType

from rareseg.records import codec

WIDEST = 120
"""Columns beyond which lines of prose are hard to read."""


def show(tables: Callable[[int], Iterable[RenderableType]]) -> None:
    """Print tables, drawn for the terminal's width (80 columns where there is no terminal)."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDEST)
    for table in tables(console.width):
        console.print(table)
        console.print()


def print_json(record: Struct) -> None:
    """Print the record's JSON, and nothing else."""
    click.echo(codec.encode(record).decode(), nl=False)
