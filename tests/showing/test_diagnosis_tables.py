import io

import msgspec
import pytest
from rich.console import Console
from tests.references.diagnoses import cannot_tell, healthy, three_findings

from rareseg.records import codec
from rareseg.records.diagnosis import Diagnosis, Prescription
from rareseg.showing.diagnosis_facts import class_rows, measured, spell_confidence
from rareseg.showing.diagnosis_tables import diagnosis_tables


def _shown(diagnosis, width=100):
    console = Console(width=width, file=io.StringIO())
    with console.capture() as capture:
        for section in diagnosis_tables(diagnosis, width):
            console.print(section)
    return capture.get()


@pytest.mark.parametrize("make", [three_findings, healthy, cannot_tell])
def test_the_examples_are_records_that_can_be_written_and_read(make):
    assert codec.decode(codec.encode(make()), Diagnosis, "a test") == make()


def test_the_answer_comes_first_and_causes_in_their_order():
    text = _shown(three_findings())
    places = [
        text.index(part)
        for part in ("causes found", "killed 71 %", "1  The learning rate", "2  Class weights")
    ]
    places += [
        text.index(part) for part in ("3  Some batches", "Next", "Measured", "Answers", "Not measured")
    ]
    assert places == sorted(places)


def test_a_cause_shows_its_evidence_its_confidence_and_what_to_do():
    text = _shown(three_findings())
    for part in (
        "almost certain, 94 %",
        "71 % of the ReLU channels",
        "0.0004",
        "above 0.01",
        "Told apart by: At a tenth",
        "Do: Start again",
        "Keras:",
        "optimizer=keras.optimizers.Adam(0.001, clipnorm=1.0),",
        "rareseg train DATA -o RUN --set optimizer.rate=0.001",
        "learning_rate_too_high, number 3",
    ):
        assert part in text


def test_nothing_is_read_as_markup():
    text = _shown(three_findings())
    assert "[and 1 < 2]" in text
    assert "[w of <road> & co.]" in text
    assert "<road> & co." in text


def test_what_was_measured_is_shown_with_its_numbers():
    text = _shown(three_findings(), 160)
    for part in ("700 steps, 10 epochs", "32 images, 2,097,152 px", "entropy of the shares 0.1362 nats"):
        assert part in text
    assert "brought 71 %, new weights 1 %, after the steps 83 %" in text
    assert "AP 0.031, chance 0.030" in text


def test_healthy_and_cannot_tell_are_answers():
    assert "Diagnosis  healthy" in _shown(healthy())
    assert "set-up" not in _shown(healthy())
    text = _shown(cannot_tell())
    assert "Bring more images." in text
    assert "There is no model to probe." in text
    assert "Measured\n" not in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_asked_and_no_code_is_lost(width):
    told = three_findings()
    code = "x = [" + ", ".join(map(str, range(60))) + "]"
    finding = msgspec.structs.replace(told.findings[0], code=(Prescription(framework="torch", code=code),))
    text = _shown(msgspec.structs.replace(told, findings=(finding,)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "PyTorch:" in text
    assert code.replace(" ", "") in "".join(text.split())


def test_confidence_in_words():
    assert [spell_confidence(value) for value in (1.0, 0.9, 0.72, 0.4, 0.0)] == [
        "almost certain, 100 %",
        "almost certain, 90 %",
        "likely, 72 %",
        "possible, 40 %",
        "unlikely, 0 %",
    ]


def test_the_loss_of_right_answers_is_that_of_the_form_the_loss_wants():
    evidence = three_findings().evidence
    assert "right 0.0000" in dict(measured(evidence))["loss of answers"]
    wiring = msgspec.structs.replace(evidence.wiring, wants="logits")
    told = dict(measured(msgspec.structs.replace(evidence, wiring=wiring)))
    assert "right 0.3133" in told["loss of answers"]


def test_of_many_classes_the_rarest_are_shown():
    answers = three_findings().evidence.answers
    one = answers.classes[0]
    many = tuple(msgspec.structs.replace(one, name=f"c{n}", prevalence=n / 100) for n in range(30, 0, -1))
    rows = class_rows(msgspec.structs.replace(answers, classes=many))
    assert [row[0] for row in rows] == [f"c{n}" for n in range(1, 13)]


def test_what_was_assumed_stands_apart_from_what_was_not_measured():
    told = three_findings()
    assumed = ("Predictions are read as class maps: [ids] 0 to 1.",)
    evidence = msgspec.structs.replace(told.evidence, assumed=assumed, notes=("No seams.",))
    text = _shown(msgspec.structs.replace(told, evidence=evidence))
    places = [
        text.index(part) for part in ("Assumed", "read as class maps: [ids]", "Not measured", "No seams.")
    ]
    assert places == sorted(places)
    assert "Assumed" not in _shown(told)
