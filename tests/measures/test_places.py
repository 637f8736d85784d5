"""Where classes lie: counts per block against a count by hand, and what they say of crops."""

import numpy as np
import pytest

from rareseg.measures.places import Holders, ImageTally, block_counts, crop_counts
from rareseg.records.dataset import VOID
from rareseg.records.places import BLOCK


@pytest.fixture
def labels():
    rng = np.random.default_rng(3)
    drawn = rng.choice([0, 0, 0, 1, 1, 2, VOID], (150, 203)).astype(np.uint8)
    drawn[drawn == 2] = 0
    drawn[40:45, 100:103] = 2
    return drawn


def places_of(labels, classes=3, *, overlapping=False):
    tallied = ImageTally(*labels.shape, classes)
    tallied.add(block_counts(labels, classes=classes, overlapping=overlapping))
    return tallied.places()


def by_hand(mask):
    rows, cols = (-(-side // BLOCK) for side in mask.shape)
    return [
        [
            int(mask[BLOCK * row : BLOCK * (row + 1), BLOCK * col : BLOCK * (col + 1)].sum())
            for col in range(cols)
        ]
        for row in range(rows)
    ]


def test_every_pixel_counts_in_its_block(labels):
    found = places_of(labels)
    assert found.shape == (5, 7)
    for layer, mask in enumerate([labels == 0, labels == 1, labels == 2, labels != VOID]):
        np.testing.assert_array_equal(found.grid(layer), by_hand(mask))
        assert found.total(layer) == mask.sum()
        held = [number for number, count in enumerate(np.ravel(by_hand(mask))) if count]
        assert found.held(layer).tolist() == held


def test_overlapping_classes_count_by_their_bits(labels):
    bits = np.where(labels == 2, 3, labels).astype(np.uint8)
    found = places_of(bits, 2, overlapping=True)
    for layer, mask in enumerate([(labels == 1) | (labels == 2), labels == 2, labels != VOID]):
        np.testing.assert_array_equal(found.grid(layer), by_hand(mask))


@pytest.mark.parametrize("side", [1, 7, 32, 50, 64, 100])
def test_windows_add_up_however_they_are_cut(labels, side):
    small = labels[:40, :70] if side == 1 else labels
    tallied = ImageTally(*small.shape, 3)
    corners = [(row, col) for row in range(0, small.shape[0], side) for col in range(0, small.shape[1], side)]
    for row, col in reversed(corners):
        window = small[row : row + side, col : col + side]
        tallied.add(block_counts(window, classes=3, overlapping=False, row=row, col=col))
    found, whole = tallied.places(), places_of(small)
    for layer in range(4):
        np.testing.assert_array_equal(found.grid(layer), whole.grid(layer))


def test_a_layer_is_kept_in_the_smaller_of_two_forms(labels):
    found = places_of(labels)
    assert found.layers[0].blocks is None
    assert found.layers[2].blocks.tolist() == [10]
    third = np.zeros((3 * BLOCK, BLOCK), np.uint8)
    third[0, 0] = 1
    # 1 of 3 blocks: 6 bytes either way, and dense is the faster one.
    assert places_of(third).layers[1].blocks is None
    fourth = np.zeros((4 * BLOCK, BLOCK), np.uint8)
    fourth[BLOCK, 0] = 1
    assert places_of(fourth).layers[1].blocks.tolist() == [1]
    assert fourth.size == places_of(fourth).total(3)


def test_a_full_block_is_counted_in_full():
    found = places_of(np.ones((64, 64), np.uint8), 2)
    assert found.grid(1).tolist() == [[1024, 1024], [1024, 1024]]


def test_holders_number_blocks_from_image_to_image(labels):
    empty = np.zeros((40, 40), np.uint8)
    images = [places_of(empty), places_of(labels), places_of(empty), places_of(labels[:64, :128])]
    holders = Holders(images, 2)
    assert len(holders) == 2
    assert [holders.place(number) for number in range(2)] == [(1, 32, 96), (3, 32, 96)]
    assert holders.pixels.tolist() == [0, 15, 0, 15]
    rng = np.random.default_rng(0)
    assert {holders.drawn_within(3, rng) for _ in range(5)} == {(3, 32, 96)}
    assert {holders.drawn(rng) for _ in range(40)} == {(1, 32, 96), (3, 32, 96)}
    assert len(Holders(images[:1], 2)) == 0


@pytest.mark.parametrize("size", [16, 32, 64, 75, 96, 160, 300])
def test_counts_of_crops_enclose_the_true_ones_and_are_exact_on_whole_blocks(labels, size):
    found = crop_counts(places_of(labels), 1, size)
    height, width = labels.shape
    assert found.rows.tolist() == sorted({*range(0, max(height - size, 0) + 1, 32), max(height - size, 0)})
    for i, row in enumerate(found.rows):
        for j, col in enumerate(found.cols):
            true = (labels[row : row + size, col : col + size] == 1).sum()
            assert found.least[i, j] <= true <= found.most[i, j]
            if row % 32 == col % 32 == 0 and (size % 32 == 0 or size > max(labels.shape)):
                assert found.least[i, j] == true == found.most[i, j]
