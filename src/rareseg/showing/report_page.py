"""The Report as one HTML page that can be sent around: no file beside it, nothing fetched, light or dark.

Every number on it stands in the record; text from outside is escaped; a policy in the page forbids it any network.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib import resources

from rareseg.showing import (
    report_page_curves,
    report_page_data,
    report_page_mistakes,
    report_page_shapes,
)
from rareseg.showing.diagnosis_page import diagnosis_section
from rareseg.showing.report_page_album import album
from rareseg.showing.report_page_answer import head
from rareseg.showing.report_page_elements import Html, listed, name, section
from rareseg.showing.report_page_scores import scores
from rareseg.showing.report_page_subjects import Shown, with_rivals
from rareseg.showing.report_page_terms import glossary
from rareseg.showing.report_page_training import training
from rareseg.showing.report_page_viewer import viewer

__all__ = ["MOST_BYTES", "Shown", "page"]

MOST_BYTES = 5_000_000
"""Pictures are embedded as long as the page stays below."""
_STYLES = ("page.css", "viewer.css")
_SCRIPTS = ("pictures.js", "overlay.js", "curve.js", "panes.js", "captions.js", "viewer.js", "page.js")
_SPARE = 30_000
"""Bytes kept for the viewer's controls and for the sentence on what was left out."""
_CHAPTERS = (
    ("scores", "Scores"),
    ("data", "Data"),
    ("plan", "Plan"),
    ("training", "Training"),
    ("viewer", "Viewer"),
    ("curves", "Curves"),
    ("reliability", "Calibration"),
    ("breakdowns", "Where"),
    ("structures", "Shapes"),
    ("confusion", "Confusion"),
    ("worst", "Worst images"),
    ("thresholds", "Thresholds"),
    ("diagnosis", "Diagnosis"),
    ("notes", "Notes"),
    ("terms", "Words"),
)


def page(subjects: Sequence[Shown]) -> str:
    """Return the whole page as text.

    Args:
        subjects: one run or several; several stand side by side, with a line and a column each, and so do those that
            they were scored against. Views of their reports whose pictures do not fit into MOST_BYTES (UTF-8, about)
            or are missing are left out, and the page says so.

    Raises:
        ValueError: if there is no subject.
    """
    if not subjects:
        message = "A report page shows at least one report; got none."
        raise ValueError(message)
    subjects = with_rivals(subjects)
    before = [
        head(subjects),
        scores(subjects),
        report_page_data.data(subjects),
        report_page_data.plan(subjects),
        training(subjects),
    ]
    after = [
        report_page_curves.precision_recall(subjects),
        report_page_curves.reliability(subjects),
        report_page_shapes.breakdowns(subjects),
        report_page_shapes.structures(subjects),
        report_page_mistakes.confusion(subjects),
        report_page_mistakes.worst(subjects),
        report_page_curves.operating(subjects),
        report_page_mistakes.transfer(subjects),
        _diagnoses(subjects),
        _notes(subjects),
    ]
    after.append(glossary([*before, *after]))
    style, script = (_assets(files) for files in (_STYLES, _SCRIPTS))
    taken = sum(len(part.encode(errors="replace")) for part in (*before, *after, style, script))
    held = album(subjects, max(MOST_BYTES - _SPARE - taken, 0))
    body = [*before, viewer(held), *after]
    stored = f'<script type="application/json" id="viewer-data">{held.text}</script>' if held.shown else ""
    text = _document(_title(subjects), style, script, "\n".join([_navigation(body), *body, stored]))
    # Names of folders need not be Unicode.
    return text.encode(errors="replace").decode()


def _assets(files: Sequence[str]) -> str:
    folder = resources.files("rareseg.showing") / "assets"
    return "".join((folder / file).read_text(encoding="utf-8") for file in files)


def _title(subjects: Sequence[Shown]) -> str:
    names = ", ".join(one.name for one in subjects if not one.beside)
    return f"{names}: does it find the rare class?"


def _document(title: str, style: str, script: str, body: Html) -> str:
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Styles may stand on elements, as the diagnosis has them; without any network they can send nothing.
    policy = (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#scores">Skip to the scores</a>\n<main>\n{body}\n</main>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _navigation(body: Sequence[Html]) -> Html:
    present = [
        (key, title)
        for key, title in _CHAPTERS
        if any(part.startswith(f'<section id="{key}"') for part in body)
    ]
    links = "".join(f'<a href="#{key}">{title}</a>' for key, title in present)
    return f'<nav aria-label="Chapters">{links}</nav>'


def _diagnoses(subjects: Sequence[Shown]) -> Html:
    parts = []
    for one in subjects:
        if one.diagnosis is not None:
            title = "" if len(subjects) == 1 else f'<h3 class="who">{name(one.name)}</h3>'
            parts += [title, diagnosis_section(one.diagnosis)]
    return section("diagnosis", "The diagnosis", parts)


def _notes(subjects: Sequence[Shown]) -> Html:
    alone = len(subjects) == 1
    digests = [
        f"{name(one.name)}: run <code>{escape(one.report.run_digest)}</code>"
        for one in subjects
        if one.report.run_digest
    ]
    pixels = [
        f"{'' if alone else f'{name(one.name)}: '}{one.report.counted_pixels:,} px counted, "
        f"{one.report.uncounted_pixels:,} px void or without photo and left out."
        for one in subjects
    ]
    return section("notes", "Worth knowing", [listed([*pixels, *digests])])
