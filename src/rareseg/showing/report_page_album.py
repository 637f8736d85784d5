"""What the page's viewer is given: curves as points of a slider, and the pictures that fit into the page.

The page's script reads it as JSON from a <script> element that is never run.
"""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rareseg.records.report import ClassScores, Report
from rareseg.records.scores import View
from rareseg.showing.report_page_elements import Html
from rareseg.showing.report_page_subjects import Shown, is_overlapping, share, short
from rareseg.showing.score_reading import map_threshold

_DIGITS = 6
_OVERHEAD = 16
"""Bytes around each picture in the JSON: quotation marks, a comma, and its number where it is named."""


class Album(NamedTuple):
    """JSON that is safe inside a <script> element, and what had to be left out."""

    text: Html
    shown: int
    """Views that can be looked at."""
    too_large: int
    missing: int


class _Pictures:
    """Pictures in base64, each once, as long as there is room."""

    def __init__(self, room: int) -> None:
        self.held: list[str] = []
        self._places: dict[bytes, int] = {}
        self._room = room

    def add(self, pictures: Sequence[bytes], beside: int = _OVERHEAD) -> list[int] | None:
        """Return the numbers of these pictures; None, and nothing is added, if they do not all fit.

        `beside`: bytes of what is told of them.
        """
        new = [one for one in dict.fromkeys(pictures) if one not in self._places]
        cost = beside + sum(4 * ((len(one) + 2) // 3) + _OVERHEAD for one in new)
        if cost > self._room:
            return None
        self._room -= cost
        for one in new:
            self._places[one] = len(self.held)
            self.held.append(base64.b64encode(one).decode())
        return [self._places[one] for one in pictures]


def album(subjects: Sequence[Shown], room: int) -> Album:
    """Choose pictures for at most `room` bytes: one view of each subject in turn, then answers for other classes."""
    told = [_run(one) for one in subjects]
    # What is told of the classes has its place before any picture.
    pictures = _Pictures(room - len(_escaped({"pictures": [], "runs": told})))
    views: list[list[tuple[View, dict[str, Any]]]] = [[] for _ in subjects]
    too_large = missing = 0
    for place, view in _in_turn(subjects):
        one = subjects[place]
        needed = _needed(one.report, view)
        if any(file not in one.pictures for file in needed):
            missing += 1
            continue
        told_of_it = len(_escaped(_view(one, view, range(len(needed))))) + _OVERHEAD
        numbers = pictures.add([one.pictures[file] for file in needed], told_of_it)
        if numbers is None:
            too_large += 1
            continue
        views[place].append((view, _view(one, view, numbers)))
    for one, held in zip(subjects, views, strict=True):
        _add_others(one, held, pictures)
    for run, held in zip(told, views, strict=True):
        run["views"] = [drawn for _, drawn in held]
    shown = sum(map(len, views))
    text = _escaped({"pictures": pictures.held, "runs": [run for run in told if run["views"]]})
    return Album(text, shown, too_large, missing)


def _in_turn(subjects: Sequence[Shown]) -> Iterator[tuple[int, View]]:
    """Yield (place of the subject, view): the first view of every subject, then the second, ..."""
    for rank in range(max((len(one.report.views) for one in subjects), default=0)):
        for place, one in enumerate(subjects):
            if rank < len(one.report.views):
                yield place, one.report.views[rank]


def _needed(report: Report, view: View) -> list[str]:
    """Return the files without which a view shows nothing: photo, truth, the map, and the answer for its own class."""
    own = _own(report, view)
    return [view.photo, view.truth, view.given, *([] if own is None else [view.answers[own]])]


def _own(report: Report, view: View) -> int | None:
    names = list(report.classes)
    place = names.index(view.name) if view.name in names else 0
    return place if place < len(view.answers) else None


def _view(one: Shown, view: View, numbers: Sequence[int]) -> dict[str, Any]:
    own = _own(one.report, view)
    return {
        "image": view.image,
        "title": short(view.image, one),
        "why": view.why,
        "name": view.name,
        "iou": view.iou,
        "scale": view.scale,
        "top": view.top,
        "left": view.left,
        "width": view.width,
        "height": view.height,
        "photo": numbers[0],
        "truth": numbers[1],
        "given": numbers[2],
        "answers": {} if own is None else {str(own): numbers[3]},
    }


def _add_others(one: Shown, held: Sequence[tuple[View, dict[str, Any]]], pictures: _Pictures) -> None:
    """Add the answers for the other classes, as far as they fit."""
    for view, drawn in held:
        for place, file in enumerate(view.answers):
            if str(place) in drawn["answers"] or file not in one.pictures:
                continue
            numbers = pictures.add([one.pictures[file]])
            if numbers is not None:
                drawn["answers"][str(place)] = numbers[0]


def _run(one: Shown) -> dict[str, Any]:
    report = one.report
    return {
        "name": one.name,
        "source": report.source,
        "decision": report.decision,
        "overlapping": is_overlapping(report),
        "classes": [_class(report, held, scores) for held, scores in report.classes.items()],
        "views": [],
    }


def _class(report: Report, held: str, scores: ClassScores) -> dict[str, Any]:
    points = _points(report, held, scores)
    own = _own_threshold(report, held)
    near = sorted(range(len(points)), key=lambda place: abs(points[place]["threshold"] - own))
    return {
        "name": held,
        "share": share(report, held) or 0.0,
        "points": points,
        "scores": {"precision": scores.precision, "recall": scores.recall, "iou": scores.iou},
        "start": near[0] if near else 0,
    }


def _decided(report: Report) -> str:
    return "the map's threshold" if report.decision == "threshold" else "the chosen threshold"


def _points(report: Report, held: str, scores: ClassScores) -> list[dict[str, Any]]:
    """Return the points of the curve by rising threshold, with those that have a name among them."""
    if scores.curve is None:
        return []
    curve = zip(scores.curve.thresholds, scores.curve.precision, scores.curve.recall, strict=True)
    found = {threshold: _point(threshold, precision, recall, None) for threshold, precision, recall in curve}
    for one in scores.operating:
        if one.iou is not None:
            found[one.threshold] = _point(one.threshold, one.precision, one.recall, one.iou, one.wanted)
    own = _own_threshold(report, held)
    if report.decision == "threshold":
        if scores.precision is not None and scores.recall is not None:
            found[own] = _point(own, scores.precision, scores.recall, scores.iou, _decided(report))
    elif scores.threshold is not None and found:
        nearest = min(found, key=lambda threshold: abs(threshold - own))
        found[nearest]["named"] = found[nearest]["named"] or _decided(report)
    return [found[threshold] for threshold in sorted(found)]


def _own_threshold(report: Report, held: str) -> float:
    """Return where the slider begins: at the map's threshold; without any that is 0.5."""
    threshold = map_threshold(report, held)
    return 0.5 if threshold is None else threshold


def _point(
    threshold: float, precision: float, recall: float, iou: float | None, named: str = ""
) -> dict[str, Any]:
    if iou is None:
        # IoU = tp / (tp + fp + fn), in terms of precision and recall.
        union = precision + recall - precision * recall
        iou = precision * recall / union if union else 0.0
    numbers = {"threshold": threshold, "precision": precision, "recall": recall, "iou": iou}
    return {key: float(f"{value:.{_DIGITS}g}") for key, value in numbers.items()} | {"named": named}


_UNSAFE: Mapping[int, str] = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def _escaped(held: object) -> Html:
    """Return JSON in ASCII that neither ends the element it stands in nor opens another."""
    return json.dumps(held, ensure_ascii=True, allow_nan=False, separators=(",", ":")).translate(_UNSAFE)
