"""Folders of predictions as tools write them, read beside the truth."""

import numpy as np
import pytest
from rasterio.transform import Affine

from rareseg.errors import DataError, LayoutError
from rareseg.imagery.answers.folder import find_answers
from rareseg.imagery.answers.reading import compare, read_answer
from rareseg.imagery.rasters import Window
from rareseg.imagery.sets.datasets import discover
from rareseg.records.dataset import VOID

STEMS = ("a", "a_1", "b")
SHAPE = (40, 50)


@pytest.fixture
def data(save, tmp_path, random):
    """A data set of two classes, 0 and 255, and the truth."""
    for stem in STEMS:
        save(f"data/images/{stem}.png", random.integers(5, 200, (3, *SHAPE)).astype("uint8"))
        mask = (random.random((1, *SHAPE)) < 0.2).astype("uint8") * 255
        save(f"data/masks/{stem}.png", mask)
    return discover(tmp_path / "data")


@pytest.fixture
def data3(save, tmp_path, random):
    """The same of three classes, 0, 1 and 2, of which 255 is void."""
    for stem in STEMS:
        save(f"three/images/{stem}.png", random.integers(5, 200, (3, *SHAPE)).astype("uint8"))
        mask = random.choice([0, 1, 2], (1, *SHAPE)).astype("uint8")
        save(f"three/masks/{stem}.png", mask)
    lines = ["[[classes]]\nname='sky'\nvalues=[0]", "[[classes]]\nname='street lamp'\nvalues=[1]"]
    lines += ["[[classes]]\nname='road'\nvalues=[2]"]
    path = tmp_path / "three" / "data.toml"
    path.write_text("images='images'\nmasks='masks'\n" + "\n".join(lines))
    return discover(path)


def find(folder, data, **said):
    root, dataset = data
    return find_answers(folder, dataset.pairs, root=root, dataset=dataset, **said)


def read(found, data, index=0, window=None):
    return read_answer(found, found.answered[index], data[1], window)


def chance(random, channels=1):
    return random.random((channels, *SHAPE)).astype("float32")


def test_probabilities_of_float_tiff(save, data, random, tmp_path):
    written = {stem: chance(random) for stem in STEMS}
    for stem, values in written.items():
        values[:, :2] = np.nan
        save(f"p/{stem}_prob.tif", values, nodata=np.nan)
    found = find(tmp_path / "p", data)
    assert (found.form.kind, found.form.scale, found.form.channels) == ("probabilities", 1, (1,))
    assert "probabilities (float32" in found.form.because
    for index, one in enumerate(found.answered):
        stem = one.pair.image.removeprefix("images/").removesuffix(".png")
        np.testing.assert_array_equal(read(found, data, index).probabilities, written[stem])
    window = Window(3, 7, 20, 30)
    np.testing.assert_array_equal(
        read(found, data, 0, window).probabilities, read(found, data, 0).probabilities[:, 3:23, 7:37]
    )


def test_a_nodata_value_of_0_is_a_probability(save, data, random, tmp_path):
    values = chance(random)
    values[0, :5] = 0
    for stem in STEMS:
        save(f"p/{stem}.tif", values, nodata=0)
    np.testing.assert_array_equal(read(find(tmp_path / "p", data), data).probabilities, values)


@pytest.mark.parametrize(("dtype", "scale"), [("uint8", 255), ("uint16", 65535), ("uint16", 10000)])
def test_scaled_probabilities(save, data, random, tmp_path, dtype, scale):
    values = chance(random)
    for stem in STEMS:
        save(f"p/pred_{stem}.png", (values * scale).round().astype(dtype))
    found = find(tmp_path / "p", data)
    assert (found.form.kind, found.form.scale, found.form.step) == ("probabilities", scale, 1 / scale)
    np.testing.assert_allclose(read(found, data).probabilities, values, atol=0.51 / scale)


def test_percent_and_what_the_user_says(save, data, random, tmp_path):
    values = chance(random)
    values[0, 0, 0] = 1
    for stem in STEMS:
        save(f"p/{stem}.tif", values * 100)
        save(f"q/{stem}.tif", values * 40)
    assert find(tmp_path / "p", data).form.scale == 100
    assert find(tmp_path / "q", data).form.kind == "logits"
    said = find(tmp_path / "q", data, kind="probabilities", scale=40)
    np.testing.assert_allclose(read(said, data).probabilities, values, atol=1e-6)
    with pytest.raises(DataError, match="no probabilities of a scale of 20"):
        find(tmp_path / "q", data, scale=20.0)


