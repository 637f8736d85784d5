import msgspec
import numpy as np
import pytest

from rareseg.measures.facts import attention, part_facts
from rareseg.measures.regions import SIZE_BINS, WIDTH_BINS, size_histogram, width_histogram
from rareseg.measures.tally import add, empty, tally
from rareseg.records.audit import Counts, PartFacts
from rareseg.records.dataset import VOID, Dataset, MaskReading, NoData, PartName

CLASSES = ("background", "road")


def image(road: int, *, void: int = 0, nodata: int = 0, size: int = 200) -> Counts:
    """A road of `road` rows, then void rows, then rows without photo."""
    labels = np.zeros((size, size), np.uint8)
    labels[:road] = 1
    labels[road : road + void] = VOID
    has_photo = np.ones(labels.shape, np.bool_)
    has_photo[size - nodata :] = False
    photo = np.random.default_rng(road).normal(1000, 30, (2, size, size))
    return tally(labels, has_photo, photo, classes=2, overlapping=False)


def facts(counts: Counts, part: PartName = "train") -> PartFacts:
    return part_facts(part, counts, CLASSES, overlapping=False)


def dataset(dtype: str = "uint8") -> Dataset:
    return Dataset(
        layout="toml",
        pairs=(),
        classes=CLASSES,
        overlapping=False,
        reading=MaskReading(kind="indices", ranges=(), said_by="user"),
        nodata=NoData(),
        bands=2,
        dtype=dtype,
        split_because="",
    )


def notes(*parts: PartFacts, dtype: str = "uint8") -> str:
    total = empty(2, 2)
    for part in parts:
        total = add(total, part.counts)
    return "\n".join(attention(dataset(dtype), part_facts("all", total, CLASSES, overlapping=False), parts))


def test_shares_sizes_and_chances() -> None:
    found = facts(add(image(8), image(0)))
    road = found.classes[1]
    assert (road.name, road.pixels, road.images, road.objects) == ("road", 1600, 1, 1)
    assert road.share == pytest.approx(0.02)
    assert sum(facts.share for facts in found.classes) == pytest.approx(1)
    assert road.median_size == pytest.approx(1600, rel=0.2)
    # 5 x 5 crops of 128 px in an image of 12 x 12 whole blocks; the first row of one image holds the road.
    assert road.crop_chance == (pytest.approx(5 / 50), None, None)
    assert found.constant_predictor.accuracy == pytest.approx(0.98)


def test_road_beside_the_edge_has_its_width() -> None:
    labels = np.zeros((100, 300), np.uint8)
    labels[40:49] = 1
    counts = tally(
        labels,
        np.ones(labels.shape, np.bool_),
        np.zeros((1, 100, 300), np.uint8),
        classes=2,
        overlapping=False,
    )
    assert part_facts("val", counts, CLASSES, overlapping=False).classes[1].median_width == 9


def test_medians_are_those_of_the_values() -> None:
    rng = np.random.default_rng(0)
    widths = rng.integers(1, 60, 501).astype(np.float64)
    areas = np.exp(rng.uniform(0, 12, 501)).astype(np.int64)
    counts = msgspec.structs.replace(
        empty(1, 1),
        width_histogram=(tuple(width_histogram(widths).tolist()),),
        size_histogram=(tuple(size_histogram(areas).tolist()),),
    )
    found = part_facts("train", counts, ("a",), overlapping=False).classes[0]
    assert found.median_width == np.median(widths)
    assert found.median_size == pytest.approx(np.median(areas), rel=0.1)


@pytest.mark.parametrize("widths, median", [([9], 9), ([9, 9], 9), ([3, 9], 3), ([3, 9, 20], 9)])
def test_median_width_of_few_is_the_lower_one(widths: list[float], median: float) -> None:
    histogram = tuple(width_histogram(np.array(widths, np.float64)).tolist())
    counts = msgspec.structs.replace(empty(1, 1), width_histogram=(histogram,))
    assert part_facts("train", counts, ("a",), overlapping=False).classes[0].median_width == median


@pytest.mark.parametrize("area", [1, 2, 3])
def test_median_of_small_regions_is_exact(area: int) -> None:
    histogram = tuple(size_histogram(np.full(5, area)).tolist())
    counts = msgspec.structs.replace(empty(1, 1), size_histogram=(histogram,))
    assert part_facts("train", counts, ("a",), overlapping=False).classes[0].median_size == area


