"""Mapping: any photo in, maps that fit it out, and nothing half written."""

import shutil

import cv2
import numpy as np
import pytest

from rareseg import scenes, verbs
from rareseg.errors import DataError, OutputExistsError
from rareseg.imagery import rasters
from rareseg.imagery.rasters import describe, read, read_values
from rareseg.network import forward
from rareseg.network.trained import load_run
from rareseg.stages.predict import predict_images


@pytest.fixture
def photo(rng):
    return rng.integers(1, 250, (3, 90, 130)).astype(np.uint8)


def expected(run, photo, valid=None):
    """Return probabilities of the photo mapped in one piece, from memory."""
    return load_run(run).mapper().map_image(photo, np.ones(photo.shape[1:], bool) if valid is None else valid)


def test_geotiff_in_geotiff_out_with_its_place_on_earth(roads_run, photo, tmp_path, write_raster, somewhere):
    source = write_raster(tmp_path / "scene.tif", photo, georeference=somewhere)
    written = predict_images(roads_run, [source], tmp_path / "maps")
    assert [path.name for path in written] == [
        "scene_classes.tif",
        "scene_probability.tif",
        "scene_preview.png",
    ]
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {path.name for path in written}
    classes, probability = (describe(path) for path in written[:2])
    for info in (classes, probability):
        assert info.georeference == describe(source).georeference
        assert (info.height, info.width, info.bands) == (90, 130, 1)
    assert (classes.dtype, classes.nodata) == ("uint8", 255)
    assert probability.dtype == "float32" and np.isnan(probability.nodata)
    road = expected(roads_run, photo)[1]
    np.testing.assert_allclose(read(written[1])[0][0], road, atol=1e-6)
    cut = load_run(roads_run).run.thresholds[1]
    np.testing.assert_array_equal(read_values(written[0])[0], road >= cut)


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_png_and_jpeg_in_png_out(roads_run, photo, tmp_path, ending):
    source = tmp_path / f"scene{ending}"
    cv2.imwrite(str(source), photo.transpose(1, 2, 0))
    written = predict_images(roads_run, [source], tmp_path / "maps")
    assert [path.suffix for path in written] == [".png"] * 3
    road = expected(roads_run, read(source)[0])[1]
    shades = cv2.imread(str(written[1]), cv2.IMREAD_UNCHANGED)
    assert shades.dtype == np.uint8
    np.testing.assert_allclose(shades / 255, road, atol=0.5 / 255 + 1e-6)
    assert set(np.unique(read_values(written[0]))) <= {0, 1}
    assert describe(written[0]).palette[1] != describe(written[0]).palette[0]


def test_blocks_give_what_one_piece_gives(roads_run, photo, tmp_path, write_raster, monkeypatch):
    source = write_raster(tmp_path / "scene.tif", photo)
    whole = predict_images(roads_run, [source], tmp_path / "whole")
    monkeypatch.setattr(forward, "BLOCK", 48)
    monkeypatch.setattr("rareseg.imagery.maps.PREVIEW_PX", 50)
    pieces = predict_images(roads_run, [source], tmp_path / "pieces")
    np.testing.assert_allclose(read(pieces[1])[0], read(whole[1])[0], atol=1e-6)
    np.testing.assert_array_equal(read_values(pieces[0]), read_values(whole[0]))


def test_maps_are_read_and_written_window_by_window(roads_run, photo, tmp_path, write_raster, monkeypatch):
    source = write_raster(tmp_path / "scene.tif", photo)
    monkeypatch.setattr(forward, "BLOCK", 48)
    real_read, real_write = rasters.read, rasters.RasterWriter.write
    sides = {"read": [], "written": []}

    def watched_read(path, window=None):
        sides["read"].append(max(window.height, window.width) if window else 10**9)
        return real_read(path, window)

    def watched_write(writer, window, pixels):
        sides["written"].append(max(window.height, window.width))
        real_write(writer, window, pixels)

    monkeypatch.setattr("rareseg.imagery.samples.read", watched_read)
    monkeypatch.setattr(rasters.RasterWriter, "write", watched_write)
    predict_images(roads_run, [source], tmp_path / "maps")
    assert max(sides["written"]) <= 48
    # A block of 48 px is seen by windows of 64 px that overlap it.
    assert max(sides["read"]) <= 48 + 2 * 64
    assert len(sides["written"]) > 6


