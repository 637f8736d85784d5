import math
import re

import msgspec
import numpy as np
import pytest
from tests.references.facts import CAMVID, part_facts

from rareseg.errors import SettingError
from rareseg.records.audit import PartFacts
from rareseg.records.plan import LossChoice, WeightsChoice
from rareseg.remedies import sampling, weights
from rareseg.remedies.catalogue import find, names
from rareseg.remedies.imbalance import loss_choice, rarest_class, sampling_choice, weights_choice

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
    **wished: object,
) -> WeightsChoice:
    chosen = loss_choice(facts, loss)
    asking = given is not None or wished
    blank = WeightsChoice(rule="given", values=given or (), **wished, because="", reference="")
    return weights_choice(
        facts, overlapping=overlapping, loss=chosen, asked=asked, wished=blank if asking else None
    )


def test_loss_is_cross_entropy_for_the_shares_that_the_audit_counted():
    chosen = loss_choice(ROADS, None)
    assert chosen.name == "cross_entropy"
    assert "road covers 4.00%" in chosen.because
    assert f"{ROADS.constant_predictor.entropy:.3f} nats" in chosen.because
    assert chosen.settings == {"cross_entropy.smoothing": 0.0}


@pytest.mark.parametrize("name", names("loss"))
def test_a_loss_that_is_asked_for_brings_the_settings_of_its_terms_and_no_others(name: str):
    chosen = loss_choice(ROADS, name)
    assert chosen.name == name
    assert chosen.settings == {f"{name}.{entry.name}": entry.default for entry in find(name).settings}


def test_settings_of_the_loss_are_taken_in_as_text():
    chosen = loss_choice(ROADS, "focal + 0.5*tversky", {"focal.gamma": "3", "focal.alpha": "0.2,0.8"})
    assert chosen.name == "focal + 0.5*tversky"
    assert chosen.settings == {
        "focal.gamma": 3.0,
        "focal.alpha": (0.2, 0.8),
        "tversky.false_positive_weight": 0.3,
        "tversky.false_negative_weight": 0.7,
        "tversky.per_image": False,
        "tversky.smoothing": 0.5,
        "tversky.classes": None,
    }
    with pytest.raises(SettingError, match=r"Unknown loss 'dise'. Did you mean 'dice'\?"):
        loss_choice(ROADS, "cross_entropy+dise")
    with pytest.raises(SettingError, match=r"loss\.focal\.gamma=-1: expected 0 <= number <= 20"):
        loss_choice(ROADS, "focal", {"focal.gamma": "-1"})
    with pytest.raises(SettingError, match="loss.focal.gamma has no effect on loss.name=cross_entropy"):
        loss_choice(ROADS, None, {"focal.gamma": "1"})


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


@pytest.mark.parametrize("loss", ["logit_adjusted", "ldam", "cross_entropy + 0.5*logit_adjusted"])
def test_a_loss_that_corrects_for_the_shares_itself_is_not_weighted_by_rule(loss: str):
    chosen = _weights(MANY, loss=loss)
    assert (chosen.rule, set(chosen.values)) == ("none", {1.0})
    if loss == "logit_adjusted":
        assert chosen.because == "the loss has no term that takes class weights"
    else:
        adjusting = loss.rpartition("*")[2]
        assert chosen.because.startswith(f"{adjusting} corrects for rare classes already (class_2 0.98%, ")
    # Asked for, they are given to the terms that take them: deferred weights belong to ldam.
    if loss != "logit_adjusted":
        assert _weights(MANY, loss=loss, asked="inverse", deferred=0.8).deferred == 0.8


WEIGHTLESS = tuple(name for name in names("loss") if not find(name).takes_weights)


def test_losses_without_weights_are_those_of_overlaps_shapes_and_shifts():
    assert set(names("loss")) - set(WEIGHTLESS) == {"cross_entropy", "focal", "top_k", "ohem", "ldam"}


@pytest.mark.parametrize("loss", [*WEIGHTLESS, "dice+lovasz", "logit_adjusted + dice"])
@pytest.mark.parametrize("rule", names("weights"))
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


