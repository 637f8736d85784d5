from pathlib import Path

import cv2
import numpy as np
import pytest
from casebook.cases import colours_read_as_grey, leakage, seams
from casebook.runner import run_all, run_one

import rareseg
from casebook import catalogue, files

FAST = (
    *(
        "activation_twice",
        "logits_to_probability_loss",
        "softmax_on_one_channel",
        "label_values_out_of_range",
    ),
    *("interpolated_masks", "colours_read_as_grey", "metric_illusion"),
    *("display_only", "half_precision_overflow", "healthy_folder", "both_leakage_and_interpolation"),
)


@pytest.fixture
def asked(monkeypatch):
    questions = []

    def record(subject, **question):
        questions.append((subject, question))
        raise KeyError

    monkeypatch.setattr(rareseg, "diagnose", record, raising=False)
    return questions


def test_every_cause_has_a_file():
    assert set(catalogue.CAUSES) <= set(catalogue.kinds())
    extra = set(catalogue.kinds()) - set(catalogue.CAUSES)
    assert all(kind.startswith(("healthy_", "both_")) for kind in extra)
    assert len(catalogue.CAUSES) == 30


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FAST)
def test_a_seed_builds_the_case_that_its_file_promises(kind, asked):
    case, again = (catalogue.builder(kind)(0) for _ in range(2))
    assert case.drawn == again.drawn
    if kind in catalogue.CAUSES:
        assert case.expected == (kind,)
    assert set(case.expected) <= set(catalogue.CAUSES)
    assert not set(case.expected) & set(case.beside)
    with pytest.raises(KeyError):
        case.diagnose()
    subject, question = asked[0]
    assert "loss" in question or case.framework != "torch"
    assert case.framework != "files" or Path(subject).exists()


def test_what_the_diagnosis_raises_is_noted(asked):
    found = run_one("display_only", 1)
    assert (found.state, found.built) == ("crash", True)
    assert found.error.startswith("KeyError")
    assert len(asked) == 1


def test_what_is_not_built_is_noted():
    (found,) = run_all(("no_such_kind",), range(1))
    assert not found.built
    assert "no_such_kind" in found.error


def test_luminance_is_that_of_opencv():
    for colours in (colours_read_as_grey.VOC, colours_read_as_grey.CAMVID):
        pixels = np.array(colours, np.uint8)[None]
        np.testing.assert_array_equal(
            cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[0], colours_read_as_grey.luminance(colours)
        )


def test_torn_maps_are_wrong_near_tile_borders_only():
    maps = np.ones((2, 128, 128), np.int64)
    torn = seams.torn(np.random.default_rng(0), maps, 64, 1)
    wrong = (torn != maps).any(0)
    assert not wrong[20:44, 20:44].any()
    assert not wrong[0].any() or not wrong[0, 20:44].any()
    again = [seams.torn(np.random.default_rng(seed), maps, 64, 1) for seed in range(6)]
    assert any((one != maps)[:, 60:68].any() for one in again)


def test_windows_overlap_by_their_step():
    photos = np.arange(3 * 64 * 64, dtype=np.int64).reshape(1, 3, 64, 64)
    cut, labels = leakage.windows(photos, photos[:, 0], 32, 16)
    assert len(cut) == 9
    np.testing.assert_array_equal(cut[0][:, :, 16:], cut[1][:, :, :16])
    np.testing.assert_array_equal(labels, cut[:, 0])


def test_files_are_read_as_they_were_written():
    rng = np.random.default_rng(0)
    folder, names = files.new_folder(), ["a", "b"]
    photos = rng.integers(0, 255, (2, 3, 20, 30), dtype=np.uint8)
    files.write_photos(folder, names, photos)
    read = cv2.imread(str(folder / "b.png"))
    np.testing.assert_array_equal(read[..., ::-1].transpose(2, 0, 1), photos[1])
