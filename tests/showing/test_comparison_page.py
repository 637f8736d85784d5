import re
from html.parser import HTMLParser

import pytest
from tests.references.comparisons import comparison

from rareseg.showing.comparison_page import page

VOID = {"meta", "wbr", "br"}


class _Read(HTMLParser):
    """Collects what is shown, and sees that every element is closed in turn."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.cells, self.links = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


@pytest.fixture(scope="module")
def text():
    return page(comparison())


@pytest.fixture(scope="module")
def read(text):
    reader = _Read()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_stands_alone(text, read):
    assert text.startswith("<!doctype html>")
    assert all(link.startswith("#") for link in read.links)
    assert "<script" not in text
    assert "@import" not in text
    assert "url(http" not in text


def test_names_from_outside_are_shown_and_not_read_as_html(text, read):
    assert "some <roads>" not in text
    assert "Which remedy helps on some <roads>?" in "".join(read.text)
    assert any("<loss.name=dice> & co." in cell for cell in read.cells)


def test_every_candidate_has_its_row(read):
    for name in (
        "prior_bias+cross_entropy+0.5*dice",
        "default",
        "none",
        "focal",
        "lovasz",
        "dice+enet",
        "tversky",
    ):
        assert name in read.cells
    assert "0.712 [.672 .752]" in read.cells
    assert "Nothing beats the default." in read.text


def test_the_winner_is_marked_and_said(text, read):
    assert len(re.findall(r'<tr class="[a-z]+ winner">', text)) == 1
    assert '<tr class="compared winner"><td>default' in text
    said = "".join(read.text)
    assert "default stands in plan.json: nothing beats it by more than the noise." in said
    unwon = page(comparison(winner=None, because=""))
    assert "plan.json" not in unwon
    assert " winner" not in unwon


def test_light_and_dark_define_every_colour_that_is_used(text):
    light, dark = text.split("prefers-color-scheme: dark")
    for name in set(re.findall(r"var\((--[a-z0-9-]+)\)", text)):
        assert f"{name}:" in light.split("</style>")[0]
        assert f"{name}:" in dark.split("</style>")[0]


def test_intervals_are_drawn_to_scale(text):
    bar = re.search(r'<svg class="bar".*?</svg>', text)[0]
    low, high = re.search(r'<line x1="([0-9.]+)" x2="([0-9.]+)" y1="8" y2="8" stroke-width="3"', bar).groups()
    assert float(low) == pytest.approx(4 + 120 * 0.672, abs=0.1)
    assert float(high) == pytest.approx(4 + 120 * 0.752, abs=0.1)


def test_a_page_without_any_score_can_be_made():
    made = page(comparison(rows=comparison().rows[-3:], rungs=(), winner=None))
    assert "Per class" not in made


def test_reasons_of_a_collapse_stand_below(read):
    assert "lovasz: 1 of 1 seeds collapsed: its output is constant." in "".join(read.text)
