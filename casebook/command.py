"""The command line of the casebook."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from casebook.catalogue import kinds
from casebook.page import built_page, page
from casebook.runner import Outcome, as_json, run_all

CALIBRATION, REPORT = range(1000), range(1000, 1_000_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the casebook; return 0, or 1 where nothing could be built."""
    given = _parser().parse_args(arguments)
    wanted = _wanted(given.only)
    seeds, purpose = _seeds(given)
    sys.stdout.write(f"{len(wanted)} kinds of case, {purpose}\n")
    outcomes = _gather(wanted, seeds, given)
    made = built_page if given.build_only else page
    sys.stdout.write(f"{made(wanted, outcomes)}\n")
    if given.json:
        stated = {"purpose": purpose, "draws": len(seeds), "first_seed": seeds.start, "kinds": wanted}
        given.json.write_text(as_json(outcomes, stated))
    return 0 if any(one.built for one in outcomes) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m casebook", description=__doc__)
    parser.add_argument("--draws", type=int, default=5, help="draws of each kind")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--only", action="append", default=[], metavar="KIND", help="a kind or its beginning; repeat"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all outcomes here")
    parser.add_argument("--build-only", action="store_true", help="build the cases and ask nothing")
    purpose = parser.add_mutually_exclusive_group()
    purpose.add_argument(
        "--calibration", action="store_true", help="seeds 0..999, which rules may be tuned on"
    )
    purpose.add_argument("--report", action="store_true", help="seeds from 1000 on, which they may not")
    return parser


def _wanted(only: Sequence[str]) -> tuple[str, ...]:
    known = kinds()
    found = tuple(kind for kind in known if not only or any(kind.startswith(one) for one in only))
    if not found:
        sys.exit(f"no kind of case is called {', '.join(only)}. Known are: {', '.join(known)}.")
    return found


def _seeds(given: argparse.Namespace) -> tuple[range, str]:
    first = given.first_seed + (REPORT.start if given.report else 0)
    seeds = range(first, first + max(1, given.draws))
    if given.calibration and seeds.stop > CALIBRATION.stop:
        sys.exit(f"calibration has the seeds 0..{CALIBRATION.stop - 1}, but {seeds.stop - 1} was asked for.")
    use = "calibration" if seeds.stop <= CALIBRATION.stop else "report" if first >= REPORT.start else "mixed"
    return seeds, f"seeds {seeds.start}..{seeds.stop - 1} ({use})"


def _gather(wanted: tuple[str, ...], seeds: range, given: argparse.Namespace) -> list[Outcome]:
    outcomes: list[Outcome] = []
    total, start = len(wanted) * len(seeds), time.monotonic()
    try:
        for one in run_all(wanted, seeds, jobs=given.jobs, build_only=given.build_only):
            outcomes.append(one)
            left = (time.monotonic() - start) / len(outcomes) * (total - len(outcomes))
            what = one.findings[0][0] if one.findings else one.state
            sys.stderr.write(
                f"[{len(outcomes)}/{total}, {left / 60:.1f} min left] {one.kind} {one.seed}: "
                f"{what if one.built else 'not built'} ({one.build_seconds:.1f} + {one.seconds:.1f} s)\n"
            )
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what follows is of the cases so far\n")
    return outcomes
