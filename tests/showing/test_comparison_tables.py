import pytest
from rich.console import Console
from tests.references.comparisons import comparison, estimate

from rareseg.records.comparison import Estimate, Request
from rareseg.showing.comparison_tables import comparison_tables, spell_estimate


def _drawn(made, width):
    console = Console(width=width, highlight=False, markup=False, color_system=None, record=True, file=None)
    with console.capture() as captured:
        for part in comparison_tables(made, width):
            console.print(part)
    return captured.get()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_wider_than_the_terminal(width):
    lines = _drawn(comparison(), width).splitlines()
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_the_summary_stands_on_top_and_all_columns_are_there(width):
    text = _drawn(comparison(), width)
    first = text.splitlines()[0]
    assert first.startswith("Comparison  finished  Nothing beats the default.")
    for heading in ("candidate", "steps", "seeds", "AP", "IoU", "error", "step", "verdict"):
        assert heading in text
    assert "0.712 [.672 .752]" in text
    assert "22 trainings in 28 min 00 s of 30 minutes; 5 validation scenes" in " ".join(text.split())
    assert "chance 0.041" in " ".join(text.split())


def test_failed_and_untrained_candidates_have_dashes_and_reasons():
    line = next(line for line in _drawn(comparison(), 120).splitlines() if "dice+enet" in line)
    assert line.split()[1:6] == ["–", "–", "–", "–", "–"]


def test_names_break_at_their_plus_signs_where_it_is_narrow():
    lines = _drawn(comparison(), 80).splitlines()
    place = next(number for number, line in enumerate(lines) if line.split()[:1] == ["prior_bias"])
    assert [lines[place + 1].split()[0], lines[place + 2].split()[0]] == ["+cross_entropy", "+0.5*dice"]
    assert any("prior_bias+cross_entropy+0.5*dice" in line for line in _drawn(comparison(), 120).splitlines())


def test_classes_and_the_test_part_have_tables_of_their_own():
    text = _drawn(comparison(), 120)
    assert "Per class, on the validation part" in text
    assert "Per class, on the test part (4 scenes), which decided nothing" in text
    assert "background" in text
    bare = comparison(rows=tuple(row for row in comparison().rows if row.test is None))
    assert "test part" not in _drawn(bare, 120)


def test_without_scores_there_are_no_class_tables():
    text = _drawn(comparison(rows=comparison().rows[-3:], winner=None, because=""), 120)
    assert "Per class" not in text
    assert "winner" not in text


def test_a_budget_in_steps_names_no_minutes():
    asked = Request(remedies=("none",), seeds=1, steps=90)
    assert " of " not in _drawn(comparison(request=asked), 120).splitlines()[1]


def test_intervals_are_spelled_short():
    assert spell_estimate(estimate(0.9834, 0.5)) == "0.983 [.483 1.000]"
    assert spell_estimate(Estimate(value=0.5)) == "0.500"
    assert spell_estimate(None) == "–"


def test_reasons_of_a_collapse_stand_below():
    text = " ".join(_drawn(comparison(), 120).split())
    assert "Collapsed · lovasz: 1 of 1 seeds collapsed: its output is constant." in text
