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
from rareseg.stages.evaluate import Asked, evaluate_predictions, evaluate_run


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
    report = evaluate_run(land_run, told).report
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
    report = evaluate_run(land_run, told).report
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
    report = evaluate_run(land_run, told).report
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
    report = evaluate_run(roads_run, roads).report
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
    report = evaluate_run(land_run, write_set(tmp_path / "two", photos, masks, ending=".png")).report
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
    whole = evaluate_run(land_run, told).report
    photo, _ = read(told / "images" / "place0.png")
    alpha = np.full((70, 90), 255, np.uint8)
    alpha[:20] = 0
    cv2.imwrite(str(told / "images" / "place0.png"), np.dstack([*photo[::-1], alpha]))
    report = evaluate_run(land_run, told).report
    assert report.uncounted_pixels == 20 * 90
    assert report.counted_pixels == whole.counted_pixels - 20 * 90
    lost = (mask[0, :20] == 1).sum()
    name = list(report.classes)[1]
    assert report.classes[name].pixels == whole.classes[name].pixels - lost
    assert report.micro.accuracy == 1.0


def test_parts_of_the_training_data(roads_run, roads):
    counts = {
        name: evaluate_run(roads_run, roads, Asked(part=name)).report
        for name in ("train", "val", "test", "all")
    }
    assert counts["all"].images == 12 == sum(counts[name].images for name in ("train", "val", "test"))
    (few,) = counts["test"].notes
    assert few.startswith("2 scenes: no interval can be told from fewer than 3")
    assert evaluate_run(roads_run, roads).report == counts["test"]
    for name in ("train", "all"):
        assert (
            "The network was trained on some of these images: the scores say little about new ones."
            in counts[name].notes
        )
    assert "chosen on the part val, which is scored here" in counts["val"].notes[0]
    with pytest.raises(SettingError, match="no part 'holdout' to score; the data has: train, val, test, all"):
        evaluate_run(roads_run, roads, Asked(part="holdout"))


def test_without_a_test_part_val_is_scored_and_said_to_be(striped, tiny, tmp_path):
    data = striped(tmp_path / "data")
    toml = tmp_path / "data" / "data.toml"
    toml.write_text('images = "images"\nmasks = "masks"\nsplit = [0.7, 0.3, 0.0]\n')
    verbs.train(toml, output=tmp_path / "run", steps=5, settings=tiny)
    report = evaluate_run(tmp_path / "run", toml).report
    assert report.part == "val"
    assert "chosen on the part val, which is scored here: the scores are a little too good" in report.notes[0]
    assert evaluate_run(tmp_path / "run", data / "data.toml", Asked(part="val")).report == report


def test_another_folder_is_scored_whole(roads_run, tmp_path):
    other = scenes.write_roads(tmp_path / "other", count=3, size=64, road_share=0.15, seed=8)
    report = evaluate_run(roads_run, other).report
    assert (report.part, report.images, report.data) == ("all", 3, "other")


def test_a_folder_with_the_same_names_and_other_scenes_is_another_folder(roads_run, tmp_path):
    other = scenes.write_roads(tmp_path / "other", count=12, size=96, road_share=0.08, seed=4)
    report = evaluate_run(roads_run, other).report
    assert (report.part, report.images) == ("all", 12)
    assert "scenes bear the names of scenes that the run was trained on" in report.notes[0]


def test_a_moved_copy_of_the_training_data_is_the_training_data(roads_run, roads, tmp_path):
    shutil.copytree(roads, tmp_path / "copy")
    report = evaluate_run(roads_run, tmp_path / "copy").report
    assert report.part == "test"
    assert replace(report, data="roads") == evaluate_run(roads_run, roads).report


def test_images_known_from_training_are_named_whatever_their_folder(roads_run, roads, tmp_path):
    audit = codec.read(roads_run / "audit.json", Audit)
    name = next(pair.image for pair in audit.dataset.pairs if pair.part == "train").removeprefix("images/")
    for folder in ("images", "masks"):
        (tmp_path / "leak" / folder).mkdir(parents=True)
        shutil.copy(roads / folder / name, tmp_path / "leak" / folder / name)
    report = evaluate_run(roads_run, tmp_path / "leak").report
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
    report = evaluate_run(roads_run, tmp_path / "grown").report
    assert (report.part, report.images) == ("all", 2 + parts.count("test"))
    assert f"{parts.count('train') + parts.count('val')} images were left out" in report.notes[0]


