"""Which plans shift probabilities, by what, and which of them by a known formula."""

import numpy as np
import pytest
from msgspec import structs

from rareseg.errors import SettingError
from rareseg.remedies import priors
from rareseg.remedies.undoing import of_training

SHARES = (0.957, 0.043)
WEIGHTS = (0.5, 12.0)


@pytest.fixture
def changed(plan_record):
    """Return a function that gives a plan of plain cross-entropy with some sections changed."""

    def change(loss="cross_entropy", settings=None, rule="none", values=WEIGHTS, sampling="uniform", **more):
        usual = {"cross_entropy": {"cross_entropy.smoothing": 0.0}}.get(loss, {})
        return structs.replace(
            plan_record,
            loss=structs.replace(plan_record.loss, name=loss, settings=settings or usual),
            weights=structs.replace(
                plan_record.weights, rule=rule, values=(1.0, 1.0) if rule == "none" else values
            ),
            sampling=structs.replace(plan_record.sampling, rule=sampling),
            **more,
        )

    return change


def test_plain_cross_entropy_on_uniform_crops_shifts_nothing(changed):
    assert of_training(changed(), (0.5, 0.5)) == ((), (0.0, 0.0))
    assert of_training(changed(rule="given", values=(3.0, 3.0)), None) == ((), (0.0, 0.0))


def test_class_weights_shift_by_their_logarithm(changed):
    causes, logits = of_training(changed(rule="inverse"), None)
    assert causes == ("class weights",)
    assert logits == pytest.approx((0, np.log(WEIGHTS[1] / WEIGHTS[0])))
    # Uniform crops hold the classes' shares but for chance, and chance is not undone.
    assert of_training(changed(rule="inverse"), (0.6, 0.4)) == (causes, logits)


@pytest.mark.parametrize("rule", ["class_centred", "rare_class", "above_mean", "copy_paste"])
def test_sampling_shifts_by_what_was_drawn(changed, rule):
    causes, logits = of_training(changed(sampling=rule), (0.8, 0.2))
    assert causes == ("sampling",)
    assert logits == pytest.approx((0, np.log(0.2 / 0.043) - np.log(0.8 / 0.957)))
    assert of_training(changed(sampling=rule), None).logits is None
    assert of_training(changed(sampling=rule), (0.0, 0.0)).logits is None


@pytest.mark.parametrize(
    ("loss", "settings", "tau"),
    [
        ("logit_adjusted", {"logit_adjusted.temperature": 1.0}, 1.0),
        ("logit_adjusted", {"logit_adjusted.temperature": 0.5}, 0.5),
        ("balanced_softmax", {}, 1.0),
    ],
)
def test_losses_that_adjust_shift_by_the_prior(changed, loss, settings, tau):
    causes, logits = of_training(changed(loss, settings), None)
    assert causes == ("the loss's own adjustment",)
    assert logits == pytest.approx((0, -tau * np.log(SHARES[1] / SHARES[0])))


def test_shifts_add_up(changed):
    plan = changed(rule="inverse", sampling="class_centred")
    causes, logits = of_training(plan, (0.8, 0.2))
    assert causes == ("class weights", "sampling")
    assert logits == pytest.approx(priors.shift(plan.shares, weights=WEIGHTS, drawn=(0.8, 0.2)))


@pytest.mark.parametrize(
    ("loss", "settings", "named"),
    [
        ("focal", {"focal.gamma": 2.0}, "focal"),
        ("cross_entropy + 0.5*dice", {"cross_entropy.smoothing": 0.0}, "dice"),
        ("cross_entropy", {"cross_entropy.smoothing": 0.1}, "label smoothing"),
        (
            "cross_entropy + logit_adjusted",
            {"logit_adjusted.temperature": 1.0},
            "cross_entropy, logit_adjusted",
        ),
    ],
)
def test_other_losses_have_no_formula(changed, loss, settings, named):
    causes, logits = of_training(changed(loss, settings, rule="inverse"), None)
    assert logits is None
    assert causes[0] == f"the loss ({named})"
    assert "class weights" in causes


def test_weights_that_reach_no_term_or_never_begin_shift_nothing(changed):
    assert of_training(changed("balanced_softmax", rule="inverse"), None).causes == (
        "the loss's own adjustment",
    )
    plan = changed(rule="inverse")
    late = structs.replace(plan, weights=structs.replace(plan.weights, deferred=0.8))
    never = structs.replace(plan, weights=structs.replace(plan.weights, deferred=1.0))
    assert of_training(late, None) == of_training(plan, None)
    assert of_training(never, None).causes == ()


def test_overlapping_classes_are_not_shifted_by_weights_but_by_sampling(changed):
    plan = changed(rule="inverse", sampling="class_centred", overlapping=True)
    causes, logits = of_training(plan, (0.9, 0.2))
    assert causes == ("sampling",)
    assert logits == pytest.approx(priors.log_odds((0.9, 0.2)) - priors.log_odds(SHARES))


def test_an_unknown_loss_is_refused(changed):
    with pytest.raises(SettingError, match="crosentropy"):
        of_training(changed("crosentropy"), None)
