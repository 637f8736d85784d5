"""Scoring: known answers give known scores, and the report says what it scored."""

import shutil

import cv2
import numpy as np
import pytest
import torch
from msgspec.structs import replace
from torch import nn

from rareseg import scenes, verbs
from rareseg.errors import DataError, SettingError
from rareseg.imagery.rasters import read, read_values
from rareseg.network import forward
from rareseg.network.forward import Mapper
from rareseg.network.trained import TrainedRun, load_run
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.run import PhotoStatistics
from rareseg.stages.evaluate import evaluate_run


class FromBand(nn.Module):
    """Answers from the photo's own first band: `certainty` where it holds the class's number, else less."""

    def __init__(self, classes, certainty):
        super().__init__()
        self.certainty, self.classes = nn.Parameter(torch.tensor(certainty)), classes

    def forward(self, images):
        hits = [images[:, 0].round() == label for label in range(self.classes)]
        return torch.stack([self.certainty * hit.float() for hit in hits], dim=1)


@pytest.fixture
def answering(monkeypatch):
    """Return a function that makes every run answer by some network, on raw photo values."""

    def use(model):
        def mapper(run):
            bands = len(run.run.photo.mean)
            return Mapper(
                model, PhotoStatistics(mean=(0.0,) * bands, std=(1.0,) * bands),
                inference=run.plan.inference, precision=run.plan.precision,
                overlapping=run.plan.overlapping, classes=len(run.plan.classes),
            )  # fmt: skip

        monkeypatch.setattr(TrainedRun, "mapper", mapper)

    return use


@pytest.fixture
def told(tmp_path, write_set, rng):
    """Return a folder of photos whose first band is the label, for runs on `land`."""
    masks = [rng.choice([0, 0, 0, 1, 2], (70, 90)).astype(np.uint8) for _ in range(3)]
    photos = [np.stack([mask, mask * 0 + 7, mask * 0 + 9]).astype(np.uint8) for mask in masks]
    return write_set(tmp_path / "told", photos, masks, ending=".png")


def test_perfect_answers_score_one(land_run, told, answering):
    answering(FromBand(3, 9.0))
    report = evaluate_run(land_run, told)
    assert (report.part, report.images, report.decision) == ("all", 3, "argmax")
    for scores in report.classes.values():
        values = (scores.iou, scores.f1, scores.precision, scores.recall, scores.relaxed_f1)
        assert values == (1.0,) * 5
        assert scores.average_precision == pytest.approx(1.0)
    assert report.micro.accuracy == 1.0
    assert report.macro.iou == 1.0 and report.macro.classes == 3
    assert report.constant_predictor.accuracy < 0.7


def test_constant_answers_score_what_the_constant_predictor_scores(land_run, told, answering):
    class Constant(FromBand):
        def forward(self, images):
            zeros = torch.zeros_like(images[:, 0])
            return torch.stack([zeros + 3 * self.certainty, zeros, zeros], dim=1)

    answering(Constant(3, 1.0))
    report = evaluate_run(land_run, told)
    first, *rest = report.classes.values()
    share = first.pixels / report.counted_pixels
    assert report.micro.accuracy == report.constant_predictor.accuracy == pytest.approx(share)
    assert report.macro.iou == pytest.approx(report.constant_predictor.macro_iou)
    assert (first.iou, first.recall) == (pytest.approx(share), 1.0)
    for scores in rest:
        assert (scores.iou, scores.f1, scores.precision, scores.recall) == (0, 0, 0, 0)
        # Ranking everything equal is as good as chance.
        assert scores.average_precision == pytest.approx(scores.pixels / report.counted_pixels)


def test_wrong_everywhere_scores_zero(land_run, told, answering):
    answering(FromBand(3, -9.0))
    report = evaluate_run(land_run, told)
    assert report.micro.accuracy == 0
    assert report.macro.iou == 0