def test_where_there_is_no_photo_there_is_no_answer(roads_run, photo, tmp_path, write_raster, somewhere):
    photo[:, :, 70:] = 0
    source = write_raster(tmp_path / "scene.tif", photo, georeference=somewhere, nodata=0)
    written = predict_images(roads_run, [source], tmp_path / "maps")
    import rasterio

    with rasterio.open(written[0]) as classes, rasterio.open(written[1]) as probability:
        labels, values = classes.read(1), probability.read(1)
    assert (labels[:, 70:] == 255).all() and np.isnan(values[:, 70:]).all()
    assert (labels[:, :70] <= 1).all() and np.isfinite(values[:, :70]).all()
    preview = read(written[2])[0]
    assert (preview[:, :, 70:] == 255).all()


def test_where_a_png_is_transparent_its_maps_say_so(roads_run, photo, tmp_path):
    alpha = np.full((90, 130), 255, np.uint8)
    alpha[:30] = 0
    cv2.imwrite(str(tmp_path / "scene.png"), np.dstack([*photo, alpha]))
    written = predict_images(roads_run, [tmp_path / "scene.png"], tmp_path / "maps")
    labels, shades = read_values(written[0])[0], cv2.imread(str(written[1]), cv2.IMREAD_UNCHANGED)
    assert (labels[:30] == 255).all() and (labels[30:] <= 1).all()
    assert (shades[:30] == 0).all()


@pytest.mark.parametrize(("bands", "dtype"), [(1, "uint8"), (4, "uint16"), (2, "float32")])
def test_any_bands_and_pixel_type_can_be_mapped(striped, tiny, tmp_path, bands, dtype, write_raster):
    data = striped(tmp_path / "data", bands=bands, dtype=dtype)
    verbs.train(data, output=tmp_path / "run", steps=25, settings=tiny)
    pixels = read(data / "images" / "place2.tif")[0]
    if dtype == "float32":
        pixels[0, :8] = np.nan
    source = write_raster(tmp_path / "scene.tif", pixels)
    classes, probability, preview = predict_images(tmp_path / "run", [source], tmp_path / "maps")
    values, valid = read(probability)
    assert valid.mean() == pytest.approx(1 - (8 / 64 if dtype == "float32" else 0))
    stripe = values[0][:, 21:27][valid[:, 21:27]].mean()
    beside = values[0][:, 40:60][valid[:, 40:60]].mean()
    assert stripe > beside
    picture = read(preview)[0]
    assert picture.shape == (3, 64, 64) and picture.dtype == np.uint8
    assert picture[:, 10:].std() > 5
    assert (read_values(classes)[0] == 255).sum() == (~valid).sum()


