import numpy as np
import pytest

import rareseg.imagery.sets.survey as module
from rareseg.errors import SettingError
from rareseg.imagery.rasters import describe
from rareseg.imagery.sets.pairs import Match
from rareseg.imagery.sets.survey import Survey, survey
from rareseg.records.dataset import DataSpec


@pytest.fixture
def surveyed(save, tmp_path):
    def run(photo, mask, spec=None, mask_name="m/a.png", photo_name="i/a.tif", **profile):
        pair = Match(None, "a", save(photo_name, photo, **profile), save(mask_name, mask))
        return survey(pair, describe(pair.image), tmp_path, spec or DataSpec())

    return run


@pytest.fixture
def photo(random):
    photo = random.integers(20, 200, (3, 200, 150)).astype("uint8")
    photo[:, :70] = 255
    return photo


@pytest.fixture
def mask(random):
    return (random.random((1, 200, 150)) < 0.1).astype("uint8")


def test_counts_and_fills(surveyed, photo, mask):
    found = surveyed(photo, mask)
    assert isinstance(found, Survey)
    assert found.mask.path == "m/a.png"
    assert found.mask.counts == {0: int((mask == 0).sum()), 1: int(mask.sum())}
    (fill,) = found.fills
    assert (fill.value, fill.filled, fill.image) == (255, 70 * 150, 200 * 150)
    assert fill.raw[1] == mask[0, :70].sum()


def test_strips_count_what_one_read_counts(surveyed, photo, mask, monkeypatch):
    whole = surveyed(photo, mask)
    monkeypatch.setattr(module, "STRIP_PIXELS", 150 * 37)
    assert surveyed(photo, mask) == whole


def test_colours_are_counted_as_colours(surveyed, photo):
    colours = np.zeros((3, 200, 150), dtype="uint8")
    colours[0, :10] = 255
    assert surveyed(photo, colours).mask.counts == {0: 190 * 150, 0xFF0000: 1500}


def test_overlapping_bands_are_counted_each(surveyed, photo):
    bands = np.zeros((4, 200, 150), dtype="uint8")
    bands[3, :10], bands[0, :20] = 1, 255
    found = surveyed(photo, bands, DataSpec(overlapping=True), mask_name="m/a.tif")
    assert found.mask.band_counts == (3000, 0, 0, 1500)
    assert found.mask.bands == 4


def test_the_toml_says_which_fills_to_look_for(surveyed, photo, mask):
    assert surveyed(photo, mask, DataSpec(nodata="none")).fills == ()
    assert [fill.value for fill in surveyed(photo, mask, DataSpec(nodata=(7,))).fills] == [7]


@pytest.mark.parametrize("which", ["photo", "mask"])
def test_damage_deep_inside_a_file_is_found(save, tmp_path, photo, mask, which):
    pair = Match(None, "a", save("i/a.png", photo), save("m/a.png", mask))
    path = pair.image if which == "photo" else pair.mask
    info = describe(pair.image)
    path.write_bytes(path.read_bytes()[:-200])
    (problem,) = survey(pair, info, tmp_path, DataSpec())
    assert problem.path == ("i/a.png" if which == "photo" else "m/a.png")
    assert problem.reason.startswith("unreadable or truncated")


def test_near_infrared_marked_as_alpha_is_noticed(surveyed, random, mask):
    photo = random.integers(0, 255, (4, 200, 150)).astype("uint8")
    (problem,) = surveyed(photo, mask)
    assert problem.path == "i/a.tif"
    assert problem.reason.startswith("band 4 is marked as alpha, but ")
    assert "gdal_edit.py -colorinterp_4 undefined" in problem.reason
    photo[3] = np.where(photo[3] > 99, 255, 0)
    assert isinstance(surveyed(photo, mask), Survey)


@pytest.mark.parametrize("said", [(300,), (255, -1), (10**20,)])
def test_fills_that_the_photos_cannot_hold_are_refused(surveyed, photo, mask, said):
    with pytest.raises(
        SettingError, match=r"expected values that uint8 photos such as i/a.tif can hold, 0..255"
    ):
        surveyed(photo, mask, DataSpec(nodata=said))
    assert isinstance(surveyed(photo.astype("float32"), mask, DataSpec(nodata=(300, -9999))), Survey)
    with pytest.raises(SettingError, match="expected values that float32 photos"):
        surveyed(photo.astype("float32"), mask, DataSpec(nodata=(10**20,)))


def test_no_value_at_all_is_refused(surveyed, photo, mask):
    with pytest.raises(SettingError, match=r'nodata = \[\] names no value. Write nodata = "none"'):
        surveyed(photo, mask, DataSpec(nodata=()))


def test_areas_and_single_pixels_of_a_value_are_told_apart(surveyed, photo, random, monkeypatch):
    """Squares of 2 x 2 px are counted alike in one strip and in many."""
    mask = np.zeros((1, 200, 150), dtype="uint8")
    mask[0, ::3, ::3] = 1
    mask[0, 100:120, 50:60] = 2
    for bands in (1, 3):
        grey = 0x010101 if bands == 3 else 1
        whole = surveyed(photo, np.repeat(mask, bands, axis=0), mask_name=f"m/a{bands}.png").mask
        assert whole.blocks.get(grey, 0) == 0
        assert whole.blocks[2 * grey] == 19 * 9
        with monkeypatch.context() as patched:
            patched.setattr(module, "STRIP_PIXELS", 150 * 110)
            strips = surveyed(photo, np.repeat(mask, bands, axis=0), mask_name=f"m/a{bands}.png").mask
        assert strips == whole


def test_what_alpha_hides_is_not_counted(surveyed, photo):
    mask = np.zeros((2, 200, 150), dtype="uint8")
    mask[1, :50], mask[0, 50:60], mask[0, 190:] = 255, 3, 7
    found = surveyed(photo, mask)
    assert found.mask.counts == {0: 50 * 150}
    assert found.fills[0].raw == {0: 50 * 150}