def test_logits_go_through_sigmoid_or_softmax(save, data, data3, random, tmp_path):
    logits = (random.normal(size=(3, *SHAPE)) * 4).astype("float32")
    logits[0, 0, 0] = -80
    for stem in STEMS:
        save(f"one/{stem}.tif", logits[:1])
        save(f"three_logits/{stem}.tif", logits)
    one, three = find(tmp_path / "one", data), find(tmp_path / "three_logits", data3)
    assert (one.form.kind, three.form.kind) == ("logits", "logits")
    np.testing.assert_allclose(read(one, data).probabilities, 1 / (1 + np.exp(-logits[:1])), rtol=1e-5)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=0)
    np.testing.assert_allclose(read(three, data3).probabilities, softmax, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("stored", "ids"),
    [((0, 1), 2), ((0, 255), 2), ((0, 1, 255), 2), ((0, 1, 2), 3), ((0, 127, 254), 3), ((0, 128, 255), 3)],
)
def test_class_maps(save, data, data3, random, tmp_path, stored, ids):
    places = random.integers(0, len(stored), SHAPE)
    for stem in STEMS:
        save(f"c/{stem}_mask.png", np.array(stored, "uint8")[places][None])
    used = data if ids == 2 else data3
    found = find(tmp_path / "c", used)
    assert found.form.kind == "classes"
    answer = read(found, used)
    wanted = np.where(places >= ids, VOID, places)
    np.testing.assert_array_equal(answer.given, wanted)
    np.testing.assert_array_equal(answer.stored, np.array(stored)[places])


def test_an_all_black_folder_is_a_class_map(save, data, tmp_path):
    for stem in STEMS:
        save(f"c/{stem}.png", np.zeros((1, *SHAPE), "uint8"))
    found = find(tmp_path / "c", data)
    assert found.form.kind == "classes" and not read(found, data).given.any()
    assert find(tmp_path / "c", data, kind="probabilities").form.kind == "probabilities"


def test_coloured_and_palette_maps(save, data, random, tmp_path):
    places = random.integers(0, 2, SHAPE).astype("uint8")
    for stem in STEMS:
        save(f"p/{stem}.png", places[None], palette={0: (0, 0, 0), 1: (250, 0, 0)})
        save(f"g/{stem}.png", np.repeat(places[None] * 255, 3, axis=0))
        save(f"x/{stem}.png", random.integers(0, 255, (3, *SHAPE)).astype("uint8"))
    palette = read(find(tmp_path / "p", data), data)
    np.testing.assert_array_equal(palette.given, places)
    assert palette.stored is None  # a viewer shows colours
    np.testing.assert_array_equal(read(find(tmp_path / "g", data), data).given, places)
    with pytest.raises(DataError, match="3 channels do not fit 2 classes"):
        find(tmp_path / "x", data)


def test_colours_of_masks_are_known(save, random, tmp_path):
    colours = np.array([(0, 0, 0), (200, 10, 10), (10, 200, 10)], "uint8")
    places = random.integers(0, 3, SHAPE)
    for stem in STEMS:
        save(f"data/images/{stem}.png", random.integers(5, 200, (3, *SHAPE)).astype("uint8"))
        save(f"data/masks/{stem}.png", colours[places].transpose(2, 0, 1))
        save(f"c/{stem}.png", colours[places[::-1]].transpose(2, 0, 1))
    names = zip(("sky", "lamp", "road"), ("#000000", "#c80a0a", "#0ac80a"), strict=True)
    text = "\n".join(f"[[classes]]\nname='{name}'\nvalues=['{colour}']" for name, colour in names)
    (tmp_path / "data" / "d.toml").write_text(f"images='images'\nmasks='masks'\n{text}")
    data = discover(tmp_path / "data" / "d.toml")
    np.testing.assert_array_equal(read(find(tmp_path / "c", data), data).given, places[::-1])