def exact_average_precision(scores, holds):
    order = np.argsort(-scores, kind="stable")
    scores, holds = scores[order], holds[order]
    last = np.append(scores[1:] != scores[:-1], True)  # equal scores are one step of the curve
    hits, given = np.cumsum(holds)[last], np.flatnonzero(last) + 1
    return float(np.sum(np.diff(hits, prepend=0) / holds.sum() * hits / given))


def test_scores_equal_whole_array_arithmetic_on_the_same_maps(roads_run, roads, monkeypatch):
    monkeypatch.setattr(forward, "BLOCK", 40)
    report = evaluate_run(roads_run, roads)
    assert report.part == "test"
    trained = load_run(roads_run)
    pairs = [pair for pair in trained.audit.dataset.pairs if pair.part == "test"]
    assert report.images == len(pairs)
    probabilities, labels = [], []
    for pair in pairs:
        photo, valid = read(roads / pair.image)
        probabilities.append(trained.mapper().map_image(photo, valid)[1].ravel())
        labels.append((read_values(roads / pair.mask)[0] == 255).ravel())
    score, road = np.concatenate(probabilities).astype(np.float64), np.concatenate(labels)
    given = score.astype(np.float32) >= trained.run.thresholds[1]
    for name, held, chosen, ranking in (
        ("foreground", road, given, score),
        ("background", ~road, ~given, 1 - score),
    ):
        hits = (held & chosen).sum()
        found = report.classes[name]
        assert found.pixels == held.sum()
        assert found.iou == pytest.approx(hits / (held | chosen).sum())
        assert found.precision == pytest.approx(hits / chosen.sum())
        assert found.recall == pytest.approx(hits / held.sum())
        assert found.f1 == pytest.approx(2 * hits / (held.sum() + chosen.sum()))
        assert found.average_precision == pytest.approx(exact_average_precision(ranking, held), abs=1e-3)
    assert report.micro.accuracy == pytest.approx((given == road).mean())
    assert report.counted_pixels == road.size and report.uncounted_pixels == 0
    ious = [scores.iou for scores in report.classes.values()]
    assert report.macro.iou == pytest.approx(np.mean(ious))
    shares = np.array([(~road).mean(), road.mean()])
    assert report.constant_predictor.entropy == pytest.approx(-(shares * np.log(shares)).sum())


def test_an_absent_class_is_not_measurable(land_run, tmp_path, write_set, rng):
    masks = [rng.choice([0, 1], (64, 64)).astype(np.uint8) for _ in range(2)]
    photos = [rng.integers(0, 255, (3, 64, 64)).astype(np.uint8) for _ in masks]
    names = codec.read(land_run / "audit.json", Audit).dataset.classes
    report = evaluate_run(land_run, write_set(tmp_path / "two", photos, masks, ending=".png"))
    scores = report.classes[names[2]]
    assert scores.pixels == 0
    values = (
        scores.iou,
        scores.f1,
        scores.precision,
        scores.recall,
        scores.average_precision,
        scores.relaxed_f1,
    )
    assert values == (None,) * 6
    assert report.macro.classes == 2
    assert f"Not measurable, as no counted pixel holds them: {names[2]}." in report.notes


def test_void_and_no_data_are_left_out(land_run, told, answering):
    mask = read_values(told / "masks" / "place0.png").copy()
    answering(FromBand(3, 9.0))
    whole = evaluate_run(land_run, told)
    photo, _ = read(told / "images" / "place0.png")
    alpha = np.full((70, 90), 255, np.uint8)
    alpha[:20] = 0
    cv2.imwrite(str(told / "images" / "place0.png"), np.dstack([*photo[::-1], alpha]))
    report = evaluate_run(land_run, told)
    assert report.uncounted_pixels == 20 * 90
    assert report.counted_pixels == whole.counted_pixels - 20 * 90
    lost = (mask[0, :20] == 1).sum()
    name = list(report.classes)[1]
    assert report.classes[name].pixels == whole.classes[name].pixels - lost
    assert report.micro.accuracy == 1.0


