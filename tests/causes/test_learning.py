"""Rules about how it learns."""

from msgspec.structs import replace
from tests.causes.pictures import BLACK, SAME, answers, blind, data, falling, healthy, learning, wiring

from rareseg.causes import learning as rules
from rareseg.causes.ranking import judge

DICE = wiring(dice_like=0.22, loss_now=0.9975, loss_at_wrong=0.9979, loss_name="dice", rare_slope=1.0)
STARVED = learning(
    losses=(0.9975,) * 30,
    fall=1e-6,
    update_ratio=9e-6,
    faster_rate=100.0,
    faster_gain=69.0,
    fit_average_precision=0.03,
)


def test_small_steps_of_an_overlap_loss_at_the_constant_answer_are_no_fault_of_the_rate():
    stuck = blind(wiring=DICE, learning=replace(STARVED, fresh_fall=0.001))
    assert judge(stuck).findings[0].cause == "dice_stuck"
    assert rules.rate_too_low(replace(stuck, wiring=wiring())).confidence > 0.9
    away = replace(stuck, wiring=replace(DICE, loss_now=0.7))
    assert judge(away).findings[0].cause == "learning_rate_too_low"


def test_a_rate_at_which_fresh_weights_learn_is_none_too_low():
    flat = replace(STARVED, faster_rate=None, faster_gain=None)
    assert rules.rate_too_low(blind(learning=replace(flat, fresh_fall=0.01))) is not None
    assert rules.rate_too_low(blind(learning=replace(flat, fresh_fall=0.9))) is None


def test_the_slope_at_rare_pixels_is_among_the_signs():
    slow = healthy(answers=answers(**BLACK), learning=learning(losses=falling(0.6, 0.3), fall=0.4))
    for evidence, cause in ((slow, "under_trained"), (blind(wiring=DICE), "dice_stuck")):
        first = judge(evidence).findings[0]
        assert first.cause == cause
        found = [one.found for one in first.signs if "slope" in one.what]
        assert found == ["0.3" if cause == "under_trained" else "1"]


def test_dead_units_that_no_slower_rate_was_seen_to_spare_come_after_empty_batches():
    dead = learning(
        dead_before=0.8,
        fresh_dead=0.7,
        losses=(0.17,) * 30,
        fall=0.0,
        fit_average_precision=0.04,
        fresh_average_precision=0.04,
    )
    empty = blind(answers=answers(**SAME), learning=dead, data=data(empty_batches=0.9))
    assert [one.cause for one in judge(empty).findings[:2]] == ["empty_batches", "learning_rate_too_high"]
    spared = replace(dead, slower_rate=0.1, slower_dead=0.05, slower_average_precision=0.6)
    assert judge(replace(empty, learning=spared)).findings[0].cause == "learning_rate_too_high"
    dying = replace(spared, slower_dead=0.7)
    assert judge(replace(empty, learning=dying)).findings[0].cause == "empty_batches"
