import numpy as np
import pytest

from rareseg.errors import SettingError
from rareseg.scenes import land_scene

SHARES = (0.6293, 0.2546, 0.1161)


@pytest.fixture(scope="module")
def scenes():
    return [land_scene(seed, size=128) for seed in range(12)]


def test_scene_has_the_promised_form(scenes):
    scene = scenes[0]
    assert scene.photo.shape == (3, 128, 128)
    assert scene.photo.dtype == scene.labels.dtype == np.uint8
    assert scene.classes == ("field", "wood", "water")
    assert set(np.unique(np.stack([entry.labels for entry in scenes]))) == {0, 1, 2}


def test_same_seed_same_scene(scenes):
    again = land_scene(3, size=128)
    assert np.array_equal(again.photo, scenes[3].photo)
    assert np.array_equal(again.labels, scenes[3].labels)


def test_pairs_of_scenes_come_to_the_shares_exactly(scenes):
    for first, second in zip(scenes[::2], scenes[1::2], strict=True):
        labels = np.stack([first.labels, second.labels])
        shares = np.bincount(labels.ravel(), minlength=3) / labels.size
        assert shares == pytest.approx(SHARES, abs=3 / labels.size)
        assert not np.array_equal(first.labels, second.labels)


def test_single_scenes_differ_in_their_shares(scenes):
    water = [(scene.labels == 2).mean() for scene in scenes]
    assert np.std(water) > 0.01


@pytest.mark.parametrize("shares", [(0.0, 0.5, 0.5), (1.0, 0.0, 0.0), (0.02, 0.49, 0.49)])
def test_extreme_shares_are_kept(shares):
    labels = np.stack([land_scene(seed, size=64, shares=shares).labels for seed in (4, 5)])
    assert np.bincount(labels.ravel(), minlength=3) / labels.size == pytest.approx(
        shares, abs=4 / labels.size
    )


def test_colour_alone_does_not_tell_the_classes(scenes):
    """The best answer per colour, even read off these very scenes, leaves wood and water below an IoU of 0.6."""
    labels = np.stack([scene.labels for scene in scenes])
    red, green, blue = np.stack([scene.photo for scene in scenes], axis=1).astype(int) // 16
    colour = red * 256 + green * 16 + blue
    votes = np.stack([np.bincount(colour[labels == label], minlength=4096) for label in range(3)])
    answer = votes.argmax(0)[colour]
    for label in (1, 2):
        both = ((answer == label) & (labels == label)).sum()
        assert both / ((answer == label) | (labels == label)).sum() < 0.6


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.7, 0.4, -0.1), (0.5, 0.2, 0.2), (float("nan"), 0.5, 0.5)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(SettingError, match="shares must be three numbers >= 0 that add up to 1"):
        land_scene(0, shares=shares)


def test_size_and_seed_are_checked():
    with pytest.raises(SettingError, match="size must be at least 64"):
        land_scene(0, size=10)
    with pytest.raises(SettingError, match="seed must be 0 or more"):
        land_scene(-2)
