"""Progress: lines at the right times where stderr is no terminal, bars where it is."""

import io

import pytest
from rich.console import Console

from rareseg.cli import progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _told(total, advances, seconds_each, **options):
    stream, clock = io.StringIO(), Clock()
    with progress.Lines(stream, clock=clock, **options).task("training", total) as task:
        for note in advances:
            clock.now += seconds_each
            task.advance(note=note)
    return stream.getvalue().splitlines()


def test_a_short_task_says_only_that_it_is_done():
    assert _told(3, ["", "", ""], 1) == ["training: done in 3 s"]


def test_a_long_task_tells_share_time_left_and_note_every_half_minute():
    lines = _told(10, [f"AP 0.{i}" for i in range(10)], 20)
    # 20 s a step: a line at the first step past 30 s, and so on every 40 s, but none for the last step.
    assert lines == [
        "training: 20%, 2 min 40 s left · AP 0.1",
        "training: 40%, 2 min 00 s left · AP 0.3",
        "training: 60%, 1 min 20 s left · AP 0.5",
        "training: 80%, 40 s left · AP 0.7",
        "training: done in 3 min 20 s · AP 0.9",
    ]


def test_a_note_stays_until_the_next():
    assert _told(2, ["AP 0.5", ""], 1) == ["training: done in 2 s · AP 0.5"]


def test_a_task_that_fails_does_not_say_done():
    stream = io.StringIO()
    with pytest.raises(ValueError, match="broken"), progress.Lines(stream).task("reading", 2):
        raise ValueError("broken")
    assert stream.getvalue() == ""


def test_lines_say_a_line():
    stream = io.StringIO()
    progress.Lines(stream).say("3 photos have no mask [red]")
    assert stream.getvalue() == "3 photos have no mask [red]\n"


def test_bars_show_nested_tasks_and_leave_the_outer_one():
    stream = io.StringIO()
    bars = progress.Bars(Console(file=stream, force_terminal=True, width=100, highlight=False))
    with bars.task("training [1]", 2) as outer:
        with bars.task("validating", 4) as inner:
            inner.advance(4)
        outer.advance(2, note="AP [0.5]")
        bars.say("a line that stays [red]")
    text = stream.getvalue()
    assert "training [1]" in text
    assert "validating" in text
    assert "AP [0.5]" in text
    assert "a line that stays [red]" in text
    assert "100%" in text


def test_bars_can_be_used_again_and_stand_a_total_of_zero():
    bars = progress.Bars(Console(file=io.StringIO(), force_terminal=True))
    for _ in range(2):
        with bars.task("nothing to do", 0):
            pass


def test_stderr_that_is_no_terminal_gets_lines(monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert isinstance(progress.on_stderr(), progress.Lines)
