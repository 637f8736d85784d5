"""The tables say what the records say, fit 80 columns, and take nothing in a record for markup."""

import io

import msgspec
import pytest
from rich.console import Console

from rareseg.records.dataset import MaskReading, ValueRange
from rareseg.showing.audit_tables import audit_tables
from rareseg.showing.plan_tables import plan_tables
from rareseg.showing.run_tables import run_tables
from rareseg.showing.score_tables import score_tables


def _draw(tables, width=80, *, terminal=False):
    stream = io.StringIO()
    colours = "standard" if terminal else None
    console = Console(
        file=stream, width=width, highlight=False, force_terminal=terminal, color_system=colours
    )
    console.print(*tables, sep="\n")
    return stream.getvalue()


def _line(text, start):
    (found,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return found.split()


@pytest.fixture(params=[80, 120])
def width(request):
    return request.param


@pytest.fixture
def pages(audit_record, plan_record, run_record, report_record, width):
    return {
        "audit": _draw(audit_tables(audit_record, width), width),
        "plan": _draw(plan_tables(plan_record, explain=True), width),
        "run": _draw(run_tables(run_record), width),
        "report": _draw(score_tables(report_record, width), width),
    }


def test_no_line_is_too_long_and_no_cell_is_cut(pages, width):
    for text in pages.values():
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text


def test_audit_classes(pages):
    rows = [line.split() for line in pages["audit"].splitlines()]
    assert ["road", "78,000", "3.90", "3", "11", "7.0", "3,120", "44", "89", "–"] in rows
    assert ["background", "1,922,000", "96.10", "4", "7", "–", "–", "100", "100", "–"] in rows


def test_audit_reading_lists_raw_values_classes_and_pixels(pages):
    assert _line(pages["audit"], "0 to 5")[:5] == ["0", "to", "5", "background", "1,922,000"]
    assert _line(pages["audit"], "237")[:3] == ["237", "road", "78,000"]
    assert _line(pages["audit"], "254")[:4] == ["254", "not", "counted", "1,234"]


def test_audit_parts_photos_scenes_and_shares(pages):
    text = pages["audit"]
    assert _line(text, "photos") == ["photos", "4", "4", "4"]
    assert _line(text, "scenes") == ["scenes", "2", "2", "2"]
    assert _line(text, "road %") == ["road", "%", "4.30", "4.00", "3.00"]


def test_audit_tells_what_does_not_count_and_what_to_beat(pages):
    text = " ".join(pages["audit"].split())
    assert "Not labelled: 1,234 px" in text
    assert "The height in the image explains 12 % of the class entropy" in text
    assert "Without photo: 56,789 px, not counted; masks draw a class on 321 of them." in text
    assert "A map of background everywhere scores accuracy 0.961 and macro IoU 0.480" in text
    assert "a loss of 0.1711 nats per pixel" in text
    assert "1/32 of the resolution" in text


def test_colours_and_bands_are_written_as_such(audit_record):
    def reading(kind, value):
        held = ValueRange(low=value, high=value, label=1, pixels=5, because="")
        dataset = msgspec.structs.replace(
            audit_record.dataset, reading=MaskReading(kind=kind, ranges=(held,), said_by="user")
        )
        return _draw(audit_tables(msgspec.structs.replace(audit_record, dataset=dataset), 80))

    assert _line(reading("rgb", 0x00FF7F), "■") == ["■", "#00ff7f", "road", "5"]
    assert "band 2" in reading("bands", 2)
    assert "as the TOML says" in reading("bands", 2)


def test_a_reason_shared_by_several_values_is_told_once(audit_record):
    ranges = tuple(
        ValueRange(low=value, high=value, label=value, pixels=1, because="the folders say so")
        for value in (0, 1)
    )
    reading = MaskReading(kind="indices", ranges=ranges, said_by="rule")
    dataset = msgspec.structs.replace(audit_record.dataset, reading=reading)
    text = _draw(audit_tables(msgspec.structs.replace(audit_record, dataset=dataset), 80))
    assert text.count("the folders say so") == 1


def test_plan_has_every_setting_with_its_reason_and_source(pages, plan_record):
    text = " ".join(pages["plan"].split())
    for name, choice in plan_record.choices().items():
        assert name in text
        for field in choice.__struct_fields__:
            value = getattr(choice, field)
            if value is not None and field not in ("because", "reference", "set_by", "settings"):
                assert f"{field} " in text
    told = "cross_entropy.smoothing 0 dice.squared true dice.per_image false dice.smoothing 0.5 dice.classes none"
    lines = [line[18:].split("  ")[0] for line in pages["plan"].splitlines()]
    assert told in " ".join(line for line in lines if "." in line)
    assert text.count("Roads cover 4.07 %") == len(plan_record.choices())
    assert text.count("set by user") == 1
    assert "learning_rate 0.002" in text
    assert "background 0.957" in text
    assert "values 1 for each class" in text


def test_classes_are_named_where_a_setting_holds_their_indices(plan_record):
    replace = msgspec.structs.replace
    sampling = replace(plan_record.sampling, rule="class_centred", share=0.33, labels=(1,))
    settings = {"dice.classes": (1, 0), "focal.alpha": (0.25, 1.0), "mine.scales": (1.0, 2.0, 4.0)}
    plan = replace(plan_record, sampling=sampling, loss=replace(plan_record.loss, settings=settings))
    lines = [" ".join(line.split()) for line in _draw(plan_tables(plan, explain=False)).splitlines()]
    assert any(line.endswith("labels road") for line in lines)
    assert any(line.endswith("dice.classes road, background") for line in lines)
    assert any(line.endswith("mine.scales 1, 2, 4") for line in lines)
    start = next(number for number, line in enumerate(lines) if line.endswith("focal.alpha"))
    assert lines[start + 1 : start + 3] == ["background 0.25", "road 1"]
    three = replace(
        plan_record, classes=("ground", "road", "bridge"), sampling=replace(sampling, labels=(2, 1))
    )
    assert "labels bridge, road" in _draw(plan_tables(three, explain=False))


def test_run_shows_the_best_validation_and_the_last(pages):
    text = pages["run"]
    assert _line(text, "660")[-1] == "best"
    assert _line(text, "720")[0] == "720"
    assert "17.5 times chance" in text
    assert "1,950,000" in text


def test_run_tells_what_was_done_to_probabilities_and_the_error_before_and_after(pages, run_record):
    text = pages["run"]
    assert "Probabilities: mapped back by formula" in text
    assert "What class weights moved is taken back by formula." in text
    assert "0.1200 before, 0.0035 now" in text
    assert "0.1250 before, 0.0040 now" in text
    assert "0, -2.50 nats; temperature 1" in text


def test_run_tells_what_training_saw_beside_what_was_asked(pages):
    text = pages["run"]
    assert "Asked 33 % of 5,760 crops around road; 33.2 % were." in text
    rows = [line.split() for line in text.splitlines()]
    assert ["road", "4.30", "6.10", "87"] in rows and ["background", "95.70", "93.90", "100"] in rows


@pytest.mark.parametrize(
    ("rule", "around", "said"),
    [
        ("uniform", (), "5,760 crops, from anywhere."),
        ("class_centred", ("road", "bridge"), "crops around a rare class;"),
        ("rare_class", ("road", "bridge"), "crops around a class drawn by its rarity;"),
        ("above_mean", ("road",), "crops above the mean share of road;"),
        ("copy_paste", ("road",), "crops with objects of road pasted in;"),
    ],
)
def test_run_names_the_sampling_rule(run_record, rule, around, said):
    held = msgspec.structs.replace(run_record.sampled, rule=rule, around=around)
    assert said in _draw(run_tables(msgspec.structs.replace(run_record, sampled=held)))


def test_run_tells_why_next_to_nothing_was_pasted(run_record):
    def drawn(placed):
        held = msgspec.structs.replace(run_record.sampled, rule="copy_paste", placed_share=placed)
        return _draw(run_tables(msgspec.structs.replace(run_record, sampled=held)))

    assert "held no whole object" in drawn(0.01)
    assert "held no whole object" not in drawn(0.3)


def test_run_stopped_before_its_first_step_has_a_page(run_record):
    assert "What training saw" not in _draw(run_tables(msgspec.structs.replace(run_record, sampled=None)))


@pytest.mark.parametrize("how", ["none", "fitted"])
def test_run_without_a_measured_error_has_a_page(run_record, how):
    held = msgspec.structs.replace(
        run_record.calibration, how=how, error_before=(None, None), error_after=(None, None)
    )
    text = _draw(run_tables(msgspec.structs.replace(run_record, calibration=held)))
    assert "calibration error" not in text
    assert ("logits moved by" in text) == (how == "fitted")


def test_plan_tells_how_many_times_the_heaviest_class_counts(plan_record):
    def drawn(*values):
        weights = msgspec.structs.replace(plan_record.weights, rule="given", values=values)
        return _draw(plan_tables(msgspec.structs.replace(plan_record, weights=weights), explain=False))

    assert "ratio 14.1 : 1" in drawn(0.725, 10.25)
    assert "ratio" not in drawn(1.0, 1.0)
    assert "1 weigh 0: never learned" in drawn(1.0, 0.0)


def test_report_tells_the_share_that_is_expected_and_the_calibration_error(pages):
    rows = [line.split() for line in pages["report"].splitlines()]
    assert ["road", "3.00", "3.10", "1.03", "0.0040"] in rows
    assert ["background", "97.00", "96.90", "1.00", "0.0041"] in rows
    assert ["bridge", "0", "0.200", "–", "0.0020"] in rows


@pytest.mark.parametrize("outcome", ["finished", "interrupted", "collapsed"])
def test_run_that_ended_early_has_a_page(run_record, outcome):
    run = msgspec.structs.replace(run_record, outcome=outcome, validations=(), checks=())
    assert f"{outcome}  {run.reason}" in _draw(run_tables(run))


def test_report_has_the_constant_answer_beside_each_score(pages, width):
    rows = [line.split() for line in pages["report"].splitlines()]
    road = ["road", "0.540", "0.000", "0.700", "0.865", "0.710", "0.690", "0.748", "0.030", "0.390"]
    background = [
        "background",
        "0.980",
        "0.970",
        "0.990",
        "0.999",
        "0.990",
        "0.990",
        "0.997",
        "0.970",
        "0.610",
    ]
    assert [*road, *(["15.0", "k"] if width == 80 else ["15,000"])] in rows
    assert [*background, *(["485", "k"] if width == 80 else ["485,000"])] in rows
    assert ["constant", "answer", "0.485", "–", "–", "–", "–", "0.970"] in rows
    assert ["bridge", *"–––––––––", "0"] in rows
    assert "not measurable, there is no pixel of bridge" in pages["report"]


def test_a_score_no_better_than_the_constant_answer_is_red(report_record):
    road = msgspec.structs.replace(report_record.classes["road"], iou=0.0)
    report = msgspec.structs.replace(report_record, classes={"road": road})
    red = "\x1b[1;31m0.000"
    assert red in _draw(score_tables(report, 80), terminal=True)
    assert red not in _draw(score_tables(report_record, 80), terminal=True)


def test_names_are_never_taken_for_markup(report_record, audit_record):
    report = msgspec.structs.replace(report_record, data="[red]roads[/red]", notes=("see [bold]a.png",))
    text = _draw(score_tables(report, 80))
    assert "[red]roads[/red]" in text
    assert "see [bold]a.png" in text
    audit = msgspec.structs.replace(audit_record, notes=("[x] is odd",))
    assert "[x] is odd" in _draw(audit_tables(audit, 80))
