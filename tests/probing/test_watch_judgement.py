import pytest

from rareseg.probing.watch_judgement import judge
from rareseg.probing.watch_window import ClassNumbers, Window


def _one(precision=0.02, *, name="road", prevalence=0.02, deviation=1.0, share=0.02, pixels=500, mean=0.02):
    return ClassNumbers(name, pixels, prevalence, precision, deviation, share, mean)


def _windows(*classes, every=50, void=0.0, single=False):
    return [
        Window(
            (index + 1) * every,
            held if isinstance(held, tuple) and not isinstance(held, ClassNumbers) else (held,),
            0.1,
            void,
            single,
        )
        for index, held in enumerate(classes)
    ]


def _judged(*classes, patience=3, **settings):
    return judge(_windows(*classes, **settings), patience)


GOOD = _one(0.8)
CHANCE = _one(0.021)
CONSTANT = _one(0.02, deviation=0.0, share=0.0)


def test_nothing_is_said_of_nothing():
    assert judge((), 3).state == "cannot tell"


def test_a_good_ranking_is_healthy():
    judged = _judged(CHANCE, GOOD)
    assert (judged.state, judged.alarm) == ("healthy", False)
    assert "lift 40.00" in judged.reason


@pytest.mark.parametrize("count", [1, 2])
def test_a_constant_output_needs_patience(count):
    judged = _judged(*[CONSTANT] * count)
    assert (judged.state, judged.alarm) == ("constant output", False)


def test_a_constant_output_is_told_in_the_third_window():
    judged = _judged(*[CONSTANT] * 3)
    assert (judged.state, judged.alarm, judged.fatal) == ("constant output", True, True)
    assert "learning rate" in judged.reason


def test_a_constant_output_that_begins_to_vary_gets_time():
    growing = [_one(0.021, deviation=0.001 * 2**step) for step in range(3)]
    assert not _judged(*growing).alarm


def test_noise_of_rounding_is_no_growth():
    growing = [_one(0.02, deviation=1e-8 * 2**step) for step in range(3)]
    assert _judged(*growing).alarm


def test_a_class_that_is_never_answered_is_constant_whatever_its_log_odds_do():
    never = _one(0.02, deviation=19.0, share=0.0, mean=1e-9)
    judged = _judged(*[never] * 3)
    assert (judged.state, judged.alarm) == ("constant output", True)
    assert "Dice" in judged.reason
    assert not _judged(*[_one(0.02, deviation=19.0, share=0.0, mean=0.001)] * 3).alarm


def test_chance_is_told_after_twice_the_patience():
    assert not _judged(*[CHANCE] * 5).alarm
    judged = _judged(*[CHANCE] * 6)
    assert (judged.state, judged.alarm, judged.fatal) == ("not learning", True, True)
    assert "after 300 updates" in judged.reason
    assert "belong together" in judged.reason
    assert "weights move" in _judged(*[_one(0.021, deviation=0.05)] * 6).reason


def test_a_ranking_that_rises_gets_time():
    assert not _judged(*[_one(0.02 * 1.08**step) for step in range(6)]).alarm


def test_chance_is_known_at_large_shares_too():
    even = _one(0.32, prevalence=0.3)
    assert _judged(*[even] * 6).alarm
    assert not _judged(*[_one(0.45, prevalence=0.3)] * 6).alarm


def test_a_ranking_that_is_lost_is_a_late_collapse():
    assert not _judged(*[GOOD] * 4, *[CHANCE] * 2).alarm
    judged = _judged(*[GOOD] * 4, *[CHANCE] * 3)
    assert (judged.state, judged.alarm) == ("late collapse", True)
    assert "0.8 at update 50" in judged.reason


def test_one_lucky_window_is_no_peak():
    assert _judged(GOOD, *[CHANCE] * 6).state == "not learning"


def test_a_share_that_is_lost_is_a_late_collapse():
    lost = _one(0.5, share=0.001)
    assert not _judged(*[GOOD] * 4, *[lost] * 2).alarm
    judged = _judged(*[GOOD] * 4, *[lost] * 3)
    assert (judged.state, judged.alarm, judged.fatal) == ("late collapse", True, True)
    assert "fell from 2 % at update 150 to 0.1 %" in judged.reason


def test_a_share_that_is_lost_while_the_ranking_gets_better_is_a_threshold():
    better = _one(0.9, share=0.001)
    assert _judged(*[GOOD] * 4, *[_one(0.82, share=0.001)] * 3).state == "late collapse"
    judged = _judged(*[_one(0.6)] * 4, *[better] * 6)
    assert (judged.state, judged.alarm, judged.fatal) == ("ranks well, threshold off", True, False)


