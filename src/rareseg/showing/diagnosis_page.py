"""The Diagnosis as HTML: a page that stands alone, or a section for a notebook; nothing fetched, light or dark.

The section carries its own style, bound to its own class, so that it changes nothing around it.
"""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from rareseg.records.diagnosis import Diagnosis, Finding, Sign
from rareseg.records.evidence import Evidence, LearningEvidence
from rareseg.showing import diagnosis_pictures
from rareseg.showing.diagnosis_facts import CLASS_HEADINGS, class_rows, measured, spell_confidence
from rareseg.showing.diagnosis_tables import FRAMEWORKS
from rareseg.showing.layout import spell_time

_STYLE = """
.rareseg-diagnosis { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --dim: #5c5c5c; --line: #d8d8d8;
  --good: #00694c; --bad: #a82a00; --well: #f4f4f2; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: .2rem 1rem 1rem;
  overflow-wrap: break-word; }
DARK
.rareseg-diagnosis h1, .rareseg-diagnosis h2, .rareseg-diagnosis h3 { line-height: 1.25; color: inherit; }
.rareseg-diagnosis h1 { font-size: 1.4rem; } .rareseg-diagnosis h2 { font-size: 1.15rem; margin: 1.8rem 0 .4rem; }
.rareseg-diagnosis h3 { font-size: 1rem; margin: 1rem 0 .3rem; } .rareseg-diagnosis p { margin: .4rem 0; }
.rareseg-diagnosis .summary { font-size: 1.15rem; border-left: 4px solid var(--bad); padding-left: .8rem; }
.rareseg-diagnosis .healthy { border-color: var(--good); } .rareseg-diagnosis .unknown { border-color: var(--dim); }
.rareseg-diagnosis .dim, .rareseg-diagnosis th { color: var(--dim); }
.rareseg-diagnosis .finding { border-top: 1px solid var(--line); margin-top: 1.4rem; padding-top: .2rem; }
.rareseg-diagnosis .sure { display: inline-block; width: 5rem; height: .55rem; background: var(--line);
  border-radius: .3rem; margin-right: .5rem; overflow: hidden; }
.rareseg-diagnosis .sure i { display: block; height: 100%; background: var(--bad); }
.rareseg-diagnosis .do { border-left: 4px solid var(--good); padding-left: .8rem; }
.rareseg-diagnosis .scroll { overflow-x: auto; }
.rareseg-diagnosis table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums;
  margin: .4rem 0; color: inherit; background: none; }
.rareseg-diagnosis th, .rareseg-diagnosis td { text-align: left; vertical-align: top; font-weight: 400;
  padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); background: none; }
.rareseg-diagnosis .number { text-align: right; white-space: nowrap; }
.rareseg-diagnosis pre { background: var(--well); color: inherit; padding: .6rem .8rem; border-radius: .3rem;
  overflow-x: auto; overflow-wrap: normal; font: .85rem/1.45 ui-monospace, monospace; margin: .3rem 0; }
.rareseg-diagnosis svg { max-width: 100%; height: auto; display: block; margin: .4rem 0; }
.rareseg-diagnosis summary { cursor: pointer; }
"""
_DARK = """--ink: #ececec; --paper: #16181b; --dim: #a3a3a3; --line: #3a3d42;
  --good: #4cc79a; --bad: #ff8f66; --well: #22252a;"""
_PAGE = "html { color-scheme: light dark; } body { margin: 0; background: Canvas; }"
_SUMMARY_KINDS = {"causes found": "", "healthy": " healthy", "cannot tell": " unknown"}


def diagnosis_page(diagnosis: Diagnosis) -> str:
    """Return a whole page as text."""
    title = escape(f"Diagnosis: {diagnosis.evidence.subject}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_PAGE}</style>\n</head>\n<body>\n{diagnosis_section(diagnosis)}\n"
        "</body>\n</html>\n"
    )


