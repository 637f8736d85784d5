"""The catalogue as tables: families, pages, and nothing in a text taken for markup."""

import io

import pytest
from rich.console import Console

from rareseg.showing.remedy_tables import remedy_list, remedy_page

ENTRY = {
    "name": "focal",
    "family": "loss",
    "summary": "fades [bold]easy[/bold] pixels",
    "formula": "-(1 - p)^gamma ln p",
    "reference": "Lin 2017",
    "when": "often",
    "traps": ("alpha 0.25", "two of [a]"),
    "here": "",
}
ROWS = [("gamma", "0 <= number", "2.0", "exponent " * 12), ("alpha", "[0, 1]", "none", "factor")]


def _draw(tables, width=80):
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    console.print(*tables, sep="\n")
    return stream.getvalue()


def _lines(text):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_families_are_listed_in_their_order_and_empty_ones_left_out():
    entries = [
        ENTRY | {"name": "enet", "family": "weights"},
        ENTRY | {"name": "prior_bias", "family": "prior"},
        ENTRY,
    ]
    lines = _lines(_draw(remedy_list(entries)))
    assert lines[:6] == [
        "Losses",
        "focal fades [bold]easy[/bold] pixels",
        "Class weights",
        "enet fades [bold]easy[/bold] pixels",
        "The prior",
        "prior_bias fades [bold]easy[/bold] pixels",
    ]
    assert "Where training crops lie" not in lines
    assert any("rareseg remedies NAME" in line for line in lines)


def test_what_an_audit_says_stands_below_the_summary():
    lines = _lines(_draw(remedy_list([ENTRY | {"here": "road 4.00 %"}])))
    assert lines[1:3] == ["focal fades [bold]easy[/bold] pixels", "road 4.00 %"]


@pytest.mark.parametrize("width", [80, 120])
def test_a_page_has_every_part(width):
    text = _draw(remedy_page(ENTRY, ROWS, ["--set loss.name=focal"]), width)
    assert max(map(len, text.splitlines())) <= width
    lines = _lines(text)
    assert lines[0] == "focal fades [bold]easy[/bold] pixels"
    for line in ("formula -(1 - p)^gamma ln p", "after Lin 2017", "when often", "alpha [0, 1] none factor"):
        assert line in lines
    assert "· two of [a]" in lines
    assert lines[-2:] == ["Ask for it", "--set loss.name=focal"]
    assert not any(line.startswith("here") for line in lines)
    assert "here road" in _lines(_draw(remedy_page(ENTRY | {"here": "road"}, ROWS, ["x"]), width))


def test_parts_without_content_are_left_out():
    lines = _lines(_draw(remedy_page(ENTRY | {"traps": (), "reference": "", "when": ""}, [], ["x"])))
    assert lines == [
        "focal fades [bold]easy[/bold] pixels",
        "formula -(1 - p)^gamma ln p",
        "Ask for it",
        "x",
    ]
