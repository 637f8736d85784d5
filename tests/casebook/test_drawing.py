import cv2
import numpy as np
import pytest
from casebook.case import Case, NotSick, hold, redrawn
from casebook.drawing import draw_recipe, draw_world
from casebook.measuring import information
from casebook.scenes import draw_look, draw_scenes, empty_scenes


@pytest.mark.parametrize(("classes", "prevalence"), [(2, 0.01), (5, 0.02), (12, 0.004)])
def test_rarest_class_covers_what_was_asked(classes, prevalence):
    rng = np.random.default_rng(1)
    look = draw_look(rng, classes=classes, prevalence=prevalence)
    photos, labels = draw_scenes(rng, look, 40, 64)
    shares = np.bincount(labels.ravel(), minlength=classes) / labels.size
    assert shares[look.rare] == pytest.approx(prevalence, rel=0.35)
    assert (shares > 0).all()
    assert photos.shape == (40, 3, 64, 64)
    assert sum(look.shares) == pytest.approx(1)


def test_photos_show_their_labels():
    world = draw_world(np.random.default_rng(2), classes=3, prevalence=(0.05, 0.1))
    own = information(world.photos, world.labels)
    assert own > 3 * information(world.photos, np.roll(world.labels, 1, 0))


def test_decoys_look_rare_and_are_not():
    shares = []
    for decoys in (0.0, 0.2):
        rng = np.random.default_rng(3)
        look = draw_look(rng, classes=2, prevalence=0.05, contrast=8, decoys=decoys)
        photos, labels = draw_scenes(rng, look, 12, 64)
        away = [np.linalg.norm(photos.transpose(0, 2, 3, 1) - colour, axis=-1) for colour in look.colours]
        shares.append((away[1] < away[0])[labels == 0].mean())
    assert shares[1] - shares[0] == pytest.approx(0.2, abs=0.06)


def test_empty_scenes_lack_the_rarest_class_only():
    rng = np.random.default_rng(4)
    look = draw_look(rng, classes=4, prevalence=0.02)
    _, labels = empty_scenes(rng, look, 10, 48)
    assert set(np.unique(labels)) == set(range(4)) - {look.rare}


def test_same_seed_draws_the_same():
    first, second = (draw_world(np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.photos, second.photos)
    recipes = [draw_recipe(np.random.default_rng(6), first) for _ in range(2)]
    assert recipes[0].told() == recipes[1].told()


def test_real_crops_come_from_the_named_folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(7)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    mask = np.zeros((200, 200), np.uint8)
    mask[:, 90:110] = 255
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.dstack([mask, mask // 2, mask // 4]))
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), mask)
    monkeypatch.setenv("RARESEG_CASEBOOK_DATA", str(tmp_path))
    worlds = [draw_world(rng, classes=2, size=64, real=True) for _ in range(12)]
    real = [world for world in worlds if world.look is None]
    assert 0 < len(real) < 12
    np.testing.assert_array_equal(real[0].photos[:, 2] == 255, real[0].labels == 1)


def test_redrawing_is_bounded_and_says_why():
    draws = []

    def never(rng):
        draws.append(float(rng.random()))
        hold(condition=False, reason="it stays healthy")
        raise AssertionError

    with pytest.raises(NotSick, match="3 draws: it stays healthy"):
        redrawn("any", 1, never, attempts=3)
    assert len(set(draws)) == 3


def test_other_kinds_and_seeds_draw_other_numbers():
    def first(rng):
        return Case(expected=(), framework="files", diagnose=lambda: None, drawn={"n": str(rng.random())})

    drawn = {redrawn(name, seed, first).drawn["n"] for name in ("a", "b") for seed in (1, 2)}
    assert len(drawn) == 4
