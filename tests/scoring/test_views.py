"""Pictures beside a report: the map as decided, the answers as log-odds, and what the class looks like in training."""

import cv2
import numpy as np
import pytest

from rareseg import verbs
from rareseg.imagery.answers.source import of_folder
from rareseg.imagery.answers.written import Written
from rareseg.imagery.pictures import marked_png, photo_jpeg
from rareseg.imagery.sets.datasets import discover
from rareseg.progress import Silent
from rareseg.records.places import read_places
from rareseg.scoring.counting import evaluate_source
from rareseg.scoring.examples import examples
from rareseg.scoring.views import Scored, telling_views

VOID = 255


@pytest.fixture
def fields(tmp_path):
    """Three classes; one image is larger than a view, and some of its answers are missing."""
    rng = np.random.default_rng(4)
    for number in range(5):
        side = 640 if number == 3 else 120
        mask = np.zeros((side, side), np.uint8)
        cv2.rectangle(mask, (10, 10), (60, 30 + 8 * number), 1, -1)
        cv2.circle(mask, (side - 30, side - 40), 6 + number, 2, -1)
        mask[:4, :4] = VOID
        photo = np.stack([mask * 80, mask * 20, mask * 0 + 40], axis=-1) + rng.integers(0, 9, (side, side, 3))
        chance = np.stack([mask == label for label in range(3)]) + 0.7 * rng.random((3, side, side))
        chance = (chance / chance.sum(axis=0)).astype(np.float32)
        chance[:, -6:, -6:] = np.nan
        for folder, name, content in (
            ("images", f"p{number}.png", photo.astype(np.uint8)),
            ("masks", f"p{number}.png", mask),
            ("classes", f"p{number}.png", np.nan_to_num(chance).argmax(axis=0).astype(np.uint8)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / folder / name), content)
        (tmp_path / "chances").mkdir(exist_ok=True)
        np.save(tmp_path / "chances" / f"p{number}.npy", chance)
    (tmp_path / "data.toml").write_text(
        'images = "images"\nmasks = "masks"\nvoid = [255]\n'
        + "".join(f'[[classes]]\nname = "{name}"\nvalues = [{n}]\n' for n, name in enumerate(("a", "b", "c")))
    )
    return tmp_path


@pytest.fixture
def scored(fields):
    root, dataset = discover(fields / "data.toml", Silent())

    def score(folder):
        source = of_folder(Written().find(fields / folder, dataset.pairs, root, dataset), root, dataset)
        with Silent().task("", 1) as task:
            found = evaluate_source(source, source.pairs, root, dataset, width=2, shapes={}, task=task)
        return Scored(found, source)

    return score, root, dataset


def grey(picture):
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)


