"""Rules about labels: by the numbers that separate a fault from what is right to be so."""

import pytest
from msgspec.structs import replace
from tests.causes.pictures import answers, blind, data, healthy, wiring

from rareseg.causes import labels
from rareseg.causes.ranking import judge


def of_files(**given):
    return healthy(
        wiring=None, learning=None, answers=None, data=data(source="files", ignored_of_rare=None, **given)
    )


def test_a_class_under_the_void_value_is_found_though_all_named_classes_are_there():
    found = judge(of_files(ignored=0.04, ignored_value=255, ignored_fit=0.6, ignored_areas=0.5))
    assert found.findings[0].cause == "ignored_labels"
    assert found.state == "causes found"
    assert "255" in found.findings[0].because and "0.60" in found.findings[0].because
    assert "None" not in found.findings[0].because
    assert found.findings[0].apart is not None


@pytest.mark.parametrize(
    "left_out",
    [
        {"ignored_fit": 0.06, "ignored_areas": 0.41},  # the void of CamVid
        {"ignored_fit": 0.25, "ignored_areas": 0.07},  # lines between classes
        {"ignored_fit": None, "ignored_areas": None},
    ],
)
def test_void_that_is_no_class_is_left_alone(left_out):
    found = judge(of_files(ignored=0.05, ignored_value=11, **left_out))
    assert found.state == "healthy"
    assert found.findings == ()


def test_batches_without_the_class_are_worse_where_the_loss_says_nothing_of_them():
    half = data(empty_batches=0.5)
    assert labels.empty_batches(healthy(data=half)) is None
    dice = wiring(dice_like=1.2, empty_slope=0.005, loss_name="DiceLoss")
    found = labels.empty_batches(blind(data=half, wiring=dice))
    assert found is not None and found.confidence >= 0.5
    assert "the loss says nothing" in found.because
    # Smoothed overlap losses, and those with cross-entropy beside, do punish wrong claims.
    assert labels.empty_batches(blind(data=half, wiring=replace(dice, empty_slope=0.9))) is None
    assert labels.empty_batches(healthy(data=data(empty_batches=0.2), wiring=dice)) is None


def test_a_saved_model_that_is_fed_as_told_and_answers_better_otherwise():
    fed = replace(
        answers(),
        fed="values as stored, NCHW",
        fed_skill=0.31,
        better_fed="ImageNet, NCHW",
        better_fed_skill=0.7,
    )
    found = judge(
        healthy(wiring=None, learning=None, answers=fed, data=data(band_gap=None, prediction_scale=None))
    )
    assert found.findings[0].cause == "preprocessing_differs"
    assert "ImageNet, NCHW" in found.findings[0].because and "0.31" in found.findings[0].because
    same = replace(fed, better_fed=None, better_fed_skill=None)
    assert judge(healthy(answers=same)).state == "healthy"
