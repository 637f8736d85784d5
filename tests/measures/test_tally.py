from functools import reduce
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rareseg.errors import DataError, SettingError
from rareseg.measures.regions import ridge_widths, width_histogram
from rareseg.measures.tally import add, empty, members, one_image, tally
from rareseg.records.audit import CROP_SIZES, Counts
from rareseg.records.codec import decode, encode
from rareseg.records.dataset import VOID

ADDITIVE = (
    "pixels", "labelled", "void", "nodata", "nodata_labelled", "band_count", "band_sum", "band_sum_squares",
)  # fmt: skip


def scene(
    seed: int, shape: tuple[int, int] = (300, 280), classes: int = 3, dtype: Any = np.uint8
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, classes, (30, 28)), np.ones((10, 10), np.int64))[: shape[0], : shape[1]]
    labels[rng.random(labels.shape) < 0.05] = VOID
    has_photo = rng.random(labels.shape) < 0.9
    photo = rng.integers(0, 200, (2, *labels.shape)).astype(dtype)
    return labels.astype(np.uint8), has_photo, photo


def count(seed: int, *, overlapping: bool = False) -> Counts:
    labels, has_photo, photo = scene(seed, classes=3)
    return tally(labels, has_photo, photo, classes=3, overlapping=overlapping)


def test_counts_are_those_of_numpy() -> None:
    labels, has_photo, photo = scene(0)
    counts = tally(labels, has_photo, photo, classes=3, overlapping=False)
    counted = has_photo & (labels != VOID)
    assert counts.pixels == tuple(int((counted & (labels == k)).sum()) for k in range(3))
    assert counts.labelled == counted.sum() == sum(counts.pixels)
    assert counts.void == (has_photo & (labels == VOID)).sum()
    assert counts.nodata == (~has_photo).sum()
    assert counts.nodata_labelled == (~has_photo & (labels != VOID) & (labels != 0)).sum()
    assert counts.labelled + counts.void + counts.nodata == labels.size
    assert (counts.images, counts.images_with) == (1, (1, 1, 1))
    assert counts.crop_positions == (11 * 10, 3 * 2, 0)
    assert counts.objects == tuple(map(sum, counts.size_histogram))
    for k in range(3):
        expected = width_histogram(ridge_widths(counted & (labels == k)))
        assert counts.width_histogram[k] == tuple(expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32])
