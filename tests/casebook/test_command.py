import json

import pytest
from casebook.command import _parser, _seeds, _wanted, main


@pytest.mark.parametrize(
    ("given", "first", "use"),
    [
        ([], 0, "calibration"),
        (["--calibration", "--first-seed", "40"], 40, "calibration"),
        (["--report"], 1000, "report"),
        (["--report", "--first-seed", "7"], 1007, "report"),
        (["--first-seed", "998", "--draws", "5"], 998, "mixed"),
    ],
)
def test_seeds_of_calibration_and_report_are_disjoint_and_stated(given, first, use):
    seeds, said = _seeds(_parser().parse_args(given))
    assert seeds.start == first
    assert said == f"seeds {first}..{seeds.stop - 1} ({use})"


def test_calibration_may_not_reach_the_seeds_of_the_report():
    with pytest.raises(SystemExit, match="999"):
        _seeds(_parser().parse_args(["--calibration", "--first-seed", "998", "--draws", "5"]))


def test_kinds_are_chosen_by_their_beginning():
    assert _wanted(["healthy_"]) and all(kind.startswith("healthy_") for kind in _wanted(["healthy_"]))
    with pytest.raises(SystemExit, match="dice_stuck"):
        _wanted(["no_such"])


def test_building_alone_writes_what_was_built(tmp_path, capsys):
    path = tmp_path / "out.json"
    assert main(["--only", "display_only", "--draws", "2", "--build-only", "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    assert [one["seed"] for one in written["outcomes"]] == [0, 1]
    assert written["run"]["purpose"] == "seeds 0..1 (calibration)"
    assert "seeds 0..1 (calibration)" in capsys.readouterr().out
