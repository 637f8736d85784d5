"""One pass over a source: whoever answers, the same maps give the same counts."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from rareseg.imagery.answers.source import of_folder
from rareseg.imagery.answers.written import Written
from rareseg.imagery.sets.datasets import discover
from rareseg.progress import Silent
from rareseg.scoring.counting import evaluate_source
from rareseg.scoring.shapes import shapes_of


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def roads(tmp_path, rng) -> Path:
    """Photos with a line and, in band 3, blobs; masks of three classes; probabilities and class maps of them."""
    for number in range(4):
        mask = np.zeros((90, 130), np.uint8)
        cv2.line(mask, (0, 10 + 15 * number), (129, 70 - 10 * number), 1, 3)
        for _ in range(5):
            cv2.circle(mask, tuple(int(one) for one in rng.integers(8, 80, 2)), 4, 2, -1)
        photo = (60 * mask[..., None] + rng.integers(0, 30, (*mask.shape, 3))).astype(np.uint8)
        chance = np.stack([mask == label for label in range(3)]) + 0.6 * rng.random((3, 90, 130))
        chance = (chance / chance.sum(axis=0)).astype(np.float32)
        for folder, name, content in (
            ("images", f"p{number}.png", photo),
            ("masks", f"p{number}.png", mask),
            ("classes", f"p{number}.png", chance.argmax(axis=0).astype(np.uint8)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / name), content)
        (tmp_path / "chances").mkdir(exist_ok=True)
        np.save(tmp_path / "chances" / f"p{number}.npy", chance)
    return tmp_path


@pytest.fixture
def scored(roads):
    root, dataset = discover(roads, Silent())

    def score(folder, *, shapes=None, width=2):
        found = Written().find(roads / folder, dataset.pairs, root, dataset)
        source = of_folder(found, root, dataset)
        with Silent().task("", 1) as task:
            return source, evaluate_source(
                source, source.pairs, root, dataset, width=width, shapes=shapes or {}, task=task
            )

    return score


def test_probabilities_and_the_class_maps_they_give_score_alike(scored):
    (one, ranked), (other, plain) = scored("chances"), scored("classes")
    assert (one.kind, one.decision, one.thresholds_from) == (
        "probabilities",
        "argmax",
        "none: the likeliest class",
    )
    assert (other.kind, other.thresholds_from) == ("classes", "the maps as they are")
    np.testing.assert_array_equal(ranked.total.confusion.counts, plain.total.confusion.counts)
    assert ranked.total.boundary == plain.total.boundary
    assert [line.iou for line in ranked.images] == [line.iou for line in plain.images]
    assert plain.total.curve is None
    assert all(line.average_precision == (None,) * 3 for line in plain.images)
    assert all(value > 0.9 for line in ranked.images for value in line.average_precision)


def test_windows_change_nothing(scored, monkeypatch):
    _, whole = scored("chances", shapes={1: "lines", 2: "objects"})
    monkeypatch.setattr("rareseg.imagery.answers.source.WINDOW_VALUES", 3 * 40 * 40)
    monkeypatch.setattr("rareseg.imagery.answers.reading._LEAST_SIDE", 16)
    _, parts = scored("chances", shapes={1: "lines", 2: "objects"})
    np.testing.assert_array_equal(whole.total.confusion.counts, parts.total.confusion.counts)
    assert whole.total.relaxed == parts.total.relaxed
    assert whole.total.boundary == parts.total.boundary
    np.testing.assert_array_equal(whole.total.curve.positives, parts.total.curve.positives)
    assert whole.details.total(1).shape.lines == parts.details.total(1).shape.lines
    assert whole.images == parts.images


def test_every_image_is_a_line_and_scenes_are_counted_apart(scored):
    _, found = scored("chances")
    assert [line.image for line in found.images] == [f"images/p{number}.png" for number in range(4)]
    assert sum(line.pixels[1] for line in found.images) == found.total.confusion.pixels[1]
    assert sum(line.given[2] for line in found.images) == found.total.confusion.counts[:, 2].sum()
    assert len(found.by_scene) == 4
    assert found.by_scene.confusion.sum() == found.total.confusion.counted


def test_pixels_without_answer_are_not_counted(scored, roads):
    _, before = scored("chances")
    holes = np.load(roads / "chances" / "p0.npy")
    holes[:, :30] = np.nan
    np.save(roads / "chances" / "p0.npy", holes)
    _, after = scored("chances")
    assert after.total.unanswered == after.total.uncounted == 30 * 130
    assert after.total.confusion.counted == before.total.confusion.counted - 30 * 130


def test_lines_and_objects_are_told_apart_by_the_masks(roads, scored):
    root, dataset = discover(roads, Silent())
    assert shapes_of(root, dataset, dataset.pairs) == {1: "lines", 2: "objects"}
    _, found = scored("classes", shapes={1: "lines", 2: "objects"})
    assert found.details.total(1).shape.lines.connections.completeness > 0.9
    assert found.details.total(1).shape.objects is None
    assert found.details.total(2).shape.objects.recall > 0.9
    assert found.details.total(2).shape.lines is None


def test_images_too_large_for_shapes_are_left_out_and_counted(scored, monkeypatch):
    monkeypatch.setattr("rareseg.measures.evaluation.MOST_PIXELS", 90 * 130 - 1)
    _, found = scored("classes", shapes={1: "lines"})
    assert found.too_large == 4
    assert found.details.total(1).shape.lines is None
