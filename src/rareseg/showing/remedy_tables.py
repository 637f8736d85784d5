"""The catalogue of remedies as tables: all of them, or one with its formula, settings and traps."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from rareseg.showing.layout import bullets, remark, section, table

_TITLES = {
    "loss": "Losses",
    "weights": "Class weights",
    "sampling": "Where training crops lie",
    "prior": "The prior",
}


def remedy_list(entries: Sequence[Mapping[str, object]]) -> list[RenderableType]:
    """Return one table per family: each remedy's name and what it does.

    `entries` hold "name", "family", "summary", and "here": why it applies to an audit ("" where unknown).
    """
    parts: list[RenderableType] = []
    for family, title in _TITLES.items():
        rows = [
            (Text(str(entry["name"]), style="bold"), _summary(entry))
            for entry in entries
            if entry["family"] == family
        ]
        if rows:
            parts.append(section(title, table([("", "left"), ("", "left")], rows)))
    parts.append(remark("One of them with its formula, settings and traps: rareseg remedies NAME"))
    parts.append(remark("Which one helps on your data: rareseg compare DATA -o OUT --minutes 30"))
    return parts


def remedy_page(
    entry: Mapping[str, object], settings: Sequence[tuple[str, str, str, str]], use: Sequence[str]
) -> list[RenderableType]:
    """Return everything about one remedy.

    Args:
        entry: "name", "summary", "formula", "reference", "when", "traps", "here".
        settings: rows of name, range, default and meaning.
        use: command-line options that ask for it.
    """
    title = Text.assemble((str(entry["name"]), "bold"), f"  {entry['summary']}")
    facts = [("formula", entry["formula"]), ("after", entry["reference"]), ("when", entry["when"])]
    if entry["here"]:
        facts.append(("here", entry["here"]))
    rows = [(Text(name, style="dim"), str(text)) for name, text in facts if text]
    parts: list[RenderableType] = [title, _indented(table([("", "left"), ("", "left")], rows))]
    if settings:
        headings = [("setting", "left"), ("range", "left"), ("usual", "left"), ("meaning", "left")]
        parts.append(section("Settings", table(headings, settings)))
    traps = entry["traps"]
    if isinstance(traps, tuple) and traps:
        parts.append(bullets("Known traps", traps))
    parts.append(section("Ask for it", *(Text(line) for line in use)))
    return [Group(*_spaced(parts))]


def _summary(entry: Mapping[str, object]) -> Text:
    here = entry["here"]
    return Text.assemble(str(entry["summary"]), (f"\n{here}", "cyan") if here else "")


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2), expand=False)


def _spaced(parts: Sequence[RenderableType]) -> list[RenderableType]:
    return [Padding(part, (0, 0, 1, 0), expand=False) for part in parts[:-1]] + [parts[-1]]
