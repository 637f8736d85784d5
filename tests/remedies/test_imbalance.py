import math
import re

import msgspec
import numpy as np
import pytest
from tests.references.facts import CAMVID, part_facts

from rareseg.errors import SettingError
from rareseg.records.audit import PartFacts
from rareseg.records.plan import LossChoice, WeightsChoice
from rareseg.remedies import imbalance
from rareseg.remedies.imbalance import (
    initialisation_choice,
    loss_choice,
    loss_settings,
    loss_terms,
    rarest_class,
    sampling_choice,
    weights_choice,
)

ROADS = part_facts((0.96, 0.04), names=("background", "road"))
MANY = part_facts(CAMVID)
ABSENT = part_facts((0.97, 0.03, 0.0), names=("ground", "road", "bridge"))


def _weights(
    facts: PartFacts,
    *,
    loss: str = "cross_entropy",
    asked: str | None = None,
    given: tuple[float, ...] | None = None,
    overlapping: bool = False,
) -> WeightsChoice:
    chosen = loss_choice(facts, loss)
    return weights_choice(facts, overlapping=overlapping, loss=chosen, asked=asked, given=given)


def test_loss_is_cross_entropy_for_the_shares_that_the_audit_counted():
    chosen = loss_choice(ROADS, None)
    assert chosen.name == "cross_entropy"
    assert "road covers 4.00%" in chosen.because
    assert f"{ROADS.constant_predictor.entropy:.3f} nats" in chosen.because
    assert (chosen.gamma, chosen.false_positive_weight, chosen.false_negative_weight) == (None, None, None)


def test_a_loss_that_is_asked_for_brings_the_settings_of_its_terms_and_no_others():
    for name in ("cross_entropy", "dice", "lovasz", "dice+lovasz"):
        assert loss_settings(name) == {}
    for name, fields in {
        "focal": {"gamma"},
        "dice + tversky": {"false_positive_weight", "false_negative_weight"},
        "focal+tversky": {"gamma", "false_positive_weight", "false_negative_weight"},
    }.items():
        chosen = loss_choice(ROADS, name)
        assert chosen.name == name
        every = ("gamma", "false_positive_weight", "false_negative_weight")
        assert {field for field in every if getattr(chosen, field) is not None} == fields


def test_terms_are_split_and_checked():
    assert loss_terms("cross_entropy + dice") == ("cross_entropy", "dice")
    for name in ("dise", "", "dice+", "none"):
        with pytest.raises(
            SettingError, match=r"Unknown loss .*Known: cross_entropy, focal, dice, tversky, lovasz"
        ):
            loss_terms(name)
    with pytest.raises(SettingError, match=r"Unknown loss 'dise'. Did you mean 'dice'\?"):
        loss_choice(ROADS, "cross_entropy+dise")
    with pytest.raises(SettingError, match=r"loss.name=dice\+dice names dice twice"):
        loss_terms("dice+dice")


def test_two_classes_are_not_weighted_and_the_reason_names_the_rare_one():
    chosen = _weights(ROADS)
    assert (chosen.rule, chosen.values) == ("none", (1.0, 1.0))
    assert "road covers 4.00%" in chosen.because


def test_many_classes_with_rare_ones_are_weighted_by_the_inverse_square_root():
    chosen = _weights(MANY)
    shares = np.array([entry.share for entry in MANY.classes])
    values = np.array(chosen.values)
    assert chosen.rule == "sqrt_inverse"
    np.testing.assert_allclose(values * np.sqrt(shares), values[0] * np.sqrt(shares[0]))
    assert np.dot(values, shares) == pytest.approx(shares.sum())
    named = [entry.name for entry in MANY.classes if entry.share < 0.05]
    assert len(named) == 5
    for name in named:
        share = next(entry.share for entry in MANY.classes if entry.name == name)
        assert f"{name} {share:.2%}" in chosen.because


def test_many_classes_of_which_none_is_rare_are_not_weighted():
    chosen = _weights(part_facts((0.5, 0.3, 0.2)))
    assert (chosen.rule, chosen.values) == ("none", (1.0, 1.0, 1.0))
    assert "no class is below 5%: the rarest, class_2, covers 20.00%" in chosen.because


def test_overlapping_classes_are_not_weighted():
    assert _weights(MANY, overlapping=True).rule == "none"


def test_a_loss_without_pixelwise_term_gets_no_weights():
    chosen = _weights(MANY, loss="dice")
    assert (chosen.rule, set(chosen.values)) == ("none", {1.0})
    assert chosen.because == "the loss has no term that takes class weights"


