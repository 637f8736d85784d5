import numpy as np
import pytest

from rareseg.errors import SettingError, SplitError
from rareseg.imagery.sets.balance import Dealer
from rareseg.imagery.sets.splits import Candidate, split
from rareseg.records.dataset import DataSpec

CLASSES = ("background", "road", "bridge")


def candidates(stems, pixels, parts=None, contents=None):
    return [
        Candidate(
            image=f"images/{stem}.png",
            stem=stem,
            part=parts[index] if parts else None,
            pixels=tuple(int(count) for count in pixels[index]),
            content=contents[index] if contents else None,
        )
        for index, stem in enumerate(stems)
    ]


@pytest.fixture
def crops(random):
    """40 scenes of 1 to 4 crops; bridges in three scenes only."""
    stems, pixels = [], []
    for scene in range(40):
        for crop in range(1 + scene % 4):
            road = random.integers(100, 2000)
            bridge = 50 if scene in (3, 17, 29) and crop == 0 else 0
            stems.append(f"s{scene}_y{crop * 500}_x0")
            pixels.append((10000 - road - bridge, road, bridge))
    return candidates(stems, pixels)


def shares(found, of):
    totals = np.sum([candidate.pixels for candidate in of], axis=0)
    return {
        part: np.sum([c.pixels for c, its in zip(of, found.parts, strict=True) if its == part], axis=0)
        / totals
        for part in ("train", "val", "test")
    }


def test_groups_stay_whole_and_classes_are_balanced(crops):
    found = split(crops, DataSpec(), CLASSES)
    for group in set(found.groups):
        assert len({part for part, its in zip(found.parts, found.groups, strict=True) if its == group}) == 1
    for part, share in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        held = shares(found, crops)[part]
        np.testing.assert_allclose(held[:2], share, atol=0.03)
        assert held[2] > 0
    assert "crops of one scene stay together" in found.because
    assert "dealt by seed 0" in found.because


def test_the_seed_decides(crops):
    first, again = (
        split(crops, DataSpec(split_seed=5), CLASSES),
        split(crops, DataSpec(split_seed=5), CLASSES),
    )
    other = split(crops, DataSpec(split_seed=6), CLASSES)
    assert first == again
    assert first.parts != other.parts


def test_given_shares_are_kept_to(crops):
    found = split(crops, DataSpec(split=(0.5, 0.5, 0.0)), CLASSES)
    assert set(found.parts) == {"train", "val"}
    np.testing.assert_allclose(shares(found, crops)["train"][:2], 0.5, atol=0.03)


def test_every_class_of_three_groups_is_in_every_part_even_if_all_classes_are_rare(random):
    pixels = np.zeros((60, 8), dtype=int)
    pixels[:, 0] = 1000
    for label in range(1, 8):
        pixels[random.choice(60, 3, replace=False), label] = random.integers(1, 30, 3)
    images = candidates([f"im{index}" for index in range(60)], pixels)
    found = split(images, DataSpec(), tuple("abcdefgh"))
    for held in shares(found, images).values():
        assert (held > 0).all()


def test_a_class_in_too_few_groups_is_said():
    pixels = [(100, 10, int(index == 0)) for index in range(12)]
    found = split(candidates([f"im{index}" for index in range(12)], pixels), DataSpec(), CLASSES)
    assert "too few groups hold every class: " in found.because
    assert found.because.count("has no bridge") == 2


def test_two_groups_give_train_and_val():
    found = split(candidates("ab", [(10, 1, 1)] * 2), DataSpec(), CLASSES)
    assert sorted(found.parts) == ["train", "val"]
    assert "2 groups are too few for a test part, so val is scored" in found.because


def test_one_group_is_refused_with_a_way_out():
    crops = candidates(["s_y0_x0", "s_y0_x500"], [(10, 1, 1)] * 2)
    with pytest.raises(SplitError, match=r"at least 2 groups.*got 1 \('s' of 2 images\).*\[train\]"):
        split(crops, DataSpec(), CLASSES)
    assert sorted(split(crops, DataSpec(group=".*"), CLASSES).parts) == ["train", "val"]


def test_ready_made_parts_are_kept():
    parts = ["train", "train", "val"]
    found = split(candidates("abc", [(10, 1, 1)] * 3, parts), DataSpec(), CLASSES)
    assert list(found.parts) == parts
    assert found.because == (
        "ready-made parts: train 2 images of 2 groups, val 1 images of 1 groups; "
        "without a test part, val is scored"
    )