SETTINGS = {
    "cap": [3.0, 1.5],
    "deferred": [0.8, 0.25],
    "constant": [1.1, 1.5],
    "beta": [0.5, 0.99],
    "counted": ["objects"],
}
UNEVEN = msgspec.structs.replace(
    MANY,
    counts=msgspec.structs.replace(
        MANY.counts,
        images_with=(10, 9, 2, 10, 5, 6, 3, 1, 7, 8, 4),
        objects=(10, 9, 200, 10, 5, 60, 3, 1, 70, 8, 4000),
    ),
)


@pytest.mark.parametrize("rule", names("weights"))
def test_every_setting_of_a_rule_stands_in_the_plan_and_changes_the_weights(rule: str):
    usual = _weights(UNEVEN, asked=rule)
    for entry in find(rule).settings:
        assert getattr(usual, entry.name) == entry.default
        for value in SETTINGS[entry.name]:
            chosen = _weights(UNEVEN, asked=rule, **{entry.name: value})
            assert getattr(chosen, entry.name) == value
            # Deferred weights are the same weights, later.
            assert (chosen.values != usual.values) == (entry.name != "deferred"), (entry.name, value)
    for other in set(SETTINGS) - {entry.name for entry in find(rule).settings}:
        assert getattr(usual, other) is None


def test_a_cap_bounds_the_ratio_of_weights():
    values = _weights(UNEVEN, asked="inverse", cap=3.0).values
    assert weights.ratio(values) == pytest.approx(3.0)
    shares = [entry.share for entry in UNEVEN.classes]
    assert np.dot(values, shares) == pytest.approx(sum(shares))


def test_weights_that_start_late_start_at_the_shares_of_the_unweighted_loss():
    chosen = _weights(MANY, asked="given", given=tuple(range(1, 12)), deferred=0.5)
    assert (chosen.rule, chosen.deferred) == ("given", 0.5)


@pytest.mark.parametrize("rule", ["none", *names("weights")])
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
    assert (met.temperature, met.minimum_pixels) == (None, None)
    drawn = sampling_choice(MANY, crop=256, asked="rare_class")
    shares = [entry.share for entry in MANY.classes]
    assert (drawn.share, drawn.labels, drawn.minimum_pixels) == (1.0, None, 100)
    assert drawn.temperature == sampling.chosen_temperature(shares)
    for rule, share in (("above_mean", 0.5), ("copy_paste", 0.5)):
        chosen = sampling_choice(ROADS, crop=256, asked=rule)
        assert (chosen.rule, chosen.share, chosen.labels) == (rule, share, (1,))
        assert chosen.reference.startswith(find(rule).reference)
    even = sampling_choice(part_facts((0.6, 0.4)), crop=256, asked="class_centred")
    assert even.labels == (1,)


@pytest.mark.parametrize("rule", ["centred", ""])
def test_an_unknown_sampling_rule_is_refused(rule: str):
    with pytest.raises(SettingError, match=rf"Unknown sampling.rule '{rule}'.*Known: uniform, class_centred"):
        sampling_choice(ROADS, crop=256, asked=rule)


def test_rarest_class_is_the_least_that_occurs():
    assert rarest_class(ABSENT).name == "road"
    assert rarest_class(part_facts((1.0, 0.0))).name == "class_0"
    with pytest.raises(SettingError, match="Not one labelled pixel of the train part belongs to a class"):
        rarest_class(part_facts((0.0, 0.0)))


@pytest.mark.parametrize("facts", [ROADS, MANY, ABSENT], ids=["roads", "many", "absent"])
@pytest.mark.parametrize("name", [None, *names("loss"), "0.5*focal+tversky"])
def test_what_is_chosen_builds_a_loss(facts: PartFacts, name: str | None):
    catalogue = pytest.importorskip("rareseg.network.losses.catalogue")
    if name in ("boundary", "hausdorff"):
        name = f"cross_entropy + {name}"
    loss: LossChoice = loss_choice(facts, name)
    weights = _weights(facts, loss=loss.name)
    shares = [entry.share for entry in facts.classes]
    assert callable(catalogue.build(loss, weights, shares=shares, overlapping=False))
