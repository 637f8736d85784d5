from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tests.measures.test_relaxed_curves import scene

from rareseg.errors import DataError, SettingError
from rareseg.measures.boundary import boundary_counts
from rareseg.measures.confusion import Confusion
from rareseg.measures.cores import cut, haloed
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.pixel_counts import PixelCounts, halo_of
from rareseg.measures.relaxed_curves import RelaxedHistogram
from rareseg.records.dataset import VOID


def assert_same(one, two):
    np.testing.assert_array_equal(one.confusion.counts, two.confusion.counts)
    for name in ("positives", "negatives"):
        np.testing.assert_array_equal(getattr(one.curve, name), getattr(two.curve, name))
    for name in ("near", "far", "reached"):
        np.testing.assert_array_equal(getattr(one.relaxed, name), getattr(two.relaxed, name))
    assert one.boundary == two.boundary


def given_of(odds):
    return (odds[1] >= 0.3).astype(np.uint8)


@pytest.mark.parametrize("void", [False, True])
def test_counts_are_those_of_each_score_on_its_own(void):
    odds, labels = scene(0, void=void)
    given, counted = given_of(odds), labels != VOID
    found = PixelCounts.count(odds, given, labels, overlapping=False, width=4, rho=2)
    assert_same(
        found,
        PixelCounts(
            Confusion.count(given, labels, classes=2, overlapping=False),
            ScoreHistogram.count(odds, labels, overlapping=False),
            RelaxedHistogram.count(odds, labels, overlapping=False, rho=2),
            tuple(boundary_counts(given == index, labels == index, counted, 4) for index in (0, 1)),
        ),
    )


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize(("width", "rho"), [(1, 3), (9, 3), (9, 0)])
def test_windows_with_a_halo_add_up_in_any_order_and_on_threads(overlapping, width, rho):
    odds, labels = scene(1)
    given = given_of(odds) + np.uint8(overlapping)
    settings = {"overlapping": overlapping, "width": width, "rho": rho}
    whole = PixelCounts.count(odds, given, labels, **settings)

    def one(window):
        outer, core = haloed(window, labels.shape, halo_of(width, rho))
        return PixelCounts.count(
            cut(odds, outer), cut(given, outer), cut(labels, outer), core=core, **settings
        )

    windows = [
        (row, col, min(29, 70 - row), min(29, 90 - col))
        for row in range(0, 70, 29)
        for col in range(0, 90, 29)
    ]
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(one, windows))
    for order in (parts, parts[::-1]):
        total = PixelCounts.empty(2, overlapping=overlapping, rho=rho)
        for part in order:
            total += part
        assert_same(total, whole)


def test_one_plane_is_that_of_class_1_of_two():
    odds, labels = scene(5)
    both = PixelCounts.count(odds, given_of(odds), labels, overlapping=False, width=3)
    one = PixelCounts.count(odds[1:], given_of(odds), labels, overlapping=False, width=3)
    assert one.boundary == both.boundary
    np.testing.assert_array_equal(one.confusion.counts, both.confusion.counts)
    np.testing.assert_array_equal(one.curve.positives[1], both.curve.positives[1])
    np.testing.assert_array_equal(one.relaxed.reached[1], both.relaxed.reached[1])
    # Class 0 is mirrored: values on an edge fall to its other side.
    assert one.curve.average_precision() == pytest.approx(both.curve.average_precision(), abs=1e-4)
    assert one.relaxed.best()[0][1:] == pytest.approx(both.relaxed.best()[0][1:], abs=1e-3)
    np.testing.assert_array_equal(one.curve.negatives[0], one.curve.positives[1][::-1])
    for only in ([0], [1], []):
        some = PixelCounts.count(odds[1:], given_of(odds), labels, overlapping=False, width=3, only=only)
        np.testing.assert_array_equal(some.curve.positives, one.curve.positives)
        np.testing.assert_array_equal(some.curve.negatives, one.curve.negatives)
        assert [found is not None for found in some.relaxed.best()] == [index in only for index in (0, 1)]


def test_shapes_are_measured_of_the_wanted_classes_only():
    odds, labels = scene(2)
    both = PixelCounts.count(odds, given_of(odds), labels, overlapping=False, width=3)
    one = PixelCounts.count(odds, given_of(odds), labels, overlapping=False, width=3, only=[1])
    assert one.boundary[0].iou is None is one.relaxed.best()[0]
    assert one.boundary[1] == both.boundary[1] and one.relaxed.best()[1] == both.relaxed.best()[1]
    np.testing.assert_array_equal(one.curve.positives, both.curve.positives)
    np.testing.assert_array_equal(one.curve.negatives, both.curve.negatives)


def test_all_void_counts_nothing():
    odds, _ = scene(3)
    void = np.full(odds.shape[1:], VOID, np.uint8)
    assert_same(
        PixelCounts.count(odds, given_of(odds), void, overlapping=False, width=3),
        PixelCounts.empty(2, overlapping=False),
    )


def test_how_far_a_window_looks_around():
    assert (halo_of(40), halo_of(1), halo_of(1, 4.9)) == (40, 3, 4)


def test_errors():
    odds, labels = scene(4)
    given = given_of(odds)
    with pytest.raises(SettingError, match=r"got \(2, 70, 90\), \(69, 90\) and \(70, 90\)"):
        PixelCounts.count(odds, given[1:], labels, overlapping=False, width=3)
    with pytest.raises(SettingError, match="inside the window"):
        PixelCounts.count(odds, given, labels, overlapping=False, width=3, core=(60, 0, 20, 20))
    with pytest.raises(SettingError, match="at least 1 px wide"):
        PixelCounts.count(odds, given, labels, overlapping=False, width=0)
    with pytest.raises(DataError, match=r"predictions 0..1"):
        PixelCounts.count(odds, given + np.uint8(1), labels, overlapping=False, width=3)
    with pytest.raises(SettingError, match="cannot be added"):
        PixelCounts.empty(2, overlapping=False) + PixelCounts.empty(3, overlapping=False)
    with pytest.raises(SettingError, match="cannot be added"):
        PixelCounts.empty(2, overlapping=False) + PixelCounts.empty(2, overlapping=False, rho=1)
