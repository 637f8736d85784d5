"""A comparison in progress: rung after rung, trial after trial, with the time watched over all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import final

from rareseg.errors import SettingError, StaleRecordError
from rareseg.measures import halving
from rareseg.measures.intervals import scene_draws
from rareseg.measures.ranking import Findings, Judged, mean_score, ranked
from rareseg.measures.scene_counts import Pooled, SceneCounts
from rareseg.measures.timetable import Timetable
from rareseg.network.trials import TRIAL, Finished, Train, conduct, read_trial
from rareseg.progress import Progress, Silent, Task
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.comparison import ComparisonOutcome, Request, Rung, Trial
from rareseg.records.dataset import PartName
from rareseg.records.plan import Plan

PILOT_STEPS = 30
"""Length of the training that shows what a step and a trial take."""


class _Overdue(BaseException):
    """The time is over before the first trial. Not an Exception: a trial that raises one counts as failed."""


@final
@dataclass(slots=True)
class Contest:
    """Trains candidates; what it finds stands in `findings`."""

    root: Path
    audit: Audit
    request: Request
    folder: Path
    """Folder of the trials."""
    plan: Callable[[str, int, int], Plan]
    """Makes the plan of a candidate, a number of steps and a seed."""
    train: Train
    findings: Findings
    trained: tuple[str, ...]
    """Candidates that have a plan of their own."""
    yardsticks: tuple[str, ...]
    """Those of them that are never dropped."""
    times: Timetable
    progress: Progress = field(default_factory=Silent)
    saved: Callable[[], object] = lambda: None
    """Called after every trial."""
    known: list[Rung] = field(default_factory=list)
    """Rungs of an earlier session, to be gone through again."""
    _task: Task | None = None
    _shown: float = 0.0

    def run(self) -> ComparisonOutcome:
        """Train until the rungs are through, time runs out, or Ctrl-C."""
        try:
            with self.progress.task("comparing", 1.0) as self._task:
                return self._run()
        except KeyboardInterrupt:
            self.progress.say("Stopped: finished trials are kept, and reported.")
            return "interrupted"
        finally:
            self._task = None

    def _run(self) -> ComparisonOutcome:
        if not self.known:
            self._begin()
        while self.known or self.times.left:
            rung = self.known.pop(0) if self.known else self._next()
            self.findings.rungs.append(rung)
            if not self._train_rung(rung, last=not self.known and not self.times.left):
                return "out of time"
            if not self.known:
                self.times.refit(done=rung.steps, names=self._going_on(rung))
        return "finished"

    def _begin(self) -> None:
        """Lay out the rungs; where they depend on the time, a short training shows first what a step takes."""
        if self.request.minutes is not None:
            try:
                self._trial(self.yardsticks[0], 0, PILOT_STEPS, parts=("val",), shown=self._watch_pilot)
            except _Overdue as overdue:
                raise self._too_little_time() from overdue
            if self.times.seconds_left <= 0:
                raise self._too_little_time()
        self.times.open(
            challengers=len(self.trained) - len(self.yardsticks),
            yardsticks=len(self.yardsticks),
            steps=self.request.steps,
        )

    def _watch_pilot(self, done: float) -> None:
        del done
        if self.times.seconds_left <= 0:
            raise _Overdue

    def _too_little_time(self) -> SettingError:
        message = (
            f"Comparing {len(self.trained)} candidates with {self.request.seeds} seeds takes longer than "
            f"{self.request.minutes:g} minutes here: the trial run of {PILOT_STEPS} steps, which shows what one takes, "
            "used them up alone. Give more --minutes."
        )
        return SettingError(message)

    def _next(self) -> Rung:
        tier, *left = self.times.left
        names = (
            self._going_on(self.findings.rungs[-1], tier.candidates) if self.findings.rungs else self.trained
        )
        self.times.left = tuple(left)
        return Rung(steps=tier.steps, seeds=tier.seeds, candidates=tuple(names))

    def _going_on(self, rung: Rung, count: int | None = None) -> tuple[str, ...]:
        """Return who goes on from a rung to one of `count` candidates (the next one)."""
        wanted = count if count is not None else self.times.left[0].candidates if self.times.left else 0
        return halving.survivors(
            ranked(self.findings, rung),
            yardsticks=self.yardsticks,
            challengers=max(0, wanted - len(self.yardsticks)),
        )

    def _train_rung(self, rung: Rung, *, last: bool) -> bool:
        """Train all of a rung, seed by seed, so that a break leaves whole rounds; False if time runs out."""
        parts: tuple[PartName, ...] = ("val", "test") if last and self.audit.part("test") else ("val",)
        order = [(name, seed) for seed in range(rung.seeds) for name in rung.candidates]
        for place, (name, seed) in enumerate(order):
            tell = partial(self._tell, [(other, rung.steps) for other, _ in order[place:]], last)
            tell(0.0)
            fresh = not (self._folder(name, seed, rung.steps) / TRIAL).is_file()
            if fresh and not self.times.fits(name, rung.steps, last=last):
                return False
            found = self._trial(name, seed, rung.steps, parts=parts, shown=tell)
            self.findings.judged[name, seed, rung.steps] = _judged(found)
            self.saved()
            if fresh:
                self.progress.say(
                    f"{len(self.findings.judged)} of {self._total()}: {self._spelled(found.trial)}"
                )
        return True

    def _trial(
        self,
        name: str,
        seed: int,
        steps: int,
        *,
        parts: tuple[PartName, ...],
        shown: Callable[[float], None],
    ) -> Finished:
        """Train and score one candidate, or read what came of it before."""
        folder, plan = self._folder(name, seed, steps), self.plan(name, steps, seed)
        if (folder / TRIAL).is_file():
            found = self._read(folder, plan)
        else:
            found = conduct(
                name,
                plan,
                folder,
                root=self.root,
                train=self.train,
                parts=parts,
                keep_weights=self.request.keep_weights,
                shown=shown,
            )
        self.times.note(found.trial)
        return found

    def _read(self, folder: Path, plan: Plan) -> Finished:
        dataset = self.audit.dataset
        found = read_trial(folder, classes=len(dataset.classes), overlapping=dataset.overlapping)
        if found.trial.plan_digest != codec.digest(plan):
            message = (
                f"{folder} was trained by plan {found.trial.plan_digest}, but its candidate's plan is now "
                f"{codec.digest(plan)}: the program, the machine or the data changed. Compare anew with --overwrite."
            )
            raise StaleRecordError(message)
        return found

    def _folder(self, name: str, seed: int, steps: int) -> Path:
        # A star is a wildcard to shells, and not allowed in names on Windows.
        return self.folder / f"{name.replace('*', 'x')}-{seed}-{steps}"

    def _total(self) -> int:
        """Return the trials of all rungs, as far as they are laid out."""
        begun = sum(rung.seeds * len(rung.candidates) for rung in (*self.findings.rungs, *self.known))
        return begun + sum(tier.trials for tier in self.times.left)

    def _tell(self, to_come: Sequence[tuple[str, int]], last: bool, within: float) -> None:
        """Move the bar of the whole to where it stands now; it never goes back."""
        share = self.times.share_done(to_come, last=last, within=within)
        if self._task is not None and share > self._shown:
            self._task.advance(share - self._shown, note=f"{to_come[0][0]}, {to_come[0][1]} steps")
            self._shown = share

    def _spelled(self, trial: Trial) -> str:
        said = f"{trial.candidate}, seed {trial.seed}, {trial.steps} steps, {trial.seconds:.0f} s"
        if trial.outcome == "failed":
            return f"{said}: failed. {trial.reason}"
        precision = mean_score(trial.val, self.findings.rare, "average_precision")
        iou = mean_score(trial.val, self.findings.rare, "iou")
        scores = ", ".join(
            f"{title} {value:.3f}" for title, value in (("AP", precision), ("IoU", iou)) if value is not None
        )
        return f"{said}: {scores}{' (collapsed)' if trial.outcome == 'collapsed' else ''}"


def _judged(found: Finished) -> Judged:
    """Score a trial's scenes as drawn anew; the same draws for every trial, so that trials can be compared."""
    return Judged(found.trial, _pooled(found.counts.get("val")), _pooled(found.counts.get("test")))


def _pooled(counts: SceneCounts | None) -> Pooled | None:
    return None if counts is None else counts.pooled(scene_draws(len(counts)))
