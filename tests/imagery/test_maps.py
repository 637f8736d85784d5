"""The files of one mapped photo."""

import numpy as np
import pytest

from rareseg.errors import OutputExistsError
from rareseg.imagery import maps
from rareseg.imagery.maps import MapFiles, MapWriter
from rareseg.imagery.rasters import RasterInfo, read, read_values
from rareseg.imagery.tiles import Window, blocks

NAMES = ("background", "road")


def info(path, height, width, bands=3, dtype="uint8"):
    return RasterInfo(path, height, width, bands, dtype, False, None, None, None)


def writer(path, folder, height, width, *, names=NAMES, overlapping=False, bands=3, dtype="uint8", **more):
    files = MapFiles.planned(path, folder, names, overlapping=overlapping)
    return MapWriter(
        files, info(path, height, width, bands, dtype), len(names), overlapping,
        centre=(100.0,) * bands, spread=(20.0,) * bands, **more,
    )  # fmt: skip


def write_all(maps_of, labels, probabilities, photo, size):
    height, width = labels.shape
    with maps_of:
        for window in blocks(height, width, size):
            rows = slice(window.row, window.row + window.height)
            cols = slice(window.col, window.col + window.width)
            maps_of.write(
                window,
                labels[rows, cols],
                probabilities[:, rows, cols],
                photo[:, rows, cols],
                labels[rows, cols] != 255,
            )
    return maps_of.files


def test_names_follow_the_photo(tmp_path):
    def names(photo, classes, **more):
        return [path.name for path in MapFiles.planned(tmp_path / photo, tmp_path, classes, **more).all()]

    two = ("background", "road")
    assert names("a.b.TIF", two, overlapping=False) == [
        "a.b_classes.tif",
        "a.b_probability.tif",
        "a.b_preview.png",
    ]
    assert names("x.jpeg", two, overlapping=False)[1] == "x_probability.png"
    assert names("x.png", two, overlapping=True)[1:3] == [
        "x_probability_background.png",
        "x_probability_road.png",
    ]
    three = ("a b", "a/b", "Tree")
    assert names("x.png", three, overlapping=False)[1:4] == [
        "x_probability_0_a-b.png",
        "x_probability_1_a-b.png",
        "x_probability_2_Tree.png",
    ]
    numbered = names("x.png", ("a/b", "a b", "a-b_0"), overlapping=False)
    assert len(set(numbered)) == len(numbered)
    long = names("x.png", ("é" * 300, "b" * 300, "c"), overlapping=False)
    assert all(len(name.encode()) <= 255 for name in long)


def test_names_that_differ_by_case_alone_differ_on_every_disk(tmp_path):
    files = MapFiles.planned(tmp_path / "x.png", tmp_path, ("A", "a", "b"), overlapping=False)
    assert len({path.name.casefold() for path in files.all()}) == 5


def test_only_the_second_of_two_exclusive_classes_is_shown(tmp_path):
    planned = {
        overlapping: MapFiles.planned(tmp_path / "x.tif", tmp_path, NAMES, overlapping=overlapping).shown
        for overlapping in (False, True)
    }
    assert planned == {False: (1,), True: (0, 1)}


@pytest.mark.parametrize("size", [17, 32, 1000])
@pytest.mark.parametrize("ending", [".tif", ".png"])
def test_blocks_make_one_map(tmp_path, size, ending):
    rng = np.random.default_rng(1)
    labels = rng.choice([0, 1, 255], (50, 70)).astype(np.uint8)
    probabilities = rng.dirichlet(np.ones(2), (50, 70)).transpose(2, 0, 1).astype(np.float32)
    photo = rng.integers(0, 255, (3, 50, 70)).astype(np.uint8)
    files = write_all(
        writer(tmp_path / f"x{ending}", tmp_path / "out", 50, 70), labels, probabilities, photo, size
    )
    np.testing.assert_array_equal(read_values(files.classes)[0], labels)
    values, valid = read(files.probabilities[0])
    if ending == ".tif":
        np.testing.assert_array_equal(valid, labels != 255)
        np.testing.assert_array_equal(values[0][valid], probabilities[1][valid])
    else:
        np.testing.assert_array_equal(values[0], np.where(labels != 255, (probabilities[1] * 255).round(), 0))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in files.all()}


