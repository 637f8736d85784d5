"""The Diagnosis as text: the answer first, then each cause with its evidence and what to do, then what was measured."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from rareseg.records.diagnosis import Diagnosis, Finding, Prescription
from rareseg.records.evidence import AnswersEvidence, Evidence
from rareseg.showing.diagnosis_facts import CLASS_HEADINGS, class_rows, measured, spell_confidence
from rareseg.showing.layout import bullets, is_narrow, remark, section, spell_time, table

_COLOURS = {"causes found": "bold red", "healthy": "bold green", "cannot tell": "bold yellow"}
FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras", "rareseg": "rareseg", "any": "any framework"}
"""How frameworks are written."""


def diagnosis_tables(diagnosis: Diagnosis, width: int) -> list[RenderableType]:
    """Return the diagnosis's sections, drawn for `width` columns; nothing in its texts is read as markup."""
    sections: list[RenderableType] = [_title(diagnosis)]
    for place, finding in enumerate(diagnosis.findings, start=1):
        sections.append(_finding(place, finding, width))
    if diagnosis.next_steps:
        sections.append(bullets("Next", diagnosis.next_steps))
    sections += _measured(diagnosis.evidence, width)
    if diagnosis.evidence.assumed:
        sections.append(bullets("Assumed", diagnosis.evidence.assumed))
    if diagnosis.evidence.notes:
        sections.append(bullets("Not measured", diagnosis.evidence.notes))
    return sections


def _title(diagnosis: Diagnosis) -> RenderableType:
    head = Text.assemble(("Diagnosis ", "bold"), (f" {diagnosis.state}", _COLOURS[diagnosis.state]))
    looked = f"{diagnosis.evidence.subject}, looked at for {spell_time(diagnosis.seconds)}"
    return Group(head, Text(diagnosis.summary, style="bold"), remark(looked))


def _finding(place: int, finding: Finding, width: int) -> RenderableType:
    head = Text.assemble(
        (f"{place}  {finding.title}", "bold"), (f"  {spell_confidence(finding.confidence)}", "cyan")
    )
    parts: list[RenderableType] = [Text(finding.because)]
    if finding.signs:
        headings = [("sign", "left"), ("found", "right"), ("expected", "right")]
        rows = [(sign.what, Text(sign.found, style="bold"), sign.limit) for sign in finding.signs]
        parts.append(table(headings, rows, tight=is_narrow(width)))
    if finding.apart:
        parts.append(Text.assemble(("Told apart by: ", "dim"), finding.apart))
    parts.append(Text.assemble(("Do: ", "bold green"), finding.prescription))
    for prescription in finding.code:
        parts += _code(prescription)
    parts.append(remark(f"{finding.cause}, number {finding.mode} in docs/diagnose.md"))
    return Group(head, *(Padding(part, (0, 0, 0, 3), expand=False) for part in parts))


def _code(prescription: Prescription) -> Iterator[RenderableType]:
    yield remark(f"{FRAMEWORKS[prescription.framework]}:")
    # No frame, so that it can be copied as it stands; too long lines go on below rather than being cut off.
    code = Text(prescription.code, style="cyan", overflow="fold")
    yield Padding(code, (0, 0, 0, 2), expand=False)


def _measured(evidence: Evidence, width: int) -> Iterator[RenderableType]:
    rows = measured(evidence)
    if rows:
        yield section("Measured", table([("", "left"), ("", "left")], rows))
    if evidence.answers is not None:
        yield _classes(evidence.answers, width)


def _classes(answers: AnswersEvidence, width: int) -> RenderableType:
    headings = [(name, "left" if name == "class" else "right") for name in CLASS_HEADINGS]
    told = remark(
        "lift: AP over share, 1 is chance; spread: of the class's log-odds over pixels, 0 is constant"
    )
    return section("Answers", table(headings, class_rows(answers), tight=is_narrow(width)), told)
