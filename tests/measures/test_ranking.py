import numpy as np
import pytest

from rareseg.measures.intervals import scene_draws
from rareseg.measures.ranking import Findings, Judged, mean_score, ranked, rows
from rareseg.measures.scene_counts import Pooled
from rareseg.records.comparison import Rung, Scored, Trial

SCENES = 5
NAMES = ("none", "default", "dice")


def _judged(name, seed, steps, score, *, outcome="finished", scenes=SCENES, spread=0.02, test=None):
    """Return a trial whose AP and IoU are `score` and half of it, more or less from scene to scene."""
    levels = np.linspace(-spread, spread, scenes) if scenes > 1 else np.zeros(1)
    draws = scene_draws(scenes)
    drawn = score + draws @ levels / draws.sum(axis=1)
    table = np.stack([np.full(len(drawn), 0.99), drawn], axis=1)
    pooled = Pooled(table, table / 2, np.full_like(table, 0.1), table, table, table, table)
    made = Scored(
        average_precision=(0.99, score),
        iou=(0.5, score / 2),
        calibration_error=(0.1, 0.1),
        scenes=scenes,
        images=scenes,
        seconds=1.0,
    )
    failed = outcome == "failed"
    trial = Trial(
        candidate=name,
        seed=seed,
        steps=steps,
        plan_digest="",
        outcome=outcome,
        reason="it broke" if failed else "its output is constant" if outcome == "collapsed" else "",
        seconds=9.0,
        seconds_per_step=0.1 * (seed + 1),
        val=None if failed else made,
        test=made if test else None,
    )
    return Judged(trial, None if failed else pooled, pooled if test else None)


def _findings(*judged, rungs, **changes):
    made = {
        "classes": ("background", "road"),
        "rare": (1,),
        "settings": {name: {"loss.name": name} for name in NAMES},
        "default": "default",
        "unplanned": {},
        "same": {},
        "rungs": list(rungs),
        "judged": {(one.trial.candidate, one.trial.seed, one.trial.steps): one for one in judged},
    }
    return Findings(**made | changes)


def _full(scores, *, steps=90, seeds=2, wobble=0.001, **options):
    return [
        _judged(name, seed, steps, score + wobble * seed * (place + 1), **options)
        for place, (name, score) in enumerate(scores.items())
        for seed in range(seeds)
    ]


RUNG = Rung(steps=90, seeds=2, candidates=NAMES)
SCORES = {"none": 0.3, "default": 0.6, "dice": 0.5}


def test_rows_stand_best_first_with_means_over_seeds():
    found = rows(_findings(*_full(SCORES), rungs=[RUNG]))
    assert [row.candidate for row in found] == ["default", "dice", "none"]
    best = found[0]
    assert best.state == "compared"
    assert (best.steps, best.seeds) == (90, 2)
    assert best.scores.average_precision.value == pytest.approx(0.601)
    assert best.scores.iou.value == pytest.approx(0.3005)
    assert best.scores.calibration_error.value == pytest.approx(0.1)
    assert best.scores.classes[0].average_precision.value == pytest.approx(0.99)
    assert best.seconds_per_step == pytest.approx(0.15)
    assert best.settings == {"loss.name": "default"}


def test_differences_are_paired_so_that_shared_scenes_and_seeds_cancel():
    found = rows(_findings(*_full(SCORES, spread=0.3), rungs=[RUNG]))
    dice = next(row for row in found if row.candidate == "dice")
    # Scenes differ by 0.6 and would hide any difference; both candidates met the same ones.
    assert dice.scores.average_precision.high - dice.scores.average_precision.low > 0.2
    assert dice.to_best.other == "default"
    assert dice.to_best.average_precision.value == pytest.approx(-0.0995)
    assert dice.to_best.average_precision.high < -0.09
    assert dice.to_best.beyond_noise
    assert found[0].to_best is None
    assert found[0].to_default is None


def test_seeds_that_disagree_are_noise():
    judged = [_judged(name, seed, 90, score) for name, scores in {
        "none": (0.5, 0.7), "default": (0.7, 0.5), "dice": (0.1, 0.1)
    }.items() for seed, score in enumerate(scores)]  # fmt: skip
    found = {row.candidate: row for row in rows(_findings(*judged, rungs=[RUNG]))}
    gap = found["none"].to_default or found["none"].to_best
    assert abs(gap.average_precision.value) < 1e-9
    assert not gap.beyond_noise


