"""The measured diagnosis as plain text."""

import statistics
from collections.abc import Iterable, Sequence

from casebook import scoring
from casebook.catalogue import NOT_BUILT
from casebook.runner import Outcome

_COLUMNS = "cases  top-1  strict  top-3  all found  cannot tell  crashes  median s  max s"


def page(kinds: Sequence[str], outcomes: Sequence[Outcome]) -> str:
    """Return tables of sensitivity, sums, confusion, and the misses with what was said."""
    by_kind = {kind: [one for one in outcomes if one.kind == kind] for kind in kinds}
    tallies = [found for kind, of_it in by_kind.items() if (found := scoring.tally(kind, of_it))]
    lines = [f"{'kind of case':<42} {_COLUMNS}", *map(_row, tallies), "", *_sums(outcomes), ""]
    lines += ["First answers (what is true beside the cause passed over)", *_confusion(outcomes), ""]
    lines += [
        *_unbuilt(outcomes),
        "Misses",
        *(line for one in scoring.misses(outcomes) for line in _miss(one)),
    ]
    return "\n".join(lines)


def built_page(kinds: Sequence[str], outcomes: Sequence[Outcome]) -> str:
    """Return how many draws of each kind became what they were meant to be, and the seconds that took."""
    lines = [f"{'kind of case':<42} built  of  median s  max s (processor time)"]
    for kind in kinds:
        of_it = [one for one in outcomes if one.kind == kind]
        if of_it:
            seconds = [one.build_seconds for one in of_it]
            built = sum(one.built for one in of_it)
            lines.append(
                f"{kind:<42} {built:>5} {len(of_it):>3} {statistics.median(seconds):>9.1f} {max(seconds):>6.1f}"
            )
    return "\n".join([*lines, "", *_unbuilt(outcomes)])


def _row(one: scoring.Tally) -> str:
    return (
        f"{one.kind:<42} {one.cases:>5} {one.first:>6.0%} {one.strict:>7.0%} {one.third:>6.0%} "
        f"{one.all_found:>10.0%} {one.cannot_tell:>12.0%} {one.crashes:>8} {one.median_seconds:>9.1f} "
        f"{one.longest_seconds:>6.1f}"
    )


def _sums(outcomes: Sequence[Outcome]) -> list[str]:
    built = [one for one in outcomes if one.built]
    sick = [one for one in built if one.expected]
    well = [one for one in built if not one.expected]
    lines = []
    if sick:
        lines.append(
            f"sick: {len(sick)} cases, top-1 {_share(map(scoring.right_first, sick))} "
            f"(strict {_share(map(scoring.strictly_right, sick))}), "
            f"top-3 {_share(map(scoring.right_in_three, sick))}, "
            f"cannot tell {_share(one.state == scoring.CANNOT_TELL for one in sick)}"
        )
    if well:
        alarms = sum(bool(scoring.false_alarms(one)) for one in well)
        lines.append(
            f"healthy: {len(well)} cases, false alarms {alarms} ({alarms / len(well):.1%}), "
            f"crashes {sum(one.state == 'crash' for one in well)}"
        )
    more = sum(bool(scoring.false_alarms(one)) for one in sick)
    if sick:
        lines.append(f"sick with a further, wrong finding that is sure: {more} ({more / len(sick):.1%})")
    return lines


def _share(values: Iterable[bool]) -> str:
    listed = list(values)
    return f"{sum(listed) / len(listed):.1%}"


def _confusion(outcomes: Sequence[Outcome]) -> list[str]:
    return [
        f"{kind:<42} " + ", ".join(f"{answer} {count}" for answer, count in answers.most_common())
        for kind, answers in scoring.confusion(outcomes).items()
    ]


def _unbuilt(outcomes: Sequence[Outcome]) -> list[str]:
    lines = [f"not built: {name}: {why}" for name, why in NOT_BUILT.items()]
    lines += [f"not built: {one.kind} seed {one.seed}: {one.error}" for one in outcomes if not one.built]
    return [*lines, ""]


def _miss(one: Outcome) -> list[str]:
    particulars = ", ".join(f"{name} {value}" for name, value in one.drawn.items())
    lines = [
        f"{one.kind} seed {one.seed} ({one.framework}): expected {' + '.join(one.expected) or 'healthy'}; "
        f"said {one.state}: {', '.join(scoring.said(one)[:3])}",
        f"    drawn: {particulars}",
    ]
    lines += [f"    {cause} {sure:.2f}: {because}" for cause, sure, because in one.findings[:3]]
    return [*lines, f"    {one.error.strip()}"] if one.error else lines
