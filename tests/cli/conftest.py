"""The verbs replaced by stand-ins that accept what the real ones accept, and answer at once."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock, create_autospec

import pytest
from click.testing import CliRunner, Result

from rareseg import verbs
from rareseg.cli import main
from rareseg.records.audit import Audit
from rareseg.records.plan import Plan
from rareseg.records.report import Report
from rareseg.records.run import Run


@pytest.fixture
def stand_in(
    monkeypatch: pytest.MonkeyPatch,
    audit_record: Audit,
    plan_record: Plan,
    run_record: Run,
    report_record: Report,
) -> dict[str, Mock]:
    answers = {
        "audit": audit_record,
        "plan": plan_record,
        "train": run_record,
        "evaluate": report_record,
        "predict": (Path("maps/a_classes.tif"), Path("maps/a_preview.png")),
        "demo": (Path("demo/report.json"), Path("demo/maps/scene_preview.png")),
    }
    made = {
        name: create_autospec(getattr(verbs, name), return_value=answer) for name, answer in answers.items()
    }
    for name, mock in made.items():
        monkeypatch.setattr(verbs, name, mock)
    return made


@pytest.fixture
def run_cli() -> Callable[..., Result]:
    def call(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    return call


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "roads"
    folder.mkdir()
    return folder


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder
