import cv2
import numpy as np
import pytest

from rareseg.imagery.suspicion.windows_shared import MOST_TRAINING, overlapping, sketch


def scene(seed, side=300, fine=1.5):
    """Return a photo (3, side, side) with detail, shade and noise of its own."""
    random = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(random.normal(0, 1, (side, side)).astype(np.float32), (0, 0), fine)
    shade = cv2.GaussianBlur(random.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 40)
    grey = 128 + 30 * ground / ground.std() + 40 * shade / shade.std()
    return np.stack([grey + random.normal(0, 8, grey.shape) for _ in range(3)]).astype(np.float32)


def cut(photo, top, left, side=96):
    return sketch(photo[:, top : top + side, left : left + side])


@pytest.mark.parametrize("away", [(0, 48), (48, 48), (-37, 20), (0, 68), (55, -31)])
def test_windows_that_show_a_part_of_one_another_are_found_wherever_they_lie(away):
    photo = scene(1)
    others = [cut(scene(seed), 100, 100) for seed in range(2, 6)]
    known = [*others, cut(photo, 100, 100)]
    asked = [cut(photo, 100 + away[0], 100 + away[1]), cut(scene(9), 100, 100)]
    assert overlapping(known, asked).tolist() == [True, False]


def test_neighbours_that_only_touch_show_nothing_in_common():
    photo = scene(1)
    assert not overlapping([cut(photo, 0, 0)], [cut(photo, 0, 96), cut(photo, 96, 0)]).any()


def test_light_and_contrast_do_not_matter():
    photo = scene(1)
    brighter = 0.4 * photo + np.linspace(0, 200, 300, dtype=np.float32)
    assert overlapping([cut(photo, 0, 0)], [cut(brighter, 40, 0)]).all()


def test_windows_of_other_shapes_are_compared():
    photo = scene(1)
    assert overlapping([sketch(photo[:, :96, :72])], [sketch(photo[:, 30:126, :72])]).all()


def test_empty_photos_share_nothing_with_empty_photos():
    flat = sketch(np.full((3, 96, 96), 255, np.float32))
    assert not overlapping([flat], [flat]).any()
    assert overlapping([], [flat]).tolist() == [False]
    assert overlapping([flat], []).tolist() == []


def test_scenes_of_like_texture_are_told_apart():
    fields = [cut(scene(seed, fine=4), 0, 0) for seed in range(40)]
    assert not overlapping(fields[:20], fields[20:]).any()


@pytest.mark.parametrize("side", [32, 48, 64, 96])
@pytest.mark.parametrize("faint", [0.2, 0.5])
def test_one_bright_thing_in_noise_is_no_common_ground(side, faint):
    random = np.random.default_rng(side)
    photos = random.normal(0, faint, (24, 3, side, side)).astype(np.float32)
    for photo, at in zip(photos, random.integers(0, side - side // 8, 24), strict=True):
        thing = photo if random.random() < 0.5 else photo.swapaxes(1, 2)
        thing[:, at : at + side // 8] += 2
    sketches = [sketch(photo) for photo in photos]
    assert not overlapping(sketches[:12], sketches[12:]).any()


def test_of_very_many_images_some_are_compared():
    photo = scene(1)
    many = [cut(scene(seed, 100), 0, 0) for seed in range(3)] * MOST_TRAINING
    assert overlapping([*many, cut(photo, 0, 0)], [cut(photo, 48, 0)]).all()
