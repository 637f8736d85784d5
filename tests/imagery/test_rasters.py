import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine

from rareseg.errors import DataError, OutputExistsError, SettingError
from rareseg.imagery.rasters import (
    Georeference,
    RasterWriter,
    Window,
    describe,
    read,
    read_mask,
    read_values,
)

UTM = {"crs": CRS.from_epsg(32632), "transform": Affine(0.5, 0, 500000, 0, -0.5, 5000000)}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_tiff_of_any_dtype_and_number_of_bands(save, random, dtype, bands):
    pixels = (random.random((bands, 20, 30)) * 250).astype(dtype)
    path = save("a.tif", pixels)
    info = describe(path)
    assert (info.height, info.width, info.bands, info.dtype, info.alpha) == (20, 30, bands, dtype, False)
    assert info.georeference is None
    got, valid = read(path)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, pixels)
    assert valid.all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_png_of_8_and_16_bits(save, random, dtype):
    pixels = (random.random((3, 20, 30)) * np.iinfo(dtype).max).astype(dtype)
    got, _ = read(save("a.PNG", pixels))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, pixels)


def test_jpeg_is_read_nearly_as_written(save):
    got, valid = read(save("a.jpg", np.full((3, 32, 32), 100, dtype="uint8")))
    assert np.abs(got.astype(int) - 100).max() <= 2
    assert valid.all()


def test_a_file_is_told_by_its_content_not_its_ending(save):
    path = save("a.jpg", np.full((3, 8, 8), 9, dtype="uint8"))
    renamed = path.rename(path.with_suffix(".png"))
    assert read(renamed)[0].shape == (3, 8, 8)


def test_windows_equal_the_part_of_the_whole(save, random):
    path = save("a.png", random.integers(0, 255, (3, 50, 60), dtype="uint8"))
    whole, _ = read(path)
    part, valid = read(path, Window(10, 20, 15, 25))
    np.testing.assert_array_equal(part, whole[:, 10:25, 20:45])
    assert valid.shape == (15, 25)


def test_alpha_is_not_a_band_and_marks_what_is_valid(save, random):
    pixels = random.integers(1, 255, (4, 20, 30), dtype="uint8")
    pixels[3] = 255
    pixels[3, :5] = 0
    path = save("a.png", pixels)
    info = describe(path)
    assert (info.bands, info.alpha) == (3, True)
    got, valid = read(path)
    np.testing.assert_array_equal(got, pixels[:3])
    np.testing.assert_array_equal(valid, pixels[3] != 0)
    assert read_values(path).shape[0] == 3
    assert read_values(path, keep_alpha=True).shape[0] == 4


def test_four_measured_bands_stay_four(save, random):
    pixels = random.integers(0, 255, (4, 20, 30), dtype="uint8")
    path = save("a.tif", pixels, photometric="MINISBLACK")
    assert describe(path).bands == 4
    np.testing.assert_array_equal(read(path)[0], pixels)


def test_zero_as_nodata_needs_all_bands_since_a_band_may_measure_zero(save):
    pixels = np.full((3, 4, 4), 7, dtype="uint8")
    pixels[:, 0] = 0
    pixels[0, 1] = 0
    path = save("a.tif", pixels, nodata=0)
    _, valid = read(path)
    assert describe(path).nodata == 0
    assert not valid[0].any()
    assert valid[1:].all()


def test_negative_nodata_in_one_band_is_enough(save):
    pixels = np.full((2, 4, 4), 7, dtype="int16")
    pixels[1, 2] = -9999
    _, valid = read(save("a.tif", pixels, nodata=-9999))
    np.testing.assert_array_equal(valid, pixels[1] != -9999)


def test_nan_and_infinity_are_not_valid_and_do_not_spread(save):
    pixels = np.ones((2, 4, 4), dtype="float32")
    pixels[0, 0, 0], pixels[1, 1, 1] = np.nan, np.inf
    got, valid = read(save("a.tif", pixels))
    assert np.isfinite(got).all()
    assert np.argwhere(~valid).tolist() == [[0, 0], [1, 1]]


