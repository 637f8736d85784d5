"""`rareseg evaluate` and `rareseg report`: what reaches the verbs, and what is refused before."""

import pytest

from rareseg import verbs


@pytest.fixture
def said(monkeypatch, report_record):
    calls = []

    def evaluate(*positional, **named):
        calls.append((positional, named))
        return report_record

    monkeypatch.setattr(verbs, "evaluate", evaluate)
    return calls


def test_predictions_need_no_run(run_cli, said, tmp_path):
    result = run_cli(
        "evaluate", tmp_path, "--predictions", tmp_path / "maps", "--kind", "probabilities", "--scale", 255,
        "--channels", "road, 0", "--threshold", "road=0.3", "--no-shapes", "--against", tmp_path / "other",
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    ((run, data), named) = said[0]
    assert (run, data) == (None, tmp_path)
    assert named["predictions"] == tmp_path / "maps"
    assert (named["kind"], named["scale"], named["channels"]) == ("probabilities", 255.0, ["road", "0"])
    assert named["thresholds"] == {"road": 0.3}
    assert named["against"] == tmp_path / "other"
    assert named["shapes"] is False
    assert "Per class" in result.stdout


def test_what_is_not_said_is_left_to_the_verb(run_cli, said, tmp_path):
    assert run_cli("evaluate", tmp_path / "run", tmp_path).exit_code == 0
    ((run, data), named) = said[0]
    assert (run, data) == (tmp_path / "run", tmp_path)
    for name in ("predictions", "against", "kind", "scale", "channels", "thresholds", "output", "part"):
        assert named[name] is None
    assert named["shapes"] is True


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a"], "Expected RUN DATA, or DATA --predictions DIR; received a"),
        (["a", "b", "c"], "Expected RUN DATA, or DATA --predictions DIR; received a b c"),
        (["a", "b", "--predictions", "c"], "Expected DATA --predictions DIR; received a b"),
        (
            ["a", "--predictions", "c", "--threshold", "road"],
            "Expected CLASS=P, such as road=0.3; received road",
        ),
        (["a", "--predictions", "c", "--threshold", "road=x"], "Expected CLASS=P"),
        (
            ["a", "--predictions", "c", "--threshold", "0.3"],
            "Expected CLASS=P, such as road=0.3; received 0.3",
        ),
        (["a"], "rareseg evaluate RUN a, or maps of any tool with --predictions"),
        (["a", "b", "--predictions", "c"], "rareseg evaluate RUN DATA --against c"),
    ],
)
def test_a_malformed_line_is_refused(run_cli, said, arguments, complaint):
    result = run_cli("evaluate", *arguments)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())
    assert said == []


def test_what_belongs_to_predictions_is_refused_for_a_run(run_cli, tmp_path):
    result = run_cli("evaluate", tmp_path, tmp_path, "--kind", "classes", "--threshold", "road=0.2")
    assert result.exit_code == 1
    assert "kind, thresholds: this is said of the predictions of other tools" in result.stderr
    assert "Leave kind and thresholds out" in result.stderr


def test_a_run_alone_is_asked_for_data(run_cli, said, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    result = run_cli("evaluate", tmp_path)
    assert result.exit_code == 2
    assert "is a run: which labelled images should it be scored on?" in " ".join(result.stderr.split())


def test_where_the_page_lies_is_told(run_cli, said, tmp_path):
    result = run_cli("evaluate", tmp_path, "--predictions", tmp_path / "maps", "-o", tmp_path / "out.json")
    assert f"Page: {tmp_path / 'out.html'}" in result.stdout.splitlines()
    silent = run_cli("evaluate", tmp_path, "--predictions", tmp_path, "-o", tmp_path / "out.json", "--json")
    assert "Page:" not in silent.stdout
    assert "Page:" not in run_cli("evaluate", tmp_path, tmp_path).stdout


def test_report_says_where_the_page_lies(run_cli, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(verbs, "report", lambda *a, **k: calls.append((a, k)) or tmp_path / "page.html")
    result = run_cli(
        "report", tmp_path / "a", tmp_path / "b.json", "-o", tmp_path / "page.html", "--overwrite"
    )
    assert result.stdout.strip() == str(tmp_path / "page.html")
    assert calls == [
        ((tmp_path / "a", tmp_path / "b.json"), {"output": tmp_path / "page.html", "overwrite": True})
    ]


def test_report_of_nothing_is_an_error_without_a_traceback(run_cli, tmp_path):
    result = run_cli("report", tmp_path)
    assert result.exit_code == 1
    assert "Write one by: rareseg evaluate RUN DATA -o" in " ".join(result.stderr.split())
