from pathlib import Path

import pytest

from rareseg.errors import LayoutError, RecordError
from rareseg.imagery.sets.layouts import recognise
from rareseg.records.dataset import DataSpec


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def shown(layout):
    return {
        files.part: (
            [path.relative_to(layout.root).as_posix() for path in files.images],
            [path.relative_to(layout.root).as_posix() for path in files.masks],
        )
        for files in layout.files
    }


@pytest.mark.parametrize(
    ("images", "masks"),
    [("images", "masks"), ("images", "labels"), ("images", "groundtruth"), ("imgs", "gt"), ("sat", "map"),
     ("Images", "Annotations"), ("photos", "label")],
)  # fmt: skip
def test_two_folders_side_by_side(tmp_path, images, masks):
    touch(tmp_path, f"{images}/a.JPG", f"{images}/notes.txt", f"{images}/.hidden.png", f"{masks}/a.png")
    layout = recognise(tmp_path)
    assert layout.name == f"{images} + {masks}"
    assert layout.spec == DataSpec()
    assert shown(layout) == {None: ([f"{images}/a.JPG"], [f"{masks}/a.png"])}


def test_camvid(tmp_path):
    touch(
        tmp_path,
        "train/a.png",
        "trainannot/a.png",
        "val/b.png",
        "valannot/b.png",
        "test/c.png",
        "testannot/c.png",
    )
    layout = recognise(tmp_path)
    assert layout.name == "camvid"
    assert shown(layout) == {
        "train": (["train/a.png"], ["trainannot/a.png"]),
        "val": (["val/b.png"], ["valannot/b.png"]),
        "test": (["test/c.png"], ["testannot/c.png"]),
    }


def test_a_part_without_masks_is_left_out_and_said(tmp_path):
    touch(tmp_path, "train/a.png", "trainannot/a.png", "test/c.png")
    layout = recognise(tmp_path)
    assert list(shown(layout)) == ["train"]
    assert layout.left_out == ("test/ is left out: it has no testannot/",)


def test_other_endings_of_mask_folders(tmp_path):
    touch(tmp_path, "train/a.png", "train_masks/a.png")
    layout = recognise(tmp_path)
    assert layout.name == "train|val|test with *_masks"
    assert shown(layout) == {"train": (["train/a.png"], ["train_masks/a.png"])}


def test_parts_with_images_and_masks_inside(tmp_path):
    touch(tmp_path, "train/images/a.png", "train/masks/a.png", "valid/images/b.png", "valid/masks/b.png",
          "test/images/c.png")  # fmt: skip
    layout = recognise(tmp_path)
    assert layout.name == "train|val|test of images + masks"
    assert shown(layout) == {
        "train": (["train/images/a.png"], ["train/masks/a.png"]),
        "val": (["valid/images/b.png"], ["valid/masks/b.png"]),
    }
    assert layout.left_out == ("test/ is left out: no images with masks were found in it",)


def test_parts_inside_images_and_masks(tmp_path):
    touch(tmp_path, "images/train/a.png", "masks/train/a.png", "images/val/b.png", "masks/val/b.png",
          "images/test/c.png")  # fmt: skip
    layout = recognise(tmp_path)
    assert list(shown(layout)) == ["train", "val"]
    assert layout.left_out == ("images/test/ is left out: there is no masks/test/",)


def test_deepglobe(tmp_path):
    touch(tmp_path, "1_sat.jpg", "1_mask.png", "2_sat.jpg", "2_mask.png")
    layout = recognise(tmp_path)
    assert layout.name == "*_sat + *_mask in one folder"
    assert shown(layout) == {None: (["1_sat.jpg", "2_sat.jpg"], ["1_mask.png", "2_mask.png"])}


