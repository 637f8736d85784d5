from casebook.page import page
from casebook.runner import Outcome

from casebook import scoring


def outcome(*findings, expected=("leakage",), state="causes found", kind="leakage", **more):
    said = tuple((cause, sure, f"because of {cause}") for cause, sure in findings)
    return Outcome(
        kind=kind,
        seed=3,
        built=True,
        build_seconds=1.0,
        expected=expected,
        state=state,
        findings=said,
        **more,
    )


def test_first_finding_decides():
    assert scoring.right_first(outcome(("leakage", 0.9), ("seams", 0.6)))
    assert not scoring.right_first(outcome(("seams", 0.9), ("leakage", 0.6)))
    assert scoring.right_in_three(outcome(("seams", 0.9), ("dice_stuck", 0.8), ("leakage", 0.6)))
    assert not scoring.right_in_three(outcome(("a", 0.9), ("b", 0.8), ("c", 0.7), ("leakage", 0.6)))


def test_remarks_that_are_true_are_passed_over_but_do_not_suffice():
    both = outcome(("metric_illusion", 0.9), ("leakage", 0.6), beside=("metric_illusion",))
    alone = outcome(("metric_illusion", 0.9), beside=("metric_illusion",))
    assert scoring.right_first(both)
    assert scoring.strictly_right(both)
    assert not scoring.right_first(alone)
    assert scoring.said(alone) == [scoring.REMARKS]
    assert scoring.said(outcome(state="healthy")) == ["healthy"]


def test_acceptable_answers_are_right_but_not_strictly():
    vague = outcome(("leakage", 0.3), state="cannot tell", acceptable=("cannot tell",))
    assert scoring.right_first(vague)
    assert not scoring.strictly_right(vague)
    assert scoring.said(vague) == ["cannot tell", "leakage"]
    assert not scoring.right_first(outcome(("leakage", 0.3), state="cannot tell"))
    assert scoring.strictly_right(outcome(("leakage", 0.3), state="cannot tell", beside=("cannot tell",)))


def test_healthy_cases_fail_by_sure_findings_only():
    assert scoring.right_first(outcome(expected=(), state="healthy"))
    assert scoring.strictly_right(outcome(expected=(), state="healthy"))
    assert not scoring.strictly_right(outcome(expected=(), state="cannot tell"))
    assert scoring.right_first(outcome(("seams", 0.49), expected=(), state="healthy"))
    alarmed = outcome(("seams", 0.5), expected=())
    assert not scoring.right_first(alarmed)
    assert scoring.false_alarms(alarmed) == ["seams"]
    assert scoring.right_first(outcome(("seams", 0.5), expected=(), acceptable=("seams",)))


def test_crash_is_never_right():
    assert not scoring.right_first(outcome(state="crash"))
    assert not scoring.right_first(outcome(expected=(), state="crash"))
    assert scoring.said(outcome(state="crash")) == ["crash"]


def test_pairs_need_both_to_be_all_found():
    one = outcome(("seams", 0.9), expected=("leakage", "seams"))
    two = outcome(("seams", 0.9), ("leakage", 0.9), expected=("leakage", "seams"))
    assert scoring.right_first(one)
    assert not scoring.all_in_three(one)
    assert scoring.all_in_three(two)


def test_tally_and_confusion_leave_out_what_was_not_built():
    unbuilt = Outcome(kind="leakage", seed=4, built=False, build_seconds=9.0, error="too healthy")
    outcomes = [outcome(("leakage", 0.9), seconds=2.0), outcome(("seams", 0.9), seconds=4.0), unbuilt]
    found = scoring.tally("leakage", outcomes)
    assert (found.cases, found.first, found.median_seconds, found.longest_seconds) == (2, 0.5, 3.0, 4.0)
    assert scoring.confusion(outcomes) == {"leakage": {"leakage": 1, "seams": 1}}
    assert scoring.tally("leakage", [unbuilt]) is None


def test_page_names_misses_with_what_was_said_and_what_was_not_built():
    unbuilt = Outcome(kind="leakage", seed=4, built=False, build_seconds=9.0, error="too healthy")
    alarmed = outcome(("seams", 0.8), expected=(), kind="healthy_torch")
    text = page(("leakage", "healthy_torch"), [outcome(("leakage", 0.9)), alarmed, unbuilt])
    assert "healthy: 1 cases, false alarms 1 (100.0%)" in text
    assert "seams 0.80: because of seams" in text
    assert "leakage seed 4: too healthy" in text
    assert "because of leakage" not in text
