"""The small pieces of HTML that a report page is made of; each escapes the text that it is given."""

from collections.abc import Iterable, Sequence
from html import escape

from rareseg.records.scores import Interval
from rareseg.showing.layout import ABSENT, spell_chance, spell_score

Html = str
"""Text that is HTML already: what these functions return, and what they take where they say so."""

MOST_SERIES = 6
"""Colours, dashes and markers that can be told apart."""
_MOST_BESIDE = 10
"""Letters that stand beside a chart's row."""
_NEARLY_ALL = 0.9995
"""One decimal would show it as 100 %."""


def name(text: str) -> Html:
    """Return a name from outside; it may break after an underscore or a slash, and turns no text around it."""
    broken = escape(text).replace("_", "_<wbr>").replace("/", "/<wbr>")
    return f"<bdi>{broken}</bdi>"


def percent(value: float | None) -> Html:
    """0.7412 -> "74 %", 0.9982 -> "99.8 %", in one piece; never rounded to 0 or 100."""
    return ABSENT if value is None else f"{escape(spell_percent(value))}&nbsp;%"


def spell_percent(value: float) -> str:
    """As `spell_chance`, with a decimal near 100, where it tells good maps apart; plain text without the sign."""
    if 0.99 < value < 1:
        return f"{100 * value:.1f}" if value < _NEARLY_ALL else ">99.9"
    return spell_chance(value)


def interval(held: Interval | None) -> Html:
    """Return " [0.52, 0.62]", dimmed, or "" where there is none."""
    if held is None:
        return ""
    return f' <span class="interval">[{spell_score(held.low)}, {spell_score(held.high)}]</span>'


def signed_interval(held: Interval | None) -> Html:
    """Return " [-0.02, +0.05]" of a difference, dimmed, or "" where there is none."""
    return f' <span class="interval">[{held.low:+.3f}, {held.high:+.3f}]</span>' if held else ""


def score(value: float | None, held: Interval | None = None) -> Html:
    """Return a score of three decimals with its interval."""
    return f"{spell_score(value)}{interval(held) if value is not None else ''}"


def section(key: str, title: str, parts: Iterable[Html], told: str = "") -> Html:
    """Return a section with an anchor and a heading, or "" if no part has anything in it; `told` is plain text."""
    body = "\n".join(part for part in parts if part)
    if not body:
        return ""
    lead = f'<p class="lead">{escape(told)}</p>' if told else ""
    heading = f'<h2 id="{key}-title">{escape(title)}</h2>'
    return f'<section id="{key}" aria-labelledby="{key}-title">{heading}{lead}\n{body}\n</section>'


def table(
    caption: str,
    headings: Sequence[Html],
    rows: Iterable[Sequence[Html]],
    *,
    left: Sequence[int] = (0,),
    told: bool = True,
) -> Html:
    """Return a table in a box that scrolls by itself, or "" without rows.

    Args:
        caption: plain text that says what it holds.
        headings: HTML of each column's heading.
        rows: HTML of each cell; the first heads its row.
        left: columns of words; all others are right-aligned numbers.
        told: whether the caption is seen; else it is for screen readers only.
    """
    held = [list(row) for row in rows]
    if not held:
        return ""

    def side(place: int) -> str:
        return "" if place in left else ' class="number"'

    head = "".join(f'<th scope="col"{side(place)}>{told}</th>' for place, told in enumerate(headings))
    body = "".join(
        f'<tr><th scope="row"{side(0)}>{row[0]}</th>'
        + "".join(f"<td{side(place)}>{cell}</td>" for place, cell in enumerate(row[1:], start=1))
        + "</tr>"
        for row in held
    )
    label, hidden = escape(caption), "" if told else ' class="visually-hidden"'
    return (
        f'<div class="scroll" role="group" aria-label="{label}"><table><caption{hidden}><span>{label}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def figures(drawn: Iterable[Html]) -> Html:
    """Set charts side by side as far as there is room."""
    held = [one for one in drawn if one]
    # Four stand better in two rows of two than in one of three and a last one.
    kind = "figures pairs" if len(held) == 4 else "figures"
    return f'<div class="{kind}">{"".join(held)}</div>' if held else ""


def beside_each_other(tables: Iterable[Html]) -> Html:
    """Set tables side by side as far as there is room."""
    held = "".join(f"<div>{one}</div>" for one in tables if one)
    return f'<div class="tables">{held}</div>' if held else ""


def details(summary: Html, body: Html, *, is_open: bool = False) -> Html:
    """Return what unfolds; both are HTML."""
    return (
        f"<details{' open' if is_open else ''}><summary>{summary}</summary>{body}</details>" if body else ""
    )


def note(text: str) -> Html:
    """Return a dim sentence of plain text."""
    return f'<p class="note">{escape(text)}</p>'


def listed(sentences: Iterable[Html]) -> Html:
    """Return a list of HTML sentences, or ""."""
    held = "".join(f"<li>{one}</li>" for one in sentences)
    return f"<ul>{held}</ul>" if held else ""


def all_or_differ(told: Iterable[str]) -> str:
    """Return what runs say of the same row, at the end of a chart's row: "3 / 10", or "differ" where that is long."""
    joined = " / ".join(dict.fromkeys(told))
    return joined if len(joined) <= _MOST_BESIDE else "differ"


def legend(names: Sequence[str], places: Sequence[int] | None = None) -> Html:
    """Return which line and marker is whose, "" for a single one, which needs none; `places`: those drawn, else all."""
    if len(names) < 2:
        return ""
    drawn = range(len(names)) if places is None else places
    held = "".join(
        f'<li><svg class="key" viewBox="0 0 34 12" aria-hidden="true">{_key(place)}</svg>{name(names[place])}</li>'
        for place in drawn
    )
    return f'<ul class="legend">{held}</ul>'


def _key(place: int) -> Html:
    series = place % MOST_SERIES + 1
    return f'<path class="line s{series}" d="M1 6H33"/>{marker(place, 17, 6)}'


def marker(place: int, x: float, y: float, size: float = 4) -> Html:
    """Return the marker of series `place` at (x, y): its shape tells it apart where colours do not."""
    look = f'class="dot f{place % MOST_SERIES + 1}"'
    side = 1.8 * size
    shapes = (
        f'<circle {look} cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"/>',
        f'<rect {look} x="{x - side / 2:.1f}" y="{y - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}"/>',
        f'<path {look} d="M{x:.1f} {y - size * 1.2:.1f}l{size * 1.2:.1f} {size * 2.1:.1f}h{-size * 2.4:.1f}z"/>',
        f'<path {look} d="M{x:.1f} {y - size * 1.3:.1f}l{size * 1.3:.1f} {size * 1.3:.1f}l{-size * 1.3:.1f} '
        f'{size * 1.3:.1f}l{-size * 1.3:.1f} {-size * 1.3:.1f}z"/>',
    )
    return shapes[place % len(shapes)]
