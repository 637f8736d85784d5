"""From evidence to an answer: which findings, in which order, and what to do where it cannot be told."""

from typing import NamedTuple

from rareseg.causes.catalogue import CAUSES
from rareseg.causes.cause import GOOD_SKILL, Cause, Suspicion, mean_skill, missing, ranks, rare_answers, skill
from rareseg.records.diagnosis import Diagnosis, Finding, State
from rareseg.records.evidence import AnswersEvidence, Evidence

FOUND = 0.5
"""Confidence from which on a suspicion is a finding."""
MENTIONED = 0.3
ENOUGH = 0.3
"""Skill or IoU of the class that is worst off, from which on a network may be called healthy."""
EXPLAINED = {
    "labels": ("learning", "outcome"),
    "wiring": ("learning", "outcome"),
    "learning": (),
    "outcome": (),
    "remark": (),
}
"""Kinds that a sure cause of a kind explains: whoever has wrong labels also learns badly."""
_LESS = 0.65
SURE = 0.85
CERTAIN = 0.9
"""From here on nothing further needs to be measured."""
BESIDE = (
    "empty_batches",
    "batch_norm_gap",
    "metric_illusion",
    "late_collapse",
    "preprocessing_differs",
    "seams",
)
"""Measured directly: not explained away."""
NOT_THE_CAUSE = ("leakage", "label_noise", "absent_class", "overfitted")
"""Worth saying, but nobody's network turns constant by them."""

_SOUND = "Nothing is wrong with the data: pairs, mask values, classes and parts are as they should be."


class Answer(NamedTuple):
    """What the evidence comes to."""

    state: State
    summary: str
    findings: tuple[Finding, ...]
    next_steps: tuple[str, ...]


def judge(evidence: Evidence) -> Answer:
    """Return findings, likeliest first, and the answer in a sentence."""
    suspicions = [(cause, found) for cause in CAUSES if (found := cause.rule(evidence)) is not None]
    weighed = [
        (cause, found._replace(confidence=_weighed(cause, found, suspicions))) for cause, found in suspicions
    ]
    kept = [(cause, found) for cause, found in weighed if found.confidence >= MENTIONED]
    # Equal confidence: the earlier in the catalogue.
    kept.sort(key=lambda pair: -pair[1].confidence)
    framework = None if evidence.wiring is None else evidence.wiring.framework
    findings = tuple(_finding(cause, found, framework) for cause, found in kept)
    sure = [finding for finding in findings if finding.confidence >= FOUND]
    if sure:
        steps = () if sure[0].confidence >= CERTAIN else _next_steps(evidence)
        return Answer("causes found", _summary(sure), findings, steps)
    if evidence.data is not None and evidence.answers is None and evidence.wiring is None:
        return Answer("healthy", _SOUND, findings, _next_steps(evidence))
    if _healthy(evidence):
        return Answer("healthy", _healthy_summary(evidence), findings, ())
    return Answer("cannot tell", "Nothing measured points to one cause.", findings, _next_steps(evidence))


def diagnosis_of(evidence: Evidence, seconds: float) -> Diagnosis:
    """Return the record of what evidence comes to; `seconds` is what it took to measure."""
    answer = judge(evidence)
    return Diagnosis(
        state=answer.state,
        summary=answer.summary,
        findings=answer.findings,
        next_steps=answer.next_steps,
        seconds=seconds,
        evidence=evidence,
    )


def _weighed(cause: Cause, found: Suspicion, every: list[tuple[Cause, Suspicion]]) -> float:
    """Return the confidence in a cause beside the others that are suspected."""
    if cause.name in BESIDE or found.direct:
        return found.confidence
    for other, suspicion in every:
        if other.name in NOT_THE_CAUSE or suspicion.confidence < SURE:
            continue
        if cause.kind in EXPLAINED[other.kind]:
            return found.confidence * _LESS
    return found.confidence


def _finding(cause: Cause, found: Suspicion, framework: str | None) -> Finding:
    """Return the record of a suspicion, with code for the user's own framework where that is known."""
    wanted = {framework, "rareseg", "any"}
    code = tuple(one for one in cause.code if framework is None or one.framework in wanted)
    return Finding(
        cause=cause.name,
        mode=cause.mode,
        title=cause.title,
        confidence=round(found.confidence, 3),
        because=found.because,
        signs=found.signs,
        prescription=cause.prescription,
        code=code,
        apart=found.apart,
    )


def _summary(sure: list[Finding]) -> str:
    first = sure[0]
    text = f"{first.title} ({first.confidence:.0%} sure). {first.prescription}"
    if len(sure) > 1:
        text += f" Beside it: {', '.join(one.title[0].lower() + one.title[1:] for one in sure[1:4])}."
    return text


def _healthy(evidence: Evidence) -> bool:
    found = rare_answers(evidence)
    if found is not None:
        well = skill(found) >= ENOUGH or (found.iou or 0.0) >= ENOUGH
        return (ranks(found) and not missing(found) and well) or mean_skill(evidence) > GOOD_SKILL
    return _mapped(evidence)


def _mapped(evidence: Evidence) -> bool:
    """Tell whether class maps, which rank nothing, hold every class well enough."""
    answers = evidence.answers
    if answers is None or answers.source != "classes":
        return False
    ious = [one.iou for one in answers.classes if one.iou is not None]
    return bool(ious) and min(ious) >= 0.1 and answers.macro_iou > answers.constant_macro_iou + 0.05


def _healthy_summary(evidence: Evidence) -> str:
    found = rare_answers(evidence)
    if found is None:
        score = 0.0 if evidence.answers is None else evidence.answers.macro_iou
        return f"All classes are mapped: mean IoU {score:.3g}. No cause of failure was found."
    if not ranks(found) or missing(found):
        return (
            f'The classes are told apart on the whole (mean skill {mean_skill(evidence):.2f}); "{found.name}" least: '
            f"average precision {found.average_precision or 0:.3g} at a share of {found.prevalence:.3g}, IoU "
            f"{found.iou or 0:.3g}. No cause of failure was found."
        )
    return (
        f'"{found.name}" is told from the rest: average precision {found.average_precision or 0:.3g} at a share of '
        f"{found.prevalence:.3g} (skill {skill(found):.2f}), IoU {found.iou or 0:.3g}. No cause of failure was found."
    )


def _unranked(answers: AnswersEvidence) -> str:
    if answers.source == "classes":
        return (
            "Bring probabilities: class maps rank nothing, so a wrong threshold looks like a wrong network."
        )
    return "Bring labelled images that hold the rare class: without them nothing can be ranked."


def _next_steps(evidence: Evidence) -> tuple[str, ...]:
    steps: list[str] = []
    if evidence.answers is None and evidence.wiring is None:
        steps.append(
            "If a network fails on it, bring its predictions (--predictions), or the model with loss and optimizer."
        )
    if evidence.answers is not None and evidence.wiring is None:
        steps.append("Bring the model with its loss and optimizer, so that its wiring can be asked.")
    if evidence.wiring is not None and evidence.learning is None:
        steps.append("Run without --quick, so that a copy can be trained.")
    found = rare_answers(evidence)
    if found is not None and not ranks(found):
        steps.append("Train for twice as long and diagnose again: what moves tells more than what stands.")
    if evidence.answers is not None and found is None:
        steps.append(_unranked(evidence.answers))
    return tuple(steps)
