"""Everything of a report beyond the scores per class, as tables of 80 columns."""

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from rareseg.records.scores import (
    Difference,
    Interval,
    LineScores,
    ObjectScores,
    Transfer,
)
from rareseg.showing.score_tables import score_tables

LINES = LineScores(
    apls=0.7,
    topo_precision=0.9,
    topo_recall=0.8,
    topo_f1=0.847,
    cldice=0.81,
    completeness=0.83,
    correctness=0.92,
    breaks=1.5,
    false_branches=None,
    unit="km",
    true_length=12.34,
)
OBJECTS = ObjectScores(
    least_iou=0.5, true=40, given=50, matched=30, precision=0.6, recall=0.75, f1=0.667, sizes=()
)


def draw(report, width=80):
    console = Console(file=io.StringIO(), width=width)
    for part in score_tables(report, width):
        console.print(part)
    return console.file.getvalue()


def rows(text):
    return [line.split() for line in text.splitlines()]


def with_road(report, **more):
    return replace(report, classes=report.classes | {"road": replace(report.classes["road"], **more)})


def test_what_was_scored_has_its_name(report_record):
    text = draw(replace(report_record, name="their_maps"))
    assert text.startswith("Report  their_maps on massachusetts_roads")
    assert any(line.split()[:1] == ["their_maps"] for line in text.partition("Means over")[2].splitlines())


def test_a_report_without_more_has_no_more_sections(report_record):
    text = draw(report_record)
    for title in ("How sure", "Edges", "Lines", "Objects", "Against", "Thresholds that do not fit"):
        assert title not in text


def test_intervals_stand_beside_their_scores(report_record):
    spans = {"iou": Interval(low=0.5, high=0.58), "f1": Interval(low=0.66, high=0.74)}
    text = draw(replace(with_road(report_record, intervals=spans), scenes=9))
    assert ["road", "0.540", "[0.500,", "0.580]", "0.700", "[0.660,", "0.740]", "0.748"] in rows(text)
    assert "over 9 scenes drawn anew" in text
    assert "bridge" not in text[text.index("How sure") : text.index("Means")]


def test_edges_lines_and_objects_have_their_units(report_record):
    report = with_road(
        report_record, boundary_iou=0.31, relaxed_precision=0.88, relaxed_recall=0.85, break_even=0.87,
        lines=LINES, objects=OBJECTS,
    )  # fmt: skip
    text = draw(replace(report, boundary_px=5))
    assert ["road", "0.310", "0.880", "0.850", "0.865", "0.870"] in rows(text)
    assert "strips of 5 px" in text
    assert ["road", "0.700", "0.847", "0.810", "0.830", "0.920", "1.5", "–"] in rows(text)
    assert "12.34 km of road" in " ".join(text.split())
    assert ["road", "40", "50", "30", "0.600", "0.750", "0.667"] in rows(text)
    pixels = with_road(report_record, lines=replace(LINES, unit="1,000 px", true_length=9.983))
    assert "9,983 px of road" in " ".join(draw(pixels).split())


def compared(report, *differences, notes=()):
    """The report as it was scored against another of the name smp."""
    other = replace(report, name="smp", images=4, notes=notes)
    return replace(report, against=other, differences=differences)


def gap(low, high, score="iou", name="road"):
    span = None if low is None else Interval(low=low, high=high)
    middle = 0.02 if low is None else (low + high) / 2
    return Difference(
        name=name, score=score, this=0.54, other=0.54 - middle, difference=middle, interval=span
    )


def lines_against(report):
    return draw(report).partition("Against smp")[2].partition("Means")[0].splitlines()


@pytest.mark.parametrize(
    ("low", "high", "score", "verdict"),
    [
        (0.01, 0.05, "iou", "better"),
        (-0.05, -0.01, "iou", "worse"),
        (-0.01, 0.05, "iou", "may be chance"),
        (0.0001, 0.0003, "iou", "below 0.001"),
        (-0.0003, -0.0001, "iou", "below 0.001"),
        (None, None, "iou", "too few scenes"),
        (0.01, 0.05, "calibration_error", "worse"),
        (-0.05, -0.01, "lines.breaks", "better"),
        (-0.05, -0.01, "lines.apls", "worse"),
    ],
)
def test_a_difference_is_judged_by_its_interval(report_record, low, high, score, verdict):
    one = gap(low, high, score)
    lost = replace(one, name="bridge", this=None, other=None, difference=None, interval=None)
    report = compared(report_record, one, lost, notes=("smp is odd.",))
    told = lines_against(report)
    place = next(place for place, line in enumerate(told) if line.strip() == "road")
    assert told[place + 1].rstrip().endswith(verdict)
    assert f"{one.difference:+.3f}" in told[place + 1]
    assert not any("bridge" in line for line in told)
    assert "smp is odd." in draw(report)


def test_every_score_of_the_rarest_class_is_compared_and_the_main_ones_of_others(report_record):
    scores = ("iou", "boundary_iou", "lines.apls", "average_precision")
    every = [gap(0.01, 0.03, score, name) for name in ("background", "road", "") for score in scores]
    told = [line.strip() for line in lines_against(compared(report_record, *every))]
    parts = "\n".join(told).split("background")
    assert [line.split("  ")[0] for line in parts[0].splitlines() if "better" in line] == [
        "IoU",
        "boundary IoU",
        "APLS",
        "AP",
    ]
    assert [line.split("  ")[0] for line in parts[1].splitlines() if "better" in line] == ["IoU", "AP"] * 2
    assert all(len(line) <= 80 for line in draw(compared(report_record, *every)).splitlines())


def test_a_threshold_that_does_not_carry_over_says_what_it_costs(report_record):
    told = Transfer(
        name="road",
        chosen_share=0.023,
        share=0.002,
        threshold=0.3,
        iou=0.12,
        best_threshold=0.62,
        best_iou=0.21,
    )
    text = " ".join(draw(replace(report_record, transfer=(told,))).split())
    assert "road covers 0.20% here and covered 2.30% where its threshold 0.3 was chosen." in text
    assert "At 0.62, the best one here, IoU would be 0.210 instead of 0.120" in text


def test_maps_of_classes_have_no_table_of_probabilities(report_record):
    assert "Probabilities" in draw(report_record)
    assert "Probabilities" not in draw(replace(report_record, source="classes"))


def test_a_constant_answer_of_several_classes_scores_the_share_of_each(report_record):
    both = replace(report_record.constant_predictor, answer="background + wood")
    background = report_record.classes["background"]
    wood = replace(background, pixels=300_000)
    classes = {"background": background, "wood": wood, "road": report_record.classes["road"]}
    lines = draw(
        replace(
            report_record, constant_predictor=both, classes=classes, counted_pixels=500_000, confusion=()
        ),
        width=140,
    )
    told = next(line for line in lines.splitlines() if line.strip().startswith("wood"))
    # Once as IoU of the constant answer, once as average precision at random.
    assert told.count("0.600") == 2