def test_too_much_early_on_is_no_peak():
    early = _one(0.05, share=0.6)
    assert _judged(*[early] * 4, *[_one(0.5, share=0.008)] * 3).state == "healthy"
    assert _judged(*[_one(0.07, share=0.6)] * 4, *[_one(0.5, share=0.015)] * 3).state == "healthy"


def test_a_threshold_that_stays_off_is_told_and_stops_nothing():
    off = _one(0.5, share=0.0001)
    assert not _judged(*[off] * 5).alarm
    judged = _judged(*[off] * 6)
    assert (judged.state, judged.alarm, judged.fatal) == ("ranks well, threshold off", True, False)
    assert "threshold" in judged.reason


def test_a_share_on_its_way_gets_time():
    assert not _judged(*[_one(0.5, share=0.0001 * 1.5**step) for step in range(6)]).alarm
    assert not _judged(*[_one(0.1 + 0.05 * step, share=0.0) for step in range(6)]).alarm


def test_only_the_last_windows_say_whether_it_moves_and_not_for_ever():
    early = [_one(0.1 + 0.05 * step, share=0.0) for step in range(4)]
    assert not _judged(*early, *[_one(0.3, share=0.0)] * 3).alarm
    assert _judged(*early, *[_one(0.3, share=0.0)] * 5).alarm
    assert not _judged(*[_one(0.1 + 0.05 * step, share=0.0) for step in range(11)]).alarm
    assert _judged(*[_one(0.1 + 0.05 * step, share=0.0) for step in range(12)]).alarm


def test_too_much_is_off_as_well():
    judged = _judged(*[_one(0.5, share=0.5)] * 6)
    assert (judged.state, judged.alarm) == ("ranks well, threshold off", True)
    assert not _judged(*[_one(0.5, share=0.6 - 0.05 * step) for step in range(6)]).alarm


def test_one_class_whose_threshold_is_off_among_others_gets_twice_the_time():
    pair = (GOOD, _one(0.5, name="pole", share=0.0001))
    assert not _judged(*[pair] * 11).alarm
    judged = _judged(*[pair] * 12)
    assert (judged.state, judged.alarm) == ("ranks well, threshold off", True)
    assert '"pole"' in judged.reason
    assert _judged(*[tuple(_one(0.5, name=name, share=0.0001) for name in "ab")] * 6).alarm


def test_too_little_and_then_too_much_is_off_all_along():
    swings = [_one(0.5, share=0.0)] * 5 + [_one(0.5, share=0.5)] * 2
    assert _judged(*swings).state in ("ranks well, threshold off", "late collapse")


def test_a_single_class_that_is_left_out_is_told_late_and_stops_nothing():
    pair = (GOOD, _one(0.021, name="pole"))
    assert not _judged(*[pair] * 11).alarm
    judged = _judged(*[pair] * 12)
    assert (judged.state, judged.alarm, judged.fatal) == ("class left out", True, False)
    assert '"pole"' in judged.reason


def test_a_network_is_dead_only_if_every_class_is():
    assert not _judged(*[(GOOD, CONSTANT)] * 6).fatal
    assert _judged(*[(CHANCE, CONSTANT)] * 6).state == "not learning"


def test_classes_that_are_not_seen_are_told():
    absent = _one(None, pixels=12, prevalence=0.0001)
    assert not _judged(*[absent] * 2).alarm
    judged = _judged(*[absent] * 3)
    assert (judged.state, judged.alarm, judged.fatal) == ("class absent", True, False)
    assert '36 of "road"' in judged.reason


def test_a_class_that_the_ignored_label_eats_is_fatal():
    judged = _judged(*[_one(None, pixels=0, prevalence=0.0)] * 3, void=0.04)
    assert judged.fatal
    assert "4 % of them hold the ignored label" in judged.reason
    assert "255" in judged.reason


def test_windows_without_the_class_do_not_count_among_those_with_it():
    absent = _one(None, pixels=3)
    assert _judged(*[CONSTANT] * 2, absent, CONSTANT).alarm


def test_softmax_over_one_channel_is_told_at_once():
    judged = _judged(_one(0.02, share=1.0), single=True)
    assert (judged.state, judged.alarm) == ("constant output", True)
    assert "sigmoid" in judged.reason