def diagnosis_section(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as one <div> with its style, for a notebook or another page."""
    kind = _SUMMARY_KINDS[diagnosis.state]
    parts = [
        f"<style>{_style()}</style>",
        f"<h1>Diagnosis: {escape(diagnosis.state)}</h1>",
        f'<p class="summary{kind}">{escape(diagnosis.summary)}</p>',
        f'<p class="dim">{escape(diagnosis.evidence.subject)}, looked at for {spell_time(diagnosis.seconds)}.</p>',
        *(_finding(place, finding) for place, finding in enumerate(diagnosis.findings, start=1)),
        *_listed("Next", diagnosis.next_steps),
        *_measured(diagnosis.evidence),
        *_listed("Assumed", diagnosis.evidence.assumed),
        *_listed("Not measured", diagnosis.evidence.notes),
    ]
    body = "\n".join(parts)
    return f'<div class="rareseg-diagnosis">\n{body}\n</div>'


def _style() -> str:
    # JupyterLab says itself whether it is dark; elsewhere the reader's screen does.
    dark = (
        f"@media (prefers-color-scheme: dark) {{ .rareseg-diagnosis {{ {_DARK} }} }}\n"
        f'[data-jp-theme-light="false"] .rareseg-diagnosis {{ {_DARK} }}'
    )
    return _STYLE.replace("DARK", dark)


def _finding(place: int, finding: Finding) -> str:
    percent = f"{100 * finding.confidence:.0f}"
    parts = [
        f"<h2>{place}. {escape(finding.title)}</h2>",
        f'<p class="dim"><span class="sure"><i style="width: {percent}%"></i></span>'
        f"{escape(spell_confidence(finding.confidence))}</p>",
        f"<p>{escape(finding.because)}</p>",
        *_signs(finding.signs),
    ]
    if finding.apart:
        parts.append(f'<p><span class="dim">Told apart by:</span> {escape(finding.apart)}</p>')
    parts.append(f'<p class="do"><strong>Do:</strong> {escape(finding.prescription)}</p>')
    for code in finding.code:
        parts.append(
            f'<p class="dim">{FRAMEWORKS[code.framework]}</p><pre><code>{escape(code.code)}</code></pre>'
        )
    parts.append(f'<p class="dim">{escape(finding.cause)}, number {finding.mode} in docs/diagnose.md</p>')
    return f'<div class="finding">{"".join(parts)}</div>'


def _signs(signs: Sequence[Sign]) -> Iterator[str]:
    if signs:
        rows = [(sign.what, sign.found, sign.limit) for sign in signs]
        yield _table(("sign", "found", "expected"), rows, numbers=True)


def _listed(title: str, sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield f"<h2>{title}</h2><ul>{''.join(f'<li>{escape(one)}</li>' for one in sentences)}</ul>"


def _measured(evidence: Evidence) -> Iterator[str]:
    rows = measured(evidence)
    pictures = [] if evidence.learning is None else [*_pictures(evidence.learning, evidence.prior_entropy)]
    if not rows and not pictures:
        return
    yield "<h2>Measured</h2>"
    yield from pictures
    if evidence.answers is not None:
        yield "<h3>Answers, class by class</h3>"
        yield _table(CLASS_HEADINGS, class_rows(evidence.answers), numbers=True)
        yield (
            '<p class="dim">AP: average precision; lift: AP over share, 1 is chance; spread: of the class\'s log-odds '
            "over pixels, 0 is the same answer everywhere.</p>"
        )
    if rows:
        yield f"<details open><summary>Numbers</summary>{_table((), rows)}</details>"


def _pictures(learning: LearningEvidence, entropy: float | None) -> Iterator[str]:
    courses = (
        ("first steps", learning.losses),
        ("one batch", learning.fit_losses),
        ("new weights", learning.fresh_losses),
    )
    losses = diagnosis_pictures.losses(courses, entropy)
    if losses:
        yield f"<h3>Loss over the probe's steps</h3>{losses}"
    units = diagnosis_pictures.units(learning.layers)
    if units:
        yield f"<h3>Units that are 0 at every pixel, layer by layer, as brought</h3>{units}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """Draw a table in a box that scrolls; with `numbers`, all columns but the first are right-aligned."""
    head = "".join(f"<th{_side(place, numbers)}>{escape(name)}</th>" for place, name in enumerate(headings))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_side(place, numbers)}>{escape(cell)}</td>" for place, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    top = f"<thead><tr>{head}</tr></thead>" if headings else ""
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'


def _side(place: int, numbers: bool) -> str:
    return ' class="number"' if numbers and place else ""
