import math
from typing import get_args

import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.records.audit import CROP_SIZES, Counts
from rareseg.records.plan import WeightRule
from rareseg.remedies import weights

SHARES = (0.6293, 0.2546, 0.1161)
RULES = ("none", "inverse", "sqrt_inverse", "median_frequency", "enet", "effective_number")


def counts(pixels, images_with, images=10, objects=None) -> Counts:
    classes = len(pixels)
    return Counts(
        images=images,
        pixels=tuple(pixels),
        images_with=tuple(images_with),
        labelled=sum(pixels),
        void=0,
        nodata=0,
        nodata_labelled=0,
        objects=objects or (1,) * classes,
        width_histogram=((1,),) * classes,
        size_histogram=((1,),) * classes,
        row_pixels=((1,),) * classes,
        crop_holds=((0,) * len(CROP_SIZES),) * classes,
        crop_positions=(0,) * len(CROP_SIZES),
        band_count=0,
        band_sum=(0.0,),
        band_sum_squares=(0.0,),
    )


def ratios(values):
    return np.array(values) / values[0]


@pytest.mark.parametrize("rule", RULES)
def test_mean_weight_over_labelled_pixels_is_1(rule):
    for pixels in ((6293, 2546, 1161), (999_999, 1), (5, 5, 5, 5), (10,)):
        held = [min(10, count) for count in pixels]
        values = weights.by_rule(rule, counts(pixels, held))
        assert np.dot(pixels, values) / sum(pixels) == pytest.approx(1)


def test_none_is_1_for_every_class():
    assert weights.none(SHARES) == pytest.approx((1, 1, 1))


def test_inverse_gives_every_class_the_same_part():
    assert np.array(weights.inverse(SHARES)) * SHARES == pytest.approx(np.full(3, 1 / 3))


def test_sqrt_inverse_is_the_root_of_inverse_up_to_scale():
    assert ratios(weights.sqrt_inverse(SHARES)) == pytest.approx(np.sqrt(ratios(weights.inverse(SHARES))))


def test_enet_for_the_shares_of_the_question():
    """1 / ln(1.02 + p) for 63, 25 and 12 % is 2.00, 4.18 and 7.63."""
    raw = [1 / math.log(1.02 + share) for share in (0.63, 0.25, 0.12)]
    assert [round(value, 2) for value in raw] == [2.00, 4.18, 7.63]
    assert ratios(weights.enet((0.63, 0.25, 0.12))) == pytest.approx(
        np.array([2.00, 4.18, 7.63]) / 2.00, rel=3e-3
    )


def test_enet_is_bounded_by_its_constant():
    common, rare = weights.enet((1 - 1e-9, 1e-9))
    assert rare / common == pytest.approx(math.log(2.02) / math.log(1.02), rel=1e-6)
    common, rare = weights.enet((1 - 1e-9, 1e-9), constant=1.03)
    assert rare / common == pytest.approx(math.log(2.03) / math.log(1.03), rel=1e-6)


def test_median_frequency_counts_only_images_that_hold_the_class():
    # Class 1 covers 10 % of the two images in ten that hold it: frequency 0.1, and class 0's is 0.98.
    values = weights.median_frequency((0.98, 0.02), (1.0, 0.2))
    assert values[1] / values[0] == pytest.approx(0.98 / 0.1)
    assert weights.by_rule("median_frequency", counts((98, 2), (10, 2))) == pytest.approx(values)


def test_median_runs_over_classes_that_occur():
    frequent, *absent, rare = weights.median_frequency((0.6, 0.0, 0.0, 0.0, 0.4), (1, 0, 0, 0, 1))
    assert rare / frequent == pytest.approx(0.6 / 0.4)
    assert absent == [0, 0, 0]


def test_median_frequency_is_inverse_where_every_image_holds_every_class():
    assert weights.median_frequency(SHARES, (1, 1, 1)) == pytest.approx(weights.inverse(SHARES))


@pytest.mark.parametrize("rule", RULES)
def test_absent_class_gets_0_and_changes_no_other(rule):
    without = weights.by_rule(rule, counts((90, 10), (10, 4)))
    with_absent = weights.by_rule(rule, counts((90, 0, 10), (10, 0, 4)))
    assert with_absent[1] == 0
    assert (with_absent[0], with_absent[2]) == pytest.approx(without)


@pytest.mark.parametrize("rule", RULES)
def test_equal_classes_weigh_the_same(rule):
    assert weights.by_rule(rule, counts((7, 7, 7), (3, 3, 3))) == pytest.approx((1, 1, 1))


def test_every_rule_of_the_plan_has_its_function():
    assert {*weights.RULES, "given"} == set(get_args(WeightRule))
    assert set(RULES) == set(weights.RULES)


@pytest.mark.parametrize("beta", [0.9, 0.99, 0.999, 0.9999])
def test_effective_number_is_the_papers_formula(beta):
    numbers = (300, 40, 2)
    expected = [(1 - beta) / (1 - beta**number) for number in numbers]
    assert ratios(weights.effective_number(SHARES, numbers, beta=beta)) == pytest.approx(ratios(expected))
    by_rule = weights.by_rule(
        "effective_number", counts((6293, 2546, 1161), numbers, images=300), beta=beta, counted="images"
    )
    assert by_rule == pytest.approx(weights.effective_number(SHARES, numbers, beta=beta))


def test_effective_number_lies_between_none_and_inverse_to_the_count():
    numbers = (300, 40, 2)
    assert weights.effective_number(SHARES, numbers, beta=0) == pytest.approx((1, 1, 1))
    nearly = weights.effective_number(SHARES, numbers, beta=1 - 1e-9)
    assert ratios(nearly) == pytest.approx([1, 300 / 40, 300 / 2], rel=1e-5)


