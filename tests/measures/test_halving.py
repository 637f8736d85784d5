import pytest

from rareseg.errors import SettingError
from rareseg.measures import halving
from rareseg.measures.halving import ETA, LEAST_STEPS, SLACK, Cost, Tier


def _seconds(tiers, cost, extra_last=0.0):
    return sum(tier.trials * cost.of(tier.steps) for tier in tiers) + tiers[-1].trials * extra_last


@pytest.mark.parametrize(("challengers", "rungs"), [(0, 1), (2, 1), (3, 2), (6, 2), (7, 3), (18, 3), (19, 4)])
def test_rungs_are_as_many_as_leave_two_challengers(challengers, rungs):
    assert halving.usual_rungs(challengers) == rungs
    assert halving.kept(challengers, rungs - 1) == min(challengers, 2)


def test_never_more_than_four_rungs():
    assert halving.usual_rungs(10_000) == 4


def test_steps_grow_by_eta_and_candidates_and_seeds_follow():
    assert halving.tiers(450, rungs=3, challengers=9, yardsticks=2, seeds=3) == (
        Tier(50, 11, 1),
        Tier(150, 5, 2),
        Tier(450, 4, 3),
    )


def test_a_single_rung_gives_every_candidate_all_seeds():
    assert halving.tiers(90, rungs=1, challengers=1, yardsticks=2, seeds=3) == (Tier(90, 3, 3),)


@pytest.mark.parametrize("challengers", [0, 1, 4, 9, 20])
@pytest.mark.parametrize("extra_last", [0.0, 5.0])
def test_the_whole_schedule_takes_the_planned_share_of_the_time(challengers, extra_last):
    cost = Cost(per_step=0.2, per_trial=6.0)
    tiers = halving.within(3600, cost, challengers=challengers, yardsticks=2, seeds=3, extra_last=extra_last)
    taken = _seconds(tiers, cost, extra_last)
    # Steps are whole numbers: the rest of each rung is lost.
    assert 0.99 * SLACK * 3600 < taken <= SLACK * 3600 + len(tiers) * 10 * cost.per_step
    assert tiers[0].steps >= LEAST_STEPS
    assert tiers[-1].seeds == 3


def test_with_little_time_there_are_fewer_rungs_and_none_is_too_short():
    cost = Cost(per_step=0.2, per_trial=5.0)
    rungs = {
        minutes: len(halving.within(60 * minutes, cost, challengers=9, yardsticks=2, seeds=2))
        for minutes in (12, 30)
    }
    assert rungs[12] < rungs[30] == 3


def test_too_little_time_is_refused_with_the_time_that_would_do():
    cost = Cost(per_step=0.2, per_trial=5.0)
    with pytest.raises(SettingError, match=r"takes at least (\d+\.\d) minutes here.*2\.0 are left") as raised:
        halving.within(120, cost, challengers=9, yardsticks=2, seeds=3)
    needed = float(str(raised.value).split("at least ")[1].split(" minutes")[0])
    assert halving.within(60 * (needed + 0.1), cost, challengers=9, yardsticks=2, seeds=3)
    with pytest.raises(SettingError):
        halving.within(60 * (needed - 0.2), cost, challengers=9, yardsticks=2, seeds=3)


def test_rungs_left_are_refitted_to_what_trials_turned_out_to_cost():
    left = (Tier(150, 5, 2), Tier(450, 4, 3))
    cost = Cost(per_step=0.4, per_trial=5.0)
    fitted = halving.refitted(left, 1800, cost, done=50)
    assert [tier.candidates for tier in fitted] == [5, 4]
    assert fitted[1].steps == pytest.approx(ETA * fitted[0].steps, abs=ETA)
    assert 0.98 * SLACK * 1800 < _seconds(fitted, cost) <= SLACK * 1800 + 4


def test_a_rung_that_would_repeat_the_last_one_is_left_out():
    left = (Tier(150, 5, 2), Tier(450, 4, 3))
    cost = Cost(per_step=0.4, per_trial=5.0)
    assert [tier.candidates for tier in halving.refitted(left, 420, cost, done=50)] == [4]
    # With no time at all, the last rung is not shorter than the one before.
    assert halving.refitted(left, 1, cost, done=50) == (Tier(50, 4, 3),)


@pytest.mark.parametrize(("top", "rungs"), [(1, 1), (149, 1), (150, 2), (449, 2), (450, 3), (1350, 4)])
def test_steps_allow_so_many_rungs_of_the_least_length(top, rungs):
    assert halving.rungs_for(top) == rungs


def test_yardsticks_go_on_whatever_they_score():
    going = halving.survivors(
        ["a", "b", "none", "c", "default"], yardsticks=("none", "default"), challengers=2
    )
    assert going == ("a", "b", "none", "default")
    assert halving.survivors(["a", "none"], yardsticks=("none",), challengers=0) == ("none",)


@pytest.mark.parametrize(("first", "rungs"), [(74, 1), (75, 2)])
def test_a_rung_must_be_half_as_long_again_as_the_one_before(first, rungs):
    left, cost = (Tier(150, 5, 2), Tier(450, 4, 3)), Cost(per_step=1.0, per_trial=0.0)
    seconds = sum(tier.trials * steps for tier, steps in zip(left, (first, 3 * first), strict=True)) / SLACK
    assert len(halving.refitted(left, seconds + 1e-6, cost, done=50)) == rungs
