import numpy as np
import pytest
from scipy import ndimage

from rareseg.errors import SettingError
from rareseg.scenes import road_scene
from rareseg.scenes.photos import even_turn, share_of_scene


@pytest.fixture(scope="module")
def scenes():
    return [road_scene(seed, size=256, road_share=0.04) for seed in range(12)]


def test_scene_has_the_promised_form(scenes):
    scene = scenes[0]
    assert scene.photo.shape == (3, 256, 256)
    assert scene.photo.dtype == np.uint8
    assert scene.labels.shape == (256, 256)
    assert scene.labels.dtype == np.uint8
    assert set(np.unique(scene.labels)) == {0, 1}
    assert scene.classes == ("background", "road")


def test_same_seed_same_scene_and_other_seed_another(scenes):
    again = road_scene(0, size=256, road_share=0.04)
    assert np.array_equal(again.photo, scenes[0].photo)
    assert np.array_equal(again.labels, scenes[0].labels)
    assert not np.array_equal(scenes[1].labels, scenes[0].labels)


@pytest.mark.parametrize("share", [0.2, 0.04, 0.01])
def test_set_comes_to_the_share_asked_for(share):
    reached = np.mean([road_scene(seed, size=192, road_share=share).labels.mean() for seed in range(20)])
    assert reached == pytest.approx(share, rel=0.1)


def test_rarest_roads_leave_some_scenes_without_any():
    shares = [road_scene(seed, size=384, road_share=0.001).labels.mean() for seed in range(24)]
    assert np.mean(shares) == pytest.approx(0.001, rel=0.12)
    assert 4 < sum(share == 0 for share in shares) < 20


@pytest.mark.parametrize("share", [0.001, 0.004, 0.04, 0.2])
@pytest.mark.parametrize("size", [128, 512])
def test_shares_of_scenes_average_to_the_share(share, size):
    shares = [share_of_scene(seed, size, share) for seed in range(2000)]
    assert np.mean(shares) == pytest.approx(share, rel=0.01)


def test_turns_fill_the_range_evenly():
    turns = np.sort([even_turn(seed) for seed in range(100)])
    assert np.abs(turns - (np.arange(100) + 0.5) / 100).max() < 0.03


def test_colour_alone_does_not_find_roads():
    scenes = [road_scene(seed, size=384, road_share=0.04) for seed in range(8)]
    labels = np.stack([scene.labels for scene in scenes]) == 1
    for band in range(3):
        values = np.stack([scene.photo[band] for scene in scenes])
        road = np.concatenate([[0], np.cumsum(np.bincount(values[labels], minlength=256))])
        other = np.concatenate([[0], np.cumsum(np.bincount(values[~labels], minlength=256))])
        low, high = np.triu_indices(257, 1)
        iou = (road[high] - road[low]) / (road[-1] + other[high] - other[low])
        assert iou.max() < 0.3


def test_roads_are_long_and_thin(scenes):
    """Continuous lines: the few regions cover nearly all road, and no road is wider than 40 px."""
    for scene in scenes:
        regions, count = ndimage.label(scene.labels, np.ones((3, 3)))
        sizes = np.bincount(regions.ravel())[1:]
        assert count <= 12
        assert np.sort(sizes)[::-1][:4].sum() > 0.6 * sizes.sum()
        assert ndimage.distance_transform_edt(scene.labels).max() < 20


def test_roads_differ_from_their_surroundings_in_the_photo(scenes):
    """The labels lie where the photo shows roads: brightness varies less along them than beside them."""
    rough = [
        (grey[scene.labels == 1].std(), grey[scene.labels == 0].std())
        for scene in scenes
        for grey in [scene.photo.mean(0)]
    ]
    on, off = np.mean(rough, axis=0)
    assert on < off


def test_trees_and_shade_lie_over_roads(scenes):
    """Some road pixels are far darker than the road's own median."""
    dark = [
        (road < 0.6 * np.median(road)).mean()
        for scene in scenes
        for road in [scene.photo.mean(0)[scene.labels == 1]]
    ]
    assert 0.01 < np.mean(dark) < 0.4


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.3, float("nan")])
def test_share_out_of_range_is_refused(share):
    with pytest.raises(SettingError, match=r"road_share must lie in 0.0002..0.2; got"):
        road_scene(0, road_share=share)


def test_small_size_is_refused():
    with pytest.raises(SettingError, match="size must be at least 64 px; got 63"):
        road_scene(0, size=63)


def test_negative_seed_is_refused():
    with pytest.raises(SettingError, match="seed must be 0 or more; got -1"):
        road_scene(-1)


@pytest.mark.parametrize("share", [0.001, 0.2])
def test_smallest_scene_can_be_made(share):
    assert road_scene(1, size=64, road_share=share).photo.shape == (3, 64, 64)
