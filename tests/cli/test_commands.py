"""Each command: what it hands to its verb, what it prints where, and how it exits."""

import json
from pathlib import Path

import msgspec
import pytest

from rareseg.cli import main
from rareseg.errors import DataError, Problem
from rareseg.records import codec
from rareseg.remedies.training import budget_choice

JSON = {"audit": ["DATA"], "plan": ["DATA"], "train": ["DATA", "-o", "OUT"], "evaluate": ["RUN", "DATA"]}


def _given(mock, *names):
    return {name: mock.call_args.kwargs[name] for name in names}


def test_audit_hands_over_its_arguments_and_prints_tables(run_cli, stand_in, data, tmp_path):
    result = run_cli("audit", data, "-o", tmp_path / "audit.json", "--overwrite")
    assert result.exit_code == 0
    assert stand_in["audit"].call_args.args == (data,)
    assert _given(stand_in["audit"], "output", "overwrite") == {
        "output": tmp_path / "audit.json",
        "overwrite": True,
    }
    assert "road" in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("command", JSON)
def test_json_is_the_record_and_nothing_else(command, run_cli, stand_in, data, trained, tmp_path):
    names = {"DATA": data, "RUN": trained, "OUT": tmp_path / "new"}
    result = run_cli(command, *(names.get(word, word) for word in JSON[command]), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads(codec.encode(stand_in[command].return_value))


def test_plan_of_an_audit_file_audits_nothing(run_cli, stand_in, tmp_path):
    path = tmp_path / "audit.json"
    path.write_text("{}")
    assert run_cli("plan", path, "--steps", 30).exit_code == 0
    stand_in["audit"].assert_not_called()
    assert stand_in["plan"].call_args.args == (path,)
    assert _given(stand_in["plan"], "steps", "minutes", "settings") == {
        "steps": 30,
        "minutes": None,
        "settings": {},
    }


def test_plan_of_data_audits_it_first(run_cli, stand_in, data, audit_record):
    assert run_cli("plan", data).exit_code == 0
    assert stand_in["audit"].call_args.args == (data,)
    assert stand_in["plan"].call_args.args == (audit_record,)


def test_plan_explains_only_when_asked(run_cli, stand_in, data):
    assert "arXiv" not in run_cli("plan", data).stdout
    assert "arXiv" in run_cli("plan", data, "--explain").stdout


def test_settings_and_shorthands_reach_the_plan_as_one_mapping(run_cli, stand_in, data, tmp_path):
    weights = tmp_path / "w.safetensors"
    weights.touch()
    words = [
        "--set",
        "loss.name=0.5*dice + focal",
        "--set",
        "loss.focal.alpha=0.2,0.8",
        "--set",
        "seed=3",
        "--model",
        "smp:unet",
        "--encoder",
        "resnet34",
        "--pretrained",
    ]
    assert run_cli("plan", data, *words, "--encoder-weights", weights).exit_code == 0
    assert stand_in["plan"].call_args.kwargs["settings"] == {
        "loss.name": "0.5*dice + focal",
        "loss.focal.alpha": "0.2,0.8",
        "seed": "3",
        "model.name": "smp:unet",
        "model.encoder": "resnet34",
        "model.pretrained": "true",
        "model.encoder_weights": str(weights),
    }


@pytest.mark.parametrize("text", ["loss", "loss.name", "loss=dice", "loss.focal.gamma", "a.b.c.d=1"])
def test_malformed_setting_is_a_usage_error(run_cli, stand_in, data, text):
    result = run_cli("plan", data, "--set", text)
    assert result.exit_code == 2
    assert "Expected a setting as section.field=value" in result.stderr


def test_setting_given_twice_is_a_usage_error(run_cli, stand_in, data):
    result = run_cli("train", data, "-o", "x", "--set", "model.name=a", "--model", "b")
    assert result.exit_code == 2
    assert "model.name is set twice: to 'a' and to 'b'" in result.stderr


def test_two_budgets_are_a_usage_error(run_cli, stand_in, data):
    result = run_cli("plan", data, "--minutes", 1, "--steps", 1)
    assert result.exit_code == 2
    assert "--minutes and --steps are two budgets" in result.stderr


def test_train_audits_plans_trains_and_names_what_comes_next(
    run_cli, stand_in, data, tmp_path, audit_record, plan_record
):
    out = tmp_path / "new run"
    result = run_cli("train", data, "-o", out, "--minutes", 2, "--set", "loss.name=dice")
    assert result.exit_code == 0
    assert _given(stand_in["plan"], "minutes", "steps", "settings") == {
        "minutes": 2.0,
        "steps": None,
        "settings": {"loss.name": "dice"},
    }
    given = _given(stand_in["train"], "output", "plan", "audit", "resume")
    assert given == {"output": out, "plan": plan_record, "audit": audit_record, "resume": False}
    assert "settings" not in stand_in["train"].call_args.kwargs
    for heading in ("Audit", "Plan", "Run", f"rareseg evaluate '{out}' {data}", "rareseg predict"):
        assert heading in result.stdout


def test_train_with_files_makes_neither_audit_nor_plan(
    run_cli, stand_in, data, tmp_path, audit_record, plan_record
):
    codec.write(tmp_path / "audit.json", audit_record)
    codec.write(tmp_path / "plan.json", plan_record)
    files = ["--audit", tmp_path / "audit.json", "--plan", tmp_path / "plan.json"]
    result = run_cli("train", data, "-o", tmp_path / "new", *files)
    assert result.exit_code == 0
    stand_in["audit"].assert_not_called()
    stand_in["plan"].assert_not_called()
    assert _given(stand_in["train"], "plan", "audit") == {"plan": plan_record, "audit": audit_record}


@pytest.mark.parametrize(
    "more", [["--steps", 9], ["--minutes", 1], ["--set", "loss.name=dice"], ["--pretrained"]]
)
def test_a_plan_file_and_settings_exclude_each_other(run_cli, stand_in, data, tmp_path, more):
    plan = tmp_path / "plan.json"
    plan.touch()
    result = run_cli("train", data, "-o", tmp_path / "new", "--plan", plan, *more)
    assert result.exit_code == 2
    assert "--plan holds the budget and every setting already" in result.stderr
    stand_in["audit"].assert_not_called()


def test_train_refuses_a_used_folder_before_it_audits(run_cli, stand_in, data, trained):
    (trained / "run.json").touch()
    result = run_cli("train", data, "-o", trained)
    assert result.exit_code == 1
    assert "exists already. Choose another name with -o, or pass --overwrite" in result.stderr
    stand_in["audit"].assert_not_called()


def test_resume_goes_straight_to_training(run_cli, stand_in, data, trained):
    (trained / "run.json").touch()
    assert run_cli("train", data, "-o", trained, "--resume").exit_code == 0
    stand_in["audit"].assert_not_called()
    assert _given(stand_in["train"], "resume", "plan", "audit") == {
        "resume": True,
        "plan": None,
        "audit": None,
    }


@pytest.mark.parametrize(("outcome", "code"), [("finished", 0), ("collapsed", 3), ("interrupted", 130)])
@pytest.mark.parametrize("as_json", [False, True])
def test_exit_code_tells_how_training_ended(
    outcome, code, as_json, run_cli, stand_in, data, tmp_path, run_record
):
    stand_in["train"].return_value = msgspec.structs.replace(
        run_record, outcome=outcome, reason="The rare logit is flat."
    )
    result = run_cli("train", data, "-o", tmp_path / "new", *(["--json"] if as_json else []))
    assert result.exit_code == code
    assert ("The rare logit is flat." in result.stderr) == (outcome != "finished")
    if outcome == "interrupted" and not as_json:
        assert "--resume" in result.stdout


def test_evaluate_and_predict_hand_over_their_arguments(run_cli, stand_in, data, trained, tmp_path):
    image = tmp_path / "a.tif"
    image.touch()
    assert run_cli("evaluate", trained, data, "--part", "val").exit_code == 0
    assert stand_in["evaluate"].call_args.args == (trained, data)
    assert stand_in["evaluate"].call_args.kwargs["part"] == "val"
    result = run_cli("predict", trained, image, data, "-o", tmp_path / "maps")
    assert stand_in["predict"].call_args.args == (trained, (image, data))
    assert result.stdout.splitlines() == ["maps/a_classes.tif", "maps/a_preview.png"]


def test_demo_writes_to_demo_and_names_the_files(run_cli, stand_in):
    result = run_cli("demo")
    assert stand_in["demo"].call_args.args == (Path("demo"),)
    assert "demo/report.json" in result.stdout


def test_an_error_is_a_sentence_and_exit_code_1(run_cli, stand_in, data):
    stand_in["audit"].side_effect = DataError("2 files are not usable:", [Problem("a.png", "truncated")])
    result = run_cli("audit", data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: 2 files are not usable:\n  a.png: truncated\n"


def test_a_system_error_names_the_file(run_cli, stand_in, data):
    stand_in["audit"].side_effect = PermissionError(13, "Permission denied", "audit.json")
    result = run_cli("audit", data)
    assert (result.exit_code, result.stderr) == (1, "Error: audit.json: Permission denied.\n")


def test_a_bug_is_not_hidden(run_cli, stand_in, data):
    stand_in["audit"].side_effect = OSError("no file in this one")
    assert isinstance(run_cli("audit", data).exception, OSError)


def test_ctrl_c_is_a_sentence_and_exit_code_130(run_cli, stand_in, data):
    stand_in["audit"].side_effect = KeyboardInterrupt
    result = run_cli("audit", data)
    assert result.exit_code == 130
    assert "Interrupted. What was finished is kept; nothing is half written." in result.stderr


def test_missing_data_is_a_usage_error(run_cli, stand_in, tmp_path):
    result = run_cli("audit", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "does not exist" in result.stderr


def test_misspelt_commands_and_options_are_guessed(run_cli, data):
    assert "Did you mean 'train'?" in run_cli("trian").stderr
    assert "Did you mean '--minutes'?" in run_cli("train", data, "-o", "x", "--minuts", 3).stderr


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_option_says_its_default(name, run_cli):
    command = main.commands[name]
    assert len(command.get_short_help_str(limit=80)) > 10
    text = " ".join(run_cli(name, "--help").stdout.split())
    for option in command.params:
        if option.param_type_name == "option":
            assert option.help
            shown = option.help + (" [default: demo]" if option.show_default else "")
            assert option.required or "[default: " in shown, option.name
            assert " ".join(option.help.split())[:30] in text


def test_the_default_budget_in_the_help_is_the_plans(run_cli):
    minutes = budget_choice(None, None).minutes
    assert f"[default: {minutes:g} minutes]" in " ".join(run_cli("train", "--help").stdout.split())
