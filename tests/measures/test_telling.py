"""Which images are looked at, and scores by how much of a class images hold."""

import pytest

from rareseg.measures.shares import by_share
from rareseg.measures.telling import rarest, telling
from rareseg.records.scores import ImageScores


def image(name, pixels, given, iou, precision=0.5, counted=1000):
    return ImageScores(
        image=name,
        scene=name,
        pixels=(counted - pixels, pixels),
        given=(counted - given, given),
        counted=counted,
        iou=(0.9, iou),
        average_precision=(0.99, precision),
    )


def test_worst_median_best_and_inventions_are_told():
    images = [image(str(place), 100, 80, place / 10) for place in (5, 1, 9, 3, 7, 2, 8)]
    images += [image("empty", 0, 0, None), image("invented", 0, 30, None), image("more", 0, 50, None)]
    found = [(images[one.place].image, one.why, one.label) for one in telling(images, 1)]
    assert found == [
        ("1", "worst", 1),
        ("2", "worst", 1),
        ("5", "median", 1),
        ("9", "best", 1),
        ("8", "best", 1),
        ("more", "invented where there is none", 1),
    ]


def test_images_with_a_few_pixels_of_the_class_decide_nothing():
    images = [image("speck", 2, 0, 0.0), image("low", 100, 100, 0.4), image("high", 120, 100, 0.8)]
    assert [(images[one.place].image, one.why) for one in telling(images, 1)] == [
        ("low", "worst"),
        ("high", "median"),
    ]


def test_one_image_or_none():
    assert [one.why for one in telling([image("a", 10, 5, 0.4)], 1)] == ["worst"]
    assert telling([image("a", 0, 0, None)], 1) == []
    assert telling([], 1) == []


@pytest.mark.parametrize(
    ("pixels", "label"), [((90, 10), 1), ((10, 90), 0), ((50, 0, 7), 2), ((5, 5), 1), ((0, 0), 1)]
)
def test_the_rarest_class_is_one_that_is_there(pixels, label):
    assert rarest(pixels) == label


def test_scores_by_share_pool_pixels_within_quarters():
    # 2 images of 1 %: 4 of 10 right and nothing invented, IoU 0.4; 2 of 20 %: all right but 50 % invented.
    few = [image(f"few{n}", 10, 4, 0.4, 0.2) for n in range(2)]
    many = [image(f"many{n}", 200, 300, 2 / 3, 0.8) for n in range(2)]
    low, high = by_share([*many, *few, image("none", 0, 9, None)], 1)
    assert (low.low, low.high, low.images) == (0.01, 0.01, 2)
    assert (high.low, high.high, high.images) == (0.2, 0.2, 2)
    assert low.iou == pytest.approx(0.4)
    assert high.iou == pytest.approx(2 / 3)
    assert (low.average_precision, high.average_precision) == (pytest.approx(0.2), pytest.approx(0.8))


def test_pooled_iou_is_that_of_all_pixels_together():
    # 10 true, 5 given, all right: 0.5. 30 true, 30 given, 15 right: 1/3. Together 20 of 55.
    pair = [image("a", 10, 5, 0.5), image("b", 30, 30, 1 / 3)]
    rest = [image("c", 100, 100, 1.0), image("d", 100, 100, 1.0)]
    low, _ = by_share([*pair, *rest], 1)
    assert low.iou == pytest.approx(20 / 55)


def test_too_few_images_are_not_parted():
    assert by_share([image(str(n), 10, 10, 1.0) for n in range(3)], 1) == ()
    assert len(by_share([image(str(n), 10 + n, 10, 0.5) for n in range(8)], 1)) == 4