@pytest.mark.parametrize(("height", "width"), [(50, 70), (100, 33), (101, 200), (64, 64)])
@pytest.mark.parametrize("block", [23, 1000])
def test_the_preview_is_bounded_and_the_same_whatever_the_blocks(tmp_path, monkeypatch, height, width, block):
    monkeypatch.setattr(maps, "PREVIEW_PX", 32)
    row, col = np.mgrid[:height, :width]
    photo = np.stack([row, col, row * 0]).astype(np.uint8)
    labels = np.zeros((height, width), np.uint8)
    probabilities = np.zeros((2, height, width), np.float32)
    files = write_all(
        writer(tmp_path / "x.tif", tmp_path, height, width), labels, probabilities, photo, block
    )
    preview = read(files.preview)[0]
    step = -(-max(height, width) // 32)
    assert max(preview.shape[1:]) <= 32
    np.testing.assert_array_equal(preview, photo[:, ::step, ::step])


def test_a_class_is_seen_in_the_preview(tmp_path):
    photo = np.full((3, 20, 20), 100, np.uint8)
    labels = np.zeros((20, 20), np.uint8)
    labels[5:10] = 1
    files = write_all(
        writer(tmp_path / "x.tif", tmp_path, 20, 20), labels, np.zeros((2, 20, 20), np.float32), photo, 64
    )
    preview = read(files.preview)[0].astype(int)
    assert (preview[:, :5] == 100).all()
    assert np.abs(preview[:, 5:10] - 100).max() > 50


@pytest.mark.parametrize("bands", [1, 2, 4])
def test_dark_deep_photos_are_stretched_for_the_preview(tmp_path, bands):
    rng = np.random.default_rng(2)
    photo = rng.normal(100, 20, (bands, 40, 40)).astype(np.float32)
    photo[0, 0, 0] = np.nan
    files = write_all(
        writer(tmp_path / "x.tif", tmp_path, 40, 40, bands=bands, dtype="float32"),
        np.zeros((40, 40), np.uint8),
        np.zeros((2, 40, 40), np.float32),
        photo,
        64,
    )
    preview = read(files.preview)[0].astype(float)
    for band in range(3):
        source = photo[band if bands >= 3 else 0].astype(float)
        expected = np.clip((source - 100) / 100 + 0.5, 0, 1) * 255
        np.testing.assert_allclose(preview[band].ravel()[1:], expected.ravel()[1:], atol=0.51)


def test_nothing_stays_behind_after_an_error(tmp_path):
    message = "stop"
    with pytest.raises(RuntimeError, match=message), writer(tmp_path / "x.png", tmp_path / "out", 20, 20):
        raise RuntimeError(message)
    assert list((tmp_path / "out").iterdir()) == []


def test_existing_maps_are_refused_and_replaced_when_asked(tmp_path):
    (tmp_path / "x_preview.png").write_text("mine")
    with (
        pytest.raises(OutputExistsError, match=r"x_preview\.png exists already"),
        writer(tmp_path / "x.tif", tmp_path, 20, 20),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["x_preview.png"]
    with writer(tmp_path / "x.tif", tmp_path, 20, 20, overwrite=True) as maps_of:
        maps_of.write(
            Window(0, 0, 20, 20),
            np.zeros((20, 20), np.uint8),
            np.zeros((2, 20, 20), np.float32),
            np.zeros((3, 20, 20), np.uint8),
            np.ones((20, 20), bool),
        )
    assert len(list(tmp_path.iterdir())) == 3
