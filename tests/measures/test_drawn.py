import numpy as np
import pytest
from msgspec.structs import replace

from rareseg.measures.drawn import both_drawn, held_in, nothing_drawn, sampled
from rareseg.records.dataset import VOID
from rareseg.records.plan import SamplingChoice
from rareseg.records.run import Drawn

LABELS = np.array([[[0, 0], [1, VOID]], [[VOID, VOID], [VOID, VOID]], [[1, 1], [1, 2]]], np.uint8)


def test_pixels_and_crops_of_each_class_are_counted():
    found = held_in(LABELS, placed=1, classes=3, overlapping=False)
    assert found == Drawn(crops=3, placed=1, labelled=7, pixels=(2, 4, 1), holding=(1, 2, 1))


def test_overlapping_classes_count_by_their_bits_and_nothing_is_labelled_too():
    found = held_in(np.where(LABELS == 2, 3, LABELS).astype(np.uint8), placed=0, classes=2, overlapping=True)
    assert found == Drawn(crops=3, placed=0, labelled=7, pixels=(5, 1), holding=(2, 1))


def test_batches_add_up():
    one, other = (held_in(part, placed=1, classes=3, overlapping=False) for part in (LABELS[:1], LABELS[1:]))
    whole = held_in(LABELS, placed=2, classes=3, overlapping=False)
    assert both_drawn(one, other) == whole == both_drawn(nothing_drawn(3), whole)


def test_shares_stand_beside_those_asked_for(plan_record):
    plan = replace(
        plan_record,
        sampling=SamplingChoice(rule="class_centred", share=0.33, labels=(1,), because="", reference=""),
    )
    drawn = Drawn(crops=50, placed=16, labelled=1000, pixels=(900, 100), holding=(50, 30))
    found = sampled(drawn, plan)
    assert found.asked_share == 0.33 and found.placed_share == 0.32
    assert found.realised_shares == (0.9, 0.1) and found.crops_holding == (1.0, 0.6)
    assert found.around == (plan.classes[1],) and found.data_shares == plan.shares
    assert sampled(nothing_drawn(2), plan) is None
    nothing_labelled = Drawn(crops=5, placed=0, labelled=0, pixels=(0, 0), holding=(0, 0))
    assert sampled(nothing_labelled, plan).realised_shares == (0.0, 0.0)


@pytest.mark.parametrize(("rule", "around"), [("uniform", 0), ("rare_class", 2)])
def test_the_classes_that_a_rule_looks_for_are_named(plan_record, rule, around):
    sampling = SamplingChoice(rule=rule, because="", reference="")
    drawn = Drawn(crops=1, placed=0, labelled=10, pixels=(5, 5), holding=(1, 1))
    assert len(sampled(drawn, replace(plan_record, sampling=sampling)).around) == around
