import pytest
from msgspec.structs import replace
from tests.references.comparisons import counts_of

from rareseg.errors import SettingError, StaleRecordError
from rareseg.measures.halving import Tier
from rareseg.measures.intervals import scene_draws
from rareseg.measures.ranking import Findings
from rareseg.measures.timetable import Timetable
from rareseg.network import contest as contests
from rareseg.network.contest import Contest
from rareseg.network.trials import TRIAL, Finished
from rareseg.records import codec
from rareseg.records.comparison import Request, Scored, Trial
from rareseg.records.plan import BudgetChoice

QUALITY = {"none": 0.1, "default": 0.6, "a": 0.9, "b": 0.8, "c": 0.3, "d": 0.2}
"""What each candidate scores; a little more with more steps."""
STEP, REST, SCORING = 0.1, 4.0, 1.0
"""Seconds of a step, of a trial besides, and of scoring a part."""


class _World:
    """A clock, and trials that take their time on it."""

    def __init__(self):
        self.now = 0.0
        self.made = []
        self.said = []
        self.slow = 1.0
        self.broken = ()
        self.stop_after = None

    def __call__(self):
        return self.now

    def conduct(self, name, plan, folder, *, root, train, parts, keep_weights, shown):
        if self.stop_after == len(self.made):
            raise KeyboardInterrupt
        steps, seed = plan.budget.steps, plan.seed
        self.made.append((name, seed, steps))
        for quarter in (0.25, 0.5, 0.75, 1.0):
            self.now += self.slow * STEP * steps / 4
            shown(quarter)
        self.now += REST + SCORING * len(parts)
        score = QUALITY[name] * (1 - 1 / (steps + 2)) + 0.001 * seed
        scored = Scored(
            average_precision=(0.9, score),
            iou=(0.9, score / 2),
            calibration_error=(0.1, 0.1),
            scenes=3,
            images=3,
            seconds=SCORING,
        )
        failed = name in self.broken
        trial = Trial(
            candidate=name,
            seed=seed,
            steps=steps,
            plan_digest=codec.digest(plan),
            outcome="failed" if failed else "finished",
            reason="it broke" if failed else "",
            seconds=self.slow * STEP * steps + REST + SCORING * len(parts),
            seconds_per_step=self.slow * STEP,
            val=None if failed else scored,
            test=scored if "test" in parts and not failed else None,
        )
        codec.write(folder / TRIAL, trial)
        counts = {} if failed else dict.fromkeys(parts, counts_of(range(3), separation=1.0))
        return Finished(trial, counts)

    def read(self, folder, *, classes, overlapping):
        trial = codec.read(folder / TRIAL, Trial)
        parts = [part for part in ("val", "test") if getattr(trial, part)]
        return Finished(trial, dict.fromkeys(parts, counts_of(range(3), separation=1.0)))


class _Heard:
    """Progress that remembers lines and the share done."""

    def __init__(self):
        self.lines, self.done = [], 0.0

    def task(self, title, total):
        from contextlib import contextmanager

        @contextmanager
        def opened():
            yield self

        return opened()

    def advance(self, amount=1.0, *, note=""):
        assert amount >= 0
        self.done += amount

    def say(self, message):
        self.lines.append(message)


@pytest.fixture
def world(monkeypatch):
    made = _World()
    monkeypatch.setattr(contests, "conduct", made.conduct)
    monkeypatch.setattr(contests, "read_trial", made.read)
    monkeypatch.setattr(contests, "scene_draws", lambda scenes: scene_draws(scenes, resamples=4))
    return made


@pytest.fixture
def open_contest(world, audit_record, plan_record, tmp_path):
    def make(*, minutes=None, steps=None, seeds=2, names=tuple(QUALITY), **changes):
        def plan(name, steps, seed):
            budget = BudgetChoice(steps=steps, because=name, reference="")
            return replace(plan_record, seed=seed, budget=budget)

        names_ = tuple(names)
        return Contest(
            root=tmp_path,
            audit=audit_record,
            request=Request(remedies=names_, seeds=seeds, minutes=minutes, steps=steps),
            folder=tmp_path / "trials",
            plan=changes.pop("plan", plan),
            train=None,
            findings=Findings(
                classes=("background", "road"),
                rare=(1,),
                settings={name: {} for name in names_},
                default="default",
                unplanned={},
                same={},
            ),
            trained=names_,
            yardsticks=("none", "default"),
            times=Timetable(minutes=minutes, seeds=seeds, test_per_val=1.0, clock=world),
            progress=_Heard(),
            **changes,
        )

    return make


def _rungs(contest):
    return [(rung.steps, rung.seeds, rung.candidates) for rung in contest.findings.rungs]


def test_the_best_go_on_and_the_yardsticks_always(world, open_contest):
    contest = open_contest(steps=150)
    assert contest.run() == "finished"
    assert _rungs(contest) == [
        (50, 1, tuple(QUALITY)),
        (150, 2, ("a", "b", "default", "none")),
    ]
    assert world.made == [(name, 0, 50) for name in QUALITY] + [
        (name, seed, 150) for seed in (0, 1) for name in ("a", "b", "default", "none")
    ]


def test_only_the_last_rung_is_scored_on_the_test_part(world, open_contest):
    contest = open_contest(steps=150)
    contest.run()
    tested = {key: one.test is not None for key, one in contest.findings.judged.items()}
    assert tested == {key: key[2] == 150 for key in tested}


