import numpy as np
import pytest
import rasterio

from rareseg.errors import MaskReadingError
from rareseg.imagery.masks import labels
from rareseg.imagery.masks.labels import MaskCounts, apply_reading, count_raw, decide_reading, reading_rows
from rareseg.records.dataset import ClassSpec, DataSpec, MaskReading, ValueRange


def reading_of(kind, *ranges):
    entries = tuple(
        ValueRange(low=low, high=high, label=label, pixels=0, because="") for low, high, label in ranges
    )
    return MaskReading(kind=kind, ranges=entries, said_by="user")


def packed(raw):
    red, green, blue = raw.astype(np.int64)
    return red * 65536 + green * 256 + blue


# Counting


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float32])
def test_counts_are_those_of_numpy(dtype):
    raw = np.random.default_rng(1).integers(0, 200, (1, 37, 53)).astype(dtype)
    values, counts = np.unique(raw, return_counts=True)
    assert count_raw(raw, colours=False) == {int(v): int(n) for v, n in zip(values, counts, strict=True)}


def test_counts_run_over_all_bands():
    raw = np.stack([np.zeros((4, 5)), np.ones((4, 5))]).astype(np.uint8)
    assert count_raw(raw, colours=False) == {0: 20, 1: 20}


def test_counts_keep_negative_values_and_bools():
    assert count_raw(np.array([[[-1, -1, 3]]], np.int16), colours=False) == {-1: 2, 3: 1}
    assert count_raw(np.array([[[True, False, True]]]), colours=False) == {0: 1, 1: 2}


def test_counts_stay_exact_beyond_float32():
    """OpenCV answers in float32, which knows no odd number above 2^24."""
    raw = np.zeros((1, 4099, 4099), np.uint8)
    raw[0, 0, :2] = 7  # leaves an odd number
    assert count_raw(raw, colours=False) == {0: 4099**2 - 2, 7: 2}


def test_counts_of_views_that_are_not_contiguous():
    raw = np.arange(60, dtype=np.uint8).reshape(1, 6, 10)
    assert count_raw(raw[:, ::2, ::3], colours=False) == {int(v): 1 for v in raw[0, ::2, ::3].ravel()}


@pytest.mark.parametrize("high", [2, 256])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_colours_are_packed(high, dtype):
    raw = np.random.default_rng(2).integers(0, high, (3, 23, 31)).astype(dtype)
    values, counts = np.unique(packed(raw), return_counts=True)
    assert count_raw(raw, colours=True) == {int(v): int(n) for v, n in zip(values, counts, strict=True)}


def test_grey_colours_are_packed_too():
    raw = np.repeat(np.array([[[0, 255, 255, 7]]], np.uint8), 3, axis=0)
    assert count_raw(raw, colours=True) == {0: 1, 0x070707: 1, 0xFFFFFF: 2}


def test_counts_of_nothing():
    assert count_raw(np.zeros((1, 0, 5), np.uint8), colours=False) == {}
    assert count_raw(np.zeros((3, 0, 5), np.uint8), colours=True) == {}
    assert count_raw(np.zeros((1, 0, 5), np.int32), colours=False) == {}


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 1e30])
def test_float_masks_must_hold_whole_numbers(value):
    raw = np.array([[[0.0, 1.0, value]]])
    with pytest.raises(MaskReadingError, match=r"a\.tif: expected whole numbers .* \(1 pixels of float64"):
        count_raw(raw, colours=False, where="a.tif")


def test_complex_masks_are_refused():
    with pytest.raises(MaskReadingError, match="expected whole numbers in the mask, got complex64"):
        count_raw(np.zeros((1, 2, 2), np.complex64), colours=False)


def test_masks_need_three_dimensions():
    with pytest.raises(
        MaskReadingError, match=r"expected a mask of shape \(bands, height, width\), got shape"
    ):
        count_raw(np.zeros((2, 2), np.uint8), colours=False)


def test_colours_need_three_bands_of_eight_bits():
    with pytest.raises(MaskReadingError, match="expected a colour mask of 3 bands .* got 1"):
        count_raw(np.zeros((1, 2, 2), np.uint8), colours=True)
    with pytest.raises(MaskReadingError, match=r"expected colours of 8 bits .* got 0\.\.300"):
        count_raw(np.array([0, 0, 300], np.uint16).reshape(3, 1, 1), colours=True)


