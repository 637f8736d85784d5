import cv2
import numpy as np
import pytest

from rareseg.errors import LayoutError
from rareseg.imagery.sets.datasets import discover
from rareseg.imagery.suspicion.folder import evidence_of_folder


@pytest.fixture
def written(tmp_path, drawn):
    """Write generated scenes with masks as `as_mask` makes them, and return the folder."""

    def write(count=8, as_mask=lambda label: label * 255, ending=".png", size=80, parts=("",), name="s{}"):
        pictures, labels = drawn(count, size)
        for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            part = parts[index % len(parts)]
            photo = np.clip(128 + 20 * picture.transpose(1, 2, 0), 0, 255).astype(np.uint8)
            for folder, stem, pixels in (
                ("images", name.format(index) + ".png", photo),
                ("masks", name.format(index) + ending, as_mask(label).astype(np.uint8)),
            ):
                path = tmp_path / part / folder / stem
                path.parent.mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(path), pixels)
        return tmp_path

    return write


def test_a_healthy_folder(written):
    found, notes = evidence_of_folder(written())
    assert found.classes == ("background", "foreground")
    assert (found.images, found.pixels, found.distinct_values, found.lossy_files) == (8, 8 * 80 * 80, 2, 0)
    assert (found.between, found.grey_from_colour, found.suspects) == (0, False, ())
    assert found.pair_information > found.shuffled_information + 3 * found.shuffled_deviation
    assert found.shift == (0, 0)
    assert found.empty_batches == 0
    assert notes == ()


def test_jpeg_masks_that_no_audit_takes(written):
    found, _ = evidence_of_folder(written(ending=".jpg"), quick=True)
    assert found.lossy_files == 8
    assert found.distinct_values > 10
    assert found.between > 5e-4
    assert found.between_near_edge > 0.6
    assert len(found.classes) == 2


def test_colours_are_counted(written):
    colours = np.array([[0, 0, 0], [40, 60, 230]])
    found, _ = evidence_of_folder(written(as_mask=lambda label: colours[label]), quick=True)
    assert (found.colours, found.grey_from_colour) == (2, False)
    assert found.shares[1] > 0.02


def test_grey_of_colours(written):
    found, _ = evidence_of_folder(written(as_mask=lambda label: np.array([29, 105])[label]), quick=True)
    assert found.grey_from_colour


def test_parts_that_share_an_image(written):
    root = written(8, parts=("train", "val"))
    for folder in ("images", "masks"):
        (root / "val" / folder / "s1.png").write_bytes((root / "train" / folder / "s0.png").read_bytes())
    found, _ = evidence_of_folder(root, quick=True)
    assert found.shared_images == 0.25
    assert found.touching_images == 0
    assert found.absent_in_validation == ()


def test_windows_of_one_scene_in_both_parts(written):
    root = written(8, parts=("train", "val"), size=128)
    for folder in ("images", "masks"):
        for index in range(0, 8, 2):
            whole = cv2.imread(str(root / "train" / folder / f"s{index}.png"))
            for part, left, name in (("train", 0, f"s{index}"), ("val", 40, f"s{index + 1}")):
                assert cv2.imwrite(str(root / part / folder / f"{name}.png"), whole[:80, left : left + 80])
    found, _ = evidence_of_folder(root)
    assert (found.shared_images, found.touching_images) == (1, 0)


def test_a_class_under_the_void_value(written):
    root = written(12, as_mask=lambda label: label * 255)
    (root / "data.toml").write_text(
        'images = "images"\nmasks = "masks"\nvoid = [255]\n[[classes]]\nname = "field"\nvalues = [0]\n'
        '[[classes]]\nname = "house"\nvalues = [7]\n'
    )
    mask = root / "masks" / "s0.png"
    drawn = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    drawn[:8, :8] = 7
    assert cv2.imwrite(str(mask), drawn)
    _, dataset = discover(root / "data.toml")
    found, _ = evidence_of_folder(root / "data.toml", dataset)
    assert found.ignored_value == 255
    assert found.ignored == pytest.approx(found.values[1].share)


def test_tiles_that_touch(written):
    names = "scene_y0_x{}"
    root = written(2, parts=("train", "val"), name=names)
    for folder in ("images", "masks"):
        (root / "val" / folder / "scene_y0_x1.png").rename(root / "val" / folder / "scene_y0_x80.png")
    found, _ = evidence_of_folder(root, quick=True)
    assert (found.shared_images, found.touching_images) == (0, 1)


def test_names_in_step_are_paired_in_order(written):
    root = written()
    for path in (root / "masks").iterdir():
        path.rename(path.with_name(path.name.replace("s", "label")))
    found, notes = evidence_of_folder(root)
    assert any("order of their names" in note for note in notes)
    assert found.pair_information > found.shuffled_information + 3 * found.shuffled_deviation


def test_names_that_do_not_match_are_paired_in_order_and_said(written):
    root = written()
    for index, path in enumerate(sorted((root / "masks").iterdir())):
        path.rename(path.with_name(f"label{(index + 1) % 8}.png"))
    found, notes = evidence_of_folder(root)
    assert any("order of their names" in note for note in notes)
    assert found.pair_information < found.shuffled_information + 3 * found.shuffled_deviation


def test_damaged_and_misfitting_files_are_noted(written):
    root = written()
    (root / "masks" / "s3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    cv2.imwrite(str(root / "masks" / "s4.png"), np.zeros((40, 40), np.uint8))
    found, notes = evidence_of_folder(root)
    assert found.images == 8
    assert any(note.startswith("s3.png") for note in notes)
    assert any("s4.png is 80 x 80 px, its mask 40 x 40" in note for note in notes)


def test_no_pairs_at_all(tmp_path):
    with pytest.raises(LayoutError):
        evidence_of_folder(tmp_path)


def test_an_audit_says_classes_and_parts(written):
    root = written(8, as_mask=lambda label: np.where(np.arange(80) < 8, 255, label))
    (root / "set.toml").write_text(
        'images = "images"\nmasks = "masks"\nvoid = [255]\n[[classes]]\nname = "field"\nvalues = [0]\n'
        '[[classes]]\nname = "road"\nvalues = [1]\n'
    )
    _, dataset = discover(root / "set.toml")
    found, _ = evidence_of_folder(root / "set.toml", dataset, quick=True)
    assert found.classes == ("field", "road")
    assert found.ignored == pytest.approx(0.1)
    assert (found.shared_images, found.touching_images) == (0, 0)
