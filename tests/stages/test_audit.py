from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import DataError
from rareseg.measures.tally import add
from rareseg.records.audit import Audit, PartFacts
from rareseg.records.codec import decode, encode
from rareseg.records.dataset import VOID, Dataset, Pair
from rareseg.stages import audit as stage
from rareseg.stages.audit import audit_data, root_of


def road_masks(count: int, shape: tuple[int, int] = (200, 240)) -> list[NDArray[np.uint8]]:
    """Masks of 0 and 1 with a road of 6 to 12 px each."""
    masks = []
    for index in range(count):
        mask = np.zeros(shape, np.uint8)
        mask[20 + index : 26 + index + index % 7] = 1
        masks.append(mask)
    return masks


def write_folder(root: Path, masks: list[NDArray[np.uint8]], *, dtype: Any = np.uint8) -> Path:
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for index, mask in enumerate(masks):
        photo = rng.integers(1, 250, (*mask.shape, 3)).astype(dtype)
        assert cv2.imwrite(str(root / "images" / f"town{chr(97 + index)}.png"), photo)
        assert cv2.imwrite(str(root / "masks" / f"town{chr(97 + index)}.png"), mask)
    return root


def every(audit: Audit) -> list[PartFacts]:
    return [audit.total, *audit.parts]


def test_counts_every_pixel_once(tmp_path: Path) -> None:
    masks = road_masks(10)
    root, audit, _ = audit_data(write_folder(tmp_path / "data", masks))
    assert root == root_of(tmp_path / "data") == tmp_path / "data"
    road = sum(int((mask == 1).sum()) for mask in masks)
    assert audit.total.counts.pixels == (10 * 48_000 - road, road)
    assert audit.total.classes[1].share == pytest.approx(road / 480_000, abs=1e-12)
    assert audit.total.classes[1].images == audit.total.counts.images == 10
    for name in ("images", "labelled", "objects", "pixels"):
        total = np.sum([np.asarray(getattr(facts.counts, name)) for facts in audit.parts], axis=0)
        np.testing.assert_array_equal(total, getattr(audit.total.counts, name))
    assert {facts.part for facts in audit.parts} == {pair.part for pair in audit.dataset.pairs}
    assert decode(encode(audit), Audit, "audit.json") == audit


def test_band_statistics_are_those_of_the_photos(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", road_masks(8), dtype=np.uint16)
    audit = audit_data(data).audit
    photos = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1] for path in data.glob("images/*")]
    pixels = np.concatenate([photo.reshape(-1, 3) for photo in photos]).astype(np.float64)
    np.testing.assert_allclose(audit.total.band_mean, pixels.mean(axis=0))
    np.testing.assert_allclose(audit.total.band_std, pixels.std(axis=0))
    assert any("uint16" in note for note in audit.notes)


def test_windows_change_no_pixel_count(tmp_path: Path) -> None:
    masks = road_masks(8)
    masks[0][100:120] = VOID
    write_folder(tmp_path / "data", masks)
    (tmp_path / "data.toml").write_text(
        'images = "data/images"\nmasks = "data/masks"\nvoid = [255]\n'
        '[[classes]]\nname = "ground"\nvalues = [0]\n[[classes]]\nname = "road"\nvalues = [1]\n'
    )
    root, whole, _ = audit_data(tmp_path / "data.toml")
    assert root == root_of(tmp_path / "data.toml") == tmp_path
    pieces = audit_data(tmp_path / "data.toml", window=64).audit
    for one, other in zip(every(whole), every(pieces), strict=True):
        for name in (
            "images",
            "images_with",
            "pixels",
            "labelled",
            "void",
            "nodata",
            "band_count",
            "band_sum",
        ):
            assert getattr(one.counts, name) == getattr(other.counts, name), name
    assert whole.total.counts.void == 20 * 240
    assert "8 images were counted in windows of 64 px" in pieces.notes[-1]
    assert not any("windows" in note for note in whole.notes)