# Applying


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.float32])
def test_labels_follow_the_ranges(dtype):
    reading = reading_of("indices", (0, 5, 0), (6, 99, 255), (100, 100, 2), (101, 120, 1))
    raw = np.random.default_rng(3).integers(0, 121, (1, 19, 29)).astype(dtype)
    expected = np.select([raw[0] <= 5, raw[0] <= 99, raw[0] == 100], [0, 255, 2], 1)
    result = apply_reading(raw, reading, "a.png")
    assert result.dtype == np.uint8
    assert np.array_equal(result, expected)


def test_ranges_may_reach_beyond_the_dtype():
    reading = reading_of("indices", (-5, -1, 255), (0, 0, 0), (1, 70000, 1))
    assert apply_reading(np.array([[[0, 255]]], np.uint8), reading, "").tolist() == [[0, 1]]
    assert apply_reading(np.array([[[-3, 0, 7]]], np.int16), reading, "").tolist() == [[255, 0, 1]]


def test_a_boundary_belongs_to_one_side_only():
    reading = reading_of("two_level", (0, 127, 0), (128, 255, 1))
    raw = np.array([[[0, 127, 128, 255]]])
    for dtype in (np.uint8, np.uint16, np.int32):
        assert apply_reading(raw.astype(dtype), reading, "").tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_unknown_value_names_file_value_and_pixels(dtype):
    raw = np.array([[[0, 1, 3, 3], [0, 7, 3, 0]]], dtype)
    with pytest.raises(
        MaskReadingError, match="tile_07.png: the mask holds 3 on 3 pixels, 7 on 1 pixels, wh"
    ):
        apply_reading(raw, reading_of("indices", (0, 0, 0), (1, 1, 1)), "tile_07.png")


def test_unknown_value_below_all_ranges():
    with pytest.raises(MaskReadingError, match="the mask holds -1 on 1 pixels"):
        apply_reading(np.array([[[-1, 0]]], np.int16), reading_of("indices", (0, 0, 0)), "a")


def test_many_unknown_values_are_cut_short():
    raw = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
    with pytest.raises(MaskReadingError, match=r"and 3 more values, .* It knows 0\. Add"):
        apply_reading(raw, reading_of("indices", (0, 0, 0)), "a")