@pytest.mark.parametrize("names", ["{}_prob_{}", "{}_probability_street-lamp {}", "numbers", "folders"])
def test_a_file_for_each_class(save, data3, random, tmp_path, names):
    values = chance(random, 3)
    values /= values.sum(axis=0)
    called = ("sky", "street-lamp", "road")
    for stem in STEMS:
        for label, name in enumerate(called):
            file = {"numbers": f"{stem}_class{label + 1}", "folders": f"{name}/{stem}"}.get(names)
            save(f"p/{file or f'{stem}_prob_{name}'}.tif", values[label : label + 1])
    found = find(tmp_path / "p", data3)
    assert [head.path.stem.split("_")[0] for head in found.answered[0].heads] == ["a"] * 3
    np.testing.assert_array_equal(read(found, data3).probabilities, values)


def test_the_class_that_is_not_written_is_what_is_left(save, data, data3, random, tmp_path):
    values = chance(random, 3)
    values /= values.sum(axis=0)
    for stem in STEMS:
        save(f"p/{stem}_sky.tif", values[:1])
        save(f"p/{stem}_road.tif", values[2:])
        save(f"q/{stem}_background.tif", values[:1])
    np.testing.assert_allclose(read(find(tmp_path / "p", data3), data3).probabilities, values, atol=1e-6)
    one = read(find(tmp_path / "q", data), data).probabilities
    np.testing.assert_allclose(one, 1 - values[:1])


def test_binary_maps_for_each_class(save, data3, random, tmp_path):
    places = random.integers(0, 3, SHAPE)
    for stem in STEMS:
        for label, name in ((1, "street_lamp"), (2, "road")):
            save(f"p/{stem}_{name}.png", (places == label)[None].astype("uint8") * 255)
    found = find(tmp_path / "p", data3)
    assert found.form.kind == "classes" and found.form.channels == (1, 2)
    np.testing.assert_array_equal(read(found, data3).given, places)


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2, 0)])
def test_arrays_with_channels_first_or_last(data3, random, tmp_path, axes):
    values = chance(random, 3).astype("float16")
    (tmp_path / "p").mkdir()
    for stem in STEMS:
        np.save(tmp_path / "p" / f"{stem}.npy", values.transpose(axes)[None])
    found = find(tmp_path / "p", data3)
    answer = read(found, data3, 0, Window(1, 2, 30, 40)).probabilities
    np.testing.assert_array_equal(answer, values[:, 1:31, 2:42].astype("float32"))


