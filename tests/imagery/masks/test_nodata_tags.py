import re

import numpy as np
import pytest

from rareseg.errors import MaskReadingError
from rareseg.imagery.masks.labels import MaskCounts, decide_reading
from rareseg.imagery.samples import read_sample
from rareseg.imagery.sets.datasets import discover
from rareseg.records import codec
from rareseg.records.dataset import VOID, ClassSpec, DataSpec


def tagged(counts, nodata, path="a.tif", bands=1):
    return MaskCounts(path, counts, bands, None, nodata=nodata)


def decide(*masks, spec=None):
    return decide_reading(masks, spec or DataSpec(), "images + masks")


def rows(reading):
    return [(entry.low, entry.label) for entry in reading.ranges]


def test_the_files_own_nodata_value_is_not_counted():
    classes, reading = decide(tagged({0: 80, 1: 10, 99: 10}, 99))
    assert classes == ("background", "foreground")
    assert rows(reading) == [(0, 0), (1, 1), (99, VOID)]
    assert reading.ranges[2].because == "the file's own nodata value"
    assert reading.ranges[2].pixels == 10


def test_a_tag_that_does_not_occur_changes_nothing():
    assert rows(decide(tagged({0: 80, 1: 10}, 99))[1]) == [(0, 0), (1, 1)]


def test_nodata_0_is_not_followed_and_that_is_said():
    _, reading = decide(tagged({0: 80, 1: 10}, 0))
    assert rows(reading) == [(0, 0), (1, 1)]
    assert "nodata value is 0 as well, which is not followed" in reading.ranges[0].because
    assert "void = [0] in the TOML leaves it out" in reading.ranges[0].because
    assert "not followed" not in reading.ranges[1].because
    _, reading = decide(tagged({0: 80, 1: 10, 2: 10}, 0), spec=DataSpec(void=(0,)))
    assert rows(reading) == [(0, VOID), (1, 0), (2, 1)]
    assert "not followed" not in reading.ranges[0].because


def test_the_toml_goes_before_the_files():
    spec = DataSpec(classes=(ClassSpec(name="land", values=(0,)), ClassSpec(name="road", values=(1, 99))))
    assert rows(decide(tagged({0: 80, 1: 10, 99: 10}, 99), spec=spec)[1]) == [(0, 0), (1, 1), (99, 1)]
    spec = DataSpec(classes=(ClassSpec(name="land", values=(0,)), ClassSpec(name="road", values=(1,))))
    assert rows(decide(tagged({0: 80, 1: 10, 99: 10}, 99), spec=spec)[1]) == [(0, 0), (1, 1), (99, VOID)]


def test_colours_and_grey_in_three_bands():
    white, red = 0xFFFFFF, 0xFF0000
    assert rows(decide(tagged({0: 8, red: 1, white: 1}, white, bands=3))[1]) == [
        (0, 0),
        (red, 1),
        (white, VOID),
    ]
    grey = tagged({0: 8, 0x010101: 1, 0x636363: 1}, 0x636363, bands=3)
    assert rows(decide(grey)[1]) == [(0, 0), (1, 1), (99, VOID)]


def test_a_value_tagged_in_some_files_only_is_asked_about():
    with pytest.raises(
        MaskReadingError, match=r"mark 99 as nodata, and others hold it.*\n  b.tif: holds 99 wit"
    ):
        decide(tagged({0: 8, 1: 1, 99: 1}, 99), tagged({0: 8, 99: 1}, None, "b.tif"))
    assert rows(decide(tagged({0: 8, 1: 1, 99: 1}, 99), tagged({0: 8}, None, "b.tif"))[1])[2] == (99, VOID)


def test_a_tag_that_would_leave_one_value_is_asked_about():
    with pytest.raises(
        MaskReadingError, match="mark 255 as nodata, and beside it there is at most one"
    ) as caught:
        decide(tagged({0: 80, 255: 10}, 255))
    toml = str(caught.value).split("they say what your masks mean.", 1)[1]
    spec = codec.decode_toml(toml.encode(), DataSpec, "suggestion")
    assert rows(decide(tagged({0: 80, 255: 10}, 255), spec=spec)[1]) == [(0, 0), (255, 1)]


def test_what_stays_open_is_asked_with_the_tag_as_void():
    with pytest.raises(MaskReadingError) as caught:
        decide(tagged({0: 80, 1: 5, 2: 5, 200: 9, 99: 10}, 99))
    toml = str(caught.value).split("they say what your masks mean.", 1)[1]
    spec = codec.decode_toml(toml.encode(), DataSpec, "suggestion")
    assert rows(decide(tagged({0: 80, 1: 5, 2: 5, 200: 9, 99: 10}, 99), spec=spec)[1])[3] == (99, VOID)


@pytest.fixture
def folder(save, random, tmp_path):
    """Six photos, and masks of 0 and 1 of which the first twelve rows are 99."""
    masks = {}
    for number in range(6):
        save(f"images/s{number}.tif", random.integers(1, 250, (3, 64, 64)).astype("uint8"))
        mask = (random.random((1, 64, 64)) < 0.2).astype("uint8")
        mask[:, :12] = 99
        masks[f"masks/s{number}.tif"] = mask
    return masks


def counted_shares(root):
    _, dataset = discover(root)
    samples = [read_sample(root, dataset, pair) for pair in dataset.pairs]
    return dataset, np.stack([sample.labels for sample in samples])


def test_nodata_of_geotiffs_is_void_in_audit_and_samples(folder, save, tmp_path):
    for name, mask in folder.items():
        save(name, mask, nodata=99)
    dataset, labels = counted_shares(tmp_path)
    assert dataset.reading.ranges[2].because == "the file's own nodata value"
    assert dataset.reading.ranges[2].pixels == 6 * 12 * 64
    assert (labels[:, :12] == VOID).all()
    assert set(np.unique(labels[:, 12:])) == {0, 1}


@pytest.mark.parametrize("bands", [1, 3])
def test_what_alpha_hides_is_void_whatever_lies_under_it(folder, save, tmp_path, bands):
    for name, mask in folder.items():
        alpha = np.full_like(mask, 255)
        alpha[:, :12] = 0
        stem = name.removesuffix(".tif")
        save(f"{stem}.png", np.concatenate([*[mask] * bands, alpha]))
    dataset, labels = counted_shares(tmp_path)
    assert dataset.classes == ("background", "foreground")
    assert sum(entry.pixels for entry in dataset.reading.ranges) == 6 * 52 * 64
    assert (labels[:, :12] == VOID).all()
    assert set(np.unique(labels[:, 12:])) == {0, 1}


@pytest.mark.parametrize("nodata", [float("nan"), -3.4028234663852886e38])
def test_nodata_of_float_masks_that_no_integer_can_hold(folder, save, tmp_path, nodata):
    for name, mask in folder.items():
        save(name, np.where(mask == 99, np.float32(nodata), mask.astype("float32")), nodata=nodata)
    dataset, labels = counted_shares(tmp_path)
    assert rows(dataset.reading) == [(0, 0), (1, 1)]
    assert (labels[:, :12] == VOID).all()
    assert set(np.unique(labels[:, 12:])) == {0, 1}


def test_the_reading_says_in_words_what_it_did(folder, save, tmp_path):
    for name, mask in folder.items():
        save(name, np.where(mask == 99, np.uint8(0), mask), nodata=0)
    dataset, labels = counted_shares(tmp_path)
    assert re.search("nodata value is 0 as well", dataset.reading.ranges[0].because)
    assert set(np.unique(labels)) == {0, 1}