def test_deepglobe_in_parts(tmp_path):
    touch(tmp_path, "train/1_sat.jpg", "train/1_mask.png", "valid/2_sat.jpg")
    layout = recognise(tmp_path)
    assert shown(layout) == {"train": (["train/1_sat.jpg"], ["train/1_mask.png"])}
    assert len(layout.left_out) == 1


def test_several_mask_folders_are_not_chosen_between(tmp_path):
    touch(tmp_path, "images/a.png", "masks/a.png", "labels/a.png")
    with pytest.raises(LayoutError, match=r"several mask folders: masks/, labels/\. Say which"):
        recognise(tmp_path)


def test_several_folders_for_one_part_are_not_chosen_between(tmp_path):
    touch(tmp_path, "val/a.png", "valannot/a.png", "validation/a.png")
    with pytest.raises(LayoutError, match="several folders for val: val, validation"):
        recognise(tmp_path)


def test_an_unknown_layout_says_what_was_sought_and_found_and_shows_a_toml(tmp_path):
    touch(tmp_path, "left/a.png", "right/a.png", "readme.md")
    with pytest.raises(LayoutError, match="follows no known layout") as caught:
        recognise(tmp_path)
    message = str(caught.value)
    for part in (
        "groundtruth",
        "trainannot",
        "*_sat.jpg",
        "left/, readme.md, right/",
        "[[classes]]",
        "values = [255]",
    ):
        assert part in message


def test_nothing_there(tmp_path):
    with pytest.raises(LayoutError, match="nowhere does not exist. Expected a folder"):
        recognise(tmp_path / "nowhere")
    with pytest.raises(LayoutError, match="a.png is a file. Expected a folder"):
        recognise(touch(tmp_path, "a.png") / "a.png")


def test_a_toml_names_folders_or_globs_relative_to_itself(tmp_path):
    touch(tmp_path, "photos/a.jpg", "photos/b.jpg", "deep/x/a_m.png", "deep/y/b_m.png", "deep/y/b_m.txt")
    toml = tmp_path / "conf" / "roads.toml"
    toml.parent.mkdir()
    toml.write_text('images = "../photos"\nmasks = "../deep/*/*_m.*"\nmask_suffix = "_m"\n')
    layout = recognise(toml)
    assert (layout.name, layout.root, layout.spec.mask_suffix) == ("toml", toml.parent, "_m")
    assert [path.name for path in layout.files[0].images] == ["a.jpg", "b.jpg"]
    assert [path.name for path in layout.files[0].masks] == ["a_m.png", "b_m.png"]


def test_a_toml_names_parts(tmp_path):
    touch(tmp_path, "t/a.png", "tm/a.png", "v/b.png", "vm/b.png")
    toml = tmp_path / "data.toml"
    toml.write_text('[train]\nimages = "t"\nmasks = "tm"\n[val]\nimages = "v"\nmasks = "vm"\n')
    assert list(shown(recognise(toml))) == ["train", "val"]


@pytest.mark.parametrize(
    "text", ["", 'images = "t"', 'images = "t"\nmasks = "tm"\n[train]\nimages = "t"\nmasks = "tm"']
)
def test_a_toml_that_says_too_little_or_too_much(tmp_path, text):
    toml = tmp_path / "data.toml"
    toml.write_text(text)
    with pytest.raises(RecordError, match="expected either images and masks, or parts"):
        recognise(toml)


def test_a_toml_that_matches_nothing(tmp_path):
    toml = touch(tmp_path, "masks/a.png") / "data.toml"
    for pattern in ("photos", "photos/*.png"):
        toml.write_text(f'images = "{pattern}"\nmasks = "masks"')
        with pytest.raises(LayoutError, match=r"'photos.*' matches no image"):
            recognise(toml)


def test_a_negative_seed_in_the_toml_is_an_error(tmp_path):
    path = tmp_path / "roads.toml"
    path.write_text('images = "images"\nmasks = "masks"\nsplit_seed = -1\n')
    with pytest.raises(RecordError, match="split_seed"):
        recognise(path)