def test_arrays_that_could_run_code_are_refused(data, tmp_path):
    (tmp_path / "p").mkdir()
    for stem in STEMS:
        np.save(tmp_path / "p" / f"{stem}.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="is no NumPy array of numbers") as raised:
        find(tmp_path / "p", data)
    assert len(raised.value.problems) == 3


def test_probabilities_are_preferred_and_pictures_left_aside(save, data, random, tmp_path):
    for stem in STEMS:
        save(f"p/{stem}_classes.png", np.zeros((1, *SHAPE), "uint8"))
        save(f"p/{stem}_probability.png", (chance(random) * 255).astype("uint8"))
        save(f"p/{stem}_preview.png", np.zeros((3, *SHAPE), "uint8"))
    save("p/other.png", np.zeros((1, *SHAPE), "uint8"))
    found = find(tmp_path / "p", data)
    assert found.form.kind == "probabilities"
    assert found.notes == (
        "1 files are named after none of the labelled images.",
        "3 files are previews by their names; they are not read.",
        "Left aside: files such as a_1_classes.png.",
    )
    assert find(tmp_path / "p", data, kind="classes").form.kind == "classes"


def test_longer_names_win_and_missing_ones_are_said(save, data, random, tmp_path):
    save("p/a_1_pred.png", np.ones((1, *SHAPE), "uint8"))
    found = find(tmp_path / "p", data)
    assert [one.pair.image for one in found.answered] == ["images/a_1.png"]
    assert "2 of 3 labelled images have no prediction" in found.notes[-1]


def test_all_that_does_not_fit_is_said_at_once(save, data, random, tmp_path):
    save("p/a.png", np.zeros((1, 40, 49), "uint8"))
    save("p/a_1.png", np.zeros((1, *SHAPE), "uint8"))
    (tmp_path / "p" / "b.png").write_bytes(b"no image")
    with pytest.raises(DataError) as raised:
        find(tmp_path / "p", data)
    reasons = [problem.reason for problem in raised.value.problems]
    assert reasons[0] == "is 40 x 49 px (height x width), but its image images/a.png is 40 x 50"
    assert "is no PNG, JPEG or TIFF" in reasons[1] and len(reasons) == 2


def test_maps_of_another_place_are_refused(save, tmp_path, random):
    for stem in STEMS:
        place = {"crs": "EPSG:32633", "transform": Affine(1, 0, 1000, 0, -1, 2000)}
        save(f"data/images/{stem}.tif", random.integers(5, 200, (3, *SHAPE)).astype("uint8"), **place)
        save(f"data/masks/{stem}.tif", (random.random((1, *SHAPE)) < 0.2).astype("uint8") * 255, **place)
        east = 1000 if stem == "a" else 1003
        place["transform"] = Affine(1, 0, east, 0, -1, 2000)
        save(f"p/{stem}.tif", chance(random), **place)
    with pytest.raises(DataError, match="2 predictions do not fit") as raised:
        find(tmp_path / "p", discover(tmp_path / "data"))
    assert "lies elsewhere than its image images/a_1.tif: transform shifted by up to 3 px" in str(
        raised.value
    )


def test_values_that_cannot_be_read_are_refused(save, data, data3, random, tmp_path):
    for stem in STEMS:
        save(f"c/{stem}.png", random.choice([0, 1, 7], (1, *SHAPE)).astype("uint8"))
        save(f"two/{stem}_x.png", np.zeros((1, *SHAPE), "uint8"))
        save(f"two/{stem}_y.png", np.zeros((1, *SHAPE), "uint8"))
    with pytest.raises(DataError, match=r"1 channels do not fit 3 classes.*values 0, 1, 7"):
        find(tmp_path / "c", data3)
    with pytest.raises(LayoutError, match="2 predictions for each image"):
        find(tmp_path / "two", data)
    with pytest.raises(LayoutError, match="no file is named after one of the 3 labelled images"):
        save("strange/c.png", np.zeros((1, *SHAPE), "uint8"))
        find(tmp_path / "strange", data)
    with pytest.raises(LayoutError, match="does not exist"):
        find(tmp_path / "nowhere", data)


def test_a_value_that_only_one_file_holds_is_named_when_it_is_read(save, data, tmp_path, monkeypatch):
    monkeypatch.setattr("rareseg.imagery.answers.folder._SAMPLE_PX", 1)
    for stem in STEMS:
        save(f"c/{stem}.png", np.full((1, *SHAPE), 9 if stem == "b" else 0, "uint8"))
    found = find(tmp_path / "c", data)
    with pytest.raises(DataError, match=r"b\.png: holds 9"):
        read(found, data, 2)


def test_answers_come_with_the_truth_block_by_block(save, data, random, tmp_path, monkeypatch):
    monkeypatch.setattr("rareseg.imagery.answers.reading.BLOCK_VALUES", 30 * 30)
    monkeypatch.setattr("rareseg.imagery.answers.reading._LEAST_SIDE", 8)
    values = {stem: chance(random) for stem in STEMS}
    for stem in STEMS:
        save(f"p/{stem}.tif", values[stem])
    blocks = list(compare(find(tmp_path / "p", data), *data))
    assert len(blocks) == 3 * 4
    assert sum(block.first for block in blocks) == 3
    for block in blocks:
        row, col, height, width = block.window
        stem = block.pair.image.removeprefix("images/").removesuffix(".png")
        part = values[stem][:, row : row + height, col : col + width]
        np.testing.assert_array_equal(block.answer.probabilities, part)
        assert block.labels.shape == (height, width)
    assert sum((block.labels == 1).sum() for block in blocks) > 0


def test_predictions_of_images_that_are_not_asked_about_are_no_strangers(save, data, random, tmp_path):
    root, dataset = data
    for stem in STEMS:
        save(f"p/{stem}.png", (chance(random) * 255).astype("uint8"))
    found = find_answers(tmp_path / "p", dataset.pairs[:1], root=root, dataset=dataset)
    assert [one.pair for one in found.answered] == [dataset.pairs[0]]
    assert not any("named after none" in note for note in found.notes)