def test_a_palette_photo_counts_as_red_green_blue(roads_run, tmp_path, write_raster, rng):
    colours = {value: (value * 20, 255 - value * 20, value * 7) for value in range(10)}
    source = write_raster(
        tmp_path / "scene.png", rng.integers(0, 10, (1, 70, 70)).astype(np.uint8), palette=colours
    )
    written = predict_images(roads_run, [source], tmp_path / "maps")
    shades = cv2.imread(str(written[1]), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(shades / 255, expected(roads_run, read(source)[0])[1], atol=0.5 / 255 + 1e-6)


def test_folders_are_mapped_photo_by_photo_in_order(roads_run, roads, tmp_path, photo):
    cv2.imwrite(str(tmp_path / "single.png"), photo.transpose(1, 2, 0))
    shutil.copytree(roads / "images", tmp_path / "photos")
    (tmp_path / "photos" / "notes.txt").write_text("not a photo")
    (tmp_path / "photos" / ".hidden.png").write_text("not a photo")
    named = [tmp_path / "photos", tmp_path / "single.png", tmp_path / "photos" / "scene0003.png"]
    written = predict_images(roads_run, named, tmp_path / "maps")
    names = [path.name for path in written if "classes" in path.name]
    assert names == [*(f"scene{number:04d}_classes.png" for number in range(12)), "single_classes.png"]


def test_several_classes_get_a_map_each(land_run, land, tmp_path, write_raster):
    photo = read(land / "images" / "scene0000.png")[0]
    tiff = write_raster(tmp_path / "scene.tif", photo)
    probabilities = expected(land_run, photo)
    names = load_run(land_run).plan.classes
    written = predict_images(land_run, [tiff], tmp_path / "tiff")
    np.testing.assert_allclose(read(written[1])[0], probabilities, atol=1e-6)
    np.testing.assert_array_equal(read_values(written[0])[0], probabilities.argmax(axis=0))
    written = predict_images(land_run, [land / "images" / "scene0000.png"], tmp_path / "png")
    assert [path.name for path in written[1:-1]] == [f"scene0000_probability_{name}.png" for name in names]
    for path, plane in zip(written[1:-1], probabilities, strict=True):
        np.testing.assert_allclose(read(path)[0][0] / 255, plane, atol=0.5 / 255 + 1e-6)


def test_photos_of_one_name_are_refused(roads_run, photo, tmp_path, write_raster):
    one, other = write_raster(tmp_path / "a" / "x.tif", photo), write_raster(tmp_path / "b" / "x.png", photo)
    third = write_raster(tmp_path / "c" / "x.tif", photo)
    message = (
        r"named after their photos[\s\S]*c/x\.tif: has the same name as .*a/x\.tif, or one of its maps would"
    )
    with pytest.raises(DataError, match=message) as caught:
        predict_images(roads_run, [one, other, third], tmp_path / "maps")
    # The class rasters of x.tif and x.png would differ by their endings, but their previews would not.
    assert [problem.path for problem in caught.value.problems] == [str(other), str(third)]
    assert not (tmp_path / "maps").exists()


def test_a_map_never_replaces_a_photo(roads_run, photo, tmp_path, write_raster):
    write_raster(tmp_path / "x.tif", photo)
    taken = write_raster(tmp_path / "x_classes.tif", photo)
    with pytest.raises(DataError, match=r"x\.tif: its map x_classes\.tif would replace a photo of that name"):
        predict_images(roads_run, [tmp_path], tmp_path, overwrite=True)
    np.testing.assert_array_equal(read(taken)[0], photo)


def test_every_photo_that_cannot_be_mapped_is_listed(roads_run, photo, tmp_path, write_raster):
    write_raster(tmp_path / "good.tif", photo)
    write_raster(tmp_path / "grey.tif", photo[:1])
    write_raster(tmp_path / "deep.tif", photo.astype(np.uint16))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match=r"3 of 5 images|4 of 5 images") as caught:
        predict_images(roads_run, [tmp_path, tmp_path / "gone.tif"], tmp_path / "maps")
    text = str(caught.value)
    assert "grey.tif: has 1 bands; the run was trained on 3" in text
    assert "deep.tif: is uint16; the run was trained on uint8" in text
    assert "text.png: is no PNG, JPEG or TIFF" in text
    assert "gone.tif: cannot be opened" in text
    assert "good.tif" not in text
    assert not (tmp_path / "maps").exists()


def test_a_folder_without_photos_is_named(roads_run, tmp_path):
    with pytest.raises(DataError, match=r"images to map:[\s\S]*folder holds no image \(\.png"):
        predict_images(roads_run, [tmp_path], tmp_path / "maps")
    with pytest.raises(DataError, match="Expected images or folders of images to map"):
        predict_images(roads_run, [], tmp_path / "maps")


