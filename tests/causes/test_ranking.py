"""From evidence to the first finding: each cause by the numbers that separate it, and the healthy left alone."""

import pytest
from msgspec.structs import replace
from tests.causes import pictures
from tests.causes.pictures import BLACK, SAME, answers, blind, data, falling, healthy, learning, wiring

from rareseg.causes.catalogue import CAUSES, find
from rareseg.causes.ranking import judge
from rareseg.records.evidence import LayerUnits

DEAD = (LayerUnits(layer="encoder.3", units=32, dead=0.8, saturated=0.0),)

SICK = {
    "label_values_out_of_range": blind(data=data(out_of_range=0.04)),
    "interpolated_masks": blind(data=data(between=0.02, between_near_edge=0.97, distinct_values=180)),
    "colours_read_as_grey": blind(data=data(colours=3, grey_from_colour=True, out_of_range=0.3)),
    "wrong_pairs": blind(data=data(pair_information=0.001)),
    "shifted_labels": blind(data=data(shift=(6, -3), shift_gain=1.6, shift_agreement=0.8)),
    "ignored_labels": blind(data=data(ignored=0.04, ignored_of_rare=1.0, ignored_value=255)),
    "absent_class": healthy(data=data(absent_in_training=("road",))),
    "empty_batches": blind(data=data(empty_batches=0.85)),
    "leakage": healthy(data=data(shared_images=0.3)),
    "label_noise": healthy(data=data(suspects=("a.png", "b.png"))),
    "preprocessing_differs": healthy(data=data(band_gap=6.0, prediction_scale=1 / 255)),
    "activation_twice": blind(wiring=wiring(activation="softmax", output_low=0.0, output_high=1.0)),
    "logits_to_probability_loss": blind(wiring=wiring(wants="probabilities")),
    "softmax_on_one_channel": blind(wiring=wiring(activation="constant", channels=1)),
    "sigmoid_on_exclusive_classes": blind(wiring=wiring(channels=3, classes=3, moved_by_shift=0.4)),
    "weights_ignored": blind(wiring=wiring(declared_weights=(1.0, 20.0), weighted_by="class_weight")),
    "weights_misapplied": blind(wiring=wiring(declared_weights=(1.0, 20.0), effective_weights=(1.0, 0.05))),
    "weights_unbounded": blind(wiring=wiring(effective_weights=(1.0, 900.0))),
    "half_precision_overflow": blind(
        wiring=wiring(precision="fp16", loss_now=None), learning=learning(not_finite="loss")
    ),
    "learning_rate_too_high": blind(
        answers=answers(**SAME),
        learning=learning(
            dead_before=0.8, fresh_dead=0.7, layers=DEAD, losses=(0.17,) * 30, fall=0.0, fit_average_precision=0.04
        ),
    ),
    "learning_rate_too_low": blind(
        learning=learning(
            losses=(0.69,) * 30,
            fall=0.0,
            update_ratio=1e-7,
            faster_rate=1000.0,
            faster_gain=80.0,
            fit_average_precision=0.05,
        )
    ),
    "saturated_units": blind(
        learning=learning(saturated_before=0.75, losses=(0.17,) * 30, fall=0.0, fit_average_precision=0.05)
    ),
    "frozen": blind(wiring=wiring(trainable_parameters=20_000)),
    "dice_stuck": blind(wiring=wiring(dice_like=1.2, loss_now=0.5, loss_at_wrong=0.5, loss_name="DiceLoss")),
    "batch_norm_gap": healthy(
        wiring=wiring(normalised=True),
        answers=replace(
            answers(**BLACK), training_average_precision=0.06, eval_mode_share=0.0, train_mode_average_precision=0.8
        ),
    ),
    "under_trained": healthy(answers=answers(**BLACK), learning=learning(losses=falling(0.6, 0.3), fall=0.4)),
    "late_collapse": blind(history=pictures.history(rare_shares=(0.0, 0.03, 0.04, 0.02, 0.004, 0.001))),
    "threshold_off": healthy(answers=answers(predicted_share=0.0, iou=0.0)),
    "seams": healthy(answers=replace(answers(), seam_ratio=2.1, tile=256)),
    "display_only": healthy(answers=replace(answers(), source="classes", distinct_ids=2, highest_id=1)),
}  # fmt: skip


@pytest.mark.parametrize("cause", SICK)
def test_the_cause_comes_first(cause):
    found = judge(SICK[cause])
    assert found.state == "causes found"
    assert found.findings[0].cause == cause, [(one.cause, one.confidence) for one in found.findings]


def test_a_healthy_training_is_called_healthy():
    found = judge(healthy())
    assert found.state == "healthy"
    assert [one for one in found.findings if one.confidence >= 0.5] == []
    assert "0.8" in found.summary