def test_a_toml_and_a_folder_with_less_are_still_the_training_data(roads_run, roads, tmp_path):
    toml = tmp_path / "roads.toml"
    toml.write_text(f'images = "{roads / "images"}"\nmasks = "{roads / "masks"}"\n')
    assert evaluate_run(roads_run, toml).report.part == "test"
    shutil.copytree(roads, tmp_path / "less")
    audit = codec.read(roads_run / "audit.json", Audit)
    gone = next(pair for pair in audit.dataset.pairs if pair.part == "train")
    (tmp_path / "less" / gone.image).unlink()
    (tmp_path / "less" / gone.mask).unlink()
    assert evaluate_run(roads_run, tmp_path / "less").report.part == "test"


def test_masks_stored_with_other_values_are_read_as_what_they_are(roads_run, tmp_path):
    other = scenes.write_roads(tmp_path / "other", count=3, size=96, road_share=0.08, seed=9)
    expected = evaluate_run(roads_run, other).report
    indices = scenes.write_roads(
        tmp_path / "indices", count=3, size=96, road_share=0.08, seed=9, masks="indices"
    )
    assert replace(evaluate_run(roads_run, indices).report, data="other") == expected
    noisy = scenes.write_roads(tmp_path / "noisy", count=3, size=96, road_share=0.08, seed=9, masks="noisy")
    assert replace(evaluate_run(roads_run, noisy).report, data="other") == expected


@pytest.mark.parametrize("count", [1, 3])
def test_background_alone_can_be_scored(roads_run, tmp_path, write_set, rng, count):
    photos = [rng.integers(0, 255, (3, 64, 64)).astype(np.uint8) for _ in range(count)]
    masks = [np.zeros((64, 64), np.uint8)] * count
    report = evaluate_run(roads_run, write_set(tmp_path / "empty", photos, masks, ending=".png")).report
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


def saved_answers(run, data, folder, *, images=None, shift=0.0):
    """Write the run's own probabilities of class 1 as .npy, as another tool would."""
    trained = load_run(run)
    folder.mkdir()
    for pair in trained.audit.dataset.pairs:
        if images is None or pair.image in images:
            photo, valid = read(data / pair.image)
            chance = trained.mapper().map_image(photo, valid)[1]
            odds = np.log(chance / (1 - chance)) + shift
            np.save(
                folder / (pair.image.split("/")[-1].removesuffix(".png") + ".npy"), 1 / (1 + np.exp(-odds))
            )
    return folder


def test_predictions_of_a_run_score_what_the_run_scores(roads_run, roads, tmp_path):
    run = load_run(roads_run).run
    folder = saved_answers(roads_run, roads, tmp_path / "answers")
    report, _ = evaluate_predictions(
        folder, roads, Asked(part="test"), thresholds={"foreground": run.thresholds[1]}
    )
    own, _ = evaluate_run(roads_run, roads)
    assert (report.source, report.run_digest, report.part) == ("probabilities", "", "test")
    assert report.thresholds_from == "what you said"
    for name, scores in report.classes.items():
        theirs = own.classes[name]
        assert scores.iou == pytest.approx(theirs.iou, abs=1e-3)
        assert scores.average_precision == pytest.approx(theirs.average_precision, abs=1e-4)
        assert scores.boundary_iou == pytest.approx(theirs.boundary_iou, abs=1e-3)
    half, _ = evaluate_predictions(folder, roads, Asked(part="test"))
    assert half.thresholds_from == "0.5, as no others are known"
    assert half.classes["foreground"].average_precision == report.classes["foreground"].average_precision


def test_thresholds_of_classes_that_there_are_not_are_refused(roads_run, roads, tmp_path):
    folder = saved_answers(roads_run, roads, tmp_path / "answers")
    for wrong in ({"road": 0.4}, {"foreground": 1.4}):
        with pytest.raises(
            SettingError, match=r"thresholds: expected a probability, 0 to 1.*background, foreground"
        ):
            evaluate_predictions(folder, roads, thresholds=wrong)


