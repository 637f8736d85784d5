"""Copy-paste: which objects are cut out, and what is left of photo and labels where they are laid."""

import numpy as np
import pytest

from rareseg.network.pasting import CutOut, cut_outs, paste, paste_objects, scaled
from rareseg.records.dataset import VOID


@pytest.fixture
def source():
    """Photo and labels with two whole objects, one at the edge, one beside void, and a long one."""
    labels = np.zeros((96, 96), np.uint8)
    labels[10:18, 10:20] = 1
    labels[30, 30] = 1
    labels[0:5, 50:55] = 1
    labels[60:66, 60:66] = 1
    labels[66, 66] = VOID
    labels[80:84, 10:90] = 1
    photo = np.stack([100 + 100 * (labels == 1), np.full((96, 96), 7)]).astype(np.uint8)
    return photo, labels


def boxes(cuts):
    return sorted((int(cut.mask.sum()), *cut.mask.shape) for cut in cuts)


def test_only_whole_objects_below_the_limit_are_cut_out(source):
    assert boxes(cut_outs(*source, 1, overlapping=False, largest=40)) == [(1, 5, 5), (80, 12, 14)]
    assert boxes(cut_outs(*source, 1, overlapping=False, largest=90)) == [
        (1, 5, 5),
        (80, 12, 14),
        (320, 8, 84),
    ]
    assert boxes(cut_outs(*source, 1, overlapping=False, largest=9)) == [(1, 5, 5)]
    assert cut_outs(*source, 2, overlapping=False, largest=90) == []


def test_a_diagonal_line_is_one_object():
    labels = np.zeros((20, 20), np.uint8)
    labels[range(5, 12), range(5, 12)] = 1
    assert boxes(cut_outs(labels[None], labels, 1, overlapping=False, largest=20)) == [(7, 11, 11)]


def test_a_neighbour_in_the_box_is_not_part_of_the_object():
    labels = np.zeros((20, 20), np.uint8)
    labels[5:10, 5] = labels[9, 5:10] = 1
    labels[5, 9] = 1
    cuts = cut_outs(labels[None], labels, 1, overlapping=False, largest=20)
    assert [int(cut.mask.sum()) for cut in cuts] == [9, 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_paste_changes_the_object_and_its_edge_and_nothing_else(dtype):
    photo, labels = np.full((3, 40, 40), 20, dtype), np.zeros((40, 40), np.uint8)
    mask = np.zeros((12, 14), bool)
    mask[2:10, 2:12] = True
    cut = CutOut(np.full((3, 12, 14), 220, dtype), mask.astype(np.uint8), mask)
    assert paste(photo, labels, cut, 1, overlapping=False, row=5, col=6) == 80
    assert (labels == 1).sum() == 80 and (labels[7:15, 8:18] == 1).all()
    assert photo.dtype == dtype and (photo[:, 10:12, 11:15] == 220).all()
    outside = np.ones((40, 40), bool)
    outside[5:17, 6:20] = False
    assert (photo[:, outside] == 20).all()
    edge = photo[0, 7, 12], photo[0, 6, 12]
    assert 120 < edge[0] < 220 and 20 < edge[1] < 120


def test_void_pixels_keep_photo_and_label():
    photo, labels = np.full((1, 20, 20), 20, np.uint8), np.zeros((20, 20), np.uint8)
    labels[:, :10] = VOID
    cut = CutOut(np.full((1, 8, 8), 200, np.uint8), np.ones((8, 8), np.uint8), np.ones((8, 8), bool))
    assert paste(photo, labels, cut, 1, overlapping=False, row=6, col=6) == 32
    assert (labels[:, :10] == VOID).all() and (photo[:, :, :10] == 20).all()
    assert (labels[6:14, 10:14] == 1).all()


def test_a_pasted_pixel_of_overlapping_classes_brings_its_other_classes():
    photo, labels = np.zeros((1, 20, 20), np.uint8), np.full((20, 20), 4, np.uint8)
    own = np.array([[2, 3], [VOID, 2]], np.uint8)
    cut = CutOut(np.full((1, 2, 2), 9, np.uint8), own, np.array([[True, True], [True, False]]))
    assert paste(photo, labels, cut, 1, overlapping=True, row=3, col=3) == 3
    np.testing.assert_array_equal(labels[3:5, 3:5], [[2, 3], [2, 4]])


def test_integers_are_rounded_and_kept_in_range():
    photo = np.array([[[10, 10, 13, 13], [10, 10, 13, 13]]], np.uint8)
    cut = CutOut(photo, np.ones((2, 4), np.uint8), np.ones((2, 4), bool))
    assert scaled(cut, 2.0).photo[0, 0].tolist() == [10, 10, 10, 11, 12, 13, 13, 13]
    bright = CutOut(np.full((1, 2, 2), 255, np.uint8), np.ones((2, 2), np.uint8), np.ones((2, 2), bool))
    under, labels = np.full((1, 8, 8), 254, np.uint8), np.zeros((8, 8), np.uint8)
    paste(under, labels, bright, 1, overlapping=False, row=3, col=3)
    assert set(np.unique(under)) == {254, 255}


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.3, 2.0])
def test_scaling_moves_photo_labels_and_mask_together(scale):
    rows, cols = np.mgrid[:21, :30]
    disc = np.hypot(rows - 10, cols - 14) < 7
    cut = CutOut(np.where(disc, 200, 10).astype(np.uint16)[None], disc.astype(np.uint8), disc)
    found = scaled(cut, scale)
    assert found.mask.shape == (round(21 * scale), round(30 * scale)) == found.photo.shape[1:]
    assert found.photo.dtype == np.uint16
    assert found.mask.sum() == pytest.approx(disc.sum() * scale**2, rel=0.1)
    # Where the disc ends in the middle of a pixel, rounding may tell them apart.
    assert np.count_nonzero((found.photo[0] > 105) != found.mask) <= 4


