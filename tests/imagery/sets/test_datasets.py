import numpy as np
import pytest

from rareseg.errors import DataError, LayoutError, MaskReadingError, RecordError, SplitError
from rareseg.imagery.samples import read_sample
from rareseg.imagery.sets import datasets
from rareseg.imagery.sets.datasets import discover
from rareseg.imagery.sets.splits import split
from rareseg.records.dataset import VOID


@pytest.fixture
def scenes(save, random):
    """Eight scenes of two crops with a road down the middle of each."""

    def build(names=None, level=255, folders=("images", "masks"), suffixes=(".png", ".png"), edit=None):
        for name in names or [f"s{scene}_y0_x{col}" for scene in range(8) for col in (0, 64)]:
            photo = random.integers(10, 200, (3, 64, 64)).astype("uint8")
            mask = np.zeros((1, 64, 64), dtype="uint8")
            mask[:, :, 30 : 32 + random.integers(1, 4)] = level
            if edit:
                edit(photo, mask)
            save(f"{folders[0]}/{name}{suffixes[0]}", photo)
            save(f"{folders[1]}/{name}{suffixes[1]}", mask)

    return build


def test_a_plain_folder(tmp_path, scenes):
    scenes()
    root, dataset = discover(tmp_path)
    assert root == tmp_path
    assert (dataset.layout, dataset.bands, dataset.dtype, dataset.overlapping) == (
        "images + masks",
        3,
        "uint8",
        False,
    )
    assert dataset.classes == ("background", "foreground")
    assert len(dataset.pairs) == 16
    assert {pair.part for pair in dataset.pairs} == {"train", "val", "test"}
    assert len({pair.group for pair in dataset.pairs}) == 8
    assert len({(pair.group, pair.part) for pair in dataset.pairs}) == 8
    assert dataset.pairs[0].mask == dataset.pairs[0].image.replace("images", "masks")
    assert (dataset.pairs[0].height, dataset.pairs[0].width) == (64, 64)
    sample = read_sample(root, dataset, dataset.pairs[0])
    assert set(np.unique(sample.counted)) == {0, 1}


def test_discovering_twice_gives_the_same(tmp_path, scenes):
    scenes()
    assert discover(tmp_path) == discover(tmp_path)


def test_camvid_parts_are_kept(tmp_path, scenes):
    scenes(names=["a", "b"], folders=("train", "trainannot"), level=3)
    scenes(names=["c"], folders=("val", "valannot"), level=3)

    def edit(photo, mask):
        mask[0, :, :12] = np.arange(12)

    scenes(names=["d"], folders=("train", "trainannot"), level=11, edit=edit)
    _, dataset = discover(tmp_path)
    assert dataset.layout == "camvid"
    assert [pair.part for pair in dataset.pairs] == ["train", "train", "train", "val"]
    assert dataset.classes[:4] == ("sky", "building", "pole", "road")


def test_deepglobe_says_the_endings(tmp_path, save, random):
    for name in ("1", "2", "3"):
        photo = random.integers(0, 255, (3, 64, 64)).astype("uint8")
        mask = np.zeros((3, 64, 64), dtype="uint8")
        mask[:, 10:14] = 255
        save(f"{name}_sat.jpg", photo)
        save(f"{name}_mask.png", mask)
    _, dataset = discover(tmp_path)
    assert (
        dataset.layout == "*_sat + *_mask in one folder; image names end in '_sat'; mask names end in '_mask'"
    )
    assert {pair.group for pair in dataset.pairs} == {"1", "2", "3"}
    assert {pair.part for pair in dataset.pairs} == {"train", "val", "test"}


def test_a_toml_settles_classes_groups_and_shares(tmp_path, scenes):
    scenes(level=7)
    toml = tmp_path / "data.toml"
    toml.write_text(
        'images = "images"\nmasks = "masks/*.png"\ngroup = "^s[0-9]"\nsplit = [0.5, 0.5, 0.0]\n'
        '[[classes]]\nname = "ground"\nvalues = [0]\n[[classes]]\nname = "road"\nvalues = ["5-9"]\n'
    )
    root, dataset = discover(toml)
    assert root == tmp_path
    assert dataset.classes == ("ground", "road")
    assert {pair.part for pair in dataset.pairs} == {"train", "val"}
    assert dataset.reading.said_by == "user"


def test_no_data_is_found_and_taken_out_of_the_balance(tmp_path, scenes):
    def edit(photo, mask):
        photo[:, :40] = 255

    scenes(edit=edit)
    root, dataset = discover(tmp_path)
    assert dataset.nodata.values == (255,)
    sample = read_sample(root, dataset, dataset.pairs[0])
    assert (sample.counted[:40] == VOID).all()
    assert (sample.labels[:40] == 1).any()
    assert (sample.counted[40:] != VOID).all()


def test_labels_over_no_data_do_not_count_for_the_balance(tmp_path, scenes, monkeypatch):
    def edit(photo, mask):
        photo[:, :40] = 255
        mask[:] = 0
        mask[:, :, 5] = 255

    seen = []

    def listen(candidates, *rest):
        seen.extend(candidates)
        return split(candidates, *rest)

    monkeypatch.setattr(datasets, "split", listen)
    scenes(edit=edit)
    discover(tmp_path)
    assert {candidate.pixels for candidate in seen} == {(24 * 63, 24)}


