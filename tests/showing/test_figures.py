"""Figures: what is drawn are the record's numbers, with units on the axes."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from msgspec.structs import replace

from rareseg import plots
from rareseg.errors import SettingError
from rareseg.records.scores import Curve, Interval, Reliability, WidthScores

CURVE = Curve(
    thresholds=(0.0, 0.39, 0.9),
    precision=(0.03, 0.71, 0.95),
    recall=(1.0, 0.69, 0.2),
    false_positive_rate=(1.0, 0.01, 0.0),
)
RELIABLE = Reliability(mean_probability=(0.1, 0.9), frequency=(0.05, 0.8), pixels=(90, 10))
WIDTHS = (
    WidthScores(low=1, high=2, pixels=50, recall=0.2),
    WidthScores(low=33, high=None, pixels=10, recall=None),
)


@pytest.fixture
def report(report_record):
    road = replace(
        report_record.classes["road"], curve=CURVE, reliability=RELIABLE, widths=WIDTHS, roc_area=0.987,
        intervals={"average_precision": Interval(low=0.7, high=0.8)},
    )  # fmt: skip
    return replace(report_record, classes=report_record.classes | {"road": road})


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_precision_against_recall_with_the_map_and_chance(report):
    axes = plots.precision_recall(report)
    line, dot, chance = axes.get_lines()
    assert tuple(line.get_xdata()) == CURVE.recall
    assert tuple(line.get_ydata()) == CURVE.precision
    assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([0.69], [0.71])
    assert set(chance.get_ydata()) == {0.03}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall", "precision")
    assert labels(axes) == ["road, AP 0.748 [0.700, 0.800]", "ranked at random"]


def test_other_curves(report):
    axes = plots.roc(report, "road")
    assert tuple(axes.get_lines()[0].get_xdata()) == CURVE.false_positive_rate
    assert (axes.get_xlabel(), labels(axes)) == ("false positive rate", ["road, area 0.987"])
    axes = plots.reliability(report, ["road"])
    assert tuple(axes.get_lines()[1].get_ydata()) == RELIABLE.frequency
    assert labels(axes) == ["road, calibration error 0.0040"]
    axes = plots.recall_by_width(report, "road")
    assert [bar.get_height() for bar in axes.patches] == [0.2, 0.0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1-2", "> 32"]
    assert axes.get_xlabel() == "width, px"


@pytest.mark.parametrize("draw", [plots.precision_recall, plots.roc, plots.reliability])
def test_two_reports_on_the_same_axes_are_told_apart(report, draw):
    axes = draw(report, "road", label="ours")
    assert draw(report, "road", label="theirs", axes=axes) is axes
    named = [line for line in axes.get_lines() if "road" in str(line.get_label())]
    assert [line.get_label().split(",")[0] for line in named] == ["ours: road", "theirs: road"]
    assert named[0].get_color() != named[1].get_color()
    assert sum(text == "ranked at random" for text in labels(axes)) <= 1


def test_axes_of_ones_own_are_drawn_on(report):
    mine = Figure().add_subplot()
    for draw in (plots.precision_recall, plots.roc, plots.reliability, plots.recall_by_width):
        assert draw(report, "road", axes=mine) is mine


def test_what_is_not_there_is_said(report):
    with pytest.raises(SettingError, match="no class river in the report; it has: background, road, bridge"):
        plots.roc(report, "river")
    for draw in (plots.precision_recall, plots.roc, plots.reliability):
        with pytest.raises(SettingError, match="bridge has no .*curve: it is absent, or maps of classes"):
            draw(report, "bridge")
    with pytest.raises(SettingError, match="Score with shapes=True"):
        plots.recall_by_width(report, "background")


def test_an_overlay_colours_what_is_found_missed_and_invented():
    photo = np.full((4, 6, 3), 100, np.uint8)
    truth, given = np.zeros((2, 4, 6), bool)
    truth[:, :3], given[:2] = True, True
    counted = np.ones((4, 6), bool)
    counted[3, 0] = False
    axes = plots.overlay(photo, truth, given, counted=counted)
    shown = axes.get_images()[0].get_array()
    plain = shown[3, 5]
    np.testing.assert_allclose(plain, 100 / 255)
    np.testing.assert_allclose(shown[3, 0], plain)
    colours = {tuple(np.round(shown[place], 3)) for place in ((0, 0), (2, 0), (0, 4))}
    assert len(colours) == 3
    assert tuple(np.round(plain, 3)) not in colours
    assert labels(axes) == ["found 6 px", "missed 5 px", "invented 6 px"]
    with pytest.raises(SettingError, match=r"one size; received \(4, 6, 3\), \(4, 5\)"):
        plots.overlay(photo, truth[:, :5], given)