def test_parts_of_the_training_data(roads_run, roads):
    counts = {name: evaluate_run(roads_run, roads, part=name) for name in ("train", "val", "test", "all")}
    assert counts["all"].images == 12 == sum(counts[name].images for name in ("train", "val", "test"))
    assert counts["test"].notes == ()
    assert evaluate_run(roads_run, roads) == counts["test"]
    for name in ("train", "all"):
        assert (
            "The network was trained on some of these images: the scores say little about new ones."
            in counts[name].notes
        )
    assert "chosen on the part val, which is scored here" in counts["val"].notes[0]
    with pytest.raises(SettingError, match="no part 'holdout' to score; the data has: train, val, test, all"):
        evaluate_run(roads_run, roads, part="holdout")


def test_without_a_test_part_val_is_scored_and_said_to_be(striped, tiny, tmp_path):
    data = striped(tmp_path / "data")
    toml = tmp_path / "data" / "data.toml"
    toml.write_text('images = "images"\nmasks = "masks"\nsplit = [0.7, 0.3, 0.0]\n')
    verbs.train(toml, output=tmp_path / "run", steps=5, settings=tiny)
    report = evaluate_run(tmp_path / "run", toml)
    assert report.part == "val"
    assert "chosen on the part val, which is scored here: the scores are a little too good" in report.notes[0]
    assert evaluate_run(tmp_path / "run", data / "data.toml", part="val") == report


def test_another_folder_is_scored_whole(roads_run, tmp_path):
    other = scenes.write_roads(tmp_path / "other", count=3, size=64, road_share=0.15, seed=8)
    report = evaluate_run(roads_run, other)
    assert (report.part, report.images, report.data) == ("all", 3, "other")


def test_a_folder_with_the_same_names_and_other_scenes_is_another_folder(roads_run, tmp_path):
    other = scenes.write_roads(tmp_path / "other", count=12, size=96, road_share=0.08, seed=4)
    report = evaluate_run(roads_run, other)
    assert (report.part, report.images) == ("all", 12)
    assert "scenes bear the names of scenes that the run was trained on" in report.notes[0]


def test_a_moved_copy_of_the_training_data_is_the_training_data(roads_run, roads, tmp_path):
    shutil.copytree(roads, tmp_path / "copy")
    report = evaluate_run(roads_run, tmp_path / "copy")
    assert report.part == "test"
    assert replace(report, data="roads") == evaluate_run(roads_run, roads)


def test_images_known_from_training_are_named_whatever_their_folder(roads_run, roads, tmp_path):
    audit = codec.read(roads_run / "audit.json", Audit)
    name = next(pair.image for pair in audit.dataset.pairs if pair.part == "train").removeprefix("images/")
    for folder in ("images", "masks"):
        (tmp_path / "leak" / folder).mkdir(parents=True)
        shutil.copy(roads / folder / name, tmp_path / "leak" / folder / name)
    report = evaluate_run(roads_run, tmp_path / "leak")
    assert report.images == 1
    assert report.part == "train"
    assert "The network was trained on some of these images" in report.notes[0]


def test_new_images_are_scored_without_those_of_the_training(roads_run, roads, tmp_path):
    shutil.copytree(roads, tmp_path / "grown")
    other = scenes.write_roads(tmp_path / "other", count=2, size=96, road_share=0.08, seed=9)
    for folder in ("images", "masks"):
        for path in (other / folder).iterdir():
            shutil.copy(path, tmp_path / "grown" / folder / f"new_{path.name}")
    parts = [pair.part for pair in codec.read(roads_run / "audit.json", Audit).dataset.pairs]
    report = evaluate_run(roads_run, tmp_path / "grown")
    assert (report.part, report.images) == ("all", 2 + parts.count("test"))
    assert f"{parts.count('train') + parts.count('val')} images were left out" in report.notes[0]


