"""Build cases, ask the diagnosis and note what it said; in this process or in several."""

import json
import multiprocessing
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from casebook.case import Case, NotSick
from casebook.catalogue import builder


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one case."""

    kind: str
    seed: int
    built: bool
    build_seconds: float
    """Processor time."""
    framework: str = ""
    expected: tuple[str, ...] = ()
    acceptable: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    drawn: dict[str, str] = field(default_factory=dict)
    state: str = ""
    """The diagnosis's own, or "crash"."""
    findings: tuple[tuple[str, float, str], ...] = ()
    """Cause, confidence and reason of each finding, first first."""
    seconds: float = 0.0
    error: str = ""
    """Why it was not built, or what the diagnosis raised."""


def run_one(kind: str, seed: int, *, build_only: bool = False) -> Outcome:
    """Build the case `seed` of `kind` and ask the diagnosis about it."""
    start = time.process_time()
    try:
        case = builder(kind)(seed)
    except NotSick as reason:
        return _unbuilt(kind, seed, start, str(reason))
    except Exception:
        return _unbuilt(kind, seed, start, f"the casebook itself failed: {traceback.format_exc(limit=-3)}")
    built = time.process_time() - start
    state, findings, seconds, error = ("", (), 0.0, "") if build_only else _asked(case)
    return Outcome(
        kind=kind,
        seed=seed,
        built=True,
        build_seconds=built,
        framework=case.framework,
        expected=case.expected,
        acceptable=case.acceptable,
        beside=case.beside,
        drawn=case.drawn,
        state=state,
        findings=findings,
        seconds=seconds,
        error=error,
    )


def _unbuilt(kind: str, seed: int, start: float, why: str) -> Outcome:
    return Outcome(kind=kind, seed=seed, built=False, build_seconds=time.process_time() - start, error=why)


def _asked(case: Case) -> tuple[str, tuple[tuple[str, float, str], ...], float, str]:
    start = time.perf_counter()
    try:
        said = case.diagnose()
    except Exception as error:
        short = f"{type(error).__name__}: {error} {traceback.format_exc(limit=-2)}"
        return "crash", (), time.perf_counter() - start, short
    findings = tuple((one.cause, float(one.confidence), one.because) for one in said.findings)
    return said.state, findings, time.perf_counter() - start, ""


def _one_thread() -> None:
    """Let each process have a core of its own, and say nothing of what frameworks warn of."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def run_all(
    kinds: tuple[str, ...], seeds: range, *, jobs: int = 1, build_only: bool = False
) -> Iterator[Outcome]:
    """Yield outcomes as they come; seed by seed, so that an interrupted run has looked at every kind."""
    todo = [(kind, seed, build_only) for seed in seeds for kind in kinds]
    if jobs <= 1:
        _one_thread()
        yield from map(_run, todo)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _one_thread) as pool:
        yield from pool.imap_unordered(_run, todo)


def _run(job: tuple[str, int, bool]) -> Outcome:
    kind, seed, build_only = job
    return run_one(kind, seed, build_only=build_only)


def as_json(outcomes: list[Outcome], stated: dict[str, Any]) -> str:
    """Return all outcomes and what was run as JSON."""
    return json.dumps({"run": stated, "outcomes": [asdict(one) for one in outcomes]}, indent=1)
