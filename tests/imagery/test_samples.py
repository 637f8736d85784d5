import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.imagery.rasters import Window
from rareseg.imagery.samples import Sample, read_photo, read_sample
from rareseg.records.dataset import VOID, Dataset, MaskReading, NoData, Pair, ValueRange


def a_dataset(pair, nodata, kind="two_level", overlapping=False):
    ranges = (
        ValueRange(low=0, high=0, label=0, pixels=1, because=""),
        ValueRange(low=255, high=255, label=1, pixels=1, because=""),
        ValueRange(low=9, high=9, label=VOID, pixels=1, because=""),
    )
    return Dataset(
        layout="images + masks", pairs=(pair,), classes=("background", "road"), overlapping=overlapping,
        reading=MaskReading(kind=kind, ranges=ranges, said_by="rule"), nodata=nodata, bands=3, dtype="uint8",
        split_because="",
    )  # fmt: skip


@pytest.fixture
def pair(save, random):
    photo = random.integers(10, 200, (3, 150, 160)).astype("uint8")
    photo[:, 90:, :70] = 255
    photo[:, 20:45, 100:125] = 255  # smaller than the square: photo, also for windows that cut through it
    mask = np.zeros((1, 150, 160), dtype="uint8")
    mask[:, :, 50:55], mask[:, :4] = 255, 9
    save("images/a.png", photo)
    save("masks/a.png", mask)
    return Pair(image="images/a.png", mask="masks/a.png", part="train", group="a", height=150, width=160)


def test_counted_leaves_out_void_and_no_data(tmp_path, pair):
    sample = read_sample(tmp_path, a_dataset(pair, NoData(values=(255,))), pair)
    assert sample.photo.shape == (3, 150, 160)
    assert (sample.labels[:4] == VOID).all()
    assert (sample.labels[4:, 50:55] == 1).all()
    assert not sample.has_photo[90:, :70].any()
    assert sample.has_photo.sum() == 150 * 160 - 60 * 70
    assert (sample.counted[90:, :70] == VOID).all()
    assert (sample.labels[90:, 50:55] == 1).all()


def test_windows_equal_the_part_of_the_whole(tmp_path, pair):
    dataset = a_dataset(pair, NoData(values=(255,)))
    whole = read_sample(tmp_path, dataset, pair)
    for window in (
        Window(0, 0, 40, 50),
        Window(80, 60, 30, 20),
        Window(110, 100, 40, 60),
        Window(30, 110, 60, 50),
        Window(0, 0, 150, 160),
    ):
        part = read_sample(tmp_path, dataset, pair, window)
        place = np.s_[window.row : window.row + window.height, window.col : window.col + window.width]
        np.testing.assert_array_equal(part.photo, whole.photo[:, *place])
        np.testing.assert_array_equal(part.labels, whole.labels[place])
        np.testing.assert_array_equal(part.has_photo, whole.has_photo[place])


def test_alpha_and_fill_are_both_left_out(save, random):
    photo = random.integers(10, 200, (4, 80, 80)).astype("uint8")
    photo[:3, :, 40:], photo[3], photo[3, :5] = 255, 255, 0
    _, has_photo = read_photo(save("a.png", photo), NoData(values=(255,)))
    assert not has_photo[:5].any()
    assert not has_photo[:, 40:].any()
    assert has_photo[5:, :40].all()


def test_a_window_outside_is_refused(tmp_path, pair):
    with pytest.raises(SettingError, match="does not lie within the raster of 150 x 160 px"):
        read_photo(tmp_path / pair.image, NoData(values=(255,)), Window(140, 0, 20, 20))


def test_the_fourth_class_of_four_mask_bands_is_not_taken_for_alpha(save, tmp_path, pair):
    bands = np.zeros((4, 150, 160), dtype="uint8")
    bands[3, 7, 8] = 1
    save("masks/a.tif", bands)
    ranges = tuple(ValueRange(low=k, high=k, label=k - 1, pixels=1, because="") for k in (1, 2, 3, 4))
    reading = MaskReading(kind="bands", ranges=ranges, said_by="user")
    dataset = Dataset(
        layout="toml", pairs=(pair,), classes=("a", "b", "c", "d"), overlapping=True, reading=reading,
        nodata=NoData(), bands=3, dtype="uint8", split_because="",
    )  # fmt: skip
    four = Pair(image=pair.image, mask="masks/a.tif", part="train", group="a", height=150, width=160)
    labels = read_sample(tmp_path, dataset, four).labels
    assert labels[7, 8] == 1 << 3
    assert labels.sum() == 1 << 3


def test_a_sample_with_photo_everywhere_counts_as_labelled():
    labels = np.array([[0, 1, VOID]], dtype="uint8")
    sample = Sample(np.zeros((1, 1, 3)), labels, np.ones((1, 3), dtype=bool))
    np.testing.assert_array_equal(sample.counted, labels)
