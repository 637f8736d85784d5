"""Batch normalisation: a gap between the modes, and a threshold that is off in both."""

from msgspec.structs import replace
from tests.causes.pictures import answers, healthy, wiring

from rareseg.causes import numerics
from rareseg.causes.ranking import judge


def modes(*, training, evaluation, gap, still=0.8):
    """Return a normalised network that ranks well in both modes and gives the class these shares of the pixels."""
    road = answers(predicted_share=evaluation, iou=0.0, precision=still)
    found = replace(
        road,
        training_average_precision=still,
        train_mode_average_precision=0.85,
        training_prevalence=0.04,
        train_mode_share=training,
        eval_mode_share=evaluation,
        mode_gap=gap,
    )
    return healthy(wiring=wiring(normalised=True), answers=found)


def test_a_gap_that_leaves_ranking_alone_is_found_by_the_share():
    first = judge(modes(training=0.05, evaluation=0.0, gap=1.1)).findings[0]
    assert (first.cause, first.confidence) == ("batch_norm_gap", 0.95)
    assert "0.05 and 0 of the pixels" in first.because


def test_the_share_is_held_against_that_of_the_same_images():
    rarer = modes(training=0.05, evaluation=0.3, gap=1.1)
    there = replace(rarer.answers, training_prevalence=0.2)
    assert numerics.batch_norm_gap(rarer) is not None
    assert numerics.batch_norm_gap(replace(rarer, answers=there)) is None


def test_a_gap_is_found_where_training_mode_gives_too_little_as_well():
    both = modes(training=0.008, evaluation=0.0, gap=0.9)
    found = {one.cause: one.confidence for one in judge(both).findings}
    assert 0.5 <= found["batch_norm_gap"] < found["threshold_off"]


def test_a_threshold_that_is_off_in_both_modes_alike_is_no_gap():
    assert numerics.batch_norm_gap(modes(training=0.0, evaluation=0.0, gap=0.9)) is None
    assert numerics.batch_norm_gap(modes(training=0.008, evaluation=0.0002, gap=0.2)) is None
    assert numerics.batch_norm_gap(modes(training=0.06, evaluation=0.03, gap=0.9)) is None


def test_statistics_that_cannot_have_settled_yet_are_no_disease():
    gap = modes(training=0.05, evaluation=0.0, gap=1.1)
    for told in ({"steps_trained": 3}, {"epochs_trained": 1.0}, {"steps_trained": 3, "epochs_trained": 30.0}):
        assert numerics.batch_norm_gap(replace(gap, **told)).confidence < 0.5
    for told in (
        {"steps_trained": 300},
        {"epochs_trained": 2.0},
        {"steps_trained": 300, "epochs_trained": 1.0},
    ):
        assert numerics.batch_norm_gap(replace(gap, **told)).confidence == 0.95
