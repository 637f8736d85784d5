"""Words of the field lead to their meaning, and what is not comparable or certain is said so at the top."""

import re

import pytest
from msgspec.structs import replace
from tests.references import reports, trainings
from tests.showing.test_report_page import _read, _shown

from rareseg.showing.report_page import page
from rareseg.showing.report_page_elements import all_or_differ, percent
from rareseg.showing.report_page_subjects import given_share
from rareseg.showing.report_page_terms import glossary, term
from rareseg.showing.score_reading import TERMS, map_threshold, origin


@pytest.fixture(scope="module")
def shown():
    return reports.roads(images=4, size=96)


def test_the_words_of_the_first_screen_lead_to_their_meaning(shown):
    text = page([shown])
    head = text.partition("</header>")[0]
    for key in ("iou", "ap", "precision", "recall", "constant", "interval"):
        assert f'href="#term-{key}"' in head
        title, meaning = TERMS[key]
        assert f"{title}{meaning}" in _shown(text).replace(f"{title} {meaning}", f"{title}{meaning}")


def test_a_word_that_the_page_does_not_use_is_not_explained(shown):
    text = page([reports.labelled(size=96)])
    used = set(re.findall(r'href="#term-([a-z0-9-]+)"', text))
    assert set(re.findall(r'id="term-([a-z0-9-]+)"', text)) == used
    assert used
    assert used < set(TERMS)
    assert glossary(["<p>nothing</p>"]) == ""


def test_a_word_says_its_meaning_on_hovering_and_can_be_written_otherwise():
    found = _read(term("within", "within <3 px")).seen
    assert found == [("a", {"class": "term", "href": "#term-within", "title": TERMS["within"][1]})]
    assert "within &lt;3 px" in term("within", "within <3 px")


def test_reports_of_other_labels_are_not_to_be_compared(shown):
    fewer = replace(shown.report, images=2, part="val")
    told = _shown(page([shown, shown._replace(name="plain", report=fewer)]))
    assert (
        "Not scored on the same labels, so these numbers must not be compared (muon: massachusetts_roads, "
        in told
    )
    assert "plain: massachusetts_roads, val part, 2 images)" in told
    assert "muon: measured on 4 images" in told
    assert "plain: measured on 2 images" in told
    assert "Not scored on the same labels" not in _shown(page([shown, shown._replace(name="plain")]))


def test_counts_of_runs_that_were_binned_alike_stand_beside_each_other(shown):
    road = shown.report.classes["road"]
    more = tuple(replace(one, pixels=one.pixels + 1_000_000) for one in road.widths)
    classes = shown.report.classes | {"road": replace(road, widths=more)}
    text = page([shown, shown._replace(name="plain", report=replace(shown.report, classes=classes))])
    chart = text.partition("recall by width</bdi>")[2].partition("</svg>")[0]
    assert chart.count(">differ<") == len(road.widths)
    assert all_or_differ(["3", "10", "3"]) == "3 / 10"
    assert all_or_differ(["5,271", "36.3 k"]) == "differ"


def test_a_length_without_a_pixel_size_is_told_in_pixels(shown):
    road = shown.report.classes["road"]
    lines = replace(road.lines, unit="1,000 px", true_length=6.516)
    report = replace(shown.report, classes=shown.report.classes | {"road": replace(road, lines=lines)})
    assert ["true length", "6,516 px"] in _read(page([shown._replace(report=report)])).rows
    assert ["true length", "21.4 km"] in _read(page([shown])).rows


def test_curves_of_training_name_only_those_that_were_trained(shown):
    text = page([shown, shown._replace(name="plain", run=trainings.run())])
    training = text.partition('<section id="training"')[2].partition("</section>")[0]
    legend = training.partition('<ul class="legend">')[2].partition("</ul>")[0]
    assert "plain" in legend
    assert "muon" not in legend
    assert 'class="line s2"' in legend


def test_the_comparison_is_told_at_the_top(shown):
    other = reports.roads("plain U-Net", skill=0.6, images=6, size=96, seed=1)
    noted = other._replace(
        report=replace(other.report, notes=("Its answers were read as probabilities.", "plain U-Net is old."))
    )
    held = reports.beside(shown, noted)
    told = _shown(page([held]).partition("</header>")[0] + "</header></main></body></html>")
    gap = next(one for one in held.report.differences if (one.name, one.score) == ("road", "iou"))
    span = f"[{gap.interval.low:+.3f}, {gap.interval.high:+.3f}]"
    assert f"Beside plain U-Net on the same 6 images: IoU {gap.difference:+.3f} {span}, certainly" in told
    assert "plain U-Net: Its answers were read as probabilities." in told
    assert "plain U-Net: plain" not in told


def test_what_the_scores_may_owe_to_stands_beside_them(shown):
    report = replace(shown.report, notes=("The network was trained on some of these images.",))
    head = page([shown._replace(report=report)]).partition("</header>")[0]
    assert "The network was trained on some of these images." in head
    several = page([shown._replace(report=report), shown._replace(name="plain")]).partition("</header>")[0]
    assert "<bdi>muon</bdi>: <bdi>The network was trained" in several


def test_the_share_that_a_map_gives_is_counted_over_all_images(shown):
    table = shown.report.confusion
    assert given_share(shown.report, "road") == pytest.approx(
        sum(row[1] for row in table) / shown.report.counted_pixels
    )
    assert given_share(shown.report, "no such class") is None
    assert given_share(replace(shown.report, by_image=()), "road") is None
    row = next(row for row in _read(page([shown])).rows if row[:1] == ["given share"])
    assert row[2].endswith("%")


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.9982, "99.8"), (0.9999, "&gt;99.9"), (1.0, "100"), (0.9996, "&gt;99.9"), (0.741, "74"), (0.0, "0")],
)
def test_shares_near_all_keep_a_decimal(value, told):
    assert percent(value) == f"{told}&nbsp;%"


def test_a_map_without_chosen_thresholds_was_cut_at_a_half(report_record):
    two = {
        name: replace(one, threshold=None) for name, one in report_record.classes.items() if name != "bridge"
    }
    report = replace(report_record, classes=two, decision="threshold", confusion=((1, 0), (0, 1)))
    assert {map_threshold(report, name) for name in two} == {0.5}
    assert map_threshold(replace(report, source="classes"), "road") is None
    assert map_threshold(replace(report, decision="argmax"), "road") is None
    first, second = two
    chosen = replace(report, classes=two | {second: replace(two[second], threshold=0.3)})
    assert map_threshold(chosen, second) == 0.3
    assert map_threshold(chosen, first) == pytest.approx(0.7)


def test_validation_is_not_called_val(report_record):
    assert origin(report_record) == "chosen on the validation part"
    assert origin(replace(report_record, thresholds_from="what you said")) == "what you said"
