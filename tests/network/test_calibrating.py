"""Honest posteriors are known here: moved as training moves them, they must come back, and thresholds with them."""

import numpy as np
import pytest
from msgspec.structs import replace

from rareseg.measures.calibration import expected_share
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.scaling import Scaling, scaled
from rareseg.network.calibrating import HeldOut, calibrate, sample_for
from rareseg.network.probes import to_log_odds
from rareseg.network.session import choose_thresholds
from rareseg.network.validation import Counted, Scorer, decide
from rareseg.records import codec
from rareseg.records.dataset import VOID
from rareseg.records.run import Calibration
from rareseg.remedies import priors

SHAPE = (300, 300)


def honest(seed, classes, spread=2.0):
    """Posteriors (classes, rows, cols) float64 with a rare last class, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    prior = -1.2 * np.arange(classes)
    logits = rng.normal(0, spread, (classes, *SHAPE)) + prior[:, None, None]
    found = softmax(logits)
    labels = (found.cumsum(axis=0) < rng.random(SHAPE)).sum(axis=0).clip(max=classes - 1).astype(np.uint8)
    return found, labels


def softmax(logits):
    power = np.exp(logits - logits.max(axis=0))
    return power / power.sum(axis=0)


def answered(posterior, shift, temperature=1.0):
    """What a network says whose training added `shift` to the logits."""
    added = np.reshape(shift, (-1, 1, 1))
    return softmax((np.log(posterior) + added) * temperature).astype(np.float32)


def held_out(plan, probabilities, labels):
    scorer = Scorer(len(plan.classes), plan.overlapping, plan.inference.decision, None)
    sample = sample_for(plan, labels.size)
    if sample is not None:
        sample.add(probabilities, labels)
    return HeldOut(scorer.count(probabilities, labels), sample)


def planned(plan, labels, classes, *, loss="cross_entropy", settings=None, weights=None, sampling="uniform"):
    shares = tuple((np.bincount(labels.ravel(), minlength=classes) / labels.size).tolist())
    return replace(
        plan,
        classes=tuple("abcdef"[:classes]),
        shares=shares,
        loss=replace(plan.loss, name=loss, settings=settings or {}),
        weights=replace(
            plan.weights, rule="given" if weights else "none", values=weights or (1.0,) * classes
        ),
        sampling=replace(plan.sampling, rule=sampling),
        inference=replace(plan.inference, decision="threshold" if classes == 2 else "argmax"),
    )


def mapped(chosen, probabilities):
    scaling = Scaling(chosen.calibration.temperature, chosen.calibration.shift)
    return scaled(probabilities.copy(), scaling, overlapping=False)


def mean(errors):
    return sum(errors) / len(errors)


def shares_of(probabilities):
    return probabilities.mean(axis=(1, 2))


def ways(shares):
    """Each way of training: changes of the plan, drawn shares, and what it adds to the logits."""
    classes = len(shares)
    weights = tuple(float(1 / share) for share in shares)
    drawn = np.sqrt(shares) / np.sqrt(shares).sum()
    return {
        "weights": ({"weights": weights}, None, np.log(weights)),
        "sampling": ({"sampling": "class_centred"}, tuple(drawn), np.log(drawn) - np.log(shares)),
        "adjustment": (
            {"loss": "logit_adjusted", "settings": {"logit_adjusted.temperature": 1.0}},
            None,
            -np.log(shares),
        ),
        "weights and sampling": (
            {"weights": weights, "sampling": "rare_class"},
            tuple(drawn),
            np.log(weights) + np.log(drawn) - np.log(shares),
        ),
        "balanced softmax": ({"loss": "balanced_softmax"}, None, -np.log(shares) + 0 * classes),
    }


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "way", ["weights", "sampling", "adjustment", "weights and sampling", "balanced softmax"]
)
def test_the_shift_of_training_is_undone(plan, classes, way):
    posterior, labels = honest(1, classes)
    shares = np.bincount(labels.ravel(), minlength=classes) / labels.size
    changes, drawn, shift = ways(shares)[way]
    chosen_plan = planned(plan, labels, classes, **changes)
    probabilities = answered(posterior, shift)
    chosen = calibrate(chosen_plan, held_out(chosen_plan, probabilities, labels), drawn=drawn, part="val")
    held = chosen.calibration
    assert held.how == "undone"
    assert held.temperature == 1
    assert mean(held.error_before) > 0.025
    assert mean(held.error_after) < 0.004
    np.testing.assert_allclose(mapped(chosen, probabilities), posterior, atol=1e-5)
    assert f"{mean(held.error_before):.4f}, then {mean(held.error_after):.4f}" in held.because


@pytest.mark.parametrize("classes", [2, 4])
def test_without_a_formula_temperature_and_shift_are_fitted(plan, classes):
    posterior, labels = honest(2, classes)
    shift = np.linspace(0, 2.0, classes)
    probabilities = answered(posterior, shift, temperature=1.6)
    chosen_plan = planned(plan, labels, classes, loss="cross_entropy + dice")
    chosen = calibrate(chosen_plan, held_out(chosen_plan, probabilities, labels), drawn=None, part="val")
    held = chosen.calibration
    assert held.how == "fitted"
    assert held.temperature == pytest.approx(1.6, rel=0.05)
    assert held.shift == pytest.approx(tuple(shift), abs=0.15)
    assert mean(held.error_after) < 0.004
    assert mean(held.error_before) > 0.03
    assert "dice" in held.because
    assert "fitted" in held.because


def test_a_formula_that_makes_it_worse_gives_way_to_a_fit(plan):
    """The weights stand in the plan, but the network answers as if there were none."""
    posterior, labels = honest(3, 2)
    chosen_plan = planned(plan, labels, 2, weights=(0.5, 20.0))
    probabilities = answered(posterior, (0.0, -0.6))
    chosen = calibrate(chosen_plan, held_out(chosen_plan, probabilities, labels), drawn=None, part="val")
    held = chosen.calibration
    assert held.how == "fitted"
    assert held.shift[1] == pytest.approx(-0.6, abs=0.1)
    assert "no gain" in held.because
    assert mean(held.error_after) < mean(held.error_before)


def test_plain_training_is_left_as_it_is(plan):
    posterior, labels = honest(4, 2)
    probabilities = answered(posterior, (0.0, 0.0))
    chosen_plan = planned(plan, labels, 2)
    counted = held_out(chosen_plan, probabilities, labels)
    chosen = calibrate(chosen_plan, counted, drawn=(0.5, 0.5), part="val")
    assert chosen.calibration.how == "none"
    assert chosen.calibration.error_before == chosen.calibration.error_after
    assert max(chosen.calibration.error_before) < 0.01
    assert chosen.thresholds == choose_thresholds(counted.counted, chosen_plan)
    assert chosen.decision_weights is None


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_of_two_classes_map_and_ranking_stay_as_the_network_made_them(plan, loss):
    posterior, labels = honest(5, 2)
    labels[:4] = VOID
    probabilities = answered(posterior, (0.0, 3.0), temperature=1.0 if loss == "cross_entropy" else 0.7)
    chosen_plan = planned(plan, labels[4:], 2, loss=loss, weights=(1.0, float(np.exp(3.0))))
    counted = held_out(chosen_plan, probabilities, labels)
    chosen = calibrate(chosen_plan, counted, drawn=None, part="val")
    assert chosen.calibration.how == ("undone" if loss == "cross_entropy" else "fitted")
    raw = choose_thresholds(counted.counted, chosen_plan)
    before = decide(probabilities, raw, decision="threshold", overlapping=False)
    moved = mapped(chosen, probabilities)
    after = decide(moved, chosen.thresholds, decision="threshold", overlapping=False)
    assert (before == 1).any()
    assert (before != after).mean() < 1e-4
    curves = [
        ScoreHistogram.count(to_log_odds(given), labels, overlapping=False)
        for given in (probabilities, moved)
    ]
    assert curves[1].average_precision() == pytest.approx(curves[0].average_precision(), abs=1e-4)
    assert raw[1] - chosen.thresholds[1] > 0.2
    assert sum(chosen.thresholds) == pytest.approx(1)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_the_argmax_map_of_several_classes_stays_and_probabilities_become_honest(plan, loss):
    """Decided by honest probabilities alone, the rare class would lose what its weight won."""
    posterior, labels = honest(6, 3)
    weights = (0.3, 1.0, 8.0)
    probabilities = answered(posterior, np.log(weights), temperature=1.0 if loss == "cross_entropy" else 0.8)
    chosen_plan = planned(plan, labels, 3, loss=loss, weights=weights)
    chosen = calibrate(chosen_plan, held_out(chosen_plan, probabilities, labels), drawn=None, part="val")
    moved = mapped(chosen, probabilities)
    before = probabilities.argmax(axis=0)
    after = decide(
        moved, chosen.thresholds, decision="argmax", overlapping=False, weights=chosen.decision_weights
    )
    assert (before != after).mean() < 1e-4
    assert (moved.argmax(axis=0) == 2).mean() < 0.5 * (before == 2).mean()
    shares = np.bincount(labels.ravel()) / labels.size
    np.testing.assert_allclose(shares_of(moved), shares, atol=0.004)
    assert abs(shares_of(probabilities) - shares).max() > 0.05


def test_thresholds_of_several_classes_are_chosen_on_moved_probabilities(plan):
    posterior, labels = honest(7, 3)
    weights = (0.3, 1.0, 8.0)
    probabilities = answered(posterior, np.log(weights))
    chosen_plan = planned(plan, labels, 3, weights=weights)
    chosen = calibrate(chosen_plan, held_out(chosen_plan, probabilities, labels), drawn=None, part="val")
    curve = ScoreHistogram.count(to_log_odds(mapped(chosen, probabilities)), labels, overlapping=False)
    for label, best in enumerate(curve.best()):
        assert curve.at(label, chosen.thresholds[label]).f1 == pytest.approx(best.f1, abs=1e-3)


def test_overlapping_classes_are_undone_each_on_its_own(plan, rng):
    logits = rng.normal([[[-3.0]], [[0.0]]], 1.5, (2, *SHAPE))
    posterior = 1 / (1 + np.exp(-logits))
    holds = rng.random((2, *SHAPE)) < posterior
    labels = (holds[0] + 2 * holds[1]).astype(np.uint8)
    shares, drawn = tuple(holds.mean(axis=(1, 2)).tolist()), (0.4, 0.6)
    added = priors.log_odds(drawn) - priors.log_odds(shares)
    probabilities = (1 / (1 + np.exp(-(logits + added[:, None, None])))).astype(np.float32)
    chosen_plan = replace(
        planned(plan, labels % 2, 2, sampling="class_centred", weights=(1.0, 9.0)),
        overlapping=True,
        shares=shares,
    )
    counted = held_out(chosen_plan, probabilities, labels)
    chosen = calibrate(chosen_plan, counted, drawn=drawn, part="val")
    assert chosen.calibration.how == "undone"
    moved = scaled(probabilities.copy(), Scaling(1.0, chosen.calibration.shift), overlapping=True)
    np.testing.assert_allclose(moved, posterior, atol=1e-5)
    raw = choose_thresholds(counted.counted, chosen_plan)
    for label in range(2):
        before, after = probabilities[label] >= raw[label], moved[label] >= chosen.thresholds[label]
        assert (before != after).mean() < 1e-4


def test_without_held_out_pixels_the_formula_is_trusted_and_nothing_else_invented(plan):
    for loss, how in (("cross_entropy", "undone"), ("focal", "none")):
        chosen_plan = planned(plan, np.array([0, 0, 0, 1]), 2, loss=loss, weights=(1.0, 3.0))
        chosen = calibrate(chosen_plan, HeldOut(None, None), drawn=None, part="val")
        assert chosen.calibration.how == how
        assert chosen.calibration.error_after == (None, None)
        assert chosen.thresholds == (None, None)


def test_a_sample_is_kept_only_where_a_histogram_does_not_say_enough(plan):
    labels = np.array([0, 0, 1, 2])
    assert sample_for(planned(plan, labels, 3, weights=(1.0, 2.0, 3.0)), 100) is not None
    assert sample_for(planned(plan, labels, 3, loss="dice"), 100) is not None
    assert sample_for(planned(plan, labels, 3), 100) is None
    assert sample_for(planned(plan, labels % 2, 2, weights=(1.0, 2.0)), 100) is None


def test_a_part_without_a_counted_pixel_is_no_crash(plan):
    probabilities = np.full((3, 8, 8), 1 / 3, np.float32)
    chosen_plan = planned(plan, np.array([0, 1, 2]), 3, loss="focal", weights=(1.0, 2.0, 3.0))
    empty = held_out(chosen_plan, probabilities, np.full((8, 8), VOID, np.uint8))
    chosen = calibrate(chosen_plan, empty, drawn=None, part="val")
    assert chosen.thresholds == (None,) * 3
    assert chosen.calibration.shift == (0, 0, 0)


def test_calibration_comes_back_from_text(plan):
    posterior, labels = honest(8, 2)
    chosen_plan = planned(plan, labels, 2, weights=(1.0, 4.0))
    counted = held_out(chosen_plan, answered(posterior, (0, np.log(4))), labels)
    held = calibrate(chosen_plan, counted, drawn=None, part="val").calibration
    assert codec.decode(codec.encode(held), Calibration, "run.json") == held
    assert isinstance(counted.counted, Counted)
    assert expected_share(counted.counted.curve)[1] > 0.1
