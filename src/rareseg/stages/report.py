"""Report: from the records of evaluations, and the pictures beside them, to one page."""

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from rareseg.errors import RecordError, SettingError
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.diagnosis import Diagnosis
from rareseg.records.plan import Plan
from rareseg.records.report import Report
from rareseg.records.run import Run
from rareseg.showing.report_checks import contradictions
from rareseg.showing.report_page import Shown, page

One = TypeVar("One")
_PICTURE = re.compile(
    r"\d\d_(photo\.jpg|truth\.png|(\d+_)?given\.png|(\d+_)?answer_\d+\.png|example\.(jpg|png))"
)
"""Names that `evaluate` gives."""
_VIEWS = re.compile(r"[^/\\\0]+\.views")
"""Names of the folders that `views_folder` gives."""
_MOST_WRONG = 5
"""Contradictions that are told."""
REPORT = "report.json"
MOST_PICTURE = 8_000_000
"""Bytes of a picture: more was not drawn by `evaluate`."""


def views_folder(report: Path) -> Path:
    """Return the folder of the pictures of a report."""
    return report.with_suffix(".views")


def drawn_before(folder: Path) -> list[Path]:
    """Return the pictures of an earlier report in `folder`."""
    return [path for path in folder.glob("*") if _PICTURE.fullmatch(path.name)] if folder.is_dir() else []


def page_file(subjects: Sequence[Path], output: Path | None) -> Path:
    """Return where the page goes.

    Raises:
        SettingError: if that is not said for several reports, or there is none.
    """
    if not subjects:
        message = "Expected a run or a report to show; received none."
        raise SettingError(message)
    if output is not None:
        return output
    if len(subjects) > 1:
        message = (
            f"Expected an output for the page of {len(subjects)} reports, such as page.html; received none."
        )
        raise SettingError(message)
    return _file(subjects[0]).with_suffix(".html")


def report_page(subjects: Sequence[Path]) -> str:
    """Return the page of these reports: files, or folders of runs that hold one.

    Raises:
        RecordError: if one is missing or damaged.
    """
    shown = [_shown(subject) for subject in subjects]
    names = [one.name for one in shown]
    # Many runs are called run: then each is called as it was given.
    return page(
        [
            one._replace(name=str(subject)) if names.count(one.name) > 1 else one
            for one, subject in zip(shown, subjects, strict=True)
        ]
    )


def _file(subject: Path) -> Path:
    return subject / REPORT if subject.is_dir() else subject


def _shown(subject: Path) -> Shown:
    file = _file(subject)
    if not file.is_file():
        message = (
            f"{subject}: expected a report, or a run that holds {REPORT}; {file} is not there. Write one by: "
            f"rareseg evaluate RUN DATA -o {file}"
        )
        raise RecordError(message)
    report = _read(file)
    folder = file.parent
    run = _beside(folder / "run.json", Run)
    if run is not None and codec.digest(run) != report.run_digest:
        run = None
    return Shown(
        name=report.name or (folder.resolve().name if subject.is_dir() else file.stem),
        report=report,
        audit=None if run is None else _beside(folder / "audit.json", Audit),
        plan=None if run is None else _beside(folder / "plan.json", Plan),
        run=run,
        diagnosis=_beside(folder / "diagnosis.json", Diagnosis),
        pictures=_pictures(folder, report),
    )


def _read(file: Path) -> Report:
    """Read a report whose numbers fit together."""
    report = codec.read(file, Report)
    wrong = list(islice(contradictions(report), _MOST_WRONG + 1))
    if wrong:
        more = "; and more" if len(wrong) > _MOST_WRONG else ""
        message = (
            f"{file} holds what no evaluation writes: {'; '.join(wrong[:_MOST_WRONG])}{more}. "
            "Write it anew by: rareseg evaluate"
        )
        raise RecordError(message)
    return report


def _beside(file: Path, kind: type[One]) -> One | None:
    return codec.read(file, kind) if file.is_file() else None


def _pictures(folder: Path, report: Report) -> dict[str, bytes]:
    """Read the pictures beside a report that are there; names in it may not lead elsewhere, or to other files."""
    if not _VIEWS.fullmatch(report.views_folder):
        return {}
    views = [*report.views, *(report.against.views if report.against else ())]
    names = {name for view in views for name in (view.photo, view.truth, view.given, *view.answers)}
    names |= {name for one in report.examples for name in (one.photo, one.truth)}
    files = {name: folder / report.views_folder / name for name in names if _PICTURE.fullmatch(name)}
    return {
        name: file.read_bytes()
        for name, file in files.items()
        if file.is_file() and file.stat().st_size <= MOST_PICTURE
    }
