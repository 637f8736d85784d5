"""How long work tells how far it is, without the library ever printing.

Stages report to a `Progress`; the command line draws bars on stderr, Python callers get silence
unless they pass one of their own.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, final


class Task(Protocol):
    """One running piece of work."""

    def advance(self, amount: float = 1.0, *, note: str = "") -> None:
        """Move on by `amount` of the task's total; `note` replaces the text beside the bar."""


class Progress(Protocol):
    """Whoever shows progress."""

    def task(self, title: str, total: float) -> AbstractContextManager[Task]:
        """Open a task of `total` units; use it in a `with` block."""

    def say(self, message: str) -> None:
        """Tell the reader one line that should stay."""


@final
class Silent:
    """Progress that shows nothing: the default of the Python API."""

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[Task]:
        """Open a task that nobody sees."""
        del title, total
        yield _SilentTask()

    def say(self, message: str) -> None:
        """Drop the line."""
        del message


@final
class _SilentTask:
    def advance(self, amount: float = 1.0, *, note: str = "") -> None:
        del amount, note
