import numpy as np
import pytest
from scipy import stats

from rareseg.measures import intervals
from rareseg.measures.intervals import interval, scene_draws, student


@pytest.mark.parametrize("freedom", [1, 1.37, 2, 3.5, 7, 29, 400])
def test_student_agrees_with_scipy(freedom):
    assert student(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-4)


def test_student_is_bounded_at_both_ends():
    assert student(0.2) == student(1)
    assert student(1e9) == pytest.approx(1.96, abs=0.003)


def test_draws_leave_one_scene_out_and_repeat_themselves():
    draws = scene_draws(7)
    assert draws.shape == (intervals.RESAMPLES, 7)
    assert (draws.sum(axis=1) == 6).all()
    assert (draws == scene_draws(7)).all()
    assert (draws != scene_draws(7, seed=1)).any()
    assert (scene_draws(1) == 1).all()


def test_variance_of_drawn_means_is_that_of_a_mean_of_so_few_scenes():
    values = np.random.default_rng(0).normal(0, 1, 4)
    draws = scene_draws(4, resamples=20_000)
    drawn = draws @ values / draws.sum(axis=1)
    # Drawing all four would give 3/4 of it.
    assert drawn.var() == pytest.approx(values.var(ddof=1) / 4, rel=0.03)


def _study(rng, *, scenes, seeds, scene_spread, seed_spread):
    """One made-up study: a score is a scene's own level plus a seed's own shift; the truth is 0."""
    levels = rng.normal(0, scene_spread, scenes)
    shifts = rng.normal(0, seed_spread, seeds)
    draws = scene_draws(scenes)
    drawn = (draws @ levels / draws.sum(axis=1))[None] + shifts[:, None]
    return interval(levels.mean() + shifts, drawn, scenes=scenes)


@pytest.mark.parametrize(
    ("scenes", "seeds", "scene_spread", "seed_spread"),
    [(5, 3, 1.0, 0.0), (5, 3, 0.0, 1.0), (5, 3, 1.0, 1.0), (12, 2, 1.0, 0.3), (30, 5, 1.0, 0.5)],
)
def test_intervals_hold_the_truth_as_often_as_they_say(scenes, seeds, scene_spread, seed_spread):
    rng = np.random.default_rng(1)
    spread = {"scene_spread": scene_spread, "seed_spread": seed_spread}
    studies = [_study(rng, scenes=scenes, seeds=seeds, **spread) for _ in range(400)]
    held = np.mean([found.low <= 0 <= found.high for found in studies])
    # 400 studies at 95 % scatter by 1.1 %.
    assert 0.915 < held <= 0.99


def test_seeds_that_differ_widen_the_interval():
    drawn = np.zeros((3, 50)) + np.linspace(-0.01, 0.01, 50)
    alike = interval(np.array([0.5, 0.5, 0.5]), drawn, scenes=5)
    apart = interval(np.array([0.3, 0.5, 0.7]), drawn, scenes=5)
    assert alike.value == apart.value == pytest.approx(0.5)
    assert apart.high - apart.low > 10 * (alike.high - alike.low)
    assert apart.high - 0.5 == pytest.approx(stats.t.ppf(0.975, 2) * 0.2 / 3**0.5, rel=0.02)


def test_nothing_known_about_the_noise_gives_no_interval():
    assert interval(np.array([0.4]), np.full((1, 9), 0.4), scenes=1) == (0.4, None, None)
    assert not interval(np.array([0.4]), np.full((1, 9), 0.4), scenes=1).excludes_zero
    no_draw = interval(np.array([0.4]), np.full((1, 9), np.nan), scenes=4)
    assert (no_draw.low, no_draw.high) == (None, None)


def test_draws_without_the_class_are_left_out():
    drawn = np.array([[0.4, 0.6, np.nan, 0.5]])
    assert interval(np.array([0.5]), drawn, scenes=4) == interval(
        np.array([0.5]), drawn[:, [0, 1, 3]], scenes=4
    )


def test_scores_stay_between_0_and_1_and_differences_need_not():
    drawn = np.random.default_rng(2).normal(0.5, 1, (2, 100))
    found = interval(np.array([0.4, 0.6]), drawn, scenes=3, least=0.0, most=1.0)
    assert (found.low, found.high) == (0.0, 1.0)
    free = interval(np.array([0.4, 0.6]), drawn, scenes=3)
    assert free.low < 0
    assert free.high > 1


def test_no_spread_at_all_is_certain():
    found = interval(np.array([0.2, 0.2]), np.full((2, 9), 0.2), scenes=3)
    assert found == (0.2, 0.2, 0.2)
    assert found.excludes_zero


@pytest.mark.parametrize(("scenes", "seeds", "believed"), [(3, 2, True), (2, 5, False), (9, 1, False)])
def test_few_scenes_or_one_seed_are_not_trusted(scenes, seeds, believed):
    assert intervals.trusted(scenes=scenes, seeds=seeds) is believed


def test_degrees_of_freedom_are_satterthwaites():
    drawn = np.tile(np.random.default_rng(3).normal(0, 1, 40), (3, 1))
    values = np.array([-0.5, 0.0, 0.5])
    of_scenes, of_seeds = drawn[0].var(ddof=1), values.var(ddof=1) / 3
    freedom = (of_scenes + of_seeds) ** 2 / (of_scenes**2 / 5 + of_seeds**2 / 2)
    found = interval(values, drawn, scenes=6)
    assert found.high == pytest.approx(stats.t.ppf(0.975, freedom) * (of_scenes + of_seeds) ** 0.5, rel=1e-3)
