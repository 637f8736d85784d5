"""From the windows of a training to an alarm: what has gone on for long enough to be told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from rareseg.measures.collapse import (
    CONSTANT_DEVIATION,
    FAR_OFF,
    GOOD_LIFT,
    GOOD_SKILL,
    skill,
)
from rareseg.probing.watch_sentences import (
    CONSTANT,
    SINGLE,
    advice,
    meanwhile,
    move,
    named,
    numbers_of,
    percent,
    restart,
    saturated,
)
from rareseg.probing.watch_window import ClassNumbers, Window

State = Literal[
    "healthy",
    "learning",
    "constant output",
    "not learning",
    "class left out",
    "ranks well, threshold off",
    "late collapse",
    "class absent",
    "not finite",
    "labels out of range",
    "cannot tell",
]

# In units of `patience` windows.
_LONG, _LONGEST = 2, 4
# What grows by this factor from one half of a run to the other is on its way.
_RISING = 1.1
# A deviation below this is noise of rounding and does not count as growing.
_ROUNDING = 1e-5
# A class was given to this share of its own pixels, and is now given to this share of that.
_GIVEN, _LOST = 0.5, 0.2


@dataclass(frozen=True, slots=True)
class Notice:
    """What the watch has to say at one update."""

    step: int
    """Updates so far."""
    state: State
    reason: str
    """One sentence with the numbers and what to do."""
    stop: bool
    """The training should stop; True only if the watch was asked to stop, and going on would be lost time."""

    def __str__(self) -> str:
        """Return the sentence behind its step."""
        return f"Step {self.step}: {self.reason}."


class Judgement(NamedTuple):
    """A state with its sentence; whether it has lasted long enough to be told, and whether to stop at it."""

    state: State
    reason: str
    alarm: bool = False
    fatal: bool = False


def judge(windows: Sequence[Window], patience: int) -> Judgement:
    """Judge the last of `windows` in the light of those before.

    Args:
        windows: all windows so far, oldest first.
        patience: windows that a constant output must last to be told; a training without any sign of learning gets
            twice, a single class that is left out four times as long.
    """
    if not windows:
        return Judgement("cannot tell", "No window of updates is complete yet: call update more often")
    last = windows[-1]
    if last.single_constant:
        return Judgement("constant output", SINGLE, alarm=True, fatal=True)
    if last.worst is None:
        return _unseen(windows, patience)
    seen = [window for window in windows if window.worst is not None]
    if _none_ranked(last):
        return _unranked(seen, patience)
    return _lost(seen, patience) or _left_out(seen, patience) or _ranked(seen, patience)


def _run(windows: Sequence[Window], holds: Callable[[Window], bool]) -> list[Window]:
    """Return the last windows, all of which pass."""
    first = len(windows)
    while first and holds(windows[first - 1]):
        first -= 1
    return list(windows[first:])


def _rising(values: Sequence[float]) -> bool:
    half = len(values) // 2
    if not half:
        return True
    return sum(values[-half:]) >= _RISING * sum(values[:half])


def _none_ranked(window: Window) -> bool:
    return all(one.margin < 1 for one in window.judged)


def _constant(window: Window) -> bool:
    return all(one.deviation < CONSTANT_DEVIATION or saturated(one) for one in window.judged)


def _spread(window: Window) -> float:
    return max((one.deviation for one in window.judged if not saturated(one)), default=0.0)


def _is_good(one: ClassNumbers) -> bool:
    if one.lift is None or one.average_precision is None:
        return False
    return one.lift >= GOOD_LIFT or skill(one.average_precision, one.prevalence) >= GOOD_SKILL


def _unseen(windows: Sequence[Window], patience: int) -> Judgement:
    run = _run(windows, lambda window: window.worst is None)
    pixels = sum(one.pixels for window in run for one in window.classes)
    void = sum(window.void_share for window in run) / len(run)
    eaten = pixels == 0 and void > 0
    names = ", ".join(f'"{one.name}"' for one in run[-1].classes) or "any class but the largest"
    told = (
        f"Class absent: in the updates up to {run[-1].step} the looked-at pixels hold {pixels} of {names}, too few to "
        f"judge its ranking, and {100 * void:.3g} % of them hold the ignored label; "
    )
    told += (
        "if masks are 0 and 255, the class is what is ignored: divide them by 255 or set ignore_index"
        if eaten
        else "draw crops that hold the class, or check how labels are read"
    )
    return Judgement("class absent", told, alarm=len(run) >= patience, fatal=eaten)


def _unranked(windows: Sequence[Window], patience: int) -> Judgement:
    """Judge a network that ranks no class better than chance."""
    run = _run(windows, _none_ranked)
    one = run[-1].judged[0]
    numbers = numbers_of(one)
    best = max(windows, key=lambda window: window.judged[-1].margin)
    learnt = [window for window in windows[: -len(run)] if any(_is_good(held) for held in window.judged)]
    if len(learnt) > 1:
        peak = next((held for held in best.judged if held.name == one.name), best.judged[-1])
        told = (
            f"Late collapse: average precision of {named(peak)} was {peak.average_precision:.3g} at update "
            f"{best.step} and is at chance now: {numbers}; go back to the weights of update {best.step} and go on "
            "at a third of the learning rate, with gradients clipped"
        )
        return Judgement("late collapse", told, alarm=len(run) >= patience, fatal=True)
    constant = _run(run, _constant)
    spreads = [
        max((held.deviation for held in window.judged if not saturated(held)), default=0.0)
        for window in constant
    ]
    if len(constant) >= patience and not (spreads[-1] > _ROUNDING and _rising(spreads)):
        return Judgement("constant output", f"{CONSTANT}: {numbers}; {restart(one)}", alarm=True, fatal=True)
    lifts = [window.judged[-1].lift or 0.0 for window in run]
    if len(run) >= _LONG * patience and not _rising(lifts[-_LONG * patience :]):
        told = (
            f"Not learning: after {run[-1].step} updates average precision is still at chance while {meanwhile(one)}: "
            f"{numbers}; {advice(one)}"
        )
        return Judgement("not learning", told, alarm=True, fatal=True)
    state: Literal["learning", "constant output"] = "constant output" if constant else "learning"
    return Judgement(state, f"Too early to tell: {numbers}; go on for some hundred updates")


def _lost(windows: Sequence[Window], patience: int) -> Judgement | None:
    """Find a class that was given to pixels and is no more, although others, or its ranking, still stand."""
    for name in [one.name for one in windows[-1].judged]:
        course = [(window.step, one) for window in windows for one in window.judged if one.name == name]
        before, now = course[:-patience], course[-patience:]
        good = sorted((_coverage(one), step, one) for step, one in before if _is_good(one))
        # The best but one: a single lucky window is no peak.
        if len(good) < 2 or good[-2][0] < _GIVEN:
            continue
        reached, step, peak = good[-2]
        # A ranking that still gets better has lost nothing: there the threshold is off.
        better = now[-1][1].margin > _RISING * max(
            one.margin for covered, _, one in good if covered >= _GIVEN
        )
        if not better and all(_coverage(one) < _LOST * reached for _, one in now):
            told = (
                f"Late collapse: predicted share of {named(peak)} fell from {percent(peak.predicted_share)} at update "
                f"{step} to {percent(now[-1][1].predicted_share)}: {numbers_of(now[-1][1])}; keep the weights of about "
                f"update {step}, lower the learning rate and draw crops with the class more often"
            )
            return Judgement("late collapse", told, alarm=True, fatal=True)
    return None


def _coverage(one: ClassNumbers) -> float:
    """Share given over the share there is, at most 1: what is given too much early in training counts no more."""
    return min(one.predicted_share / one.prevalence, 1.0)


def _left_out(windows: Sequence[Window], patience: int) -> Judgement | None:
    one = windows[-1].judged[0]
    if one.margin >= 1:
        return None

    def at_chance(window: Window) -> bool:
        return any(held.name == one.name and held.margin < 1 for held in window.judged)

    run = _run(windows, at_chance)
    lifts = [held.lift or 0.0 for window in run for held in window.judged if held.name == one.name]
    long = len(run) >= _LONGEST * patience and not _rising(lifts[-_LONGEST * patience :])
    told = (
        f"Class left out: other classes are learnt, but after {run[-1].step} updates not this one: {numbers_of(one)}; "
        "weight it in the loss (square root of inverse share), or draw crops that hold it"
    )
    return Judgement("class left out" if long else "learning", told, alarm=long)


def _ranked(windows: Sequence[Window], patience: int) -> Judgement:
    one = windows[-1].judged[0]
    for held in windows[-1].judged:
        run = _run(windows, partial(_is_off, held.name))
        if run:
            # One class among others that are answered well is on its way for longer than a network's only one.
            alone = all(_is_off(other.name, windows[-1]) for other in windows[-1].judged)
            wait = (_LONG if alone else _LONGEST) * patience
            long = len(run) >= 2 * wait or (len(run) >= wait and not _moving(run[-wait:], held.name))
            told = f"Ranks well, threshold off: {numbers_of(held)}; {move(held)}"
            return Judgement("ranks well, threshold off", told, alarm=long)
    if _is_good(one):
        return Judgement("healthy", f"Healthy: {numbers_of(one)}; nothing to do")
    return Judgement("learning", f"Better than chance, but not by much: {numbers_of(one)}; train longer")


def _is_off(name: str, window: Window) -> bool:
    """Whether a well ranked class is given far too seldom or too often."""
    found = next((one for one in window.judged if one.name == name), None)
    if found is None or not _is_good(found):
        return False
    too_few = found.predicted_share * FAR_OFF < found.prevalence
    return too_few or found.predicted_share > FAR_OFF * found.prevalence


def _moving(run: Sequence[Window], name: str) -> bool:
    """Whether the share given still moves towards the right one, or the ranking still improves."""
    course = [one for window in run for one in window.judged if one.name == name]
    if course[-1].predicted_share > course[-1].prevalence:
        # Falling is rising of the inverse; a run may hold windows in which nothing was given.
        return _rising([1 / max(one.predicted_share, one.prevalence) for one in course])
    given = [one.predicted_share for one in course]
    return (given[-1] > 0 and _rising(given)) or _rising([one.average_precision or 0.0 for one in course])
