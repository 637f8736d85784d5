"""Rules about what comes out."""

from msgspec.structs import replace
from tests.causes.pictures import answers, healthy, learning

from rareseg.causes.ranking import judge

MOVING = healthy(answers=answers(predicted_share=0.0, iou=0.0), learning=learning(fall=0.6))


def test_a_threshold_is_named_while_the_loss_still_falls_once_the_training_has_begun():
    begun = judge(replace(MOVING, steps_trained=60))
    assert begun.state == "causes found"
    assert begun.findings[0].cause == "threshold_off"
    assert "train on" in begun.findings[0].apart


def test_after_a_few_steps_the_threshold_is_no_finding():
    near = answers(predicted_share=0.0, iou=0.0, deviation=0.6)
    for young in (
        replace(MOVING, steps_trained=3),
        replace(MOVING, steps_trained=None),
        replace(MOVING, steps_trained=60, answers=near),
    ):
        found = judge(young)
        assert [one for one in found.findings if one.confidence >= 0.5] == []
        assert found.findings[0].cause == "threshold_off"