def test_views_show_photo_labels_answers_and_the_map_as_decided(fields, scored):
    score, root, dataset = scored
    one = score("chances")
    (views,), files = telling_views([one], one.source.pairs, root, dataset)
    assert {view.why for view in views} == {"worst", "median", "best"}
    assert {name for view in views for name in (view.photo, view.truth, view.given, *view.answers)} == set(
        files
    )
    for view in views:
        stem = view.image.split("/")[-1][:-4]
        part = slice(view.top, view.top + view.height), slice(view.left, view.left + view.width)
        chance = np.load(fields / "chances" / f"{stem}.npy")[:, *part]
        mask = cv2.imread(str(fields / "masks" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)[part]
        missing = np.isnan(chance[0])
        np.testing.assert_array_equal(grey(files[view.truth]), mask)
        wanted = np.where(missing, VOID, np.nan_to_num(chance).argmax(axis=0))
        np.testing.assert_array_equal(grey(files[view.given]), wanted)
        for label, name in enumerate(view.answers):
            odds = np.log(chance[label] / (1 - chance[label]))
            coded = np.where(missing, 0, np.rint(1 + 254 * (np.clip(odds, -8, 8) + 8) / 16))
            assert np.abs(grey(files[name]).astype(int) - coded).max() <= 1
        assert cv2.imdecode(np.frombuffer(files[view.photo], np.uint8), 1).shape == (*mask.shape, 3)
    (large,) = [view for view in views if view.image.endswith("p3.png")] or [None]
    if large is not None:
        assert (large.height, large.width) == (512, 512)
        assert large.top >= 640 - 512 - 32  # The circle lies near the far corner.


def test_another_map_is_drawn_on_the_same_photos(fields, scored):
    score, root, dataset = scored
    (fields / "classes" / "p0.png").unlink()
    one, other = score("chances"), score("classes")
    (ours, theirs), files = telling_views([one, other], one.source.pairs, root, dataset)
    assert {view.image for view in theirs} == {view.image for view in ours} - {"images/p0.png"}
    for view in theirs:
        (own,) = [mine for mine in ours if mine.image == view.image]
        assert (view.photo, view.truth, view.top, view.left) == (own.photo, own.truth, own.top, own.left)
        assert view.why == f"{own.why} of chances"
        assert view.answers == ()
        assert view.given != own.given
        assert view.iou == next(line.iou[2] for line in other.found.images if line.image == view.image)
        stem = view.image.split("/")[-1]
        part = slice(view.top, view.top + view.height), slice(view.left, view.left + view.width)
        stored = cv2.imread(str(fields / "classes" / stem), cv2.IMREAD_UNCHANGED)[part]
        np.testing.assert_array_equal(grey(files[view.given]), stored)


def test_examples_are_the_densest_places_of_the_training_part(fields):
    audit = verbs.audit(fields / "data.toml", output=fields / "audit.json")
    places = read_places(fields / "audit.places.npz", audit)
    root, dataset = discover(fields / "data.toml", Silent())
    drawn, files = examples(audit, places, dataset, root, 2)
    trained = {pair.image for pair in audit.dataset.pairs if pair.part == "train"}
    assert {one.image for one in drawn} == trained
    assert len(files) == 2 * len(drawn)
    for one in drawn:
        stem = one.image.split("/")[-1]
        mask = cv2.imread(str(fields / "masks" / stem), cv2.IMREAD_UNCHANGED)
        part = mask[one.top : one.top + one.height, one.left : one.left + one.width]
        assert (part == 2).sum() == (mask == 2).sum()
        assert one.share == pytest.approx((part == 2).sum() / (part != VOID).sum())
        marked = grey(files[one.truth])
        np.testing.assert_array_equal(marked[..., 3] > 200, edge(part == 2))
        assert ((marked[..., 3] > 0) == ((part == 2) | (part == VOID))).all()
    shares = [one.share for one in drawn]
    assert shares == sorted(shares, reverse=True)


def edge(mask):
    return mask & ~cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1).astype(bool)


def test_images_that_are_not_at_hand_are_no_examples(fields):
    audit = verbs.audit(fields / "data.toml", output=fields / "audit.json")
    places = read_places(fields / "audit.places.npz", audit)
    trained = [pair.image for pair in audit.dataset.pairs if pair.part == "train"]
    (fields / trained[0]).unlink()
    (fields / trained[0].replace("images", "masks")).unlink()
    root, dataset = discover(fields / "data.toml", Silent())
    drawn, _ = examples(audit, places, dataset, root, 2)
    assert {one.image for one in drawn} == set(trained[1:])


def test_dark_photos_of_many_bits_are_stretched_and_bytes_are_not():
    ramp = np.tile(np.arange(100, dtype=np.uint16) * 3, (1, 20, 1))
    wide = cv2.imdecode(np.frombuffer(photo_jpeg(ramp, np.ones((20, 100), bool)), np.uint8), 1)
    assert wide.min() < 8 and wide.max() > 247
    flat = cv2.imdecode(
        np.frombuffer(photo_jpeg(np.full((3, 8, 8), 60, np.uint8), np.ones((8, 8), bool)), np.uint8), 1
    )
    assert abs(int(flat.mean()) - 60) <= 1


def test_a_mark_has_an_outline_a_tint_and_shade_where_nothing_counts():
    marked, dark = np.zeros((2, 9, 9), np.bool_)
    marked[2:7, 2:7], dark[8] = True, True
    alpha = grey(marked_png(marked, dark))[..., 3]
    assert (alpha[2, 2:7] == 255).all() and 0 < alpha[4, 4] < 255 and alpha[0, 0] == 0
    assert 0 < alpha[8, 0] < 255