@pytest.mark.parametrize("loss", ["dice", "tversky", "lovasz", "dice+lovasz"])
@pytest.mark.parametrize("rule", ["inverse", "sqrt_inverse", "median_frequency", "enet"])
def test_weights_that_no_term_takes_are_refused(loss: str, rule: str):
    expected = re.escape(f"weights.rule={rule} has no effect on loss.name={loss}: add a term")
    with pytest.raises(SettingError, match=expected):
        _weights(ROADS, loss=loss, asked=rule)
    with pytest.raises(SettingError, match="weights.rule=given has no effect"):
        _weights(ROADS, loss=loss, given=(1.0, 2.0))


def test_given_weights_are_taken_as_they_are():
    chosen = _weights(ROADS, given=(1.0, 7.0))
    assert (chosen.rule, chosen.values) == ("given", (1.0, 7.0))


@pytest.mark.parametrize(
    "given", [None, (1.0,), (1.0, 2.0, 3.0), (1.0, -1.0), (1.0, math.inf), (math.nan, 1.0)]
)
def test_given_weights_that_cannot_be_used_are_refused(given: tuple[float, ...] | None):
    expected = "weights.rule=given needs weights.values with 2 numbers, one per class, finite and not below 0"
    with pytest.raises(SettingError, match=expected):
        _weights(ROADS, asked="given", given=given)


def test_weights_of_0_for_all_that_occurs_are_refused():
    with pytest.raises(SettingError, match="gives every class that occurs the weight 0"):
        _weights(ABSENT, given=(0.0, 0.0, 1.0))


def test_values_beside_a_rule_that_computes_them_are_refused():
    with pytest.raises(SettingError, match="weights.values is set, but weights.rule=inverse computes them"):
        _weights(ROADS, asked="inverse", given=(1.0, 2.0))


@pytest.mark.parametrize("rule", ["sqrt", "", "None"])
def test_an_unknown_weight_rule_is_refused(rule: str):
    with pytest.raises(
        SettingError, match=rf"Unknown weights.rule '{rule}'.*Known: none, sqrt_inverse, inverse,"
    ):
        _weights(ROADS, asked=rule)


@pytest.mark.parametrize("rule", ["none", "sqrt_inverse", "inverse", "median_frequency", "enet"])
def test_an_absent_class_gets_finite_weights_and_a_plan_that_a_loss_accepts(rule: str):
    values = _weights(ABSENT, asked=rule).values
    assert all(math.isfinite(value) for value in values)
    assert values[2] == (1.0 if rule == "none" else 0.0)
    assert all(value > 0 for value in values[:2])


def test_crops_lie_uniformly_where_they_meet_the_rare_class_anyway():
    chosen = sampling_choice(ROADS, crop=256, asked=None)
    assert (chosen.rule, chosen.share, chosen.labels) == ("uniform", None, None)
    assert "a random crop of 256 px holds road" in chosen.because
    assert "90%" in chosen.because


def test_crops_are_centred_on_classes_that_they_would_miss():
    facts = part_facts((0.9, 0.07, 0.03, 0.0), crop_chance=(0.05, 0.2, 0.5))
    chosen = sampling_choice(facts, crop=300, asked=None)
    assert (chosen.rule, chosen.share, chosen.labels) == ("class_centred", 0.33, (2,))
    assert "a random crop of 256 px holds class_2 with a chance of only 20%" in chosen.because
    assert sampling_choice(facts, crop=512, asked=None).rule == "uniform"
    assert "128 px" in sampling_choice(facts, crop=64, asked=None).because


def test_images_below_the_measured_crops_count_as_crops_themselves():
    facts = part_facts((0.99, 0.01), crop_chance=(None, None, None), images_with=2)
    chosen = sampling_choice(facts, crop=96, asked=None)
    assert chosen.rule == "class_centred"
    assert "an image holds class_1 with a chance of only 20%" in chosen.because


def test_crops_lie_uniformly_where_no_class_is_rare():
    chosen = sampling_choice(part_facts((0.6, 0.4)), crop=256, asked=None)
    assert chosen.rule == "uniform"
    assert "no class is below 5%: the rarest, class_1, covers 40.00%" in chosen.because


def test_a_sampling_rule_that_is_asked_for_is_followed():
    missed = part_facts((0.97, 0.03), crop_chance=(0.05, 0.2, None))
    assert sampling_choice(missed, crop=256, asked="uniform").rule == "uniform"
    met = sampling_choice(ROADS, crop=256, asked="class_centred")
    assert (met.rule, met.share, met.labels) == ("class_centred", 0.33, (1,))
    even = sampling_choice(part_facts((0.6, 0.4)), crop=256, asked="class_centred")
    assert even.labels == (1,)


