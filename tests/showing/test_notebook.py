"""What a notebook shows of every record."""

import pytest
from msgspec.structs import replace

import rareseg.verbs  # noqa: F401 - registers how records are shown
from rareseg.records.codec import Record
from rareseg.records.report import ClassScores
from rareseg.records.scores import Interval


def kinds(kind=Record):
    return [kind, *(below for child in kind.__subclasses__() for below in kinds(child))]


def test_large_records_show_the_tables_of_a_terminal(audit_record, plan_record, run_record, report_record):
    for record, title in (
        (audit_record, "Audit"),
        (plan_record, "because"),
        (run_record, "Run"),
        (report_record, "Per class"),
    ):
        html = record._repr_html_()
        assert html.startswith("<pre")
        assert title in html
    assert "0.540" in report_record._repr_html_()


def test_small_records_show_their_fields(report_record):
    road = replace(report_record.classes["road"], intervals={"iou": Interval(low=0.25, high=0.75)})
    html = road._repr_html_()
    assert html.startswith("<table><caption>ClassScores</caption>")
    assert '<th style="text-align:left">iou</th><td style="text-align:left">0.54</td>' in html
    assert "iou: 0.25 to 0.75" in html
    assert "–" in html


def test_names_are_escaped_and_long_lists_cut(report_record):
    hostile = replace(report_record, data="<script>alert(1)</script>")
    assert "<script>" not in hostile._repr_html_()
    pair = replace(report_record.classes["road"], threshold=None)
    assert isinstance(pair, ClassScores)
    named = {f"<b>{number}": Interval(low=0, high=1) for number in range(20)}
    html = replace(pair, intervals=named)._repr_html_()
    assert "<b>" not in html
    assert "… 8 more" in html


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_of_record_is_drawn_by_something(kind):
    from rareseg.records.codec import HTML

    assert Record in HTML
    assert kind._repr_html_ is Record._repr_html_ or kind in HTML