def test_the_mask_of_the_file_counts(save, tmp_path):
    path = save("a.tif", np.full((3, 32, 32), 9, dtype="uint8"))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "r+") as target:
            mask = np.full((32, 32), 255, dtype="uint8")
            mask[:, :3] = 0
            target.write_mask(mask)
    np.testing.assert_array_equal(read(path)[1], mask != 0)


def test_a_palette_is_expanded_for_photos_and_kept_for_masks(save):
    indices = np.array([[[0, 1], [2, 1]]], dtype="uint8")
    colours = {0: (0, 0, 0, 255), 1: (255, 0, 0, 255), 2: (10, 20, 30, 255)}
    path = save("a.png", indices, palette=colours)
    info = describe(path)
    assert info.palette is not None
    assert info.palette[2] == (10, 20, 30)
    assert (info.bands, info.photo_bands) == (1, 3)
    np.testing.assert_array_equal(read_values(path), indices)
    np.testing.assert_array_equal(read(path)[0][:, 1, 0], [10, 20, 30])


def test_transparent_palette_entries_are_not_valid(save):
    indices = np.array([[[0, 1], [2, 1]]], dtype="uint8")
    colours = {0: (9, 9, 9, 0), 1: (255, 0, 0, 255), 2: (10, 20, 30, 0)}
    _, valid = read(save("a.png", indices, palette=colours))
    np.testing.assert_array_equal(valid, indices[0] == 1)


def test_float_masks_hold_whole_numbers_or_are_refused(save):
    assert read_values(save("a.tif", np.full((1, 4, 4), 3, dtype="float32"))).dtype == np.int64
    path = save("b.tif", np.full((1, 4, 4), 0.5, dtype="float32"))
    with pytest.raises(DataError, match="b.tif: a mask must hold whole numbers"):
        read_values(path)


def test_georeference_is_read_and_compared(save):
    pixels = np.zeros((1, 10, 10), dtype="uint8")
    here = describe(save("a.tif", pixels, **UTM)).georeference
    assert here is not None
    assert here.disagreement(here, 10, 10) is None
    shifted = Georeference(here.crs, (0.5, 0.0, 500003.0, 0.0, -0.5, 5000000.0))
    assert here.disagreement(shifted, 10, 10) == "transform shifted by up to 6 px"
    elsewhere = Georeference(CRS.from_epsg(32633).to_wkt(), here.transform)
    assert here.disagreement(elsewhere, 10, 10) == "CRS EPSG:32633 against EPSG:32632"
    assert here.disagreement(Georeference(None, here.transform), 10, 10) is None


def test_plain_images_give_no_warning(save):
    path = save("a.png", np.zeros((1, 4, 4), dtype="uint8"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        describe(path)
        read(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "grey.png", "deep.png"])
@pytest.mark.parametrize("share", [0.4, 0.8, 0.99])
def test_a_truncated_file_is_an_error_that_names_it(save, random, name, share):
    bands = 1 if name == "grey.png" else 3
    dtype = "uint16" if name == "deep.png" else "uint8"
    path = save(name, random.integers(0, 255, (bands, 300, 300)).astype(dtype))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(DataError, match=f"{name}: unreadable or truncated") as caught:
        read(path)
    assert caught.value.problems[0].path == str(path)


def test_a_damaged_png_is_an_error(save, random):
    path = save("a.png", random.integers(0, 255, (3, 200, 200), dtype="uint8"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    with pytest.raises(DataError, match="unreadable or truncated"):
        read(path)


def test_bytes_after_the_end_of_a_png_do_no_harm(save):
    path = save("a.png", np.full((1, 4, 4), 3, dtype="uint8"))
    path.write_bytes(path.read_bytes() + b"trailing bytes of some camera")
    assert (read(path)[0] == 3).all()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "is empty"), (b"<VRTDataset/>", "is no PNG, JPEG or TIFF"), (None, "cannot be opened")],
)
def test_what_is_no_raster_is_an_error(tmp_path, content, reason):
    path = tmp_path / "a.tif"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"a.tif: {reason}"):
        describe(path)


