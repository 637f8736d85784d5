"""The Comparison as one HTML page: no file beside it, nothing fetched, light or dark as the reader's screen is."""

from collections.abc import Iterable, Sequence
from html import escape

from rareseg.records.comparison import Comparison, Estimate, Row, Scores
from rareseg.showing import charts
from rareseg.showing.comparison_tables import spell_estimate, spell_mean, spell_step_time, spell_steps
from rareseg.showing.layout import ABSENT, spell_time

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --dim: #5c5c5c; --line: #d8d8d8;
  --good: #00694c; --bad: #a82a00; LIGHT }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececec; --paper: #16181b; --dim: #a3a3a3; --line: #3a3d42; --good: #4cc79a; --bad: #ff8f66; DARK } }
body { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
.summary { font-size: 1.15rem; border-left: 4px solid var(--good); padding-left: .8rem; }
.dim, .dropped td, .same td, .waiting td { color: var(--dim); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--dim); } .number { text-align: right; white-space: nowrap; }
.interval { white-space: nowrap; } .verdict { min-width: 15rem; }
.winner td:first-child { color: var(--good); font-weight: 700; }
.failed td:last-child, .collapsed td:last-child { color: var(--bad); }
svg { max-width: 100%; } .bar { width: 8rem; height: 1rem; max-width: none; }
.bar line { stroke: var(--ink); } .bar circle { fill: var(--ink); }
code { font-size: .9em; }
"""


_DARK_LINES = ("#5ab4ee", "#ff8a4c", "#2fcf9f", "#e6a3c9", "#d8b52e", "#8fd0ff")
"""charts.COLOURS, lightened for dark paper."""


def page(comparison: Comparison) -> str:
    """Return the whole page as text."""
    title = f"Which remedy helps on {comparison.data}?"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="summary">{escape(comparison.summary)}</p>',
        f'<p class="dim">{escape(_facts(comparison))}</p>',
        "<h2>Score against budget</h2>",
        charts.svg(comparison),
        "<h2>Candidates</h2>",
        _candidates(comparison),
        *_winner(comparison),
        *_collapsed(comparison.rows),
        *_per_class("Per class, on the validation part", _finalists(comparison.rows)),
        *_per_class(
            "Per class, on the test part, which decided nothing",
            [(row, row.test) for row in comparison.rows if row.test],
        ),
        "<h2>What each candidate sets</h2>",
        _table(("candidate", "settings"), [_settings(row) for row in comparison.rows]),
        "<h2>Worth knowing</h2>",
        f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in comparison.notes)}</ul>",
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _style() -> str:
    light, dark = (
        "; ".join(f"--line-{number}: {colour}" for number, colour in enumerate(colours, start=1))
        for colours in (charts.COLOURS, _DARK_LINES)
    )
    return _STYLE.replace("LIGHT", light).replace("DARK", dark)


def _facts(comparison: Comparison) -> str:
    asked = comparison.request
    budget = (
        f"steps of the longest trainings: {asked.steps}"
        if asked.steps
        else f"budget {asked.minutes:g} minutes"
    )
    return (
        f"{comparison.outcome.capitalize()} after {spell_time(comparison.seconds)} ({budget}); seeds: {asked.seeds}; "
        f"validation scenes: {comparison.scenes}; audit {comparison.audit_digest}; "
        f"{comparison.machine.accelerator} with {comparison.machine.cores} threads."
    )


def _candidates(comparison: Comparison) -> str:
    headings = ("candidate", "steps", "seeds", "AP", "", "IoU", "calibration error", "s per step", "verdict")
    rows = [_row(comparison, row) for row in comparison.rows]
    rare = escape(", ".join(comparison.rare_classes))
    legend = (
        f'<p class="dim">Scores of {rare}, means where they are several. AP: average precision with its 95 % interval '
        f"over scenes and seeds, drawn from 0 to 1; chance is {comparison.chance:.3g}. Calibration error: the mean gap "
        "between probability and share of the class.</p>"
    )
    return _table(headings, rows) + legend


def _row(comparison: Comparison, row: Row) -> str:
    scores = row.scores
    precision = scores.average_precision if scores else None
    kind = f"{row.state}{' winner' if row.candidate == comparison.winner else ''}"
    cells = [
        f"<td>{_name(row.candidate)}</td>",
        _number(spell_steps(row)),
        _number(str(row.seeds) if row.seeds else ABSENT),
        f'<td class="interval">{escape(spell_estimate(precision))}</td>',
        f"<td>{_bar(precision)}</td>",
        _number(spell_mean(scores.iou if scores else None)),
        _number(spell_mean(scores.calibration_error if scores else None)),
        _number(spell_step_time(row)),
        f'<td class="verdict">{escape(row.verdict)}</td>',
    ]
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _winner(comparison: Comparison) -> Iterable[str]:
    if comparison.winner is not None:
        yield (
            f"<p><strong>{escape(comparison.winner)}</strong> stands in <code>plan.json</code>: "
            f"{escape(comparison.because)}. Train it by "
            "<code>rareseg train DATA -o RUN --plan plan.json</code>.</p>"
        )


def _collapsed(rows: Sequence[Row]) -> Iterable[str]:
    told = [
        f"<li>{_name(row.candidate)}: {escape(row.reason)}</li>" for row in rows if row.state == "collapsed"
    ]
    if told:
        yield f"<h2>Collapsed</h2><ul>{''.join(told)}</ul>"


def _finalists(rows: Sequence[Row]) -> list[tuple[Row, Scores]]:
    return [(row, row.scores) for row in rows if row.state in ("compared", "collapsed") and row.scores]


def _per_class(title: str, held: Sequence[tuple[Row, Scores]]) -> Iterable[str]:
    if not held:
        return
    rows = []
    for place, found in enumerate(held[0][1].classes):
        for row, scores in held:
            own = scores.classes[place]
            estimates = (own.average_precision, own.iou, own.calibration_error)
            cells = "".join(f'<td class="interval">{escape(spell_estimate(one))}</td>' for one in estimates)
            rows.append(f"<tr><td>{escape(found.name)}</td><td>{_name(row.candidate)}</td>{cells}</tr>")
    yield f"<h2>{escape(title)}</h2>"
    yield _table(("class", "candidate", "AP", "IoU", "calibration error"), rows)


def _settings(row: Row) -> str:
    said = ", ".join(f"{key}={value}" for key, value in row.settings.items()) or "nothing: the rules decide"
    return f"<tr><td>{_name(row.candidate)}</td><td><code>{escape(said)}</code></td></tr>"


def _table(headings: Sequence[str], rows: Iterable[str]) -> str:
    numbers = ("steps", "seeds", "IoU", "s per step", "calibration error")
    # In the tables per class these hold intervals, which start on the left like text.
    right = numbers if "verdict" in headings else ()
    head = "".join(
        f'<th class="number">{name}</th>' if name in right else f"<th>{name}</th>" for name in headings
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _number(text: str) -> str:
    return f'<td class="number">{escape(text)}</td>'


def _name(candidate: str) -> str:
    """A candidate's name, which may break after its plus signs."""
    return escape(candidate).replace("+", "+<wbr>")


def _bar(estimate: Estimate | None) -> str:
    """The interval drawn on a scale from 0 to 1."""
    if estimate is None:
        return ""
    low, high = (estimate.value if end is None else end for end in (estimate.low, estimate.high))
    return (
        '<svg class="bar" viewBox="0 0 128 16" aria-hidden="true">'
        f'<line x1="{_MARGIN}" x2="{_MARGIN + _SPAN}" y1="8" y2="8" stroke-opacity=".25"/>'
        f'<line x1="{_across(low)}" x2="{_across(high)}" y1="8" y2="8" stroke-width="3"/>'
        f'<circle cx="{_across(estimate.value)}" cy="8" r="4"/></svg>'
    )


_MARGIN, _SPAN = 4, 120


def _across(score: float) -> str:
    return f"{_MARGIN + _SPAN * score:.1f}"
