import math

import pytest

from rareseg.measures.collapse import State, collapsed, margin, skill, verdict
from rareseg.records.run import CollapseCheck


def check(
    average_precision: float | None,
    prevalence: float = 0.04,
    deviation: float = 2.0,
    dead: float = 0.0,
    predicted: float = 0.04,
    *,
    step: int = 500,
) -> CollapseCheck:
    lift = average_precision / prevalence if average_precision is not None and prevalence else None
    return CollapseCheck(
        step=step,
        rare_class="road",
        average_precision=average_precision,
        prevalence=prevalence,
        lift=lift,
        spatial_deviation=deviation,
        dead_share=dead,
        predicted_share=predicted,
    )


@pytest.mark.parametrize(
    "looked, state",
    [
        (check(0.6), "healthy"),
        (check(0.6, predicted=0.0), "ranks well, threshold off"),
        (check(0.6, predicted=0.9), "ranks well, threshold off"),
        (check(0.11), "ranks weakly"),
        (check(0.042, deviation=0.1), "under-trained"),
        (check(0.04, deviation=0.0, step=0), "under-trained"),
        (check(0.04, deviation=0.001), "constant output"),
        (check(0.04, deviation=0.001, dead=0.6), "dead units"),
        (check(0.042, deviation=2.0), "does not follow the labels"),
        (check(None, prevalence=0.0), "cannot tell"),
        (check(1.0, prevalence=1.0), "cannot tell"),
        # Near one half no lift can exceed 2: skill decides.
        (check(0.95, prevalence=0.5, predicted=0.5), "healthy"),
        (check(0.53, prevalence=0.5, deviation=0.1, predicted=0.5), "under-trained"),
    ],
)
def test_states(looked: CollapseCheck, state: State) -> None:
    found = verdict(looked)
    assert found.state == state
    assert "At step" in found.reason and '"road"' in found.reason and found.reason.endswith(".")
    expected = state in {"under-trained", "constant output", "dead units", "does not follow the labels"}
    assert collapsed(looked) is expected


def test_reason_holds_the_numbers_and_the_next_step() -> None:
    reason = verdict(check(0.041, deviation=0.004, dead=0.62, predicted=0.0)).reason
    for part in ("average precision 0.041", "prevalence 0.04", "lift 1.0", "0.004", "62 %", "learning rate"):
        assert part in reason


def test_cannot_tell_says_what_is_missing() -> None:
    assert "hold none of it" in verdict(check(None, prevalence=0.0)).reason
    assert "hold nothing else" in verdict(check(1.0, prevalence=1.0)).reason


@pytest.mark.parametrize("prevalence", [0.001, 0.04, 0.3, 0.5, 0.9])
def test_chance_has_collapsed_and_perfection_has_not(prevalence: float) -> None:
    assert skill(prevalence, prevalence) == 0
    assert skill(1, prevalence) == pytest.approx(1)
    assert collapsed(check(prevalence, prevalence))
    assert not collapsed(check(1.0, prevalence))


def test_margin_names_the_class_that_is_worst_off() -> None:
    bicyclist, car = margin(0.02, 0.003), margin(0.05, 0.04)
    assert skill(0.05, 0.04) < skill(0.02, 0.003)
    assert car < 1 < bicyclist
    assert margin(None, 0.0) == margin(1.0, 1.0) == math.inf
