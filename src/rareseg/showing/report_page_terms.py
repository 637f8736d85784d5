"""Words of the field on the page: each leads to a line at its end that says what it means."""

import re
from collections.abc import Iterable
from html import escape

from rareseg.showing.report_page_elements import Html, section
from rareseg.showing.score_reading import TERMS

_USED = re.compile(r'href="#term-([a-z0-9-]+)"')


def term(key: str, shown: str = "") -> Html:
    """Return a word, or `shown` in its place, that leads to its meaning; `key` as in `TERMS`."""
    title, meaning = TERMS[key]
    return f'<a class="term" href="#{_anchor(key)}" title="{escape(meaning)}">{escape(shown or title)}</a>'


def glossary(body: Iterable[Html]) -> Html:
    """Return the section with the meanings of all words that `body` leads to, "" where there is none."""
    used = {key for part in body for key in _USED.findall(part)}
    held = "".join(
        f'<div id="{_anchor(key)}"><dt>{escape(title)}</dt><dd>{escape(meaning)}</dd></div>'
        for key, (title, meaning) in TERMS.items()
        if key in used
    )
    return section("terms", "What the words mean", [f'<dl class="terms">{held}</dl>'] if held else [])


def _anchor(key: str) -> str:
    return f"term-{key}"
