"""Predictions of other tools: read as said, scored where they answer, on any number of images, without a framework."""

import subprocess
import sys

import numpy as np
import pytest
from rasterio.crs import CRS

from rareseg.errors import DataError, SettingError
from rareseg.imagery.answers.written import Written
from rareseg.imagery.rasters import Georeference, read
from rareseg.stages.evaluate import Asked, evaluate_predictions

QUICK = Asked(shapes=False)


@pytest.fixture
def lines(tmp_path, write_raster, rng):
    """Return a function that writes photos with a line each, masks, and probabilities of the line."""

    def write(count=4, *, places=()):
        for number in range(count):
            mask = np.zeros((64, 80), np.uint8)
            mask[20 + 3 * number : 25 + 3 * number] = 255
            photo = rng.normal(90, 12, (3, 64, 80)).clip(0, 255).astype(np.uint8)
            place = places[number] if number < len(places) else None
            write_raster(tmp_path / "data/images" / f"p{number}.tif", photo, georeference=place)
            write_raster(tmp_path / "data/masks" / f"p{number}.png", mask[None])
            chance = (0.7 * (mask > 0) + 0.3 * rng.random(mask.shape)).astype(np.float32)
            write_raster(tmp_path / "maps" / f"p{number}.tif", chance[None])
        return tmp_path / "maps", tmp_path / "data"

    return write


def change(folder, number, edit):
    """Write the prediction number `number` anew, as .npy, which can hold NaN."""
    chance = read(folder / f"p{number}.tif")[0][0]
    (folder / f"p{number}.tif").unlink()
    np.save(folder / f"p{number}.npy", edit(chance))


def test_no_framework_is_loaded(lines):
    maps, data = lines()
    code = (
        f"import sys, rareseg; rareseg.evaluate(data={str(data)!r}, predictions={str(maps)!r}, shapes=False)\n"
        "print(*{'torch', 'lightning_fabric', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("part", [None, "all"])
def test_a_single_image_can_be_scored(lines, part):
    report, _ = evaluate_predictions(*lines(1), Asked(shapes=False, part=part))
    assert (report.images, report.scenes, report.part) == (1, 1, "all")
    assert report.classes["foreground"].iou == 1.0
    assert report.classes["foreground"].intervals == {}


def test_scenes_that_a_toml_names_are_those_of_the_intervals(lines):
    maps, data = lines(4)
    toml = data / "data.toml"
    toml.write_text('images = "images"\nmasks = "masks"\ngroup = "."\n')
    assert evaluate_predictions(maps, data, QUICK).report.scenes == 4
    assert evaluate_predictions(maps, toml, QUICK).report.scenes == 1


def test_how_predictions_were_read_is_said(lines):
    maps, data = lines()
    (told, *_) = evaluate_predictions(maps, data, QUICK).report.notes
    assert told.startswith("Read as probabilities (float32, ")
    classes, _ = evaluate_predictions(data / "masks", data, Asked(shapes=False, against=maps))
    assert classes.notes[0].startswith("Read as class maps")
    assert classes.against.notes[0].startswith("Read as probabilities")


def test_pixels_without_an_answer_are_said_and_count_nowhere(lines):
    maps, data = lines(3)

    def half(chance):
        chance[:, :40] = np.nan
        return chance

    change(maps, 1, half)
    report, _ = evaluate_predictions(maps, data, QUICK)
    lost = 64 * 40
    assert (report.uncounted_pixels, report.counted_pixels) == (lost, 3 * 64 * 80 - lost)
    told = f"The map has no answer (NaN, no-data or 255) for {lost:,} labelled pixels, 16.67% of them."
    assert any(note.startswith(told) for note in report.notes)
    beside, _ = evaluate_predictions(data / "masks", data, Asked(shapes=False, against=maps))
    assert any(note.startswith(told) for note in beside.against.notes)
    assert not any("no answer" in note for note in beside.notes)


def test_predictions_that_answer_nowhere_are_refused(lines):
    maps, data = lines(2)
    for number in range(2):
        change(maps, number, lambda chance: chance * np.nan)
    with pytest.raises(
        DataError, match=r"maps: not one of 10,240 labelled pixels has an answer: all are NaN"
    ):
        evaluate_predictions(maps, data, QUICK)


def test_another_map_that_answers_nowhere_is_said_to(lines):
    maps, data = lines(3)
    for number in range(3):
        change(maps, number, lambda chance: chance * np.nan)
    report, _ = evaluate_predictions(data / "masks", data, Asked(shapes=False, against=maps))
    assert all(one.other is None and one.interval is None for one in report.differences)
    assert any("15,360 labelled pixels, 100.00% of them" in note for note in report.against.notes)
    assert not any("0 scenes" in note for note in report.against.notes)


def test_only_the_second_of_two_classes_has_a_threshold(lines):
    maps, data = lines()
    with pytest.raises(
        SettingError, match="where foreground is not given, background is; received background"
    ):
        evaluate_predictions(maps, data, QUICK, thresholds={"background": 0.9})
    report, _ = evaluate_predictions(maps, data, QUICK, thresholds={"foreground": 0.0})
    assert report.classes["foreground"].recall == 1.0
    assert report.classes["background"].recall == 0.0
    report, _ = evaluate_predictions(maps, data, QUICK, thresholds={"foreground": 1.0})
    assert report.classes["foreground"].recall == 0.0


METRES = Georeference(CRS.from_epsg(32632).to_wkt(), (0.5, 0.0, 500_000.0, 0.0, -0.5, 5_000_000.0))


def test_metres_and_pixels_are_not_added_up(lines):
    report, _ = evaluate_predictions(*lines(4, places=[METRES, METRES, METRES]), Asked())
    found = report.classes["foreground"].lines
    assert found.unit == "1,000 px"
    assert found.true_length == pytest.approx(4 * 79 / 1000, rel=0.05)
    assert any(note.startswith("1 of 4 images do not say how large a pixel is") for note in report.notes)


def test_lengths_are_metres_where_all_images_say_so(lines):
    report, _ = evaluate_predictions(*lines(4, places=[METRES] * 4), Asked())
    found = report.classes["foreground"].lines
    assert found.unit == "km"
    assert found.true_length == pytest.approx(4 * 79 * 0.5 / 1000, rel=0.05)
    assert not any("how large a pixel is" in note for note in report.notes)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (Written(scale=0.0), "scale: expected the stored value of probability 1, such as 255; received 0"),
        (Written(scale=float("nan")), "scale: expected .* received nan"),
        (Written(scale=-3.0), "scale: expected .* received -3"),
        (Written(kind="maps"), "kind: expected classes, probabilities, logits or None; received 'maps'"),
    ],
)
def test_what_is_said_of_predictions_must_make_sense(lines, written, told):
    with pytest.raises(SettingError, match=told):
        evaluate_predictions(*lines(2), Asked(shapes=False, written=written))


