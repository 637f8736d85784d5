import cv2
import numpy as np
import pytest

from rareseg.imagery.photos import (
    REACH,
    SQUARE,
    Fill,
    border_values,
    find_nodata,
    measure_fills,
    no_photo,
)
from rareseg.records.dataset import VOID, DataSpec, NoData

WHITE = NoData(values=(255,), square=16)
CLASSES = ("background", "road")


def textured(random, height=200, width=240, bands=3, low=20, high=200):
    return random.integers(low, high, (bands, height, width)).astype("uint8")


def measured(photo, raw, values=None, valid=None):
    values = (
        border_values([photo[:, 0], photo[:, -1], photo[:, :, 0], photo[:, :, -1]])
        if values is None
        else values
    )
    valid = np.ones(photo.shape[1:], dtype=bool) if valid is None else valid

    def count(where):
        found, counts = np.unique(raw[where], return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    fills = measure_fills(photo, valid, values, core=slice(0, photo.shape[1]), whole_height=photo.shape[1],
                          first_row=0, count_raw_at=count)  # fmt: skip
    return list(fills.values())


def found(photo, raw, spec=None, label_of=lambda raw: raw, **settings):
    totals = dict(enumerate(np.bincount(raw.ravel()).tolist()))
    return find_nodata(measured(photo, raw, **settings), totals, label_of, spec or DataSpec(), CLASSES)


def reference_no_photo(photo, value, side):
    """Squares that may stick out of the image, by definition."""
    held = np.pad((photo == value).all(axis=0), side, constant_values=True)
    marked = np.zeros_like(held)
    for row in range(held.shape[0] - side + 1):
        for col in range(held.shape[1] - side + 1):
            if held[row : row + side, col : col + side].all():
                marked[row : row + side, col : col + side] = True
    return marked[side:-side, side:-side]


def patchy(random, height=70, width=90):
    photo = textured(random, height, width)
    for _ in range(12):
        row, col = random.integers(-10, height), random.integers(-10, width)
        photo[:, max(0, row) : row + random.integers(3, 40), max(0, col) : col + random.integers(3, 40)] = 255
    return photo


@pytest.mark.parametrize("side", [7, 16])
def test_no_photo_marks_exactly_the_union_of_filled_squares(random, side):
    photo = patchy(random)
    expected = reference_no_photo(photo, 255, side)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(no_photo(photo, NoData(values=(255,), square=side)), expected)


def test_a_window_with_a_margin_agrees_with_the_whole(random):
    photo, side = patchy(random, 120, 130), WHITE.square
    whole = no_photo(photo, WHITE)
    for row, col in ((0, 0), (30, 40), (80, 90), (0, 60)):
        top, left = max(0, row - side), max(0, col - side)
        part = no_photo(photo[:, top : row + 40 + side, left : col + 40 + side], WHITE)
        part = part[row - top :, col - left :][:40, :40]
        np.testing.assert_array_equal(part, whole[row : row + 40, col : col + 40])


def test_slivers_at_the_border_count_but_small_spots_do_not(random):
    photo = textured(random)
    photo[:, :3] = 255
    photo[:, 100:110, 100:110] = 255
    marked = no_photo(photo, WHITE)
    assert marked[:3].all()
    assert not marked[3:].any()


def test_all_bands_must_hold_the_value(random):
    photo = textured(random)
    photo[:2, :100] = 255
    assert not no_photo(photo, WHITE).any()


def test_tolerance_takes_values_that_compression_moved(random):
    photo = textured(random)
    photo[:, :100] = random.integers(252, 256, (3, 100, 240))
    assert not no_photo(photo, WHITE)[:90].any()
    assert no_photo(photo, NoData(values=(255,), tolerance=4, square=16))[:100].all()


def test_without_values_everything_is_photo(random):
    assert not no_photo(np.full((3, 40, 40), 255, dtype="uint8"), NoData()).any()


@pytest.mark.parametrize(
    ("dtype", "value"), [("uint16", 0), ("uint16", 65535), ("int16", -9999), ("float32", -9999)]
)
def test_other_dtypes_have_fills_too(random, dtype, value):
    photo = random.integers(200, 3000, (4, 200, 200)).astype(dtype)
    photo[:, :, :70] = value
    raw = random.integers(0, 2, (200, 200))
    nodata = found(photo, raw)
    assert (nodata.values, nodata.tolerance) == ((value,), 0)
    np.testing.assert_array_equal(no_photo(photo, nodata), np.arange(200)[None, :].repeat(200, 0) < 70)


def test_a_value_outside_the_dtype_is_nowhere(random):
    assert not no_photo(textured(random), NoData(values=(-9999, 70000))).any()


@pytest.mark.parametrize("value", [0, 114, 255])
def test_a_sharp_fill_over_which_masks_draw_as_elsewhere_is_no_data(random, value):
    photo, raw = textured(random), (random.random((200, 240)) < 0.04).astype(int)
    photo[:, np.add.outer(np.arange(200), np.arange(240)) < 150] = value
    nodata = found(photo, raw)
    assert nodata.values == (value,)
    assert "with sharp edges" in nodata.because
    assert abs(no_photo(photo, nodata).mean() - 150 * 151 / 2 / (200 * 240)) < 0.02


def test_compression_noise_in_the_fill_turns_tolerance_on(random):
    photo, raw = textured(random), (random.random((200, 240)) < 0.04).astype(int)
    photo[:, :100] = 255
    photo[:, 60:100][:, random.random((40, 240)) < 0.02] = 253
    assert found(photo, raw) == NoData(
        values=(255,), tolerance=4, square=SQUARE, because=found(photo, raw).because
    )


def test_a_fill_that_is_nowhere_exact_is_photo(random):
    photo, raw = textured(random), np.zeros((200, 240), dtype=int)
    photo[:, :100] = random.integers(252, 255, (3, 100, 240))
    assert found(photo, raw, values=(255,)).values == ()


def test_black_no_data_in_a_dark_photo_is_no_data(random):
    photo, raw = textured(random, low=3, high=50), (random.random((200, 240)) < 0.04).astype(int)
    photo[:, :60] = 0
    assert found(photo, raw).values == (0,)


def test_an_over_exposed_sky_is_photo(random):
    photo, raw = textured(random), np.zeros((200, 240), dtype=int)
    ramp = np.clip(255 + 60 - np.arange(200) * 0.9, 30, 255).astype("uint8")
    photo = np.minimum(np.broadcast_to(ramp[None, :, None], photo.shape), 255).astype("uint8").copy()
    photo[:, 120:] = textured(random, 80)
    nodata = found(photo, raw)
    assert nodata.values == ()
    assert "its edges fade into the photo" in nodata.because
    assert "nodata = [255] would leave it out" in nodata.because


def test_a_fill_that_the_masks_call_one_class_is_photo(random):
    photo, raw = textured(random), np.zeros((200, 240), dtype=int)
    photo[:, :60] = 0
    raw[:60] = 1
    nodata = found(photo, raw)
    assert nodata.values == ()
    assert "the masks call 100% of it 'road', which is 0% of the rest" in nodata.because


def test_void_over_a_fill_says_nothing_against_it(random):
    photo, raw = textured(random), (random.random((200, 240)) < 0.04).astype(int)
    photo[:, :60], raw[:60] = 0, 9
    assert found(photo, raw, label_of=lambda value: VOID if value == 9 else value).values == (0,)


def test_background_over_a_fill_says_nothing_against_it(random):
    photo, raw = textured(random), (random.random((200, 240)) < 0.04).astype(int)
    photo[:, :60], raw[:60] = 0, 0
    assert found(photo, raw).values == (0,)


def test_a_white_roof_inside_the_image_and_a_dark_spot_are_photo(random):
    photo, raw = textured(random), np.zeros((200, 240), dtype=int)
    photo[:, 50:120, 60:140] = 255
    nodata = found(photo, raw, values=(255,))
    assert nodata.values == ()
    assert nodata.because == "no constant value fills 1 % of an image and 2 % of its border"


def test_what_the_file_marks_itself_is_no_evidence(random):
    photo, raw = textured(random), np.zeros((200, 240), dtype=int)
    photo[:, :60] = 0
    valid = np.ones((200, 240), dtype=bool)
    valid[:60] = False
    assert found(photo, raw, valid=valid).values == ()


def test_the_toml_settles_it(random):
    photo, raw = textured(random), np.zeros((200, 240), dtype=int)
    photo[:, 50:120, 60:140] = 255
    assert found(photo, raw, DataSpec(nodata="none")).because == "the TOML says nodata = none"
    assert found(photo, raw, DataSpec(nodata=(255,)), values=(255,)).values == (255,)


def test_overlapping_classes_leave_the_masks_unasked(random):
    photo, raw = textured(random), np.zeros((200, 240), dtype=int)
    photo[:, :60], raw[:60] = 0, 1
    assert found(photo, raw, label_of=None).values == (0,)


def test_strips_add_up_to_the_whole(random):
    photo, raw = textured(random, 300), (random.random((300, 240)) < 0.1).astype(int)
    photo[:, np.add.outer(np.arange(300), np.arange(240)) < 220] = 255
    photo[:, 280:, 100:] = 255
    whole = measured(photo, raw, values=(255,))[0]
    total = None
    for row in range(0, 300, 75):
        top, bottom = max(0, row - SQUARE - REACH), min(300, row + 75 + SQUARE + REACH)

        def count(where, row=row):
            found, counts = np.unique(raw[row : row + 75][where], return_counts=True)
            return dict(zip(found.tolist(), counts.tolist(), strict=True))

        valid, core = np.ones((bottom - top, 240), dtype=bool), slice(row - top, row - top + 75)
        part = measure_fills(
            photo[:, top:bottom],
            valid,
            (255,),
            core=core,
            whole_height=300,
            first_row=top,
            count_raw_at=count,
        )[255]
        total = part if total is None else total + part
    assert total == whole


def test_fills_add_up():
    numbers = dict.fromkeys(
        ("image", "border", "border_filled", "exact", "filled", "ring", "ring_near", "far", "far_near"), 3
    )
    total = Fill(value=0, raw={0: 1}, **numbers) + Fill(value=0, raw={0: 1, 4: 2}, **numbers)
    assert total.raw == {0: 2, 4: 2}
    assert {getattr(total, name) for name in numbers} == {6}


def test_border_values_are_the_most_frequent_constants(random):
    photo = textured(random)
    photo[:, :, 0], photo[:, 0] = 255, 7
    lines = [photo[:, 0], photo[:, -1], photo[:, :, 0], photo[:, :, -1]]
    assert border_values(lines) == (7, 255)
    assert border_values([np.array([[np.nan, 1.5, 1.5, 2.0]])]) == (2,)


def test_jpeg_keeps_a_fill_recognisable(random):
    smooth = cv2.GaussianBlur(textured(random).transpose(1, 2, 0), (5, 5), 0)
    smooth[:80] = 255
    coded = cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    photo = np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR).transpose(2, 0, 1))
    nodata = found(photo, (random.random((200, 240)) < 0.04).astype(int))
    assert nodata.values == (255,)
    assert no_photo(photo, nodata)[:72].all()
    assert not no_photo(photo, nodata)[80:].any()
