"""Compare: which remedies help on this data, found by training them side by side under equal budgets."""

from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from rareseg.errors import DataError, SettingError, StaleRecordError
from rareseg.imagery.sets.contents import changed_files
from rareseg.measures import verdicts
from rareseg.measures.halving import Tier
from rareseg.measures.ranking import Findings, rows
from rareseg.measures.timetable import Timetable
from rareseg.network import hardware
from rareseg.network.contest import Contest
from rareseg.network.contest_folder import (
    AUDIT,
    CHART,
    COMPARISON,
    PAGE,
    PLAN,
    TRIALS,
    remove_comparison,
)
from rareseg.network.trials import Train
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.comparison import Comparison, ComparisonOutcome, PlannedRung, Request
from rareseg.records.places import Places, places_file, write_places
from rareseg.records.plan import Plan
from rareseg.remedies.candidates import DEFAULT, YARDSTICKS
from rareseg.remedies.entrants import Decide, Entrants, enter
from rareseg.showing import charts, comparison_page

_ONE_VIEW = {"inference.views": "1"}
"""Trials are mapped as they are: turned and mirrored views lift them all, and take most of the time."""
_COMPARED = ("loss", "weights", "sampling", "initialisation")


class Tools(NamedTuple):
    """What the stages audit, plan and train give, for the audit at hand: stages never import one another."""

    decide: Decide
    train: Train
    places: Places | None
    """Where classes lie, kept beside the audit, so that resuming need not look for them again."""