def test_a_toml_and_a_folder_with_less_are_still_the_training_data(roads_run, roads, tmp_path):
    toml = tmp_path / "roads.toml"
    toml.write_text(f'images = "{roads / "images"}"\nmasks = "{roads / "masks"}"\n')
    assert evaluate_run(roads_run, toml).part == "test"
    shutil.copytree(roads, tmp_path / "less")
    audit = codec.read(roads_run / "audit.json", Audit)
    gone = next(pair for pair in audit.dataset.pairs if pair.part == "train")
    (tmp_path / "less" / gone.image).unlink()
    (tmp_path / "less" / gone.mask).unlink()
    assert evaluate_run(roads_run, tmp_path / "less").part == "test"


def test_masks_stored_with_other_values_are_read_as_what_they_are(roads_run, tmp_path):
    other = scenes.write_roads(tmp_path / "other", count=3, size=96, road_share=0.08, seed=9)
    expected = evaluate_run(roads_run, other)
    indices = scenes.write_roads(
        tmp_path / "indices", count=3, size=96, road_share=0.08, seed=9, masks="indices"
    )
    assert replace(evaluate_run(roads_run, indices), data="other") == expected
    noisy = scenes.write_roads(tmp_path / "noisy", count=3, size=96, road_share=0.08, seed=9, masks="noisy")
    assert replace(evaluate_run(roads_run, noisy), data="other") == expected


@pytest.mark.parametrize("count", [1, 3])
def test_background_alone_can_be_scored(roads_run, tmp_path, write_set, rng, count):
    photos = [rng.integers(0, 255, (3, 64, 64)).astype(np.uint8) for _ in range(count)]
    masks = [np.zeros((64, 64), np.uint8)] * count
    report = evaluate_run(roads_run, write_set(tmp_path / "empty", photos, masks, ending=".png"))
    assert (report.part, report.images) == ("all", count)
    assert report.classes["foreground"].pixels == 0
    assert report.classes["foreground"].iou is None
    assert report.classes["background"].iou == report.micro.accuracy


@pytest.mark.parametrize(("bands", "dtype"), [(1, "uint8"), (3, "uint16")])
def test_photos_that_do_not_fit_are_refused(roads_run, striped, tmp_path, bands, dtype):
    data = striped(tmp_path / "data", bands=bands, dtype=dtype)
    message = f"does not fit the run: it has {bands} bands of {dtype} .* was trained on 3 bands of uint8"
    with pytest.raises(DataError, match=message):
        evaluate_run(roads_run, data)


def test_other_classes_are_refused(roads_run, land):
    with pytest.raises(
        DataError, match=r"does not fit the run: .* and classes .*Describe the masks in a TOML, so that"
    ):
        evaluate_run(roads_run, land)


def test_other_names_of_the_same_classes_are_refused_with_the_names_to_give(roads_run, roads, tmp_path):
    toml = tmp_path / "named.toml"
    toml.write_text(
        f'images = "{roads / "images"}"\nmasks = "{roads / "masks"}"\n'
        '[[classes]]\nname = "ground"\nvalues = [0]\n[[classes]]\nname = "road"\nvalues = [255]\n'
    )
    with pytest.raises(DataError, match=r"background, foreground\. Only the names differ: give the classes"):
        evaluate_run(roads_run, toml)


def test_a_folder_that_holds_nothing_to_score_says_so(roads_run, tmp_path, write_set):
    black = [np.zeros((3, 128, 128), np.uint8)] * 2
    mask = np.zeros((128, 128), np.uint8)
    mask[:20] = 255
    data = write_set(tmp_path / "black", black, [mask] * 2, ending=".png")
    with pytest.raises(DataError, match="holds no counted pixel|no photo|without photo"):
        evaluate_run(roads_run, data)


def test_the_report_is_written_where_asked(roads_run, roads, tmp_path):
    report = verbs.evaluate(roads_run, roads, output=tmp_path / "report.json")
    assert codec.read(tmp_path / "report.json", type(report)) == report