def test_where_classes_lie_is_counted_in_the_same_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = road_masks(10)
    data = write_folder(tmp_path / "data", masks)
    reads: list[str] = []
    original = stage.read_sample

    def counting(root: Path, dataset: Dataset, pair: Pair, window: Any = None) -> Any:
        reads.append(pair.image)
        return original(root, dataset, pair, window)

    monkeypatch.setattr(stage, "read_sample", counting)
    audit, places = audit_data(data)[1:]
    assert len(reads) == len(set(reads)) == 10
    trained = {pair.image: pair for pair in audit.dataset.pairs if pair.part != "test"}
    assert places.keys() == trained.keys() and len(trained) < 10
    for name, image in places.items():
        mask = masks[ord(Path(name).stem[-1]) - 97]
        padded = np.pad(mask == 1, ((0, 24), (0, 16)))
        blocks = padded.reshape(7, 32, 8, 32).sum(axis=(1, 3))
        np.testing.assert_array_equal(image.grid(1), blocks)
        assert image.total(2) == mask.size
    for window in (64, 50):
        pieces = audit_data(data, window=window).places
        for name, image in places.items():
            for layer in range(3):
                np.testing.assert_array_equal(pieces[name].grid(layer), image.grid(layer))


def test_no_class_lies_where_there_is_no_photo(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "data", road_masks(8, (300, 240)))
    for path in data.glob("images/*"):
        photo = cv2.imread(str(path))
        photo[:150] = 255
        cv2.imwrite(str(path), photo)
    audit, places = audit_data(data)[1:]
    assert audit.total.counts.nodata_labelled > 0
    assert all(image.total(1) == 0 and image.total(2) == 150 * 240 for image in places.values())


def test_no_data_is_counted_and_told(tmp_path: Path) -> None:
    masks = road_masks(8, (300, 240))
    data = write_folder(tmp_path / "data", masks)
    for path in data.glob("images/*"):
        photo = cv2.imread(str(path))
        photo[:150] = 255
        cv2.imwrite(str(path), photo)
    audit = audit_data(data).audit
    assert audit.total.counts.nodata == 8 * 150 * 240
    assert audit.total.counts.nodata_labelled == sum(int(mask.sum()) for mask in masks)
    assert any(
        f"on {audit.total.counts.nodata_labelled} of them the masks still draw" in note
        for note in audit.notes
    )


class Listener:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.moved: dict[str, float] = {}
        self.totals: dict[str, float] = {}

    def task(self, title: str, total: float) -> Any:
        listener = self
        self.totals[title] = total
        self.moved[title] = 0.0

        class Open:
            def __enter__(self) -> "Open":
                return self

            def __exit__(self, *exc: object) -> None:
                return None

            def advance(self, amount: float = 1.0, *, note: str = "") -> None:
                del note
                listener.moved[title] += amount

        return Open()

    def say(self, message: str) -> None:
        del message


def test_progress_runs_to_its_end(tmp_path: Path) -> None:
    listener = Listener()
    audit_data(write_folder(tmp_path / "data", road_masks(8)), progress=listener, window=100)
    assert listener.totals["Counting pixels"] == 8
    assert listener.moved["Counting pixels"] == pytest.approx(8)


def test_files_that_fail_while_counting_are_all_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_folder(tmp_path / "data", road_masks(8))
    original = stage.read_sample

    def failing(root: Path, dataset: Dataset, pair: Pair, window: Any = None) -> Any:
        if pair.mask.endswith(("towna.png", "townc.png")):
            message = f"{pair.mask} went away"
            raise DataError(message)
        return original(root, dataset, pair, window)

    monkeypatch.setattr(stage, "read_sample", failing)
    with pytest.raises(DataError, match="2 of 8 pairs cannot be counted. Mend or remove them:") as caught:
        audit_data(data)
    assert [Path(problem.path).name for problem in caught.value.problems] == ["towna.png", "townc.png"]


def test_other_errors_stop_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    data = write_folder(tmp_path / "data", road_masks(8))
    monkeypatch.setattr(stage, "read_sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        audit_data(data)


def test_counts_of_parts_add_to_the_total(tmp_path: Path) -> None:
    audit = audit_data(write_folder(tmp_path / "data", road_masks(9))).audit
    total = audit.parts[0].counts
    for facts in audit.parts[1:]:
        total = add(total, facts.counts)
    assert total == audit.total.counts
