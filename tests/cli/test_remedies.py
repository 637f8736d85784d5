"""`rareseg remedies`: the whole list, one page, JSON, and what an audit's numbers say."""

import json

import msgspec
import pytest

from rareseg.records import codec
from rareseg.remedies.catalogue import PUBLISHED, find


def _one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_list_names_every_remedy_by_family_and_fits_80_columns(run_cli):
    result = run_cli("remedies")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    listed = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert listed == list(PUBLISHED)
    assert [line for line in lines if line and not line.startswith(" ")][:4] == [
        "Losses",
        "Class weights",
        "Where training crops lie",
        "The prior",
    ]
    text = _one_line(result.stdout)
    for remedy in PUBLISHED.values():
        assert _one_line(remedy.summary) in text


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_page_tells_all_that_is_known_of_one_remedy(run_cli, name):
    result = run_cli("remedies", name)
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "…" not in result.stdout
    text, remedy = _one_line(result.stdout), find(name)
    assert text.startswith(f"{name} {remedy.summary}")
    for told in (remedy.formula, remedy.reference, remedy.when, *remedy.traps):
        assert _one_line(told) in text
    for setting in remedy.settings:
        table = result.stdout.partition("\nSettings")[2].partition("\n\n")[0]
        (line,) = [line for line in table.splitlines() if line.startswith(f"  {setting.name} ")]
        default = setting.default
        usual = str(default).lower() if isinstance(default, bool | None) else str(default)
        assert usual in line.split()
        assert setting.span().split()[0] in line
    section = {"loss": "loss.name", "weights": "weights.rule", "sampling": "sampling.rule"}.get(remedy.family)
    asked = text.partition("Ask for it ")[2]
    assert f"--set {section}={name}" in asked or f"*{name}'" in asked or (section is None and asked)


def test_an_unknown_remedy_is_refused_with_the_nearest(run_cli):
    result = run_cli("remedies", "fokal")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "Error: Unknown remedy 'fokal'. Did you mean 'focal'? Known: cross_entropy,"
    )


def test_json_is_a_list_of_all_or_one_remedy(run_cli):
    entries = json.loads(run_cli("remedies", "--json").stdout)
    assert [entry["name"] for entry in entries] == list(PUBLISHED)
    for entry in entries:
        remedy = find(entry["name"])
        assert entry["family"] == remedy.family
        assert entry["traps"] == list(remedy.traps)
        assert [setting["name"] for setting in entry["settings"]] == [s.name for s in remedy.settings]
        assert entry["here"] == ""
    focal = json.loads(run_cli("remedies", "focal", "--json").stdout)
    assert focal == next(entry for entry in entries if entry["name"] == "focal")
    assert focal["settings"][0] == {
        "name": "gamma",
        "range": "0 <= number <= 20",
        "unit": "",
        "default": 2.0,
        "meaning": "exponent of 1 - p; 0 is cross-entropy",
    }


LONG = "long and thin: road (7 px wide, its objects 79.8 times the width squared)"


@pytest.fixture
def audit_file(tmp_path, audit_record):
    path = tmp_path / "audit.json"
    codec.write(path, audit_record)
    return path


def test_an_audit_says_which_remedies_apply(run_cli, audit_file):
    entries = json.loads(run_cli("remedies", "--json", "--audit", audit_file).stdout)
    here = {entry["name"]: entry["here"] for entry in entries}
    # One long, thin class of two.
    assert here["cldice"] == here["skeleton_recall"] == LONG
    two = "does not apply here: 2 classes: one threshold does the same, after training"
    assert here["enet"] == here["inverse"] == two
    assert here["copy_paste"].startswith("does not apply here: objects of road cover ")
    assert here["cross_entropy"] == here["prior_bias"] == here["undo_shift"] == "always"
    # A crop of 256 px, or of the largest that fits, holds road with a chance above 30 %.
    assert here["class_centred"] == here["above_mean"]
    assert here["class_centred"].startswith("does not apply here: a random crop of ")
    for name in ("logit_adjusted", "balanced_softmax", "ldam", "rare_class"):
        assert here[name] == here["inverse"]
    assert here["dice"] == here["lovasz"] == "rare: road 4.30%"
    # What no count of pixels can tell.
    assert here["rmi"].startswith("masks cannot tell: ")
    assert all(here.values())
    listed = _one_line(run_cli("remedies", "--audit", audit_file).stdout)
    assert f"gap in a road costs as much as a missing road {LONG}" in listed
    page = _one_line(run_cli("remedies", "cldice", "--audit", audit_file).stdout)
    assert f"here {LONG}" in page


def test_an_audit_without_a_training_part_cannot_say(run_cli, tmp_path, audit_record):
    parts = tuple(part for part in audit_record.parts if part.part != "train")
    path = tmp_path / "audit.json"
    codec.write(path, msgspec.structs.replace(audit_record, parts=parts))
    result = run_cli("remedies", "--audit", path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{path} has no training part" in result.stderr


@pytest.mark.parametrize(
    ("text", "code", "complaint"),
    [
        ("{}", 1, "is not a valid Audit record"),
        ("", 1, "is not a valid Audit record"),
        (None, 2, "does not exist"),
    ],
)
def test_what_is_no_audit_is_refused(run_cli, tmp_path, text, code, complaint):
    path = tmp_path / "audit.json"
    if text is not None:
        path.write_text(text)
    result = run_cli("remedies", "--audit", path)
    assert result.exit_code == code
    assert complaint in _one_line(result.stderr)