def compare_remedies(
    root: Path,
    audit: Audit,
    request: Request,
    folder: Path,
    tools: Tools,
    *,
    data: Path,
    fresh: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Train the candidates of `request` on the images below `root`, and leave what came of it in `folder`.

    `data` is where the user said the data is; `fresh` says that the audit was made from these files a moment ago, so
    that they need no look. A candidate that fails or collapses is a row of the result; one of which no plan can be
    made is told at once. Ctrl-C keeps the trials that were finished, and reports on them; of a finished comparison
    that is resumed it goes on to the caller, and the record stays as it was.

    Raises:
        SettingError: if a candidate does not exist, no challenger can be planned, or the time does not suffice for
            the shortest schedule.
        DataError: if the validation part holds none of the rare classes.
        StaleRecordError: if the files are not those of the audit, or trials were made from another plan.
        RecordError: if the record of a trial is damaged.
    """
    if not fresh:
        _check_files(root, audit)
    entered = enter(request, tools.decide)
    contest = _contest(entered, root, audit, request, folder / TRIALS, tools=tools)
    contest.progress = progress or Silent()
    for name, reason in entered.unplanned.items():
        contest.progress.say(f"{name} is not compared: {reason}")

    def save(outcome: ComparisonOutcome) -> Comparison:
        record = _record(contest, outcome, data.resolve().name)
        codec.write(folder / COMPARISON, record, overwrite=True)
        return record

    earlier = codec.read(folder / COMPARISON, Comparison) if resume else None
    settled = earlier is not None and earlier.outcome == "finished"
    # A finished comparison stays one while its trials are gone through again.
    contest.saved = (lambda: None) if settled else (lambda: save("running"))
    if earlier is not None:
        _take_up(contest, earlier)
    else:
        remove_comparison(folder)
    _keep_audit(folder / AUDIT, audit, tools.places)
    contest.saved()
    record = save(_outcome(contest, folder, settled=settled))
    _publish(record, entered, folder, tools.decide)
    return record


def _outcome(contest: Contest, folder: Path, *, settled: bool) -> ComparisonOutcome:
    """Train, and return how it ended; `settled` says that it had ended before, so that Ctrl-C changes nothing."""
    try:
        outcome = contest.run()
    except SettingError:
        # No time for any candidate: nothing is lost by clearing up, and the next attempt finds its place free.
        if not contest.findings.judged:
            remove_comparison(folder)
        raise
    if settled and outcome == "interrupted":
        raise KeyboardInterrupt
    return outcome


def _keep_audit(path: Path, audit: Audit, places: Places | None) -> None:
    codec.write(path, audit, overwrite=True)
    if places is not None:
        write_places(places_file(path), places, audit, overwrite=True)


def _check_files(root: Path, audit: Audit) -> None:
    """Refuse an audit of other files; once, as trials follow one another on the same ones."""
    problems = changed_files(root, audit.dataset)
    if problems:
        listed = "; ".join(f"{problem.path} {problem.reason}" for problem in problems[:3])
        message = (
            f"{len(problems)} of the files that the audit counted are not what they were: {listed}. "
            "Compare anew, or restore the data."
        )
        raise StaleRecordError(message)


def _contest(
    entered: Entrants,
    root: Path,
    audit: Audit,
    request: Request,
    folder: Path,
    *,
    tools: Tools,
) -> Contest:
    def plan(name: str, steps: int, seed: int) -> Plan:
        return tools.decide(steps=steps, settings=_ONE_VIEW | entered.settings[name] | {"seed": str(seed)})

    rare = _rare_classes(audit)
    labelled = {part.part: part.counts.labelled for part in audit.parts}
    return Contest(
        root=root,
        audit=audit,
        request=request,
        folder=folder,
        plan=plan,
        train=tools.train,
        findings=Findings(
            classes=audit.dataset.classes,
            rare=rare,
            settings=entered.settings,
            default=entered.same.get(DEFAULT, DEFAULT),
            unplanned=entered.unplanned,
            same=entered.same,
        ),
        trained=entered.trained,
        yardsticks=tuple(name for name in YARDSTICKS if name in entered.trained),
        times=Timetable(
            minutes=request.minutes,
            seeds=request.seeds,
            test_per_val=labelled.get("test", 0) / labelled["val"],
        ),
    )


def _rare_classes(audit: Audit) -> tuple[int, ...]:
    """Return all classes but the most frequent of exclusive ones; refuse a validation part without them."""
    train, val = audit.part("train"), audit.part("val")
    if train is None or val is None:
        message = "Comparing needs a training and a validation part. Check the split in the audit."
        raise DataError(message)
    pixels = train.counts.pixels
    majority = None if audit.dataset.overlapping or len(pixels) < 2 else pixels.index(max(pixels))
    rare = tuple(label for label in range(len(pixels)) if label != majority)
    if not any(val.counts.pixels[label] for label in rare):
        names = ", ".join(audit.dataset.classes[label] for label in rare)
        message = (
            f"The validation part holds no pixel of {names}, so nothing can be compared. Put scenes with it there: "
            "see split and group in the data's TOML."
        )
        raise DataError(message)
    return rare


def _take_up(contest: Contest, earlier: Comparison) -> None:
    """Go on with an earlier session: its rungs, and the time it took."""
    contest.known = list(earlier.rungs)
    contest.times.left = tuple(Tier(rung.steps, rung.candidates, rung.seeds) for rung in earlier.planned)
    contest.times.before = earlier.seconds


def _record(contest: Contest, outcome: ComparisonOutcome, data: str) -> Comparison:
    """Return the comparison as it stands; a comparison in progress has its rows, but no verdicts yet."""
    found, times = contest.findings, contest.times
    record = Comparison(
        audit_digest=codec.digest(contest.audit),
        data=data,
        classes=found.classes,
        rare_classes=tuple(found.classes[label] for label in found.rare),
        request=contest.request,
        machine=hardware.describe(),
        outcome=outcome,
        seconds=times.seconds,
        rungs=(*found.rungs, *contest.known),
        planned=tuple(
            PlannedRung(steps=tier.steps, seeds=tier.seeds, candidates=tier.candidates) for tier in times.left
        ),
        scenes=max(
            (one.trial.val.scenes for one in found.judged.values() if one.trial.val),
            default=len({pair.group for pair in contest.audit.dataset.pairs if pair.part == "val"}),
        ),
        chance=_chance(contest.audit, found.rare),
        test_scenes=max(
            (one.trial.test.scenes for one in found.judged.values() if one.trial.test), default=0
        ),
    )
    if outcome == "running":
        return record
    ranks = verdicts.with_verdicts(rows(found), default=found.default)
    decision = verdicts.decided(
        ranks, default=found.default, budget="--minutes" if contest.request.steps is None else "--steps"
    )
    record = replace(
        record, rows=ranks, winner=decision.winner, because=decision.because, summary=decision.summary
    )
    return replace(record, notes=verdicts.notes(record))


def _chance(audit: Audit, rare: tuple[int, ...]) -> float:
    """Return the mean share of those rare classes that the validation part holds."""
    val = audit.part("val")
    shares = [val.classes[label].share for label in rare if val.classes[label].pixels] if val else []
    return sum(shares) / len(shares) if shares else 0.0


def _publish(record: Comparison, entered: Entrants, folder: Path, decide: Decide) -> None:
    """Write the winner's plan, the page and the chart."""
    if record.winner is None:
        (folder / PLAN).unlink(missing_ok=True)
    else:
        asked = record.request
        plan = decide(minutes=asked.minutes, steps=asked.steps, settings=entered.settings[record.winner])
        codec.write(folder / PLAN, _with_reasons(plan, record.because), overwrite=True)
    page = comparison_page.page(record)
    codec.write_bytes(folder / PAGE, page.encode(), overwrite=True)
    codec.write_bytes(folder / CHART, charts.png(record), overwrite=True)


def _with_reasons(plan: Plan, because: str) -> Plan:
    """Return the winner's plan, whose compared decisions say what they follow from."""
    for name in _COMPARED:
        choice = plan.choices()[name]
        said = f"chosen by a comparison on this data: {because}"
        if choice.set_by == "rule":
            said = f"{choice.because}; kept after a comparison on this data: {because}"
        plan = replace(plan, **{name: replace(choice, because=said)})
    return plan
