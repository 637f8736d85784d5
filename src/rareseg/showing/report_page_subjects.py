"""What a report page shows: one run or several, and the few facts that all its sections ask for."""

import os.path
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from rareseg.records.audit import Audit
from rareseg.records.diagnosis import Diagnosis
from rareseg.records.plan import Plan
from rareseg.records.report import ClassScores, Report
from rareseg.records.run import Run

_NO_PICTURES: Mapping[str, bytes] = MappingProxyType({})


class Shown(NamedTuple):
    """One run, or the predictions of another tool, and all that is known about it."""

    name: str
    """How it is called on the page."""
    report: Report
    audit: Audit | None = None
    plan: Plan | None = None
    run: Run | None = None
    diagnosis: Diagnosis | None = None
    pictures: Mapping[str, bytes] = _NO_PICTURES
    """PNG and JPEG files by the names that stand in the report."""
    beside: str = ""
    """Name of the one that this was scored against, with paired differences; "" for those that were asked for."""


def short(image: str, one: Shown) -> str:
    """Return the name of an image without the folders that all scored images lie in."""
    folders = os.path.commonprefix([line.image.split("/")[:-1] for line in one.report.by_image])
    parts = image.split("/")
    return "/".join(parts[len(folders) :]) if parts[: len(folders)] == folders else image


def share(report: Report, name: str) -> float | None:
    """Return the share of a class, 0..1, of the counted pixels; None if the report does not know it."""
    scores = report.classes.get(name)
    return scores.pixels / report.counted_pixels if scores and report.counted_pixels else None


def given_share(report: Report, name: str) -> float | None:
    """Return the share of the counted pixels that the map gives to a class; None if the report does not know it."""
    place = list(report.classes).index(name) if name in report.classes else -1
    held = [one for one in report.by_image if 0 <= place < len(one.given)]
    counted = sum(one.counted for one in held)
    return sum(one.given[place] for one in held) / counted if counted else None


def with_rivals(subjects: Sequence[Shown]) -> list[Shown]:
    """Return the subjects, each followed by the map that it was scored against, if it was, under a name of its own."""
    found: list[Shown] = []
    names = {one.name for one in subjects}
    for one in subjects:
        found.append(one)
        other = one.report.against
        if other is None:
            continue
        plain = other.name or "the other"
        told = plain if plain not in names else f"{plain} (beside {one.name})"
        names.add(told)
        found.append(Shown(told, other, pictures=one.pictures, beside=one.name))
    return found


def rivals(subjects: Sequence[Shown]) -> list[tuple[Shown, Shown]]:
    """Return each subject that was scored against another, and that other."""
    return [(one, other) for one, other in zip(subjects, subjects[1:], strict=False) if other.beside]


def scored_alike(subjects: Sequence[Shown]) -> bool:
    """Whether all that were asked for were scored on the same labels, as far as reports can tell."""
    return len({_labels(one.report) for one in subjects if not one.beside}) <= 1


def _labels(report: Report) -> tuple[object, ...]:
    pixels = tuple(sorted((held, scores.pixels) for held, scores in report.classes.items()))
    return (report.images, report.counted_pixels, pixels)


def rarest(report: Report) -> str | None:
    """Return the class of fewest pixels among those that are present and not what a constant map would answer."""
    found = {name: scores.pixels for name, scores in report.classes.items() if scores.pixels}
    asked = [name for name in found if not is_constant(report, name)]
    return min(asked, key=lambda name: found[name], default=None)


def is_constant(report: Report, name: str) -> bool:
    """Whether the constant answer gives this class everywhere."""
    answer = report.constant_predictor.answer
    # Overlapping classes: the answer holds each class of more than half of the pixels.
    return name == answer or (" + " in answer and (share(report, name) or 0) > 0.5)


def is_overlapping(report: Report) -> bool:
    """Whether a pixel may hold several classes: then thresholds decide, and no table says which is taken for which."""
    return report.decision == "threshold" and not report.confusion


def constant_scores(report: Report, name: str) -> dict[str, float | None]:
    """Return what a map scores that looks at no pixel, by the name of the score; what it cannot have is None.

    Where it gives the class everywhere, precision and IoU are its share s and F1 is 2s / (1 + s); elsewhere it
    finds nothing. Ranking pixels at random has an average precision of s and a ROC area of 0.5.
    """
    held = share(report, name)
    if not held:
        return {}
    if is_constant(report, name):
        given: dict[str, float | None] = {
            "iou": held,
            "f1": 2 * held / (1 + held),
            "precision": held,
            "recall": 1.0,
        }
    else:
        given = {"iou": 0.0, "f1": 0.0, "precision": None, "recall": 0.0, "relaxed_f1": 0.0}
        given |= {"relaxed_recall": 0.0, "boundary_iou": 0.0}
    return given | {"average_precision": held, "roc_area": 0.5 if held < 1 else None}


def class_names(subjects: Sequence[Shown]) -> list[str]:
    """Return the classes of all subjects, the rarest first, absent ones last."""
    pixels: dict[str, float] = {}
    for one in subjects:
        for name in one.report.classes:
            pixels.setdefault(name, share(one.report, name) or 0.0)
    return sorted(pixels, key=lambda name: (pixels[name] == 0, pixels[name]))


def asked_names(subjects: Sequence[Shown]) -> list[str]:
    """Return the classes worth a closer look, the rarest first: those present that a constant map would miss."""
    return [
        name
        for name in class_names(subjects)
        if any(share(one.report, name) and not is_constant(one.report, name) for one in subjects)
    ]


def scores_of(subject: Shown, name: str) -> ClassScores | None:
    """Return the scores of a class; None if this subject does not know the class."""
    return subject.report.classes.get(name)


def told_as_data(report: Report) -> str:
    """Return what was scored: "roads, test part"."""
    return f"{report.data}, all of it" if report.part == "all" else f"{report.data}, {report.part} part"
