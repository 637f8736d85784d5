"""The file of places: what is written is read, and no damaged or foreign file is taken for the data's own."""

import io
import pickle

import numpy as np
import pytest
from msgspec.structs import replace

from rareseg.errors import OutputExistsError, RecordError
from rareseg.imagery.rasters import RasterWriter, Window
from rareseg.records.places import BLOCK, indexed, places_file, read_places, write_places
from rareseg.stages.audit import audit_data


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """Return the audit of 10 photos in one corner of which lies a square: a sparse layer beside dense ones."""
    folder = tmp_path_factory.mktemp("corners")
    rng = np.random.default_rng(0)
    for number in range(10):
        mask = np.zeros((1, 200, 170), np.uint8)
        mask[0, 5:50, 5:20] = 255
        photo = rng.integers(1, 250, (3, 200, 170)).astype(np.uint8)
        for name, pixels in (("images", photo), ("masks", mask)):
            path = folder / name / f"town{number}.png"
            with RasterWriter(path, height=200, width=170, bands=len(pixels), dtype="uint8") as writer:
                writer.write(Window(0, 0, 200, 170), pixels)
    return audit_data(folder)


@pytest.fixture
def written(audited, tmp_path):
    path = tmp_path / "audit.places.npz"
    write_places(path, audited.places, audited.audit)
    return path


def rewritten(path, **changes):
    with np.load(path) as packed:
        arrays = {name: packed[name] for name in packed.files}
    for name, change in changes.items():
        arrays[name] = change(arrays[name])
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_what_is_written_is_read(audited, written):
    found = read_places(written, audited.audit)
    assert found.keys() == audited.places.keys()
    for name, image in audited.places.items():
        other = found[name]
        assert (image.height, image.width) == (other.height, other.width)
        for one, two in zip(image.layers, other.layers, strict=True):
            assert (one.blocks is None) == (two.blocks is None)
            np.testing.assert_array_equal(one.counts, two.counts)
            if one.blocks is not None:
                np.testing.assert_array_equal(one.blocks, two.blocks)
                assert two.blocks.dtype == np.uint32
            assert two.counts.dtype == np.uint16


def test_places_are_kept_of_what_training_looks_at(audited):
    assert {facts.part for facts in audited.audit.parts} == {"train", "val", "test"}
    assert {pair.part for pair in indexed(audited.audit.dataset)} == {"train", "val"}
    assert audited.places.keys() == {pair.image for pair in indexed(audited.audit.dataset)}


def test_the_file_lies_beside_the_audit(tmp_path):
    assert places_file(tmp_path / "my.audit.json") == tmp_path / "my.audit.places.npz"


def test_a_file_is_not_replaced_unasked(audited, written):
    with pytest.raises(OutputExistsError):
        write_places(written, audited.places, audited.audit)
    write_places(written, audited.places, audited.audit, overwrite=True)


def test_a_missing_file_is_named(audited, tmp_path):
    with pytest.raises(RecordError, match=r"audit\.places\.npz does not exist"):
        read_places(tmp_path / "audit.places.npz", audited.audit)


def test_the_places_of_another_audit_are_refused(audited, written):
    with pytest.raises(RecordError, match=r"belongs to audit \w{16}, but the audit given is \w{16}"):
        read_places(written, replace(audited.audit, notes=("changed",)))


def changed(array, by=1):
    array = array.copy()
    array.ravel()[0] = int(array.ravel()[0]) + by
    return array


def balanced(lengths):
    """Make one sparse layer shorter than nothing and another longer, so that the sum stays."""
    lengths = lengths.copy()
    lengths[0, 1] -= 3
    lengths[1, 1] += 3
    return lengths


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"counts": lambda array: changed(array, -1)},
            "pixels of the train part are not those that the audit counted",
        ),
        ({"counts": lambda array: array[:-1]}, "more or fewer counts"),
        ({"counts": lambda array: array.astype(np.int64)}, "counts is int64 of rank 1, expected uint16 of 1"),
        ({"counts": lambda array: np.full_like(array, BLOCK * BLOCK + 1)}, "a block of 1024 px holds more"),
        ({"blocks": lambda array: array[::-1].copy()}, "out of order"),
        ({"blocks": lambda array: array + np.uint32(10**6)}, "out of order"),
        ({"blocks": lambda array: array[None]}, "blocks is uint32 of rank 2"),
        ({"sides": changed}, "its images are not those of the audit"),
        ({"sides": lambda array: array[:-1]}, "its images are not those of the audit"),
        ({"dense": lambda array: array[:, :-1]}, "expected 3 layers"),
        ({"dense": np.ones_like}, "a layer has more or fewer blocks than its image"),
        ({"dense": np.zeros_like}, "more or fewer counts"),
        ({"lengths": lambda array: -array}, "a layer has more or fewer blocks than its image"),
        ({"lengths": balanced}, "a layer has more or fewer blocks than its image"),
        ({"lengths": lambda _: None}, "expected the arrays audit, sides"),
    ],
)
def test_a_damaged_file_is_refused(audited, written, changes, reason):
    with pytest.raises(RecordError, match=f"audit.places.npz is damaged: .*{reason}"):
        read_places(rewritten(written, **changes), audited.audit)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "pickle", "object", "plain"])
def test_a_file_that_is_no_zip_of_plain_arrays_is_refused_and_runs_nothing(audited, written, damage):
    data = written.read_bytes()
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    if damage == "object":
        rewritten(written, audit=lambda _: np.array([Trap()], object))
    else:
        written.write_bytes(
            {
                "cut": data[: len(data) // 2],
                "noise": data[:300] + bytes(64) + data[364:],
                "empty": b"",
                "pickle": pickle.dumps(Trap()),
                "plain": plain.getvalue(),
            }[damage]
        )
    with pytest.raises(RecordError, match=r"audit\.places\.npz is damaged"):
        read_places(written, audited.audit)