def test_class_ids_that_count_from_one_are_not_taken_for_faint_probabilities(lines, write_raster):
    maps, data = lines(2)
    for number in range(2):
        given = (read(data / "masks" / f"p{number}.png")[0] > 0).astype(np.uint8) + 1
        write_raster(maps / f"p{number}.tif", given, overwrite=True)
    with pytest.raises(DataError, match=r"class ids that count from 1, .* say what they are: --kind"):
        evaluate_predictions(maps, data, QUICK)
    report, _ = evaluate_predictions(maps, data, QUICK._replace(written=Written(scale=255.0)))
    assert report.classes["foreground"].iou == 0.0


def test_a_file_for_each_of_three_overlapping_classes_is_no_photo(tmp_path, write_raster, rng):
    for number in range(3):
        planes = (rng.random((3, 40, 40)) < 0.3).astype(np.uint8)
        write_raster(tmp_path / "data/images" / f"p{number}.png", rng.integers(0, 200, (3, 40, 40), np.uint8))
        write_raster(tmp_path / "data/masks" / f"p{number}.tif", planes * 255)
        for name, plane in zip("xyz", planes, strict=True):
            faint = (plane * 200 + rng.integers(0, 40, plane.shape)).astype(np.uint8)
            write_raster(tmp_path / "maps" / f"p{number}_{name}.png", faint[None])
    classes = "".join(
        f'[[classes]]\nname = "{name}"\nvalues = [{band}]\n' for band, name in enumerate("xyz", start=1)
    )
    toml = tmp_path / "data/data.toml"
    toml.write_text(f'images = "images"\nmasks = "masks"\noverlapping = true\n{classes}')
    report, _ = evaluate_predictions(tmp_path / "maps", toml, QUICK)
    assert [scores.iou for scores in report.classes.values()] == [1.0, 1.0, 1.0]