def test_band_sums_are_those_of_float64(dtype: Any) -> None:
    labels, has_photo, photo = scene(1, dtype=dtype)
    if np.dtype(dtype).kind == "i":
        photo -= 300
    counts = tally(labels, has_photo, photo, classes=3, overlapping=False)
    inside = photo[:, has_photo].astype(np.float64)
    assert counts.band_count == inside.shape[1]
    np.testing.assert_allclose(counts.band_sum, inside.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(counts.band_sum_squares, (inside**2).sum(axis=1), rtol=1e-12)


def test_values_that_are_not_finite_stay_out_of_band_sums() -> None:
    labels, has_photo, photo = scene(1, dtype=np.float32)
    has_photo[:2, :2] = True
    photo[0, 0, 0], photo[1, 1, 1] = np.nan, np.inf
    counts = tally(labels, has_photo, photo, classes=3, overlapping=False)
    assert counts.band_count == has_photo.sum() - 2
    assert np.isfinite(counts.band_sum).all()


def test_pieces_add_up_to_the_image() -> None:
    labels, has_photo, photo = scene(2)
    whole = tally(labels, has_photo, photo, classes=3, overlapping=False)
    pieces = [
        tally(labels[r], has_photo[r], photo[:, r], classes=3, overlapping=False)
        for r in (slice(0, 90), slice(90, 91), slice(91, None))
    ]
    total = one_image(reduce(add, pieces, empty(3, 2)))
    for name in ADDITIVE:
        assert getattr(total, name) == getattr(whole, name), name
    assert (total.images, total.images_with) == (whole.images, whole.images_with)


def test_counts_form_a_monoid() -> None:
    a, b, c = count(3), count(4), count(5, overlapping=True)
    assert add(add(a, b), c) == add(a, add(b, c))
    assert add(a, b) == add(b, a)
    assert add(a, empty(3, 2)) == a == add(empty(3, 2), a)
    assert add(a, b).images == 2
    assert decode(encode(a), Counts, "here") == a


def test_overlapping_labels_are_bit_sets() -> None:
    rng = np.random.default_rng(6)
    holds = rng.random((2, 64, 64)) < 0.3
    labels = (holds[0] + 2 * holds[1]).astype(np.uint8)
    labels[:3] = VOID
    has_photo = np.ones(labels.shape, np.bool_)
    has_photo[10:12] = False
    counts = tally(labels, has_photo, np.zeros((1, 64, 64), np.uint8), classes=2, overlapping=True)
    counted = has_photo & (labels != VOID)
    assert counts.pixels == tuple((holds & counted).sum(axis=(1, 2)).tolist())
    assert counts.labelled == counted.sum()
    assert counts.nodata_labelled == holds.any(axis=0)[10:12].sum()
    alone = tally(
        np.where(counted, holds[1], VOID).astype(np.uint8),
        has_photo,
        np.zeros((1, 64, 64), np.uint8),
        classes=2,
        overlapping=False,
    )
    assert counts.objects[1] == alone.objects[1]
    assert counts.size_histogram[1] == alone.size_histogram[1]


def test_nothing_counts_where_there_is_no_photo() -> None:
    labels = np.zeros((600, 600), np.uint8)
    labels[100:110] = 1
    photo = np.full((3, 600, 600), 255, np.uint8)
    counts = tally(labels, np.zeros(labels.shape, np.bool_), photo, classes=2, overlapping=False)
    assert counts == Counts(
        **{
            **{name: getattr(empty(2, 3), name) for name in Counts.__struct_fields__},
            "images": 1,
            "nodata": 360_000,
            "nodata_labelled": 6000,
            "crop_positions": counts.crop_positions,
        }
    )


def test_known_road() -> None:
    labels = np.zeros((600, 600), np.uint8)
    labels[0:8] = 1
    counts = tally(
        labels,
        np.ones(labels.shape, np.bool_),
        np.zeros((1, 600, 600), np.uint8),
        classes=2,
        overlapping=False,
    )
    assert counts.objects == (1, 1)
    assert counts.pixels == (592 * 600, 4800)
    positions = [((600 // 16 * 16 - side) // 16 + 1) for side in CROP_SIZES]
    assert counts.crop_positions == tuple(n * n for n in positions)
    # Only crops of the first row of positions reach the road, and they all do.
    assert counts.crop_holds[1] == tuple(positions)
    assert counts.crop_holds[0] == counts.crop_positions


def test_members() -> None:
    labels = np.array([0, 1, 2, 3, VOID], np.uint8)
    assert members(labels, 1, overlapping=False).tolist() == [False, True, False, False, False]
    assert members(labels, 1, overlapping=True).tolist() == [False, False, True, True, False]


def test_strange_label_is_an_error() -> None:
    labels, has_photo, photo = scene(7)
    labels[0, :2] = 9
    with pytest.raises(
        DataError, match=r"Expected labels 0..2 or 255 \(void\) for 3 classes, but 2 pixels hold 9"
    ):
        tally(labels, has_photo, photo, classes=3, overlapping=False)
    with pytest.raises(DataError, match=r"Expected labels 0..7 or 255"):
        tally(labels, has_photo, photo, classes=3, overlapping=True)


def test_shapes_that_do_not_fit_are_an_error() -> None:
    labels, has_photo, photo = scene(7)
    with pytest.raises(SettingError, match=r"got \(300, 280\), \(300, 280\) and \(2, 300, 279\)"):
        tally(labels, has_photo, photo[:, :, 1:], classes=3, overlapping=False)


def test_too_many_overlapping_classes_are_an_error() -> None:
    labels, has_photo, photo = scene(7)
    with pytest.raises(SettingError, match="there can be 7 of them; got 8"):
        tally(labels, has_photo, photo, classes=8, overlapping=True)


def test_counts_of_different_classes_do_not_add() -> None:
    with pytest.raises(
        SettingError, match="2 classes and 3 bands cannot be added to counts of 3 classes and 3"
    ):
        add(empty(2, 3), empty(3, 3))