def test_another_map_is_scored_on_the_same_images_and_compared(roads_run, roads, tmp_path):
    folder = saved_answers(roads_run, roads, tmp_path / "shifted", shift=-3.0)
    report, _ = evaluate_run(roads_run, roads, Asked(part="all", against=folder, shapes=False))
    beside = report.against
    assert (beside.name, beside.images, beside.decision) == ("shifted", 12, "threshold")
    found = {(one.name, one.score): one for one in report.differences}
    other, _ = evaluate_predictions(folder, roads, Asked(shapes=False))
    iou = found["foreground", "iou"]
    assert iou.this == report.classes["foreground"].iou
    assert iou.other == other.classes["foreground"].iou
    assert iou.difference == iou.this - iou.other
    assert iou.interval.low <= iou.difference <= iou.interval.high
    assert iou.certain == (iou.interval.low > 0 or iou.interval.high < 0)
    # A shift of all log-odds ranks pixels as before.
    assert found["foreground", "average_precision"].difference == pytest.approx(0, abs=2e-4)


def test_the_other_map_has_every_score_of_its_own(roads_run, roads, tmp_path):
    folder = saved_answers(roads_run, roads, tmp_path / "shifted", shift=-3.0)
    report, pictures = evaluate_run(roads_run, roads, Asked(part="all", against=folder))
    alone, _ = evaluate_predictions(folder, roads)
    assert report.against.classes == alone.classes
    assert report.against.confusion == alone.confusion
    assert report.against.by_image == alone.by_image
    found = {one.score: one for one in report.differences if one.name == "foreground"}
    road, other = (one.classes["foreground"] for one in (report, alone))
    held = {
        "boundary_iou": (road.boundary_iou, other.boundary_iou),
        "relaxed_f1": (road.relaxed_f1, other.relaxed_f1),
    }
    held |= {
        "lines.apls": (road.lines.apls, other.lines.apls),
        "break_even": (road.break_even, other.break_even),
    }
    held |= {
        "lines.breaks": (road.lines.breaks, other.lines.breaks),
        "roc_area": (road.roc_area, other.roc_area),
    }
    for score, (ours, theirs) in held.items():
        one = found[score]
        assert (one.this, one.other, one.difference) == (ours, theirs, pytest.approx(ours - theirs))
        assert one.interval.low <= one.difference <= one.interval.high
        assert road.intervals[score].low <= ours <= road.intervals[score].high
    means = {one.score: one for one in report.differences if not one.name}
    assert means["iou"].difference == pytest.approx(report.macro.iou - alone.macro.iou)
    assert means["iou"].interval.low <= means["iou"].difference <= means["iou"].interval.high
    assert {view.image for view in report.against.views} == {view.image for view in report.views}
    assert all(view.given in pictures and view.photo in pictures for view in report.against.views)


def test_against_itself_nothing_differs(roads_run, roads):
    report, _ = evaluate_run(roads_run, roads, Asked(part="all", against=roads_run))
    assert report.against.name.endswith("/run")
    assert all(one.difference == 0 and not one.certain for one in report.differences)
    assert "was trained on some of these images" in report.against.notes[0]


def test_another_that_lacks_images_is_compared_on_those_that_both_have(roads_run, roads, tmp_path):
    pairs = [pair for pair in load_run(roads_run).audit.dataset.pairs if pair.part == "train"][:3]
    folder = saved_answers(roads_run, roads, tmp_path / "few", images=[pair.image for pair in pairs])
    report, _ = evaluate_run(roads_run, roads, Asked(part="all", against=folder, shapes=False))
    assert (report.images, report.against.images) == (12, 3)
    assert any("9 of 12 labelled images have no prediction" in note for note in report.against.notes)
    by_image = {line.image: line for line in report.by_image}
    hits = sum(by_image[pair.image].pixels[1] for pair in pairs)
    ours = next(one for one in report.differences if (one.name, one.score) == ("foreground", "recall"))
    assert ours.this != report.classes["foreground"].recall or hits == report.classes["foreground"].pixels
    assert ours.difference == pytest.approx(ours.this - ours.other)


