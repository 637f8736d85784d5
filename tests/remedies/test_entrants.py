"""Which candidates are trained, which are another's plan, and which have none."""

from functools import partial

import pytest
from tests.references.facts import CPU, roads

from rareseg.errors import SettingError
from rareseg.records.comparison import Request
from rareseg.remedies.entrants import Entrants, enter
from rareseg.stages.plan import decide


def _entered(*names: str, **settings: str) -> Entrants:
    request = Request(remedies=names, seeds=1, steps=1, settings=settings)
    return enter(request, partial(decide, roads(), CPU))


def test_a_sum_is_trained_once_however_it_is_spelled():
    found = _entered("dice", "1*dice", "1.0*dice", "cross_entropy+dice", "dice+cross_entropy", "2*dice")
    assert found.trained == ("none", "default", "dice", "cross_entropy+dice", "2*dice")
    assert found.same == {"1*dice": "dice", "1.0*dice": "dice", "dice+cross_entropy": "cross_entropy+dice"}


def test_settings_tell_plans_of_one_loss_apart():
    found = _entered("focal", "focal+dice", **{"loss.focal.gamma": "3"})
    assert found.trained == ("none", "default", "focal", "focal+dice")
    assert not found.same


def test_a_candidate_without_a_plan_keeps_the_reason():
    found = _entered("boundary", "dice")
    assert found.trained == ("none", "default", "dice")
    assert "every term has a ramp" in found.unplanned["boundary"]


def test_a_comparison_that_has_no_challenger_left_is_refused():
    with pytest.raises(
        SettingError, match=r"nothing to compare\. boundary: .*every term has a ramp"
    ) as caught:
        _entered("boundary", "none", "dice+enet")
    assert "dice+enet: weights.rule=enet has no effect on loss.name=dice" in str(caught.value)
    # Asking for the yardsticks alone is another matter, and so is a plan that is one of theirs.
    assert set(_entered("none").trained) == {"none", "default"}
    assert _entered("prior_bias", "boundary").same == {"prior_bias": "default"}
