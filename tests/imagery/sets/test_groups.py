import pytest

from rareseg.errors import SettingError, SplitError
from rareseg.imagery.sets.groups import evident_groups, group_by_pattern, twins


@pytest.mark.parametrize(
    ("stems", "groups"),
    [
        (
            ["10978945_15_y0_x0", "10978945_15_y1000_x500", "17_15_y0_x0"],
            ["10978945_15", "10978945_15", "17_15"],
        ),
        (["town_r0_c0", "town_r0_c512", "lake_r512_c0"], ["town", "town", "lake"]),
        (["town-row1-col2", "town-row1-col3"], ["town", "town"]),
        (["town_x0_y512", "town_x512_y512"], ["town", "town"]),
        (["y0_x0", "y0_x500"], ["scene", "scene"]),
        (["town_crop01", "town_crop2", "lake_crop1"], ["town", "town", "lake"]),
        (["town_tile_1", "town_tile_2"], ["town", "town"]),
        (["town_0_0", "town_0_512", "lake_512_1024", "lake_512_1100"], ["town", "town", "lake", "lake"]),
    ],
)
def test_crops_of_one_scene_are_evident(stems, groups):
    found, because = evident_groups(stems)
    assert found == groups
    assert "crops of one scene stay together" in because


@pytest.mark.parametrize(
    "stems",
    [
        ["satImage_001", "satImage_002", "satImage_003"],
        ["0001TP_006690", "0001TP_006750"],
        ["tile_12_34", "tile_12_35", "tile_13_34"],
        ["run_100_250", "run_133_390", "run_170_540"],
        ["scan_2019_100", "scan_2019_100b"],
        ["austin1", "austin2", "vienna1"],
        ["proxy3", "taxx9"],
        ["1", "2"],
    ],
)
def test_other_names_are_groups_of_their_own(stems):
    found, because = evident_groups(stems)
    assert found == stems
    assert "each is a group of its own" in because


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [("^(?P<group>.+?)_", ["a", "b"]), ("_(.)", ["1", "2"]), ("^.", ["a", "b"]), (".*", ["a_1", "b_2"])],
)
def test_a_pattern_names_the_groups(pattern, groups):
    assert group_by_pattern(["a_1", "b_2"], pattern) == groups


def test_a_pattern_must_be_found_everywhere():
    with pytest.raises(SplitError, match=r"is not in 1 of 2:\n  b: the pattern is not found"):
        group_by_pattern(["a_1", "b"], "_")
    with pytest.raises(SettingError, match=r"group = '\(' is no regular expression"):
        group_by_pattern(["a"], "(")


def test_files_with_the_same_bytes_are_twins(tmp_path):
    contents = [b"one", b"two", b"one", b"three", b"two", b"six"]
    paths = [tmp_path / str(index) for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert sorted(twins(paths)) == [[0, 2], [1, 4]]