def test_every_trial_is_told_in_one_line_and_saved(world, open_contest):
    saved = []
    contest = open_contest(steps=150, saved=lambda: saved.append(len(world.made)))
    contest.run()
    assert saved == list(range(1, 15))
    assert contest.progress.lines[0] == "1 of 14: none, seed 0, 50 steps, 10 s: AP 0.098, IoU 0.049"
    assert contest.progress.lines[-1].startswith("14 of 14: none, seed 1, 150 steps, 21 s: AP")
    # The first trial shows what the others cost; from there on the bar moves, to the end but for the last trial's
    # scoring.
    assert 0.85 < contest.progress.done <= 1


def test_minutes_are_used_but_not_exceeded(world, open_contest):
    contest = open_contest(minutes=10)
    assert contest.run() == "finished"
    assert 0.85 * 600 < world.now <= 600
    assert world.made[0] == ("none", 0, contests.PILOT_STEPS)
    # The pilot shows what a step takes, and is no trial.
    assert ("none", 0, contests.PILOT_STEPS) not in contest.findings.judged
    assert len(contest.findings.rungs) == 2


def test_rungs_are_fitted_anew_when_the_machine_slows_down(world, open_contest):
    contest = open_contest(minutes=10)
    planned = []
    begin = contest.times.open

    def then_slow_down(**given):
        begin(**given)
        planned.extend(contest.times.left)
        world.slow = 2.0

    contest.times = _Slowed(contest.times, then_slow_down)
    assert contest.run() == "finished"
    assert 0.85 * 600 < world.now <= 600
    assert contest.findings.rungs[-1].steps < 0.75 * planned[-1].steps


class _Slowed:
    """A timetable after whose opening something happens."""

    def __init__(self, times, opened):
        vars(self).update(times=times, open=opened)

    def __getattr__(self, name):
        return getattr(self.times, name)

    def __setattr__(self, name, value):
        setattr(self.times, name, value)


def test_time_that_runs_out_keeps_whole_rounds(world, open_contest):
    contest = open_contest(minutes=10)
    contest.saved = lambda: setattr(world, "slow", 4.0 if len(contest.findings.rungs) > 1 else 1.0)
    assert contest.run() == "out of time"
    assert world.now <= 600
    last = contest.findings.rungs[-1]
    seeds = [seed for name, seed, steps in world.made if steps == last.steps]
    assert seeds == sorted(seeds)
    assert len(seeds) < 8


def test_too_little_time_is_said_after_the_pilot(world, open_contest):
    contest = open_contest(minutes=1)
    with pytest.raises(SettingError, match="Comparing 6 candidates with 2 seeds takes at least"):
        contest.run()
    assert not contest.findings.judged


@pytest.mark.parametrize("minutes", [0.001, 0.1], ids=["within the pilot", "by its scoring"])
def test_a_pilot_that_uses_up_the_time_is_stopped(world, open_contest, minutes):
    contest = open_contest(minutes=minutes)
    message = (
        f"Comparing 6 candidates with 2 seeds takes longer than {minutes} minutes here.*Give more --minutes"
    )
    with pytest.raises(SettingError, match=message):
        contest.run()
    # It ends with the first step after its time, unscored; or once it was scored.
    assert world.now == (0.25 * STEP * contests.PILOT_STEPS if minutes < 0.1 else 8.0)
    assert not contest.findings.judged


def test_a_failed_candidate_is_told_and_dropped(world, open_contest):
    world.broken = ("a",)
    contest = open_contest(steps=150)
    assert contest.run() == "finished"
    assert contest.findings.rungs[1].candidates == ("b", "default", "c", "none")
    assert "3 of 14: a, seed 0, 50 steps, 10 s: failed. it broke" in contest.progress.lines


def test_a_stopped_contest_goes_on_without_repeating_a_trial(world, open_contest):
    world.stop_after = 9
    first = open_contest(steps=150)
    assert first.run() == "interrupted"
    assert "Stopped: finished trials are kept" in first.progress.lines[-1]
    world.stop_after = None
    second = open_contest(steps=150)
    second.known = list(first.findings.rungs)
    second.times.left = first.times.left
    assert second.run() == "finished"
    assert len(world.made) == len(set(world.made)) == 14
    assert _rungs(second)[1] == (150, 2, ("a", "b", "default", "none"))
    assert len(second.findings.judged) == 14
    assert len(second.progress.lines) == 14 - 9


def test_a_contest_stopped_between_rungs_lays_out_the_next_from_what_it_finds(world, open_contest):
    world.stop_after = 6
    first = open_contest(steps=150)
    assert first.run() == "interrupted"
    world.stop_after = None
    second = open_contest(steps=150)
    second.known = first.findings.rungs[:1]
    second.times.left = (Tier(steps=150, candidates=4, seeds=2),)
    assert second.run() == "finished"
    assert _rungs(second)[1] == (150, 2, ("a", "b", "default", "none"))
    assert len(world.made) == len(set(world.made)) == 14


def test_a_trial_of_another_plan_is_refused(world, open_contest, plan_record):
    world.stop_after = 3
    open_contest(steps=150).run()
    world.stop_after = None

    def other(name, steps, seed):
        return replace(plan_record, seed=seed)

    with pytest.raises(StaleRecordError, match="was trained by plan .* Compare anew with --overwrite"):
        open_contest(steps=150, plan=other).run()


def test_folders_have_names_that_every_system_takes(world, open_contest):
    QUALITY["a+0.5*b"] = 0.5
    try:
        contest = open_contest(steps=20, seeds=1, names=("none", "default", "a+0.5*b"))
        contest.run()
    finally:
        del QUALITY["a+0.5*b"]
    assert (contest.folder / "a+0.5xb-0-20" / TRIAL).is_file()
