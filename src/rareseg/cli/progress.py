"""Progress on stderr: bars with the time left on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from rareseg import progress
from rareseg.showing.layout import spell_time

SECONDS_BETWEEN_LINES = 30.0


def on_stderr() -> progress.Progress:
    """Return bars if stderr is a terminal, else lines."""
    console = Console(stderr=True, highlight=False)
    return Bars(console) if console.is_terminal else Lines(sys.stderr)


@final
class Bars:
    """Progress bars: title, bar, share done, time left, note. Tasks may be nested."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console
        self._live: Progress | None = None

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[progress.Task]:
        """Open a bar; the display stops when the outermost one closes."""
        outermost = self._live is None
        live = self._live or self._start()
        bar = live.add_task(title, total=max(total, 1e-9), note="")
        try:
            yield _Bar(live, bar)
        finally:
            live.stop_task(bar)
            if outermost:
                live.stop()
                self._live = None
            else:
                live.remove_task(bar)

    def say(self, message: str) -> None:
        """Print a line above the bars."""
        self._console.print(Text(message))

    def _start(self) -> Progress:
        # markup=False: notes and titles hold file names, and a file may be called "[red]".
        self._live = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            TextColumn("{task.fields[note]}", style="dim", markup=False),
            console=self._console,
            transient=False,
        )
        self._live.start()
        return self._live


@final
class _Bar:
    def __init__(self, live: Progress, bar: TaskID) -> None:
        self._live, self._bar = live, bar

    def advance(self, amount: float = 1.0, *, note: str = "") -> None:
        """Move the bar."""
        if note:
            self._live.update(self._bar, advance=amount, note=note)
        else:
            self._live.update(self._bar, advance=amount)


@final
class Lines:
    """Progress for logs: a line when a task starts and ends, and every half minute between."""

    def __init__(
        self,
        stream: TextIO,
        *,
        every: float = SECONDS_BETWEEN_LINES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write to `stream`, `every` so many seconds by `clock`."""
        self._stream, self._every, self._clock = stream, every, clock

    @contextmanager
    def task(self, title: str, total: float) -> Iterator[progress.Task]:
        """Open a task."""
        begun = self._clock()
        line = _Line(self.say, title, total, self._every, self._clock)
        yield line
        self.say(f"{title}: done in {spell_time(self._clock() - begun)}{line.note}")

    def say(self, message: str) -> None:
        """Write one line at once, past any buffer, so that logs can be followed."""
        self._stream.write(message + "\n")
        self._stream.flush()


@final
class _Line:
    def __init__(
        self, say: Callable[[str], None], title: str, total: float, every: float, clock: Callable[[], float]
    ) -> None:
        self._say, self._title, self._total = say, title, total
        self._every, self._clock = every, clock
        self._begun = self._told = clock()
        self._done = 0.0
        self.note = ""

    def advance(self, amount: float = 1.0, *, note: str = "") -> None:
        """Count, and tell if the last line is long enough ago."""
        self._done += amount
        self.note = f" · {note}" if note else self.note
        now = self._clock()
        if now - self._told >= self._every and 0 < self._done < self._total:
            self._told = now
            share = self._done / self._total
            left = spell_time((now - self._begun) * (1 - share) / share)
            self._say(f"{self._title}: {share:.0%}, {left} left{self.note}")