@pytest.mark.parametrize(("seeds", "scenes"), [(1, 5), (2, 2), (2, 1)])
def test_with_one_seed_or_few_scenes_nothing_is_beyond_the_noise(seeds, scenes):
    rung = Rung(steps=90, seeds=seeds, candidates=NAMES)
    found = rows(_findings(*_full(SCORES, seeds=seeds, scenes=scenes), rungs=[rung]))
    assert [row.to_best.beyond_noise for row in found[1:]] == [False, False]


def test_a_dropped_candidate_is_compared_with_the_best_at_its_own_steps():
    short = Rung(steps=30, seeds=1, candidates=NAMES)
    last = Rung(steps=90, seeds=2, candidates=("none", "default"))
    early = _full({"none": 0.1, "default": 0.2, "dice": 0.15}, steps=30, seeds=1)
    late = _full({"none": 0.3, "default": 0.6}, steps=90)
    found = {row.candidate: row for row in rows(_findings(*early, *late, rungs=[short, last]))}
    assert list(found) == ["default", "none", "dice"]
    dice = found["dice"]
    assert (dice.state, dice.steps, dice.seeds) == ("dropped", 30, 1)
    assert dice.to_best.steps == 30
    assert dice.to_best.average_precision.value == pytest.approx(-0.05)
    assert [point.steps for point in found["default"].history] == [30, 90]
    assert [point.seeds for point in found["default"].history] == [1, 2]


def test_one_failed_seed_fails_the_candidate():
    judged = _full(SCORES)
    judged[-1] = _judged("dice", 1, 90, 0.9, outcome="failed")
    findings = _findings(*judged, rungs=[RUNG])
    assert ranked(findings, RUNG) == ["default", "none"]
    found = rows(findings)
    assert found[-1].candidate == "dice"
    assert found[-1].state == "failed"
    assert found[-1].reason == "seed 1, 90 steps: it broke"
    assert found[-1].to_best is None


def test_a_collapsed_candidate_keeps_its_scores_and_is_not_the_best():
    judged = _full(SCORES)
    judged = [
        _judged("default", one.trial.seed, 90, 0.6, outcome="collapsed")
        if one.trial.candidate == "default" and one.trial.seed
        else one
        for one in judged
    ]
    found = rows(_findings(*judged, rungs=[RUNG]))
    assert (found[0].candidate, found[0].state) == ("default", "collapsed")
    assert found[0].reason == "1 of 2 seeds collapsed: its output is constant"
    assert found[0].to_best.other == "dice"
    assert found[1].to_best is None


def test_candidates_without_trials_say_why():
    findings = _findings(
        *_full({"none": 0.3}),
        rungs=[Rung(steps=90, seeds=2, candidates=("none",))],
        settings={name: {} for name in ("none", "default", "dice", "tversky")},
        same={"default": "none"},
        unplanned={"dice": "dice takes no weights"},
        default="none",
    )
    found = {row.candidate: (row.state, row.reason) for row in rows(findings)}
    assert found == {
        "none": ("compared", ""),
        "default": ("same", "its plan is that of none, so it was not trained again"),
        "dice": ("failed", "dice takes no weights"),
        "tversky": ("waiting", ""),
    }


def test_a_rung_cut_short_compares_the_seeds_that_both_have():
    judged = [one for one in _full(SCORES) if (one.trial.candidate, one.trial.seed) != ("dice", 1)]
    dice = next(row for row in rows(_findings(*judged, rungs=[RUNG])) if row.candidate == "dice")
    assert dice.seeds == dice.to_best.seeds == 1
    assert dice.to_best.average_precision.value == pytest.approx(-0.1)


def test_test_scores_stand_apart():
    found = rows(_findings(*_full(SCORES, test=True), rungs=[RUNG]))
    assert found[0].test.average_precision.value == pytest.approx(0.601)
    assert rows(_findings(*_full(SCORES), rungs=[RUNG]))[0].test is None


def test_means_run_over_the_classes_that_are_there():
    scored = Scored(
        average_precision=(0.9, None, 0.5),
        iou=(0.9, None, 0.3),
        calibration_error=(0.1, None, 0.2),
        scenes=1,
        images=1,
        seconds=0.0,
    )
    assert mean_score(scored, (1, 2), "average_precision") == 0.5
    assert mean_score(scored, (0, 2), "iou") == pytest.approx(0.6)
    assert mean_score(scored, (1,), "average_precision") is None
    assert mean_score(None, (1,), "iou") is None
