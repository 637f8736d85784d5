"""The viewer is given what the report says, as many pictures as fit, and each of them once."""

import json

import numpy as np
import pytest
from msgspec.structs import replace
from tests.references import reports

from rareseg.showing.report_page import MOST_BYTES, page
from rareseg.showing.report_page_album import album
from rareseg.showing.report_page_subjects import is_overlapping

AMPLE = 10_000_000


@pytest.fixture(scope="module")
def shown():
    return reports.roads(images=5, size=128)


def _facts(held, run=0, name="road"):
    return next(one for one in json.loads(held.text)["runs"][run]["classes"] if one["name"] == name)


def test_points_are_those_of_the_report_by_rising_threshold(shown):
    road = shown.report.classes["road"]
    points = _facts(album([shown], AMPLE))["points"]
    assert [one["threshold"] for one in points] == sorted(one["threshold"] for one in points)
    for threshold, precision, recall in zip(
        road.curve.thresholds[::20], road.curve.precision[::20], road.curve.recall[::20], strict=True
    ):
        held = min(points, key=lambda one: abs(one["threshold"] - threshold))
        assert (held["precision"], held["recall"]) == pytest.approx((precision, recall), rel=1e-5)
        assert held["iou"] == pytest.approx(
            precision * recall / (precision + recall - precision * recall), rel=1e-5
        )


def test_the_slider_starts_where_the_map_is_decided(shown):
    road = shown.report.classes["road"]
    facts = _facts(album([shown], AMPLE))
    start = facts["points"][facts["start"]]
    assert start["named"] == "the map's threshold"
    assert start["threshold"] == pytest.approx(road.threshold, rel=1e-5)
    assert (start["precision"], start["iou"]) == pytest.approx((road.precision, road.iou), rel=1e-5)


def test_the_first_of_two_classes_is_decided_by_the_rest_of_the_second(shown):
    facts = _facts(album([shown], AMPLE), name="background")
    start = facts["points"][facts["start"]]
    assert start["threshold"] == pytest.approx(1 - shown.report.classes["road"].threshold, rel=1e-5)
    assert start["recall"] == pytest.approx(shown.report.classes["background"].recall, rel=1e-5)


def test_a_class_without_a_threshold_is_decided_at_one_half(shown):
    classes = {name: replace(one, threshold=None) for name, one in shown.report.classes.items()}
    facts = _facts(album([shown._replace(report=replace(shown.report, classes=classes))], AMPLE))
    assert facts["points"][facts["start"]]["threshold"] == 0.5


def test_operating_points_have_their_names_and_relaxed_ones_are_no_points(shown):
    named = {one["named"] for one in _facts(album([shown], AMPLE))["points"]} - {""}
    assert named == {"the map's threshold", "recall 0.9", "precision 0.8", "best F1 and IoU"}


def test_argmax_names_the_threshold_to_read():
    facts = _facts(album([reports.land(images=2, size=96)], AMPLE), name="weed")
    assert facts["points"][facts["start"]]["named"]


def test_the_same_pictures_are_embedded_once(shown):
    alone, twice = album([shown], AMPLE), album([shown, shown._replace(name="again")], AMPLE)
    assert json.loads(twice.text)["pictures"] == json.loads(alone.text)["pictures"]
    assert twice.shown == 2 * alone.shown


def test_what_does_not_fit_is_left_out_and_counted(shown):
    whole = album([shown], AMPLE)
    some = album([shown], len(whole.text) * 2 // 3)
    assert len(some.text) <= len(whole.text) * 2 // 3
    assert 0 < some.shown < whole.shown
    assert some.shown + some.too_large == whole.shown
    none = album([shown], 0)
    assert (none.shown, none.too_large) == (0, whole.shown)


def test_each_run_gets_its_first_view_before_any_gets_its_second(shown):
    other = reports.roads("other", images=5, size=128, seed=7)
    renamed = {f"x{name}": picture for name, picture in other.pictures.items()}
    views = tuple(
        replace(
            view,
            photo=f"x{view.photo}",
            truth=f"x{view.truth}",
            given=f"x{view.given}",
            answers=tuple(f"x{one}" for one in view.answers),
        )
        for view in other.report.views
    )
    other = other._replace(report=replace(other.report, views=views), pictures=renamed)
    room = len(album([shown, other], AMPLE).text)
    held = album([shown, other], room * 6 // 10)
    counts = [len(run["views"]) for run in json.loads(held.text)["runs"]]
    assert held.too_large
    assert max(counts) - min(counts) <= 1


def test_answers_for_other_classes_come_after_all_views():
    shown = reports.land(images=4, size=160)
    whole = album([shown], AMPLE)
    counts = []
    for room in range(0, len(whole.text) * 12 // 10, len(whole.text) // 20):
        held = album([shown], room)
        assert len(held.text) <= max(room, 100)
        answers = [sorted(view["answers"]) for run in json.loads(held.text)["runs"] for view in run["views"]]
        assert all("2" in one for one in answers)
        counts.append(sum(map(len, answers)))
    assert 3 in counts
    assert counts[-1] == 9
    assert counts == sorted(counts)


def test_views_whose_pictures_are_missing_are_told(shown):
    gone = shown.report.views[0].truth
    pictures = {name: one for name, one in shown.pictures.items() if name != gone}
    text = page([shown._replace(pictures=pictures)])
    assert "1 view is left out, because their pictures do not lie beside the report." in text
    assert "3 views are left out, because" in page([shown._replace(pictures={})])


def test_a_page_with_pictures_of_any_size_stays_below_five_megabytes(shown):
    noise = np.random.default_rng(0)
    pictures = {name: reports.png(noise.integers(0, 256, (1000, 900), np.uint8)) for name in shown.pictures}
    text = page([shown._replace(pictures=pictures)])
    assert len(text.encode()) < MOST_BYTES
    assert "left out, so that this page stays small" in text
    assert '"photo":0' in text or "viewer-app" not in text


def test_overlapping_classes_are_known_by_their_decision(shown):
    assert not is_overlapping(shown.report)
    assert is_overlapping(replace(shown.report, confusion=()))
    assert not is_overlapping(replace(shown.report, confusion=(), decision="argmax"))
