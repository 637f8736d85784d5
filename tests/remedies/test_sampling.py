import math

import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.records.audit import ClassFacts
from rareseg.remedies.sampling import (
    SPREAD,
    blob_like,
    blob_reason,
    chosen_temperature,
    class_balanced_indices,
    class_chances,
    elongation,
)

LABELS = np.array([1] * 985 + [0] * 15)


def drawn(labels=LABELS, draws=1000, seed=0):
    return class_balanced_indices(labels, np.random.default_rng(seed), draws)


def test_classes_come_up_equally_often():
    assert np.bincount(LABELS[drawn()]).tolist() == [500, 500]


def test_remainder_goes_to_classes_at_random():
    labels = np.array([0, 1, 2, 2, 2])
    extra = {tuple(np.bincount(labels[drawn(labels, 4, seed)])) for seed in range(40)}
    assert extra == {(2, 1, 1), (1, 2, 1), (1, 1, 2)}


def test_samples_of_a_class_take_turns():
    times = np.bincount(drawn(), minlength=len(LABELS))
    assert set(times[LABELS == 1]) == {0, 1}
    assert set(times[LABELS == 0]) == {33, 34}


def test_order_is_mixed():
    first, second = np.split(LABELS[drawn()], 2)
    assert abs(first.mean() - second.mean()) < 0.15


def test_seed_decides():
    assert np.array_equal(drawn(seed=3), drawn(seed=3))
    assert not np.array_equal(drawn(seed=3), drawn(seed=4))


def test_one_class_alone_is_drawn_as_it_is():
    assert sorted(drawn(np.zeros(6, int), 6)) == list(range(6))


def test_fewer_draws_than_classes():
    assert len(set(drawn(np.arange(5), 3))) == 3


def test_bad_input_is_refused():
    for labels in (np.zeros((2, 2), int), np.zeros(0, int)):
        with pytest.raises(SettingError, match="labels must be flat and hold at least one sample; got shape"):
            drawn(labels)
    with pytest.raises(SettingError, match="draws must be 1 or more; got 0"):
        drawn(draws=0)


def test_majority_samples_are_drawn_from_the_whole_class():
    assert drawn().max() > 980
    assert not np.array_equal(np.unique(drawn(seed=1)), np.unique(drawn(seed=2)))


THREE = (0.63, 0.25, 0.12)
# Cityscapes, by the class weights 1 / ln(1.10 + share) that ERFNet publishes, of labelled pixels.
ERFNET = (
    2.8149, 6.9850, 3.7890, 9.9428, 9.7702, 9.5111, 10.3114, 10.0265, 4.6323, 9.5608,
    7.8698, 9.5169, 10.3737, 6.6616, 10.2605, 10.2879, 10.2898, 10.4054, 10.1381,
)  # fmt: skip


def spread(chances):
    """Return how many equally likely classes the chances are worth."""
    return math.exp(-sum(chance * math.log(chance) for chance in chances if chance > 0))


def test_chances_are_the_published_softmax():
    for temperature in (0.05, 0.1, 0.5, 3.0):
        expected = [math.exp((1 - share) / temperature) for share in THREE]
        np.testing.assert_allclose(class_chances(THREE, temperature), np.array(expected) / sum(expected))


def test_the_published_temperature_draws_one_of_three_classes_only():
    np.testing.assert_allclose(class_chances(THREE, 0.01), [0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(class_chances(THREE, 0.1), [0.005, 0.213, 0.782], atol=1e-3)


def test_the_spread_is_that_of_the_published_temperature_on_nineteen_classes():
    shares = np.exp(1 / np.array(ERFNET)) - 1.1
    assert spread(class_chances(shares / shares.sum(), 0.01)) / 19 == pytest.approx(SPREAD, abs=0.01)
    assert chosen_temperature(shares / shares.sum()) == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("shares", [THREE, (0.96, 0.04), (0.9, 0.06, 0.03, 0.01), (0.997, 0.0, 0.003)])
def test_the_chosen_temperature_spreads_draws_over_the_classes_that_occur(shares):
    chances = class_chances(shares, chosen_temperature(shares))
    occur = np.count_nonzero(shares)
    assert spread(chances) == pytest.approx(SPREAD * occur, rel=1e-6)
    # The rarer, the likelier.
    assert [int(label) for label in np.argsort(chances)[-occur:]] == sorted(
        np.flatnonzero(shares), key=lambda label: -shares[label]
    )


def test_classes_that_share_the_last_place_are_drawn_evenly_and_one_alone_always():
    shares = (0.91, *(0.01,) * 9)
    np.testing.assert_allclose(
        class_chances(shares, chosen_temperature(shares)), [0, *[1 / 9] * 9], atol=1e-12
    )
    assert class_chances((0.0, 0.3), chosen_temperature((0.0, 0.3))).tolist() == [0, 1]
    assert chosen_temperature((0.0, 0.3)) == 1
    np.testing.assert_allclose(class_chances((0.2,) * 5, chosen_temperature((0.2,) * 5)), 0.2)


def test_no_temperature_and_no_share_overflows():
    for temperature in (1e-9, 1e9):
        assert np.isfinite(class_chances((1e-12, 0.5, 0.5 - 1e-12), temperature)).all()


@pytest.mark.parametrize("shares", [(), (0.0, 0.0), (-0.1, 0.5), (0.5, 1.5), (0.5, math.nan)])
def test_bad_shares_are_refused(shares):
    with pytest.raises(SettingError, match="shares must be one number from 0 to 1 per class"):
        class_chances(shares, 0.1)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_bad_temperatures_are_refused(temperature):
    with pytest.raises(SettingError, match=r"sampling\.temperature must be a number above 0"):
        class_chances(THREE, temperature)


def facts(width, size, objects, pixels):
    return ClassFacts(
        name="thing", pixels=pixels, share=0.02, images=9, objects=objects, median_width=width,
        median_size=size, crop_chance=(None,) * 3,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "ratio", "blobs"),
    [
        (facts(10.0, math.pi * 25, 40, round(40 * math.pi * 25)), math.pi / 4, True),
        (facts(10.0, 240.0, 40, 9_600), 2.4, True),
        # A network of roads, and specks beside it that are most of the objects: the mean shows it.
        (facts(8.0, 12.0, 30, 120_000), 62.5, False),
        (facts(8.0, 2_000.0, 40, 90_000), 35.2, False),
        (facts(None, None, 0, 0), None, False),
    ],
)
def test_compact_objects_are_told_from_lines(found, ratio, blobs):
    assert elongation(found) == (None if ratio is None else pytest.approx(ratio, rel=0.01))
    assert blob_like(found) is blobs
    reason = blob_reason(found)
    assert ("compact" in reason) is blobs and ("linear" in reason.split(": ")[-2:][0]) is (ratio is not None)


def test_the_reason_holds_the_numbers():
    assert blob_reason(facts(8.0, 2_000.0, 40, 90_000)) == (
        "objects of thing cover 2250 px at a width of 8 px, 35.2 times the width squared (a disc: 0.8; linear from 5): "
        "linear or joined: pasted, it would lead nowhere"
    )
    assert blob_reason(facts(None, None, 0, 0)) == "thing does not occur"