@pytest.mark.parametrize("rule", ["centred", ""])
def test_an_unknown_sampling_rule_is_refused(rule: str):
    with pytest.raises(SettingError, match=rf"Unknown sampling.rule '{rule}'.*Known: uniform, class_centred"):
        sampling_choice(ROADS, crop=256, asked=rule)


def test_the_last_layer_starts_at_the_shares():
    chosen = initialisation_choice(ROADS, _weights(ROADS), overlapping=False, asked=None)
    assert chosen.prior_bias
    assert chosen.prior == pytest.approx((0.96, 0.04))
    floor = -(0.96 * math.log(0.96) + 0.04 * math.log(0.04))
    assert (
        f"road 4.00%: starting there, cross-entropy begins at its floor for a constant map ({floor:.3f} nats)"
        in (chosen.because)
    )
    assert not initialisation_choice(ROADS, _weights(ROADS), overlapping=False, asked=False).prior_bias


def test_with_weights_it_starts_at_what_the_weighted_loss_sees():
    weights = _weights(MANY)
    chosen = initialisation_choice(MANY, weights, overlapping=False, asked=None)
    seen = np.array([entry.share for entry in MANY.classes]) * weights.values
    np.testing.assert_allclose(chosen.prior, seen / seen.sum())
    assert sum(chosen.prior) == pytest.approx(1)
    assert "shares after weighting are" in chosen.because
    # The weighted mean of -log q over pixels is least at this q.
    prior = np.array(chosen.prior)
    shares = seen / np.array(weights.values)

    def loss(answer: np.ndarray) -> float:
        return float(-(seen * np.log(answer)).sum() / seen.sum())

    assert f"({loss(prior):.3f} nats)" in chosen.because
    assert loss(prior) < min(loss(shares / shares.sum()), loss(np.full(11, 1 / 11)))


def test_shares_of_overlapping_classes_are_not_divided_by_their_sum():
    facts = part_facts((0.3, 0.25, 0.02), overlapping=True)
    weights = WeightsChoice(rule="given", values=(1.0, 1.0, 4.0), because="", reference="")
    chosen = initialisation_choice(facts, weights, overlapping=True, asked=None)
    assert chosen.prior == pytest.approx((0.3, 0.25, 0.02))
    assert "after weighting" not in chosen.because
    plain = msgspec.structs.replace(weights, rule="none", values=(1.0, 1.0, 1.0))
    unweighted = initialisation_choice(facts, plain, overlapping=True, asked=None)
    assert f"({facts.constant_predictor.entropy:.3f} nats)" in unweighted.because
    questions = [-(p * math.log(p) + (1 - p) * math.log(1 - p)) for p in (0.3, 0.25, 0.02)]
    weighted = questions[0] / 2 + questions[1] / 2 + questions[2] * 2
    assert f"({weighted:.3f} nats)" in chosen.because


def test_an_absent_class_has_a_prior_of_0():
    for rule in ("none", "sqrt_inverse"):
        weights = _weights(ABSENT, asked=rule)
        chosen = initialisation_choice(ABSENT, weights, overlapping=False, asked=None)
        assert chosen.prior[2] == 0
        assert sum(chosen.prior) == pytest.approx(1)
        assert "bridge" not in chosen.because


def test_rarest_class_is_the_least_that_occurs():
    assert rarest_class(ABSENT).name == "road"
    assert rarest_class(part_facts((1.0, 0.0))).name == "class_0"
    with pytest.raises(SettingError, match="Not one labelled pixel of the train part belongs to a class"):
        rarest_class(part_facts((0.0, 0.0)))


def test_every_loss_named_here_is_a_loss_of_the_network_with_the_same_properties():
    catalogue = pytest.importorskip("rareseg.network.losses.catalogue").LOSSES
    assert tuple(catalogue) == imbalance.LOSSES
    assert tuple(name for name, entry in catalogue.items() if entry.takes_weights) == imbalance.PIXELWISE
    assert {name: set(entry.settings) for name, entry in catalogue.items()} == {
        name: set(loss_settings(name)) for name in imbalance.LOSSES
    }


def test_what_is_chosen_builds_a_loss():
    catalogue = pytest.importorskip("rareseg.network.losses.catalogue")
    for facts in (ROADS, MANY, ABSENT):
        for name in (None, *imbalance.LOSSES, "focal+tversky"):
            loss: LossChoice = loss_choice(facts, name)
            weights = _weights(facts, loss=loss.name)
            assert callable(catalogue.build(loss, weights, overlapping=False))
