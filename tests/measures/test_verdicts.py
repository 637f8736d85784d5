import pytest
from msgspec.structs import replace
from tests.references.comparisons import comparison, difference, estimate, row

from rareseg.measures.verdicts import decided, notes, spelled, with_verdicts
from rareseg.records.comparison import Estimate, Request

BEST, DEFAULT = "dice", "default"


def _pair(gap, reach, **changes):
    best = row(BEST, "compared", 0.3, 0.5, 0.7, to_default=difference(DEFAULT, gap, reach, **changes))
    rules = row(DEFAULT, "compared", 0.3, 0.5, 0.7 - gap, to_best=difference(BEST, -gap, reach, **changes))
    return best, rules


def test_a_lead_beyond_the_noise_wins():
    found = decided(_pair(0.05, 0.02), default=DEFAULT)
    assert found.winner == BEST
    assert found.summary == (
        "dice scores an average precision of 0.700 [0.660, 0.740] (450 steps, 3 seeds); it beats the default by "
        "0.050 [0.030, 0.070]."
    )
    assert found.because == "it scored 0.700 [0.660, 0.740] and beats the default by 0.050 [0.030, 0.070]"


def test_within_the_noise_the_default_stays():
    found = decided(_pair(0.01, 0.02), default=DEFAULT)
    assert found.winner == DEFAULT
    assert "but nothing beats the default by more than the noise (+0.010 [-0.010, +0.030]" in found.summary


def test_the_best_may_be_the_default():
    found = decided((row(DEFAULT, "compared", 0.3, 0.5, 0.7), *_pair(0.05, 0.02)), default=DEFAULT)
    assert found.winner == DEFAULT
    assert found.summary.endswith("it is the plan by the rules, and nothing scored higher.")


def test_a_default_that_collapsed_or_failed_leaves_the_win_to_the_best():
    best, rules = _pair(0.01, 0.02)
    found = decided((best, replace(rules, state="collapsed")), default=DEFAULT)
    assert found.winner == BEST
    alone = decided((replace(best, to_default=None), replace(rules, state="failed")), default=DEFAULT)
    assert alone.winner == BEST
    assert "the default ended without a score" in alone.summary


def test_what_collapsed_cannot_win():
    best, rules = _pair(0.3, 0.02)
    assert decided((replace(best, state="collapsed"), rules), default=DEFAULT).winner == DEFAULT
    lost = decided((replace(best, state="collapsed"), replace(rules, state="collapsed")), default=DEFAULT)
    assert lost.winner is None
    assert "every candidate of the last rung collapsed or failed (dice, default collapsed)" in lost.summary
    assert decided((), default=DEFAULT).winner is None


@pytest.mark.parametrize(
    ("gap", "reach", "changes", "verdict"),
    [
        (0.05, 0.02, {}, "worse than the best by 0.050 [0.030, 0.070]"),
        (0.01, 0.02, {}, "within the noise of the best: -0.010 [-0.030, +0.010]"),
        (0.05, 0.02, {"seeds": 1}, "-0.050 [-0.070, -0.030] against the best, one seed: no verdict"),
    ],
)
def test_verdicts_name_the_difference(gap, reach, changes, verdict):
    found = with_verdicts(_pair(gap, reach, **changes), default=DEFAULT)
    assert found[1].verdict == verdict


def test_the_best_is_said_to_be_better_than_the_default():
    assert with_verdicts(_pair(0.05, 0.02), default=DEFAULT)[0].verdict == (
        "best; better than the default by 0.050 [0.030, 0.070]"
    )
    alone = row(DEFAULT, "compared", 0.3)
    assert with_verdicts([alone], default=DEFAULT)[0].verdict == "best, and the default"


def test_too_few_scenes_give_no_verdict():
    best, rules = _pair(0.05, 0.02)
    rules = replace(rules, to_best=replace(rules.to_best, beyond_noise=False))
    assert with_verdicts([best, rules], default=DEFAULT)[1].verdict.endswith("too few scenes: no verdict")


def test_other_states_say_why():
    found = {one.candidate: one.verdict for one in with_verdicts(comparison().rows, default=DEFAULT)}
    assert found["focal"].startswith("dropped after 150 steps: -0.110")
    assert found["lovasz"] == "1 of 1 seeds collapsed; best"
    assert found["dice+enet"].startswith("weights.rule=enet has no effect")
    assert found["prior_bias"].startswith("its plan is that of default")
    assert found["tversky"] == "not trained yet"


def test_notes_warn_of_what_cannot_be_trusted():
    sure = notes(comparison())
    assert not any("cannot be trusted" in note or "With one seed" in note for note in sure)
    assert any("Scores of the test part were taken once" in note for note in sure)
    assert any("Rungs of 50, 150, 450 steps" in note for note in sure)
    request = Request(remedies=("none",), seeds=1, minutes=1.0)
    unsure = notes(comparison(scenes=2, request=request, outcome="out of time"))
    assert unsure[0].startswith("The validation part has 2 scenes: below 3, intervals over scenes cannot")
    assert unsure[1].startswith("With one seed, what another start would have given is unknown")
    assert unsure[-1].startswith("Time ran out")
    assert notes(comparison(outcome="interrupted"))[-1].startswith("Stopped by hand: --resume")


def test_estimates_are_spelled_with_their_interval_where_it_is_known():
    assert spelled(estimate(0.7)) == "0.700 [0.660, 0.740]"
    assert spelled(Estimate(value=0.7), signed=True) == "+0.700"
    assert spelled(None) == "–"