def test_a_class_that_is_rarer_here_than_where_its_threshold_was_chosen_is_told(roads_run, tmp_path):
    other = scenes.write_roads(tmp_path / "rare", count=4, size=96, road_share=0.02, seed=9)
    report, _ = evaluate_run(roads_run, other, Asked(shapes=False))
    validation = codec.read(roads_run / "audit.json", Audit).part("val").classes[1].share
    (told,) = report.transfer
    share = report.classes["foreground"].pixels / report.counted_pixels
    assert (told.name, told.chosen_share, told.share) == ("foreground", validation, share)
    assert share < validation / 2
    assert told.iou == pytest.approx(report.classes["foreground"].iou, abs=1e-3)
    assert told.best_iou >= told.iou
    assert told.best_iou == max(point.iou for point in report.classes["foreground"].operating if point.iou)
    alike = scenes.write_roads(tmp_path / "alike", count=4, size=96, road_share=validation, seed=9)
    assert evaluate_run(roads_run, alike, Asked(shapes=False)).report.transfer == ()


def test_views_show_the_telling_images_as_they_were_answered(roads_run, roads):
    report, pictures = evaluate_run(roads_run, roads, Asked(part="all"))
    assert [view.why for view in report.views][0] == "worst"
    assert {"worst", "median", "best"} <= {view.why for view in report.views}
    worst = min((line for line in report.by_image if line.pixels[1]), key=lambda line: line.iou[1])
    trained = load_run(roads_run)
    for view in report.views:
        assert set(view.answers) | {view.photo, view.truth} <= set(pictures)
        photo, valid = read(roads / view.image)
        chance = trained.mapper().map_image(photo, valid)[1]
        code = cv2.imdecode(np.frombuffer(pictures[view.answers[1]], np.uint8), cv2.IMREAD_UNCHANGED)
        odds = -8 + 16 * (code.astype(float) - 1) / 254
        wanted = np.clip(np.log(chance / (1 - chance)), -8, 8)
        assert np.abs(odds - wanted).max() <= 8 / 254 + 1e-3
        truth = cv2.imdecode(np.frombuffer(pictures[view.truth], np.uint8), cv2.IMREAD_UNCHANGED)
        mask = read_values(roads / view.image.replace("images", "masks"))[0]
        np.testing.assert_array_equal(truth, mask == 255)
    assert report.views[0].image == worst.image or report.views[0].iou >= worst.iou[1]


def test_the_confusion_and_the_lines_of_images_add_up(land_run, told, answering):
    answering(FromBand(3, 9.0))
    report, _ = evaluate_run(land_run, told, Asked(shapes=False))
    table = np.array(report.confusion)
    assert table.sum() == report.counted_pixels
    assert (table == np.diag(table.diagonal())).all()
    assert [sum(line.pixels[label] for line in report.by_image) for label in range(3)] == table.sum(
        axis=1
    ).tolist()
    assert report.scenes == 3
    assert report.macro.intervals["iou"].low == 1.0


def test_curves_end_where_everything_is_given_and_agree_with_the_scores(roads_run, roads):
    report, _ = evaluate_run(roads_run, roads, Asked(part="all"))
    scores = report.classes["foreground"]
    curve = scores.curve
    assert list(curve.thresholds) == sorted(curve.thresholds)
    assert (curve.recall[0], curve.false_positive_rate[0]) == (1.0, 1.0)
    assert curve.precision[0] == pytest.approx(scores.pixels / report.counted_pixels)
    place = int(np.argmin(np.abs(np.array(curve.recall) - scores.recall)))
    assert curve.precision[place] == pytest.approx(scores.precision, abs=0.05)
    best = scores.operating[0]
    assert best.wanted == "best F1 and IoU"
    assert best.iou >= scores.iou
    assert sum(scores.reliability.pixels) == report.counted_pixels
    assert scores.lines is not None
    assert scores.objects is None


def test_maps_of_classes_are_scored_with_intervals_and_without_curves(roads_run, roads):
    report, _ = evaluate_predictions(roads / "masks", roads)
    road = report.classes["foreground"]
    assert (report.source, report.scenes, report.decision) == ("classes", 12, "threshold")
    assert (road.iou, road.boundary_iou, road.relaxed_f1) == (1.0, 1.0, 1.0)
    assert (road.average_precision, road.roc_area, road.curve, road.break_even) == (None,) * 4
    assert road.intervals["iou"].low == 1.0
    assert "average_precision" not in road.intervals
    assert road.lines.apls == pytest.approx(1.0)
    assert report.macro.average_precision is None