def test_as_many_classes_as_fit():
    reading = reading_of("indices", *((value, value, value) for value in range(254)), (255, 255, 255))
    raw = np.r_[np.arange(254), 255].astype(np.uint8).reshape(1, 5, 51)
    assert np.array_equal(apply_reading(raw, reading, "a"), raw[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_colours_become_labels(dtype):
    palette = np.array([[0, 0, 0], [0, 0, 255], [128, 64, 0], [255, 255, 255]])
    truth = np.random.default_rng(4).integers(0, 4, (17, 13))
    raw = palette[truth].transpose(2, 0, 1).astype(dtype)
    ranges = [(int(value), int(value), label) for label, value in enumerate(packed(palette.T))]
    assert np.array_equal(apply_reading(raw, reading_of("rgb", *ranges), "a"), truth)


def test_unknown_colour_is_named():
    raw = np.array([0, 16, 255], np.uint8).reshape(3, 1, 1)
    with pytest.raises(MaskReadingError, match=r"m\.png: the mask holds #0010ff on 1 pixels"):
        apply_reading(raw, reading_of("rgb", (0, 0, 0)), "m.png")


def test_band_counts_must_fit_the_reading():
    with pytest.raises(MaskReadingError, match="expected a colour mask of 3 bands .* got 1"):
        apply_reading(np.zeros((1, 2, 2), np.uint8), reading_of("rgb", (0, 0, 0)), "a")
    coloured = np.array([1, 2, 3], np.uint8).reshape(3, 1, 1)
    with pytest.raises(MaskReadingError, match="expected a mask of 1 band, or of 3 equal ones.* got 3 bands"):
        apply_reading(coloured, reading_of("indices", (0, 9, 0)), "a")
    with pytest.raises(MaskReadingError, match="expected 2 mask bands, one per class, got 1"):
        apply_reading(np.zeros((1, 2, 2), np.uint8), reading_of("bands", (1, 1, 0), (2, 2, 1)), "a")


def test_grey_in_three_bands_reads_as_grey():
    band = np.array([[0, 255, 255]], np.uint8)
    reading = reading_of("two_level", (0, 0, 0), (255, 255, 1))
    assert apply_reading(np.stack([band] * 3), reading, "a").tolist() == [[0, 1, 1]]


def test_bands_become_bits():
    rng = np.random.default_rng(5)
    raw = rng.integers(0, 2, (7, 9, 11)).astype(np.uint8) * 200
    reading = reading_of("bands", *((band + 1, band + 1, band) for band in range(7)))
    result = apply_reading(raw, reading, "a")
    for band in range(7):
        assert np.array_equal(result >> band & 1, raw[band] > 0)
    assert not (result == 255).any()


def test_empty_windows_stay_empty():
    for dtype in (np.uint8, np.uint16, np.int32):
        result = apply_reading(np.zeros((1, 0, 4), dtype), reading_of("indices", (0, 0, 0)), "a")
        assert result.shape == (0, 4)


# Showing


def test_rows_say_values_names_pixels_and_reasons():
    reading = MaskReading(
        kind="indices",
        ranges=(
            ValueRange(low=0, high=5, label=0, pixels=70, because="why"),
            ValueRange(low=255, high=255, label=255, pixels=9, because="void"),
        ),
        said_by="rule",
    )
    assert reading_rows(("land", "road"), reading) == [
        ("0-5", "land", 70, "why"),
        ("255", "not counted", 9, "void"),
    ]


def test_rows_of_colours_and_bands():
    assert reading_rows(("a",), reading_of("rgb", (0xFF0010, 0xFF0010, 0)))[0][0] == "#ff0010"
    assert reading_rows(("a", "b"), reading_of("bands", (2, 2, 1)))[0][:2] == ("band 2", "b")


def test_the_public_names_can_be_imported_from_here():
    assert all(getattr(labels, name) for name in labels.__all__)


# From file to labels


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_palette_png_round_trip(tmp_path):
    truth = np.random.default_rng(6).integers(0, 4, (40, 30)).astype(np.uint8)
    stored = np.where(truth == 3, 255, truth).astype(np.uint8)
    palette = {0: (0, 0, 0), 1: (128, 0, 0), 2: (90, 90, 90), 255: (224, 224, 192)}
    path = tmp_path / "a.png"
    with rasterio.open(path, "w", driver="PNG", width=30, height=40, count=1, dtype="uint8") as target:
        target.write(stored, 1)
        target.write_colormap(1, {index: (*colour, 255) for index, colour in palette.items()})
    with rasterio.open(path) as source:
        raw = source.read()
        table = {index: colour[:3] for index, colour in source.colormap(1).items()}
    mask = MaskCounts(path.name, count_raw(raw, colours=False), 1, table)
    classes, reading = decide_reading([mask], DataSpec(), "images + masks")
    assert (classes, reading.kind) == (("#000000", "#800000", "#5a5a5a"), "palette")
    expected = np.where(truth == 3, 255, truth)
    assert np.array_equal(apply_reading(raw, reading, "a"), expected)
    assert "Pascal VOC" in reading.ranges[-1].because
    assert sum(entry.pixels for entry in reading.ranges) == truth.size


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_float_tiff_and_colour_png_round_trip(tmp_path):
    truth = np.random.default_rng(7).integers(0, 2, (20, 30)).astype(np.uint8)
    colours = np.array([[0, 0, 0], [255, 0, 0]], np.uint8)[truth].transpose(2, 0, 1)
    for name, driver, pixels in (
        ("a.tif", "GTiff", truth[None].astype(np.float32)),
        ("a.png", "PNG", colours),
    ):
        shape = {"count": len(pixels), "height": 20, "width": 30, "dtype": pixels.dtype}
        with rasterio.open(tmp_path / name, "w", driver=driver, **shape) as target:
            target.write(pixels)
        with rasterio.open(tmp_path / name) as source:
            raw = source.read()
        mask = MaskCounts(name, count_raw(raw, colours=len(raw) == 3), len(raw), None)
        classes, reading = decide_reading([mask], DataSpec(), "")
        assert classes == ("background", "foreground")
        assert np.array_equal(apply_reading(raw, reading, name), truth)


def test_sixteen_bit_indices_with_names_round_trip():
    raw = np.array([[[0, 1000, 70, 1000]]], np.uint16)
    spec = DataSpec(
        classes=(ClassSpec(name="a", values=(0,)), ClassSpec(name="b", values=("70-1000",))),
    )
    mask = MaskCounts("a", count_raw(raw, colours=False), 1, None)
    _, reading = decide_reading([mask], spec, "")
    assert apply_reading(raw, reading, "a").tolist() == [[0, 1, 1, 1]]
