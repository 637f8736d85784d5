"""The store of samples: the same crops from memory and from disk, and where classes lie."""

import numpy as np
import pytest

from rareseg.errors import DataError
from rareseg.imagery.tiles import Window
from rareseg.network import crops
from rareseg.network.crops import CropStore, fill_missing
from rareseg.records.dataset import VOID, NoData


@pytest.fixture
def pictures(rng):
    photos = [rng.integers(1, 255, (3, *size)).astype(np.uint8) for size in ((70, 90), (130, 64))]
    photos[0][:, :40, :40] = 0
    masks = [rng.choice([0, 0, 0, 1, VOID], photo.shape[1:]).astype(np.uint8) for photo in photos]
    return photos, masks


def test_crops_from_disk_are_those_from_memory(write_store, pictures, rng, monkeypatch):
    # Indexed in several windows per image, as large ones are.
    monkeypatch.setattr(crops, "_READ_BLOCK", 64)
    nodata = NoData(values=(0,), square=32)
    near, far = (
        write_store(*pictures, nodata=nodata, fill=(1.0, 2.0, 3.0), memory_bytes=size) for size in (2**30, 0)
    )
    assert near.in_memory and not far.in_memory
    for _ in range(20):
        image = int(rng.integers(2))
        height, width = pictures[0][image].shape[1:]
        row, col = rng.integers(0, height - 8), rng.integers(0, width - 8)
        window = Window(
            int(row), int(col), int(rng.integers(1, height - row)), int(rng.integers(1, width - col))
        )
        for one, other in zip(near.crop(image, window), far.crop(image, window), strict=True):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
    for one, other in zip(near.images, far.images, strict=True):
        for layer in range(3):
            np.testing.assert_array_equal(one.grid(layer), other.grid(layer))


def test_memory_counts_photos_and_labels(write_store, pictures):
    needed = sum(4 * photo[0].size for photo in pictures[0])
    assert write_store(*pictures, memory_bytes=needed).in_memory
    assert not write_store(*pictures, memory_bytes=needed - 1).in_memory


def test_places_are_exactly_the_blocks_that_hold_the_class(write_store, pictures):
    store = write_store(*pictures)
    expected = [
        (image, top, left)
        for image, mask in enumerate(pictures[1])
        for top in range(0, mask.shape[0], 32)
        for left in range(0, mask.shape[1], 32)
        if (mask[top : top + 32, left : left + 32] == 1).any()
    ]
    holders = store.holders(1)
    assert [holders.place(number) for number in range(len(holders))] == expected
    assert holders.pixels.tolist() == [int((mask == 1).sum()) for mask in pictures[1]]
    labelled = sum((mask != VOID).sum() for mask in pictures[1])
    assert store.share(1) == pytest.approx(holders.pixels.sum() / labelled)
    assert len(store) == 2
    assert store.pixels().tolist() == [70 * 90, 130 * 64]


def test_no_place_lies_where_there_is_no_photo(write_store):
    photo = np.zeros((3, 64, 64), np.uint8)
    photo[:, :, 32:] = 9
    store = write_store([photo], [np.ones((64, 64), np.uint8)], nodata=NoData(values=(0,), square=32))
    holders = store.holders(1)
    assert [holders.place(number) for number in range(len(holders))] == [(0, 0, 32), (0, 32, 32)]


@pytest.mark.parametrize("memory", [2**30, 0])
def test_with_the_audits_places_no_file_is_read_to_find_them(write_store, pictures, tmp_path, memory):
    made = write_store(*pictures, memory_bytes=0)
    reads = []
    original = crops.read_sample

    def counting(root, dataset, pair, window=None):
        reads.append((pair.image, window))
        return original(root, dataset, pair, window)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "read_sample", counting)
        store = CropStore(
            tmp_path, made._dataset, made.pairs, fill=(0.0,) * 3, memory_bytes=memory, places=made.places()
        )
        assert store.holders(1).pixels.tolist() == made.holders(1).pixels.tolist()
        # Kept in memory, each sample is read once, whole; otherwise none is read before a crop is cut.
        assert reads == ([(pair.image, None) for pair in store.pairs] if memory else [])
        partly = {made.pairs[0].image: made.images[0]}
        reads.clear()
        CropStore(tmp_path, made._dataset, made.pairs, fill=(0.0,) * 3, memory_bytes=0, places=partly)
        assert {name for name, _ in reads} == {made.pairs[1].image}


def test_a_photo_that_has_gone_is_named(write_store, pictures, tmp_path):
    store = write_store(*pictures, memory_bytes=0)
    (tmp_path / store.pairs[1].image).unlink()
    with pytest.raises(DataError, match=store.pairs[1].image):
        store.crop(1, Window(0, 0, 8, 8))


def test_filling_leaves_photo_as_it_is(rng):
    photo = rng.integers(0, 9, (2, 4, 5)).astype(np.uint16)
    has_photo = rng.random((4, 5)) < 0.5
    found = fill_missing(photo, has_photo, (700.4, 800.0))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found[:, has_photo], photo[:, has_photo])
    assert (found[0, ~has_photo] == 700).all() and (found[1, ~has_photo] == 800).all()
    assert fill_missing(photo, np.ones((4, 5), bool), (0.0, 0.0)) is photo