def test_absent_class_has_no_medians_but_a_chance_of_zero() -> None:
    road = facts(image(0)).classes[1]
    assert (road.median_width, road.median_size) == (None, None)
    assert road.crop_chance == (0.0, None, None)


def test_bands() -> None:
    rng = np.random.default_rng(10)
    photos = [np.random.default_rng(road).normal(1000, 30, (2, 200, 200)) for road in (10, 20)]
    found = facts(add(image(10), image(20)))
    both = np.concatenate([photo.reshape(2, -1) for photo in photos], axis=1)
    np.testing.assert_allclose(found.band_mean, both.mean(axis=1))
    np.testing.assert_allclose(found.band_std, both.std(axis=1))
    level = rng.integers(0, 255)
    flat = tally(np.zeros((9, 9), np.uint8), np.ones((9, 9), np.bool_), np.full((1, 9, 9), level), classes=2,
                 overlapping=False)  # fmt: skip
    assert facts(flat).band_std == (0.0,)


def test_no_pixel_at_all() -> None:
    found = facts(empty(2, 3))
    assert found.classes[1].share == 0
    assert found.band_mean == (0.0, 0.0, 0.0)
    assert (
        len(empty(2, 3).width_histogram[0]) == WIDTH_BINS and len(empty(2, 3).size_histogram[0]) == SIZE_BINS
    )


def test_notes_on_ordinary_data() -> None:
    found = notes(facts(image(8)), facts(image(10), "val"))
    assert '"background" has accuracy 0.9550 and macro IoU 0.477' in found
    assert 'rarest class is "road": 4.5 % of labelled pixels, in 2 of 2 images' in found
    assert 'crop of 128 px holds "road" with a chance of 20 %' in found
    for absent in ("void", "no photo", "absent", "covers", "values"):
        assert absent not in found


def test_notes_on_what_is_odd() -> None:
    train = facts(image(40, void=10, nodata=170))
    found = notes(train, facts(image(4), "val"), facts(image(0), "test"), dtype="uint16")
    # Photo ends at row 30: road to there, and 10 rows of it beyond; the void rows have no photo either.
    assert "34000 pixels (28.3 %) have no photo and count nowhere; on 2000 of them the masks" in found
    assert "2000 pixels (5 %) are void in the masks: they count nowhere." in notes(facts(image(4, void=10)))
    assert 'Class "road" is absent from the test part: nothing about it can be measured there.' in found
    assert 'Class "road" covers 100 % of the train part but 2 % of the val part' in found
    assert "Photos hold uint16 values in 2 bands" in found
    assert "nothing about it can be learnt there" in notes(facts(image(0)))


def test_notes_on_wide_things() -> None:
    labels = np.zeros((500, 500), np.uint8)
    labels[:, 50:250] = 1
    photo = np.zeros((2, 500, 500), np.uint8)
    counts = tally(labels, np.ones(labels.shape, np.bool_), photo, classes=2, overlapping=False)
    assert 'Half of "road" is 128 px wide or wider.' in notes(facts(counts))


@pytest.mark.parametrize(
    ("fill", "share", "noted"),
    [(-9999.0, 0.01, True), (1e20, 0.001, True), (1e29, 0.01, True), (0.3, 0.5, False)],
)
def test_fills_that_nothing_marks_are_noted(fill: float, share: float, noted: bool) -> None:
    photo = np.full((2, 100, 100), 0.2)
    photo[1].flat[: int(share * 10_000)] = fill
    labels = np.zeros((100, 100), np.uint8)
    labels[:9] = 1
    counts = tally(labels, np.ones((100, 100), np.bool_), photo, classes=2, overlapping=False)
    found = notes(facts(counts), dtype="float64")
    assert ("Band 2 has mean" in found) == noted
    assert ("name it as nodata = [...] in the TOML" in found) == noted
    assert "Band 1 has" not in found
    assert "numbers beyond 1e30 of either sign, there is no photo" in found
    assert np.isfinite(facts(counts).band_std).all()


def test_moments_beyond_floats_are_numbers_still() -> None:
    counts = msgspec.structs.replace(image(8), band_sum=(1e306, 1.0), band_sum_squares=(float("inf"), 1.0))
    assert np.isfinite(facts(counts).band_std).all()