def test_complex_pixels_are_refused(save):
    path = save("a.tif", np.zeros((1, 4, 4), dtype="complex64"))
    with pytest.raises(DataError, match="holds complex64; expected one of uint8"):
        describe(path)


def test_a_window_outside_is_refused(save):
    path = save("a.png", np.zeros((1, 4, 4), dtype="uint8"))
    with pytest.raises(SettingError, match="does not lie within the raster of 4 x 4 px"):
        read(path, Window(0, 0, 5, 4))


@pytest.mark.parametrize(("name", "bands", "dtype"), [
    ("out.tif", 5, "float32"), ("out.tif", 4, "uint8"), ("out.tif", 3, "int16"), ("out.tiff", 1, "uint16"),
    ("out.png", 3, "uint8"), ("out.png", 1, "uint16"),
])  # fmt: skip
def test_writing_in_windows_gives_the_raster_back(tmp_path, random, name, bands, dtype):
    pixels = (random.random((bands, 70, 90)) * 200 + 1).astype(dtype)
    path = tmp_path / "new" / name
    with RasterWriter(path, height=70, width=90, bands=bands, dtype=dtype) as writer:
        for row in range(0, 70, 32):
            part = pixels[:, row : row + 32]
            writer.write(Window(row, 0, part.shape[1], 90), np.ascontiguousarray(part))
    np.testing.assert_array_equal(read(path)[0], pixels)
    assert names(path.parent) == [name]


def test_georeference_nodata_and_palette_are_written(tmp_path, save):
    reference = describe(save("a.tif", np.zeros((1, 4, 4), dtype="uint8"), **UTM)).georeference
    assert reference is not None
    path = tmp_path / "out" / "b.tif"
    palette = {0: (0, 0, 0), 1: (255, 128, 0)}
    with RasterWriter(path, height=4, width=4, bands=1, dtype="uint8", georeference=reference, nodata=255,
                      palette=palette) as writer:  # fmt: skip
        writer.write(Window(0, 0, 4, 4), np.ones((1, 4, 4), dtype="uint8"))
    info = describe(path)
    assert info.georeference is not None
    assert reference.disagreement(info.georeference, 4, 4) is None
    assert info.nodata == 255
    assert info.palette is not None
    assert info.palette[1] == (255, 128, 0)


def test_png_keeps_its_georeference_beside_it(tmp_path, save):
    reference = describe(save("a.tif", np.zeros((1, 4, 4), dtype="uint8"), **UTM)).georeference
    path = tmp_path / "out" / "b.png"
    with RasterWriter(path, height=4, width=4, bands=1, dtype="uint8", georeference=reference) as writer:
        writer.write(Window(0, 0, 4, 4), np.ones((1, 4, 4), dtype="uint8"))
    assert describe(path).georeference == reference
    assert names(path.parent) == ["b.png", "b.png.aux.xml"]


@pytest.mark.parametrize("name", ["out.tif", "out.png"])
def test_an_error_leaves_nothing_behind_and_the_old_file_alone(tmp_path, name):
    path = tmp_path / "out" / name
    path.parent.mkdir()
    path.write_bytes(b"old")
    with (
        pytest.raises(ZeroDivisionError),
        RasterWriter(path, height=9, width=9, bands=1, dtype="uint8", overwrite=True) as writer,
    ):
        writer.write(Window(0, 0, 9, 9), np.ones((1, 9, 9), dtype="uint8"))
        raise ZeroDivisionError
    assert names(path.parent) == [name]
    assert path.read_bytes() == b"old"


