"""Windows with a halo add up to the whole image, of probabilities and of class maps."""

import numpy as np
import pytest

from rareseg.errors import DataError
from rareseg.imagery.tiles import Window, blocks, haloed
from rareseg.measures.decisions import decide
from rareseg.measures.map_counts import MOST_BOUNDARY, MapCounts, boundary_px
from rareseg.measures.pixel_counts import halo_of
from rareseg.measures.probabilities import log_odds
from rareseg.records.dataset import VOID

CLASSES = 3


@pytest.fixture
def maps():
    rng = np.random.default_rng(5)
    coarse = rng.choice([0, 0, 0, 1, 2, VOID], (9, 11)).astype(np.uint8)
    labels = coarse.repeat(8, axis=0).repeat(8, axis=1)[:67, :83]
    chance = rng.dirichlet(np.ones(CLASSES), labels.shape).transpose(2, 0, 1).astype(np.float32)
    for label in range(CLASSES):
        chance[label] += 0.4 * (labels == label)
    chance /= chance.sum(axis=0)
    given = decide(chance, (None,) * 3, decision="argmax", overlapping=False)
    return log_odds(chance), given, labels


def counted(maps, ranked, width, *, core=None, place=np.s_[:, :]):
    odds, given, labels = maps
    return MapCounts.count(
        np.ascontiguousarray(odds[:, *place]) if ranked else None,
        np.ascontiguousarray(given[place]),
        np.ascontiguousarray(labels[place]),
        classes=CLASSES,
        overlapping=False,
        width=width,
        core=core,
    )


def same(one: MapCounts, other: MapCounts) -> None:
    np.testing.assert_array_equal(one.confusion.counts, other.confusion.counts)
    assert one.relaxed == other.relaxed
    assert one.boundary == other.boundary
    assert one.uncounted == other.uncounted
    if one.curve is not None:
        np.testing.assert_array_equal(one.curve.positives, other.curve.positives)
        np.testing.assert_array_equal(one.curve.negatives, other.curve.negatives)
        for side in ("near", "far", "reached"):
            np.testing.assert_array_equal(
                getattr(one.relaxed_curve, side), getattr(other.relaxed_curve, side)
            )


@pytest.mark.parametrize("ranked", [True, False])
@pytest.mark.parametrize("width", [1, 3, 7])
@pytest.mark.parametrize("side", [20, 33, 200])
def test_windows_with_a_halo_add_up_to_the_image(maps, ranked, width, side):
    whole = counted(maps, ranked, width)
    total = MapCounts.empty(CLASSES, overlapping=False, ranked=ranked)
    for core in blocks(67, 83, side):
        outer, inside = haloed(core, 67, 83, halo_of(width))
        place = np.s_[outer.row : outer.row + outer.height, outer.col : outer.col + outer.width]
        total = total + counted(maps, ranked, width, core=inside, place=place)
    same(total, whole)
    assert whole.relaxed[1].true >= whole.boundary[1].true > 0
    assert (whole.curve is None) == (not ranked)


def test_without_a_halo_neighbours_across_the_edge_are_missed(maps):
    parts = [counted(maps, False, 3, place=np.s_[:, :40]), counted(maps, False, 3, place=np.s_[:, 40:])]
    assert (parts[0] + parts[1]).relaxed != counted(maps, False, 3).relaxed


def test_class_maps_count_as_the_probabilities_they_came_from(maps):
    ranked, plain = counted(maps, True, 3), counted(maps, False, 3)
    np.testing.assert_array_equal(ranked.confusion.counts, plain.confusion.counts)
    assert ranked.relaxed == plain.relaxed
    assert ranked.boundary == plain.boundary
    assert ranked.uncounted == plain.uncounted == int((maps[2] == VOID).sum())


def test_bits_of_overlapping_classes_are_counted_each():
    labels = np.zeros((8, 8), np.uint8)
    labels[:4] |= 1
    labels[2:6] |= 2
    found = MapCounts.count(None, labels, labels, classes=2, overlapping=True, width=1)
    assert found.confusion.iou() == (1.0, 1.0)
    assert [one.true for one in found.relaxed] == [32, 32]


def test_a_class_that_there_is_not_is_refused(maps):
    wrong = maps[0], np.full_like(maps[1], 7), maps[2]
    with pytest.raises(DataError, match="Expected predictions 0..2"):
        counted(wrong, False, 1)


def test_strips_are_two_percent_of_the_diagonal_and_never_swallow_large_images():
    assert boundary_px([(300, 400)]) == 10
    assert boundary_px([(30, 40)]) == 1
    assert boundary_px([(300, 400), (30, 40)]) == 6
    assert boundary_px([(5000, 5000)]) == MOST_BOUNDARY
    assert halo_of(1) == 3
    assert halo_of(12) == 12
    assert haloed(Window(0, 4, 5, 6), 20, 30, 3) == (Window(0, 1, 8, 12), Window(0, 3, 5, 6))
    assert haloed(Window(15, 24, 5, 6), 20, 30, 3) == (Window(12, 21, 8, 9), Window(3, 3, 5, 6))
