"""`rareseg compare`: what it hands to its verb, what it prints where, and how it exits."""

import json
from unittest.mock import create_autospec

import pytest
from tests.references.comparisons import comparison

from rareseg import verbs
from rareseg.records import codec


@pytest.fixture
def stand_in(monkeypatch):
    made = create_autospec(verbs.compare, return_value=comparison())
    monkeypatch.setattr(verbs, "compare", made)
    return made


def test_everything_is_handed_over(run_cli, stand_in, data, tmp_path):
    audit = tmp_path / "audit.json"
    audit.touch()
    words = ["--remedies", "none, dice,prior_bias + 0.5*dice", "--seeds", 2, "--minutes", 5, "--audit", audit]
    words += ["--set", "crop.size=64", "--model", "smp:unet", "--keep-weights", "--overwrite"]
    result = run_cli("compare", data, "-o", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    assert stand_in.call_args.args == (data,)
    given = dict(stand_in.call_args.kwargs)
    given.pop("progress")
    assert given == {
        "output": tmp_path / "out",
        "remedies": ["none", "dice", "prior_bias + 0.5*dice"],
        "seeds": 2,
        "minutes": 5.0,
        "steps": None,
        "settings": {"crop.size": "64", "model.name": "smp:unet"},
        "audit": audit,
        "keep_weights": True,
        "resume": False,
        "overwrite": True,
    }


def test_what_is_not_given_is_left_to_the_verb(run_cli, stand_in, data, tmp_path):
    assert run_cli("compare", data, "-o", tmp_path / "out", "--resume").exit_code == 0
    given = stand_in.call_args.kwargs
    assert [given[name] for name in ("remedies", "seeds", "minutes", "steps", "audit")] == [None] * 5
    assert given["settings"] == {}
    assert given["resume"]


def test_tables_go_to_stdout_with_what_to_look_at_next(run_cli, stand_in, data, tmp_path):
    result = run_cli("compare", data, "-o", tmp_path / "out")
    assert "Nothing beats the default." in result.stdout
    assert str(tmp_path / "out" / "comparison.html") in result.stdout
    assert (
        f"--plan {tmp_path / 'out' / 'plan.json'} --audit {tmp_path / 'out' / 'audit.json'}" in result.stdout
    )
    assert result.stderr == ""


def test_json_is_the_record_and_nothing_else(run_cli, stand_in, data, tmp_path):
    result = run_cli("compare", data, "-o", tmp_path / "out", "--json")
    assert json.loads(result.stdout) == json.loads(codec.encode(stand_in.return_value))


@pytest.mark.parametrize(
    ("outcome", "code", "told"),
    [("finished", 0, False), ("out of time", 0, True), ("interrupted", 130, True)],
)
def test_exit_codes(run_cli, stand_in, data, tmp_path, outcome, code, told):
    stand_in.return_value = comparison(outcome=outcome, winner=None)
    result = run_cli("compare", data, "-o", tmp_path / "out")
    assert result.exit_code == code
    assert (f"Comparison {outcome}." in result.stderr) is told
    assert ("--resume" in result.stdout) is (outcome == "interrupted")
    assert "--plan" not in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", 1, "--steps", 1], "--minutes and --steps are two budgets"),
        (["--seeds", 0], "0 is not in the range"),
        (["--minutes", 0], "is not in the range"),
        (["--set", "crop=3"], "Expected a setting as"),
    ],
)
def test_malformed_command_lines_are_usage_errors(run_cli, stand_in, data, tmp_path, words, message):
    result = run_cli("compare", data, "-o", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in result.stderr
    stand_in.assert_not_called()


def test_the_folder_must_be_named(run_cli, stand_in, data):
    assert run_cli("compare", data).exit_code == 2
