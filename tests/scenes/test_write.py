from pathlib import Path

import numpy as np
import pytest
import rasterio

from rareseg.errors import OutputExistsError, SettingError
from rareseg.scenes import land_scene, road_scene, write_land, write_photo, write_roads
from rareseg.scenes.write import PALETTE

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read()


def test_folder_holds_pairs_of_photos_and_masks(tmp_path):
    folder = write_roads(tmp_path / "roads", count=3, size=64, road_share=0.2)
    assert folder == tmp_path / "roads"
    for name in ("images", "masks"):
        assert [path.name for path in sorted((folder / name).iterdir())] == [
            f"scene000{k}.png" for k in range(3)
        ]
    assert [path.name for path in tmp_path.iterdir()] == ["roads"]
    scene = road_scene(1, size=64, road_share=0.2)
    assert np.array_equal(read(folder / "images" / "scene0001.png"), scene.photo)
    assert np.array_equal(read(folder / "masks" / "scene0001.png")[0], scene.labels * 255)


def test_sets_of_different_seed_share_no_scene(tmp_path):
    first = write_roads(tmp_path / "a", count=2, size=64, seed=0)
    second = write_roads(tmp_path / "b", count=2, size=64, seed=1)
    photos = [read(path).tobytes() for folder in (first, second) for path in (folder / "images").iterdir()]
    assert len(set(photos)) == 4


def masks_of(tmp_path: Path, kind: str) -> tuple[np.ndarray, np.ndarray, Path]:
    folder = write_roads(tmp_path / "set", count=1, size=128, road_share=0.2, masks=kind)
    path = folder / "masks" / "scene0000.png"
    return read(path), road_scene(0, size=128, road_share=0.2).labels, path


def test_masks_as_indices(tmp_path):
    mask, labels, _ = masks_of(tmp_path, "indices")
    assert np.array_equal(mask[0], labels)


def test_masks_with_a_palette(tmp_path):
    mask, labels, path = masks_of(tmp_path, "palette")
    assert np.array_equal(mask[0], labels)
    with rasterio.open(path) as raster:
        table = raster.colormap(1)
    assert [table[label][:3] for label in (0, 1)] == list(PALETTE[:2])


def test_masks_in_colours(tmp_path):
    mask, labels, _ = masks_of(tmp_path, "rgb")
    for label in (0, 1):
        assert (PALETTE[label] == mask[:, labels == label].T).all()


def test_noisy_masks(tmp_path):
    mask, labels, _ = masks_of(tmp_path, "noisy")
    assert (mask[0][labels == 1] == 237).all()
    background = mask[0][labels == 0]
    assert set(np.unique(background)) == set(range(6))
    assert (background > 0).mean() == pytest.approx(0.025, abs=0.01)


def test_land_is_written_as_indices(tmp_path):
    folder = write_land(tmp_path / "land", count=1, size=64, shares=(0.4, 0.3, 0.3), seed=2)
    scene = land_scene(2_000_000, size=64, shares=(0.4, 0.3, 0.3))
    assert np.array_equal(read(folder / "masks" / "scene0000.png")[0], scene.labels)
    assert np.array_equal(read(folder / "images" / "scene0000.png"), scene.photo)


def test_what_is_there_is_not_replaced_unasked(tmp_path):
    write_land(tmp_path / "land", count=1, size=64)
    with pytest.raises(OutputExistsError, match="exists and is not empty. Name another folder"):
        write_land(tmp_path / "land", count=1, size=64)


def test_overwriting_replaces_the_whole_set(tmp_path):
    write_land(tmp_path / "land", count=3, size=64)
    write_land(tmp_path / "land", count=1, size=64, overwrite=True)
    assert len(list((tmp_path / "land" / "images").iterdir())) == 1


@pytest.mark.parametrize("foreign", ["thesis.txt", "images/notes.txt", "masks/old/mask.png", "images"])
def test_overwriting_removes_nothing_foreign(tmp_path, foreign):
    file = tmp_path / "land" / foreign
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    with pytest.raises(OutputExistsError, match="which no generated set holds"):
        write_land(tmp_path / "land", count=1, size=64, overwrite=True)
    assert file.read_text() == "mine"


def test_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "land").write_text("mine")
    with pytest.raises(OutputExistsError, match="is a file; scenes are written into a folder"):
        write_land(tmp_path / "land", count=1, size=64, overwrite=True)


def test_failure_leaves_nothing_behind(tmp_path):
    with pytest.raises(SettingError, match="size must be at least"):
        write_roads(tmp_path / "roads", count=1, size=8)
    assert list(tmp_path.iterdir()) == []


def test_settings_are_checked(tmp_path):
    with pytest.raises(
        SettingError, match="masks must be one of 0/255, indices, palette, rgb, noisy; got 'jpeg'"
    ):
        write_roads(tmp_path / "roads", count=1, masks="jpeg")
    with pytest.raises(SettingError, match="masks must be one of indices, palette, rgb; got 'noisy'"):
        write_land(tmp_path / "land", count=1, masks="noisy")
    with pytest.raises(SettingError, match=r"count must lie in 1..1000000; got 0"):
        write_roads(tmp_path / "roads", count=0)
    with pytest.raises(SettingError, match="seed must be 0 or more; got -1"):
        write_roads(tmp_path / "roads", count=1, seed=-1)


def test_progress_counts_scenes(tmp_path):
    class Counter:
        total = 0.0
        done = 0.0

        def task(self, title, total):
            Counter.total = total
            return self

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            return None

        def advance(self, amount=1.0, *, note=""):
            Counter.done += amount

        def say(self, message):
            raise AssertionError(message)

    write_roads(tmp_path / "roads", count=2, size=64, progress=Counter())
    assert Counter.total == Counter.done == 2


def test_a_photo_alone_is_that_of_its_seed(tmp_path):
    path = write_photo(tmp_path / "new" / "photo.png", seed=5, size=96, road_share=0.1)
    np.testing.assert_array_equal(read(path), road_scene(5, size=96, road_share=0.1).photo)
    assert [entry.name for entry in path.parent.iterdir()] == ["photo.png"]
    with pytest.raises(OutputExistsError, match=r"photo\.png exists already"):
        write_photo(path, seed=6, size=96)
    write_photo(path, seed=6, size=96, overwrite=True)
    np.testing.assert_array_equal(read(path), road_scene(6, size=96).photo)


def test_a_photo_is_written_as_png_only(tmp_path):
    with pytest.raises(
        SettingError, match=r"photo\.jpg: photos of scenes are written as \.png, not as \.jpg"
    ):
        write_photo(tmp_path / "photo.jpg", seed=5, size=96)


def test_folders_and_files_may_be_named_by_text(tmp_path):
    for number, write in enumerate((write_roads, write_land)):
        folder = write(str(tmp_path / str(number)), count=1, size=64)
        assert folder == tmp_path / str(number)
        assert (folder / "masks" / "scene0000.png").exists()
    assert write_photo(str(tmp_path / "a.png"), seed=1, size=64) == tmp_path / "a.png"