@pytest.mark.parametrize("scale", [1, 10, 1000])
def test_effective_number_fits_beta_to_the_count(scale):
    """Rare classes count as they are, the most frequent as 1 - 1/e of it, whatever the number of images."""
    values = weights.effective_number(SHARES, (1000 * scale, 100 * scale, 3 * scale))
    assert values[2] / values[0] == pytest.approx(1000 / 3 * (1 - math.exp(-1)), rel=3e-3)


def test_effective_number_of_objects_is_not_that_of_images():
    held = counts((90, 10), (9, 9), objects=(5, 500))
    assert weights.by_rule("effective_number", held, beta=0.99) == pytest.approx((1, 1))
    rare, common = weights.by_rule("effective_number", held, beta=0.99, counted="objects")
    assert rare / common == pytest.approx((1 - 0.99**500) / (1 - 0.99**5))


def test_effective_number_on_pixels_is_refused_with_the_numbers():
    """All agree to 1e-4 although one class is a hundred times as frequent as the other."""
    numbers = np.array([150_000_000, 1_500_000])
    each = 1 / weights.effective_numbers(numbers, 0.99999)
    assert each.max() / each.min() == pytest.approx(1, abs=1e-4)
    message = r"with 40,000 to 960,000 pixels per class and beta=0.99, every weight is 0.01 to 0.01\. Set"
    with pytest.raises(SettingError, match=message):
        weights.by_rule("effective_number", counts((960_000, 40_000), (9, 9)), beta=0.99, counted="pixels")


@pytest.mark.parametrize("rule", RULES[1:])
def test_cap_bounds_the_ratio_and_keeps_the_mean(rule):
    held = counts((989, 0, 10, 1), (10, 0, 5, 1))
    free, bound = weights.by_rule(rule, held), weights.by_rule(rule, held, cap=1.5)
    assert weights.ratio(free) > 1.5
    assert weights.ratio(bound) == pytest.approx(1.5)
    assert bound[1] == 0
    assert np.dot(held.pixels, bound) / held.labelled == pytest.approx(1)
    assert weights.by_rule(rule, held, cap=1e5) == pytest.approx(free)
    present = [0, 2, 3]
    order = np.argsort(np.array(free)[present])
    assert (np.diff(np.array(bound)[present][order]) >= -1e-12).all()


def test_ratio_leaves_out_classes_that_weigh_nothing():
    assert weights.ratio((0.5, 0.0, 8.0)) == 16
    with pytest.raises(SettingError, match="weights must hold a number above 0"):
        weights.ratio((0.0, 0.0))


def test_constant_reaches_enet():
    held = counts((63, 25, 12), (9, 9, 9))
    assert weights.by_rule("enet", held) == pytest.approx(weights.enet((0.63, 0.25, 0.12)))
    assert weights.by_rule("enet", held, constant=1.03) == pytest.approx(
        weights.enet((0.63, 0.25, 0.12), constant=1.03)
    )


@pytest.mark.parametrize(
    ("rule", "setting", "value"),
    [
        ("none", "cap", 3.0),
        ("none", "constant", 1.02),
        ("inverse", "constant", 1.02),
        ("enet", "beta", 0.9),
        ("sqrt_inverse", "counted", "images"),
    ],
)
def test_a_setting_without_effect_is_refused(rule, setting, value):
    with pytest.raises(SettingError, match=f"weights.{setting}={value} has no effect on weights.rule={rule}"):
        weights.by_rule(rule, counts((9, 1), (9, 1)), **{setting: value})


@pytest.mark.parametrize("rule", ["inverse", "sqrt_inverse", "enet"])
def test_overlapping_classes_need_not_add_up_to_1(rule):
    shares = (0.9, 0.3)
    values = getattr(weights, rule)(shares)
    assert np.dot(shares, values) == pytest.approx(sum(shares))
    assert values[1] > values[0]


def test_bad_input_is_refused():
    with pytest.raises(SettingError, match="shares must be one number in 0..1 per class"):
        weights.inverse((0.5, 1.5))
    with pytest.raises(SettingError, match="at least one of them above 0"):
        weights.enet((0.0, 0.0))
    with pytest.raises(SettingError, match="constant must be above 1"):
        weights.enet(SHARES, constant=1.0)
    for held in ((1.0,), (1.0, 0.1), (2.0, 1.0)):
        with pytest.raises(SettingError, match="image_shares must hold one number per class"):
            weights.median_frequency((0.8, 0.2), held)
    with pytest.raises(SettingError, match="unknown rule for class weights 'cubic'; known are none, inverse"):
        weights.by_rule("cubic", counts((1, 1), (1, 1)))
    for beta in (1.0, -0.1, float("nan")):
        with pytest.raises(SettingError, match="beta must lie between 0 and 1"):
            weights.by_rule("effective_number", counts((5, 1), (5, 1)), beta=beta)
    for cap in (0.5, float("inf"), float("nan")):
        with pytest.raises(SettingError, match="cap must be a finite ratio of at least 1"):
            weights.by_rule("inverse", counts((5, 1), (5, 1)), cap=cap)
    for numbers in ((5,), (5, 0), (5, float("nan"))):
        with pytest.raises(SettingError, match="numbers must hold one count per class"):
            weights.effective_number((0.8, 0.2), numbers)
    with pytest.raises(SettingError, match="weights.counted must be images or objects; got 'cows'"):
        weights.by_rule("effective_number", counts((5, 1), (5, 1)), counted="cows")
    with pytest.raises(SettingError, match="class weights need labelled pixels; 10 images hold none"):
        weights.by_rule("inverse", counts((0, 0), (0, 0)))