def test_pasting_leaves_source_and_target_and_moves_photo_with_labels(source):
    rng = np.random.default_rng(0)
    target = np.full((2, 96, 96), 100, np.uint8), np.zeros((96, 96), np.uint8)
    before = [part.copy() for part in (*source, *target)]
    areas = set()
    for _ in range(40):
        pasted = paste_objects(source, target, 1, overlapping=False, mirror="both", rng=rng)
        if pasted is None:  # The single pixel, halved.
            continue
        photo, labels = pasted
        areas.add(int((labels == 1).sum()))
        # The object's colour lies where its label does; a single pixel is blurred away, and may not be seen.
        assert (photo[0][labels == 0] <= 160).all()
        assert (photo[1][labels == 1] < 100).all()
    assert len(areas) > 15 and max(areas) > 160
    for was, part in zip(before, (*source, *target), strict=True):
        np.testing.assert_array_equal(was, part)


@pytest.mark.parametrize(("mirror", "corners"), [("none", 1), ("horizontal", 2), ("both", 4)])
def test_objects_are_mirrored_as_the_plan_allows(mirror, corners):
    labels = np.zeros((64, 64), np.uint8)
    labels[20:32, 20:32] = 1
    labels[20:26, 20:26] = 0
    target = np.zeros((1, 64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    rng, found = np.random.default_rng(1), set()
    for _ in range(40):
        pasted = paste_objects((labels[None], labels), target, 1, overlapping=False, mirror=mirror, rng=rng)[
            1
        ]
        rows, cols = np.nonzero(pasted)
        box = pasted[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
        middle = box.shape[0] // 2, box.shape[1] // 2
        quarters = np.add.reduceat(np.add.reduceat(box, (0, middle[0]), axis=0), (0, middle[1]), axis=1)
        found.add(int(quarters.argmin()))
    assert len(found) == corners


def test_no_object_no_paste():
    empty = np.zeros((1, 32, 32), np.uint8), np.zeros((32, 32), np.uint8)
    rng = np.random.default_rng(0)
    assert paste_objects(empty, empty, 1, overlapping=False, mirror="none", rng=rng) is None
    full = np.zeros((1, 32, 32), np.uint8), np.full((32, 32), VOID, np.uint8)
    dot = empty[1].copy()
    dot[10:14, 10:14] = 1
    assert paste_objects((empty[0], dot), full, 1, overlapping=False, mirror="none", rng=rng) is None
