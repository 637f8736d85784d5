import math
import re
from html.parser import HTMLParser

import pytest
from tests.references.diagnoses import cannot_tell, healthy, three_findings

from rareseg.records.evidence import LayerUnits
from rareseg.showing import diagnosis_pictures
from rareseg.showing.diagnosis_page import diagnosis_page, diagnosis_section

ALONE = {"meta", "br"}


class _Read(HTMLParser):
    """Collects what is shown, and sees that every element is closed in turn."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.seen, self.code = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ALONE:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)
        if "code" in self.open:
            self.code.append(data)


def _read(text):
    reader = _Read()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.parametrize("make", [three_findings, healthy, cannot_tell])
def test_the_page_stands_alone_and_closes_what_it_opens(make):
    text = diagnosis_page(make())
    read = _read(text)
    assert text.startswith("<!doctype html>")
    assert not [one for _, one in read.seen if {"src", "href", "xlink:href"} & set(one)]
    assert "<script" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in read.seen
    assert "prefers-color-scheme: dark" in text


def test_texts_from_outside_are_shown_and_not_read_as_html():
    text = diagnosis_page(three_findings())
    shown = "".join(_read(text).text)
    for raw in ("<road>", "<functional>", "<validation>", "1 < 2"):
        assert raw in shown
        assert raw not in text


def test_causes_come_with_signs_confidence_and_code_that_can_be_copied():
    read = _read(diagnosis_section(three_findings()))
    shown = "".join(read.text)
    for part in (
        "1. The learning rate",
        "almost certain, 94 %",
        "3.1e-2",
        "near 1e-3",
        "Told apart by:",
        "Start again",
    ):
        assert part in shown
    assert read.code[0].startswith("model.compile(\n    optimizer=")
    assert ("i", {"style": "width: 94%"}) in read.seen
    assert (
        shown.index("killed 71 %") < shown.index("1. The") < shown.index("2. Class") < shown.index("Measured")
    )


def test_the_section_styles_nothing_around_it():
    text = diagnosis_section(three_findings())
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    style = re.sub(r"@media[^{]*\{(.*?\})\s*\}", r"\1", style, flags=re.DOTALL)
    selectors = [one for rule in re.findall(r"([^{}]+)\{", style) for one in rule.split(",")]
    assert len(selectors) > 15
    assert all(".rareseg-diagnosis" in one for one in selectors)


def test_both_pictures_are_drawn_where_there_is_something_to_draw():
    read = _read(diagnosis_section(three_findings()))
    labels = [one["aria-label"] for tag, one in read.seen if tag == "svg"]
    assert labels[0].startswith("Losses over steps. first steps: 0.71 to 0.137")
    assert "a_block_with_a_long_name/bottleneck/conv2d_2 <x> 100 %" in labels[1]
    assert not [tag for tag, _ in _read(diagnosis_section(cannot_tell())).seen if tag == "svg"]


def test_the_state_colours_the_summary():
    for make, kind in (
        (three_findings, "summary"),
        (healthy, "summary healthy"),
        (cannot_tell, "summary unknown"),
    ):
        assert ("p", {"class": kind}) in _read(diagnosis_section(make())).seen


def _points(svg):
    return [
        [tuple(map(float, pair.split(","))) for pair in line.split()]
        for line in re.findall(r'points="([^"]*)"', svg)
    ]


def test_higher_losses_stand_higher_and_steps_go_right():
    (line,) = _points(diagnosis_pictures.losses([("a", [3.0, 2.0, 1.0])], None))
    assert [x for x, _ in line] == sorted(x for x, _ in line)
    assert [y for _, y in line] == sorted(y for _, y in line)
    assert line[1][1] - line[0][1] == pytest.approx(line[2][1] - line[1][1], abs=0.2)


def test_the_entropy_is_a_level_at_its_own_height():
    svg = diagnosis_pictures.losses([("a", [1.0, 0.5])], 0.5)
    level = float(re.search(r'y1="([\d.]+)"', svg).group(1))
    assert level == _points(svg)[0][1][1]
    assert "entropy 0.5" in svg


def test_a_peak_makes_the_scale_logarithmic():
    values = [100.0, *([1.0] * 10), 0.1]
    svg = diagnosis_pictures.losses([("a", values)], None)
    (line,) = _points(svg)
    assert "logarithmic" in svg
    assert line[1][1] - line[0][1] == pytest.approx(2 * (line[-1][1] - line[1][1]), rel=0.02)
    assert "logarithmic" not in diagnosis_pictures.losses([("a", [1.0, 0.5])], None)
    assert "logarithmic" not in diagnosis_pictures.losses([("a", [9.0, 0.5, 0.5, -0.5])], None)


def test_losses_that_are_not_finite_or_many_can_be_drawn():
    assert diagnosis_pictures.losses([("a", [math.nan, math.inf])], 0.3) == ""
    svg = diagnosis_pictures.losses([("a", [1.0, math.nan, 0.5]), ("b", [0.1] * 5000)], None)
    assert "nan" not in svg
    assert [len(line) for line in _points(svg)] == [2, 200]
    assert all(0 <= x <= 440 and 0 <= y <= 140 for line in _points(svg) for x, y in line)


def test_names_beside_lines_do_not_cover_one_another():
    svg = diagnosis_pictures.losses([(name, [1.0, 0.1]) for name in "abc"], 0.1)
    heights = sorted(float(y) for y in re.findall(r'<text x="335.0" y="([\d.]+)"', svg))
    assert len(heights) == 4
    assert all(second - first >= 14 for first, second in zip(heights, heights[1:], strict=False))
    assert heights[-1] <= 140


def test_bars_are_as_long_as_shares():
    layers = [
        LayerUnits(layer="a<b", units=4, dead=0.5, saturated=0.25),
        LayerUnits(layer="c", units=4, dead=0, saturated=0),
    ]
    svg = diagnosis_pictures.units(layers)
    bars = re.findall(r'width="([\d.]+)" height="13" rx="2" fill="var\(--(\w+)\)"', svg)
    assert bars == [
        ("110.0", "line"),
        ("55.0", "bad"),
        ("27.5", "dim"),
        ("110.0", "line"),
        ("0.0", "bad"),
        ("0.0", "dim"),
    ]
    assert "a&lt;b" in svg
    assert "50 % + 25 % saturated" in svg


def test_of_many_layers_the_worst_are_drawn_in_their_order():
    layers = [LayerUnits(layer=f"layer{n}", units=4, dead=n / 40, saturated=0) for n in range(40)]
    shown = re.findall(r">(layer\d+)<", diagnosis_pictures.units(layers))
    assert shown == [f"layer{n}" for n in range(24, 40)]
