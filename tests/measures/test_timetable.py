import pytest

from rareseg.errors import SettingError
from rareseg.measures.halving import Cost, Tier
from rareseg.measures.timetable import Timetable
from rareseg.records.comparison import Scored, Trial


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return _Clock()


def _trial(name="a", *, steps=100, seconds=30.0, per_step=0.2, scoring=2.0, **changes):
    scored = Scored(
        average_precision=(0.5,), iou=(0.5,), calibration_error=(0.1,), scenes=3, images=3, seconds=scoring
    )
    made = {
        "candidate": name,
        "seed": 0,
        "steps": steps,
        "plan_digest": "",
        "outcome": "finished",
        "reason": "",
        "seconds": seconds,
        "seconds_per_step": per_step,
        "val": scored,
    }
    return Trial(**made | changes)


def test_time_goes_on_where_an_earlier_session_stopped(clock):
    times = Timetable(minutes=2, seeds=1, before=50, clock=clock)
    clock.now += 30
    assert times.seconds == 80
    assert times.seconds_left == 40
    assert Timetable(minutes=None, seeds=1, clock=clock).seconds_left == float("inf")


def test_a_trial_shows_what_a_step_and_the_rest_cost(clock):
    times = Timetable(minutes=60, seeds=1, clock=clock)
    times.note(_trial("a"))
    assert times.costs["a"] == Cost(0.2, 10.0)
    # Untimed steps: the whole trial is theirs.
    times.note(_trial("b", per_step=None))
    assert times.costs["b"] == Cost(0.3, 0.0)
    times.note(_trial("c", outcome="failed"))
    assert "c" not in times.costs


def test_scoring_the_test_part_is_extra_in_the_last_rung_only(clock):
    times = Timetable(minutes=60, seeds=1, test_per_val=3.0, clock=clock)
    first = _trial()
    times.note(first)
    assert times.expected("a", 100, last=False) == 30
    assert times.expected("a", 100, last=True) == 36
    times.note(_trial(seconds=36.0, test=first.val.__class__(**{**_fields(first.val), "seconds": 6.0})))
    assert times.costs["a"].per_trial == pytest.approx(10)


def _fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}


def test_candidates_not_tried_yet_are_expected_to_cost_the_mean(clock):
    times = Timetable(minutes=60, seeds=1, clock=clock)
    times.note(_trial("a", per_step=0.1, seconds=20))
    times.note(_trial("b", per_step=0.3, seconds=40))
    assert times.expected("new", 10, last=False) == pytest.approx(10 + 0.2 * 10)


def test_a_trial_fits_only_if_it_ends_in_time(clock):
    times = Timetable(minutes=1, seeds=1, clock=clock)
    times.note(_trial())
    assert times.fits("a", 250, last=False)
    assert not times.fits("a", 251, last=False)
    clock.now += 1
    assert not times.fits("a", 250, last=False)


def test_rungs_open_within_the_minutes_or_up_to_the_steps(clock):
    times = Timetable(minutes=30, seeds=3, clock=clock)
    times.note(_trial())
    times.open(challengers=9, yardsticks=2, steps=None)
    taken = sum(tier.trials * Cost(0.2, 10.0).of(tier.steps) for tier in times.left)
    assert 0.9 * 1800 < taken < 1800
    times.open(challengers=9, yardsticks=2, steps=450)
    assert times.left == (Tier(50, 11, 1), Tier(150, 5, 2), Tier(450, 4, 3))
    times.open(challengers=9, yardsticks=2, steps=10)
    assert times.left == (Tier(10, 11, 3),)
    short = Timetable(minutes=0.5, seeds=3, clock=clock)
    short.note(_trial())
    with pytest.raises(SettingError, match="Give more --minutes"):
        short.open(challengers=9, yardsticks=2, steps=None)


def test_rungs_left_shrink_when_trials_turn_out_dearer(clock):
    times = Timetable(minutes=30, seeds=3, clock=clock)
    times.note(_trial())
    times.open(challengers=9, yardsticks=2, steps=None)
    before = times.left = times.left[1:]
    times.note(_trial("dear", per_step=0.8, seconds=90))
    times.refit(done=50, names=["dear"])
    assert times.left[-1].steps < before[-1].steps
    # Without a budget in time, rungs stand as asked for.
    free = Timetable(minutes=None, seeds=3, clock=clock, left=before)
    free.note(_trial("dear", per_step=0.8, seconds=90))
    free.refit(done=50, names=["dear"])
    assert free.left == before


def test_the_share_done_rises_to_1(clock):
    times = Timetable(minutes=30, seeds=1, clock=clock, left=(Tier(200, 2, 1),))
    assert times.share_done([("a", 100)], last=False) == 0
    times.note(_trial())
    clock.now += 30
    # 30 s done; to come: one trial of 30 s, and two of 50 s.
    assert times.share_done([("a", 100)], last=False) == pytest.approx(30 / 160)
    clock.now += 10
    assert times.share_done([("a", 100)], last=False, within=0.5) == pytest.approx(40 / 160)
    times.left = ()
    assert times.share_done([], last=True) == 1