def test_all_that_is_wrong_is_listed_in_one_error(tmp_path, scenes, save):
    scenes()
    images, masks = tmp_path / "images", tmp_path / "masks"
    (masks / "s0_y0_x0.png").unlink()
    (images / "s1_y0_x0.png").unlink()
    cut = images / "s2_y0_x0.png"
    cut.write_bytes(cut.read_bytes()[:-500])
    (masks / "s3_y0_x0.png").write_bytes(b"")
    save("masks/s4_y0_x0.png", np.zeros((1, 64, 63), dtype="uint8"))
    save("images/s5_y0_x0.png", np.zeros((1, 64, 64), dtype="uint8"))
    with pytest.raises(DataError, match="6 files are not usable") as caught:
        discover(tmp_path)
    reasons = dict(caught.value.problems)
    assert reasons.keys() == {
        "images/s0_y0_x0.png",
        "masks/s1_y0_x0.png",
        "images/s2_y0_x0.png",
        "masks/s3_y0_x0.png",
        "images/s4_y0_x0.png",
        "images/s5_y0_x0.png",
    }
    assert reasons["images/s0_y0_x0.png"] == "has no mask (expected s0_y0_x0.*)"
    assert reasons["masks/s3_y0_x0.png"] == "is empty"
    assert "its mask masks/s4_y0_x0.png is 64 x 63" in reasons["images/s4_y0_x0.png"]


def test_a_mask_that_is_all_void_is_listed_with_the_others(tmp_path, scenes, save):
    scenes()
    toml = tmp_path / "data.toml"
    classes = '[[classes]]\nname = "a"\nvalues = [0]\n[[classes]]\nname = "b"\nvalues = [255]\n'
    toml.write_text(f'images = "images"\nmasks = "masks"\nvoid = [9]\n{classes}')
    save("masks/s0_y0_x0.png", np.full((1, 64, 64), 9, dtype="uint8"))
    (tmp_path / "masks/s1_y0_x0.png").unlink()
    with pytest.raises(DataError, match="2 files are not usable") as caught:
        discover(toml)
    assert dict(caught.value.problems)["masks/s0_y0_x0.png"] == "every pixel is void: nothing is labelled"


def test_masks_that_cannot_be_read_are_refused(tmp_path, scenes, save, random):
    scenes()
    save("masks/s0_y0_x0.png", random.integers(0, 255, (1, 64, 64)).astype("uint8"))
    with pytest.raises(MaskReadingError, match="values"):
        discover(tmp_path)


def test_one_scene_cannot_be_parted(tmp_path, scenes):
    scenes(names=["s_y0_x0", "s_y0_x64"])
    with pytest.raises(SplitError, match="at least 2 groups"):
        discover(tmp_path)


def test_one_image_in_two_parts_is_refused(tmp_path, scenes):
    scenes(names=["a"], folders=("train/images", "train/masks"))
    scenes(names=["b"], folders=("val/images", "val/masks"))
    (tmp_path / "val/images/b.png").write_bytes((tmp_path / "train/images/a.png").read_bytes())
    with pytest.raises(
        SplitError, match="train/images/a.png: train holds the same image as val/images/b.png"
    ):
        discover(tmp_path)


def test_overlapping_classes(tmp_path, save, random):
    for name in "abcd":
        bands = np.zeros((2, 64, 64), dtype="uint8")
        bands[0, :20], bands[1, 10:30] = 1, 255
        save(f"images/{name}.png", random.integers(0, 255, (3, 64, 64)).astype("uint8"))
        save(f"masks/{name}.tif", bands)
    toml = tmp_path / "data.toml"
    toml.write_text(
        'images = "images"\nmasks = "masks"\noverlapping = true\n'
        '[[classes]]\nname = "water"\nvalues = [1]\n[[classes]]\nname = "bridge"\nvalues = [2]\n'
    )
    root, dataset = discover(toml)
    assert dataset.overlapping
    sample = read_sample(root, dataset, dataset.pairs[0])
    assert sample.counted[15, 0] == 0b11
    assert sample.counted[25, 0] == 0b10


def test_many_formats(tmp_path, save, random):
    for name in "abc":
        photo = random.integers(0, 4000, (5, 64, 64)).astype("uint16")
        mask = np.zeros((1, 64, 64), dtype="uint16")
        mask[:, 5:9] = 1
        save(f"images/{name}.tif", photo)
        save(f"masks/{name}.tif", mask)
    _, dataset = discover(tmp_path)
    assert (dataset.bands, dataset.dtype) == (5, "uint16")


def test_errors_of_the_toml_and_the_folder_come_through(tmp_path):
    with pytest.raises(LayoutError, match="follows no known layout"):
        discover(tmp_path)
    toml = tmp_path / "data.toml"
    toml.write_text("imagez = 3")
    with pytest.raises(RecordError, match="unknown key `imagez`"):
        discover(toml)


class Listener:
    def __init__(self):
        self.said, self.advanced = [], 0.0

    def task(self, title, total):
        self.total = total
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return None

    def advance(self, amount=1.0, *, note=""):
        self.advanced += amount

    def say(self, message):
        self.said.append(message)


def test_progress_is_told(tmp_path, scenes):
    scenes(names=["a", "b"], folders=("train", "trainannot"), level=3)
    scenes(names=["c"], folders=("test", "elsewhere"), level=3)
    listener = Listener()
    _, dataset = discover(tmp_path, listener)
    assert listener.advanced == listener.total == 2
    assert listener.said == ["test/ is left out: it has no testannot/"]
    assert "test/ is left out" in dataset.split_because
