from pathlib import Path

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import Affine

from rareseg.errors import LayoutError
from rareseg.imagery.sets.layouts import Files, Layout
from rareseg.imagery.sets.pairs import check_heads, match, relative
from rareseg.records.dataset import DataSpec

ROOT = Path("/data")


def a_layout(images, masks, spec=None, root=ROOT):
    paths = [tuple(root / name for name in names) for names in (images, masks)]
    return Layout("images + masks", root, (Files(None, *paths),), spec or DataSpec())


def test_pairs_go_by_stem_never_by_order():
    images, masks = ("i/b.jpg", "i/a.JPG", "i/c.jpeg"), ("m/c.png", "m/a.png", "m/b.TIF")
    found = match(a_layout(images, masks))
    assert [(pair.stem, pair.image.name, pair.mask.name) for pair in found.pairs] == [
        ("b", "b.jpg", "b.TIF"),
        ("a", "a.JPG", "a.png"),
        ("c", "c.jpeg", "c.png"),
    ]
    assert found.problems == ()
    assert (found.image_suffix, found.mask_suffix) == ("", "")


@pytest.mark.parametrize(
    ("image", "mask", "suffixes"),
    [("{}", "{}_mask", ("", "_mask")), ("{}_sat", "{}_mask", ("_sat", "_mask")), ("{}", "{}_gt", ("", "_gt")),
     ("{}", "{}_L", ("", "_L")), ("{}_rgb", "{}", ("_rgb", ""))],
)  # fmt: skip
def test_known_endings_are_found(image, mask, suffixes):
    images, masks = ([f"{pattern.format(stem)}.png" for stem in "ab"] for pattern in (image, mask))
    found = match(a_layout(images, masks))
    assert [pair.stem for pair in found.pairs] == ["a", "b"]
    assert (found.image_suffix, found.mask_suffix) == suffixes


def test_equal_stems_win_over_endings():
    found = match(a_layout(["i/a_mask.png", "i/a.png"], ["m/a_mask.png", "m/a.png"]))
    assert found.mask_suffix == ""
    assert len(found.pairs) == 2


def test_the_toml_names_the_endings():
    spec = DataSpec(image_suffix="_p", mask_suffix="_q")
    found = match(a_layout(["a_p.png", "b.png"], ["a_q.png"], spec))
    assert [pair.stem for pair in found.pairs] == ["a"]
    assert [tuple(problem) for problem in found.problems] == [
        ("b.png", "its name does not end in '_p' as those of other images do")
    ]


def test_everything_that_is_wrong_is_listed():
    images = ["i/a.png", "i/b.png", "i/c.png", "i/c.jpg", "i/e.bmp"]
    masks = ["m/a.png", "m/c.png", "m/d.png", "m/e.png"]
    found = match(a_layout(images, masks))
    assert {pair.stem for pair in found.pairs} == {"a", "e"}
    assert {tuple(problem) for problem in found.problems} == {
        ("i/b.png", "has no mask (expected b.*)"),
        ("i/c.png", "2 images share the stem 'c': c.png, c.jpg"),
        ("i/c.jpg", "2 images share the stem 'c': c.png, c.jpg"),
        ("m/d.png", "has no image (expected d.*)"),
        ("i/e.bmp", ".bmp is not read; convert it to PNG or TIFF"),
    }


def test_no_pair_at_all():
    with pytest.raises(LayoutError, match="not one image has a mask of the same name.*mask_suffix") as caught:
        match(a_layout(["i/a.png"], ["m/z.png"]))
    assert len(caught.value.problems) == 2


def heads(root, names):
    found = match(
        a_layout([f"i/{name}" for name in names], [f"m/{Path(name).stem}.tif" for name in names], root=root)
    )
    return check_heads(found.pairs, root)


def test_heads_are_compared(save, tmp_path):
    photo, mask = np.zeros((3, 8, 9), dtype="uint8"), np.zeros((1, 8, 9), dtype="uint8")
    for stem in "abcd":
        save(f"i/{stem}.png", photo)
        save(f"m/{stem}.tif", mask)
    save("m/b.tif", np.zeros((1, 9, 8), dtype="uint8"))
    save("i/c.png", photo[:1].astype("uint16"))
    (tmp_path / "m/d.tif").write_bytes(b"II*\x00 not a TIFF at all")
    good, problems = heads(tmp_path, [f"{stem}.png" for stem in "abcd"])
    assert [pair.stem for pair in good] == ["a"]
    reasons = dict(problems)
    assert reasons["i/b.png"] == "is 8 x 9 px (height x width), but its mask m/b.tif is 9 x 8"
    assert reasons["i/c.png"] == "has 1 bands of uint16, but 1 of 2 photos have 3 of uint8"
    assert reasons["m/d.tif"].startswith("unreadable or truncated")
    assert len(problems) == 3


def test_photo_and_mask_lie_at_one_place(save, tmp_path):
    crs, transform = CRS.from_epsg(32632), Affine(1, 0, 500, 0, -1, 900)
    photo, mask = np.zeros((3, 8, 9), dtype="uint8"), np.zeros((1, 8, 9), dtype="uint8")
    places = {
        "same": {"crs": crs, "transform": transform},
        "plain": {},
        "moved": {"crs": crs, "transform": Affine(1, 0, 502, 0, -1, 900)},
        "zone": {"crs": CRS.from_epsg(32633), "transform": transform},
    }
    for stem, place in places.items():
        save(f"i/{stem}.tif", photo, crs=crs, transform=transform)
        save(f"m/{stem}.tif", mask, **place)
    good, problems = heads(tmp_path, [f"{stem}.tif" for stem in places])
    assert {pair.stem for pair in good} == {"same", "plain"}
    assert dict(problems) == {
        "i/moved.tif": "lies elsewhere than its mask m/moved.tif: transform shifted by up to 2 px",
        "i/zone.tif": "lies elsewhere than its mask m/zone.tif: CRS EPSG:32633 against EPSG:32632",
    }


def test_relative_paths_have_forward_slashes_and_may_climb():
    assert relative(Path("/data/other/a.png"), Path("/data/conf")) == "../other/a.png"