def test_crops_of_one_scene_in_two_ready_made_parts_are_said():
    stems = ["s_y0_x0", "s_y0_x500", "t_y0_x0"]
    found = split(candidates(stems, [(10, 1, 1)] * 3, ["train", "val", "train"]), DataSpec(), CLASSES)
    assert "crops of 1 scenes lie in several parts (such as 's')" in found.because


def test_val_is_taken_from_train_by_group():
    stems = [f"s{index}_y{crop}_x0" for index in range(20) for crop in (0, 500)] + ["t_y0_x0"]
    parts = ["train"] * 40 + ["test"]
    found = split(candidates(stems, [(10, 1, 1)] * 41, parts), DataSpec(), CLASSES)
    assert found.parts[-1] == "test"
    assert found.parts.count("val") in range(5, 11)
    for group in set(found.groups):
        assert len({part for part, its in zip(found.parts, found.groups, strict=True) if its == group}) == 1
    assert found.because.startswith("ready-made train and test; val taken from train by group")


def test_train_alone_is_dealt_like_a_plain_folder(crops):
    alone = [
        Candidate(image=c.image, stem=c.stem, part="train", pixels=c.pixels, content=c.content) for c in crops
    ]
    assert split(alone, DataSpec(), CLASSES).parts == split(crops, DataSpec(), CLASSES).parts


def test_parts_without_train_are_refused():
    with pytest.raises(SplitError, match="Expected a training part beside val and test"):
        split(candidates("ab", [(1, 1, 1)] * 2, ["val", "test"]), DataSpec(), CLASSES)


def test_a_group_in_two_parts_is_refused():
    images = candidates(["s_1", "s_2", "t_1"], [(1, 1, 1)] * 3, ["train", "val", "train"])
    with pytest.raises(SplitError, match="parts that share nothing") as caught:
        split(images, DataSpec(group="^[a-z]"), CLASSES)
    assert [tuple(problem) for problem in caught.value.problems] == [
        ("images/s_1.png", "train holds group 's' as images/s_2.png"),
        ("images/s_2.png", "val holds group 's' as images/s_1.png"),
    ]


def test_one_image_in_two_parts_is_refused():
    images = candidates("abc", [(1, 1, 1)] * 3, ["train", "val", "train"], [0, 0, None])
    with pytest.raises(SplitError, match="images/a.png: train holds the same image as images/b.png"):
        split(images, DataSpec(), CLASSES)


def test_the_same_image_twice_stays_in_one_part():
    images = candidates("abcdefgh", [(9, 1, 1)] * 8, contents=[0, None, None, None, None, None, 1, 0])
    for seed in range(5):
        found = split(images, DataSpec(split_seed=seed), CLASSES)
        assert found.parts[0] == found.parts[7]
        assert "1 groups joined others that hold the same image" in found.because


@pytest.mark.parametrize("wrong", [(0.5, 0.2, 0.2), (1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (1.2, 0.3, -0.5)])
def test_shares_that_do_not_fit(wrong):
    with pytest.raises(SettingError, match="expected shares of train, val and test that add up to 1"):
        split(candidates("abc", [(1, 1, 1)] * 3), DataSpec(split=wrong), CLASSES)


def test_shares_beside_ready_made_parts_are_refused():
    images = candidates("abc", [(1, 1, 1)] * 3, ["train", "val", "test"])
    with pytest.raises(SettingError, match="either ready-made parts or split and split_seed"):
        split(images, DataSpec(split_seed=3), CLASSES)


def test_dealing_many_groups_stays_quick_and_balanced(random):
    amounts = random.integers(1, 1000, (3000, 12)).astype(float)
    places = np.array(Dealer(amounts, np.array([0.7, 0.15, 0.15])).best(0))
    for part, share in enumerate((0.7, 0.15, 0.15)):
        np.testing.assert_allclose(
            amounts[places == part].sum(axis=0) / amounts.sum(axis=0), share, atol=0.02
        )


def test_dealing_finds_the_only_even_split():
    amounts = np.array([[8.0, 8.0], [4.0, 4.0], [3.0, 3.0], [1.0, 1.0]])
    places = Dealer(amounts, np.array([0.5, 0.5])).best(1)
    assert len({places[1], places[2], places[3]}) == 1
    assert places[0] != places[1]