def test_an_existing_raster_is_replaced_only_if_asked(tmp_path):
    path = tmp_path / "out.tif"
    path.write_bytes(b"old")
    settings = {"height": 2, "width": 2, "bands": 1, "dtype": "uint8"}
    with pytest.raises(OutputExistsError, match="out.tif exists already"):
        RasterWriter(path, **settings)
    with RasterWriter(path, **settings, overwrite=True) as writer:
        writer.write(Window(0, 0, 2, 2), np.ones((1, 2, 2), dtype="uint8"))
    assert (read(path)[0] == 1).all()


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(SettingError, match=r"out.jpg: rasters are written as .tif, .tiff, .png, not as .jpg"):
        RasterWriter(tmp_path / "out.jpg", height=2, width=2, bands=1, dtype="uint8")
    with pytest.raises(SettingError, match="PNG holds 1 or 3 bands of uint8 or uint16, not 1 of float32"):
        RasterWriter(tmp_path / "out.png", height=2, width=2, bands=1, dtype="float32")
    path = tmp_path / "out" / "a.tif"
    with RasterWriter(path, height=2, width=2, bands=1, dtype="uint8") as writer:
        with pytest.raises(SettingError, match=r"expected uint8 pixels of shape \(1, 2, 2\)"):
            writer.write(Window(0, 0, 2, 2), np.ones((1, 2, 2), dtype="float32"))
        with pytest.raises(SettingError, match="does not lie within"):
            writer.write(Window(1, 0, 2, 2), np.ones((1, 2, 2), dtype="uint8"))


def test_many_files_can_be_read_at_once(save, random):
    from concurrent.futures import ThreadPoolExecutor

    paths: list[Path] = [
        save(f"{index}.png", np.full((3, 40, 40), index, dtype="uint8")) for index in range(24)
    ]
    with ThreadPoolExecutor(8) as pool:
        means = list(pool.map(lambda path: float(read(path)[0].mean()), paths * 3))
    assert means == [float(index) for index in range(24)] * 3


@pytest.mark.parametrize("odd", [1e30, -3.4028234663852886e38, 5e9, 0.5, float("nan")])
def test_a_float_mask_with_numbers_that_are_no_classes_is_an_error_that_names_them(save, odd):
    pixels = np.zeros((1, 4, 4), dtype="float64")
    pixels[0, 1, 1] = odd
    with pytest.raises(DataError, match="a mask must hold whole numbers within") as caught:
        read_values(save("a.tif", pixels))
    assert f"this one holds {odd:g};" in str(caught.value)


def test_what_alpha_hides_in_a_mask_is_not_visible(save):
    pixels = np.full((4, 4, 5), 7, dtype="uint8")
    pixels[3, 2] = 0
    path = save("a.png", pixels)
    raw, visible = read_mask(path)
    assert raw.shape[0] == 3
    assert (visible == (pixels[3] != 0)).all()
    raw, visible = read_mask(path, keep_alpha=True)
    assert raw.shape[0] == 4
    assert visible.all()


@pytest.mark.parametrize("fill", [1e300, -3.4028234663852886e38, 3e38])
def test_unmarked_fills_of_float_photos_are_without_photo(save, fill):
    pixels = np.full((2, 4, 5), 0.5, dtype="float64")
    pixels[1, 2] = fill
    photo, valid = read(save("a.tif", pixels))
    assert (valid == (pixels[1] == 0.5)).all()
    assert np.abs(photo).max() == 0.5


def test_a_name_that_is_not_utf8_is_an_error_that_shows_it_escaped(save, tmp_path):
    path = save("a.png", np.zeros((1, 4, 4), dtype="uint8"))
    odd = path.rename(tmp_path / os.fsdecode(b"sc\xff.png"))
    for reads in (describe, read, read_values):
        with pytest.raises(DataError, match="its name is not UTF-8, which GDAL needs; rename it") as caught:
            reads(odd)
        assert "sc\\udcff.png" in str(caught.value)
        str(caught.value).encode()