@pytest.mark.parametrize(
    "change",
    [
        {"wiring": wiring(declared_weights=(1.0, 9.0), effective_weights=(1.0, 9.2))},
        {"wiring": wiring(dice_like=1.2, effective_weights=(1.0, 0.02))},
        {"wiring": wiring(normalised=True)},
        {"wiring": wiring(channels=3, classes=3, moved_by_shift=0.4), "data": data(label_form="multi-hot")},
        {"wiring": wiring(trainable_parameters=30_000)},
        {"data": data(empty_batches=0.3)},
        {"data": data(shift=(1, 0), shift_gain=1.01, shift_agreement=0.2)},
        {"history": pictures.history(rare_shares=(0.0, 0.02, 0.05, 0.04, 0.045))},
        {"learning": learning(dead_before=0.23, fresh_dead=0.25)},
    ],
)
def test_what_only_looks_odd_is_left_alone(change):
    found = judge(replace(healthy(), **change))
    assert found.state == "healthy", [(one.cause, one.confidence, one.because) for one in found.findings]


def test_two_causes_are_two_findings():
    both = blind(
        wiring=wiring(activation="softmax", output_low=0.0, output_high=1.0), data=data(out_of_range=0.04)
    )
    assert {one.cause for one in judge(both).findings[:2]} == {
        "activation_twice",
        "label_values_out_of_range",
    }


def test_wrong_labels_explain_bad_learning_away():
    alone, beside = SICK["under_trained"], replace(SICK["under_trained"], data=data(out_of_range=0.04))
    confidence = {one.cause: one.confidence for one in judge(beside).findings}
    assert judge(alone).findings[0].confidence > confidence["under_trained"]
    assert judge(beside).findings[0].cause == "label_values_out_of_range"


def test_sound_data_alone_is_healthy_and_says_what_to_bring():
    found = judge(healthy(wiring=None, learning=None, answers=None))
    assert found.state == "healthy"
    assert "data" in found.summary
    assert any("predictions" in step for step in found.next_steps)


def test_nothing_measured_is_no_verdict():
    assert judge(healthy(data=None, wiring=None, learning=None, answers=None)).state == "cannot tell"


def test_every_cause_has_a_name_of_its_own_and_something_to_do():
    assert len({cause.name for cause in CAUSES}) == len(CAUSES)
    for cause in CAUSES:
        assert cause.prescription.endswith(".")
        assert find(cause.name) is cause


def test_every_cause_but_remarks_is_in_the_pictures():
    assert {cause.name for cause in CAUSES} - set(SICK) == {
        "overfitted",
        "metric_illusion",
        "coarse_upsampling",
    }


@pytest.mark.parametrize("cause", SICK)
def test_signs_and_sentences_hold_numbers(cause):
    first = judge(SICK[cause]).findings[0]
    assert first.signs
    assert first.because.endswith((".", "a.png, b.png."))
    assert "None" not in first.because


def test_code_is_for_the_users_own_framework():
    by_keras = judge(blind(wiring=wiring(framework="keras", activation="softmax"))).findings[0]
    by_torch = judge(blind(wiring=wiring(framework="torch", activation="softmax"))).findings[0]
    assert {one.framework for one in by_keras.code} == {"keras"}
    assert {one.framework for one in by_torch.code} == {"torch"}


def test_a_sure_cause_needs_no_further_step():
    assert judge(SICK["activation_twice"]).next_steps == ()
    assert judge(SICK["under_trained"]).next_steps != ()


def test_the_rate_that_spares_the_units_is_named():
    sick = SICK["learning_rate_too_high"]
    spared = replace(sick.learning, slower_rate=0.1, slower_dead=0.02)
    said = judge(replace(sick, learning=spared)).findings[0].because
    assert "at learning rate 0.0001 2% are dead" in said
    assert "encoder.3 (80%)" in said


def test_the_second_pages_recipe_is_four_findings():
    recipe = wiring(
        framework="keras",
        channels=3,
        classes=3,
        activation="sigmoid",
        wants="probabilities",
        optimizer_name="Adadelta",
        trainable_parameters=21_000,
        upsampling=("conv2d_transpose: its kernel of 32x32 on stride 16 starts from random weights.",),
    )
    slow = learning(losses=(0.6,) * 13, fall=0.0, update_ratio=9e-5, fit_average_precision=0.05)
    found = judge(blind(wiring=recipe, learning=slow))
    causes = {one.cause: one for one in found.findings}
    assert {"sigmoid_on_exclusive_classes", "learning_rate_too_low", "frozen", "coarse_upsampling"} <= set(
        causes
    )
    assert "the paper's rate is 1" in causes["learning_rate_too_low"].because