def test_existing_maps_are_refused_unless_overwritten(roads_run, photo, tmp_path, write_raster):
    source = write_raster(tmp_path / "scene.tif", photo)
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / "scene_preview.png").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"scene_preview\.png exists already"):
        predict_images(roads_run, [source], maps)
    first = write_raster(tmp_path / "another.tif", photo)
    # Before any photo is mapped, not when its turn comes.
    with pytest.raises(OutputExistsError, match=r"scene_preview\.png exists already"):
        predict_images(roads_run, [first, source], maps)
    assert [path.name for path in maps.iterdir()] == ["scene_preview.png"]
    assert len(predict_images(roads_run, [source], maps, overwrite=True)) == 3
    assert read(maps / "scene_preview.png")[0].shape == (3, 90, 130)


def test_a_photo_that_breaks_off_leaves_no_map_of_itself(roads_run, tmp_path, photo):
    source = tmp_path / "scene.jpg"
    cv2.imwrite(str(source), np.repeat(np.repeat(photo, 4, 1), 4, 2).transpose(1, 2, 0))
    source.write_bytes(source.read_bytes()[:20_000])
    with pytest.raises(DataError, match=r"scene\.jpg: unreadable or truncated"):
        predict_images(roads_run, [source], tmp_path / "maps")
    assert not (tmp_path / "maps").exists() or list((tmp_path / "maps").iterdir()) == []


def test_photo_and_maps_of_a_scene_go_together(roads_run, tmp_path):
    photo = scenes.write_photo(tmp_path / "scene.png", seed=77, size=128, road_share=0.1)
    labels = scenes.road_scene(77, size=128, road_share=0.1).labels
    written = predict_images(roads_run, [photo], tmp_path / "maps")
    found = read_values(written[0])[0]
    hits = ((found == 1) & (labels == 1)).sum()
    # Far better than chance on a scene that nobody has seen.
    assert hits / (found == 1).sum() > 2 * (labels == 1).mean()


@pytest.fixture
def overlapping(tmp_path, write_set, rng, tiny):
    photos, masks = [], []
    for number in range(6):
        mask = np.zeros((2, 64, 64), np.uint8)
        mask[0, :, 8 + 4 * number : 24 + 4 * number] = 255
        mask[1, 40 - 4 * number : 56 - 4 * number] = 255
        photo = rng.normal(60, 8, (3, 64, 64))
        photo[0] += 90 * (mask[0] > 0)
        photo[1] += 90 * (mask[1] > 0)
        photos.append(photo.clip(0, 255).astype(np.uint8))
        masks.append(mask)
    write_set(tmp_path / "set", photos, masks)
    toml = tmp_path / "set" / "data.toml"
    toml.write_text(
        'images = "images"\nmasks = "masks"\noverlapping = true\n'
        '[[classes]]\nname = "road"\nvalues = [1]\n[[classes]]\nname = "bridge/ford"\nvalues = [2]\n'
    )
    return toml


def test_overlapping_classes_from_end_to_end(overlapping, tiny, tmp_path):
    run = verbs.train(overlapping, output=tmp_path / "run", steps=60, settings=tiny)
    assert run.outcome == "finished"
    report = verbs.evaluate(tmp_path / "run", overlapping, part="all")
    assert report.decision == "threshold"
    assert all(scores.iou > 0.6 for scores in report.classes.values())
    source = overlapping.parent / "images" / "place1.tif"
    written = predict_images(tmp_path / "run", [source], tmp_path / "maps")
    bits, probabilities = read_values(written[0])[0], read(written[1])[0]
    assert set(np.unique(bits)) == {0, 1, 2, 3}
    for label, cut in enumerate(run.thresholds):
        np.testing.assert_array_equal((bits >> label) & 1, probabilities[label] >= np.float32(cut))
    # Sigmoids: the classes do not exclude one another, so their probabilities do not add up to one.
    assert np.ptp(probabilities.sum(axis=0)) > 0.2
    png = tmp_path / "place1.png"
    cv2.imwrite(str(png), read(source)[0][::-1].transpose(1, 2, 0))
    names = [path.name for path in predict_images(tmp_path / "run", [png], tmp_path / "png")]
    assert names[1:3] == ["place1_probability_road.png", "place1_probability_bridge-ford.png"]
