"""Reports for the page: scores that are counted from generated photos and answers, so that pictures and numbers agree.

`roads`: two classes that a threshold decides; `land`: three that argmax decides; `labelled`: another tool's class maps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.records import report as reports
from rareseg.records import scores as parts
from rareseg.records.audit import ConstantPredictor
from rareseg.records.report import ClassScores, Report
from rareseg.scenes import land_scene, road_scene
from rareseg.showing.report_page import Shown

Plane = NDArray[np.float64]
Labels = NDArray[np.uint8]
VOID = 255


class Picture(NamedTuple):
    """One scored image: photo (3, h, w), labels, and the log-odds of each class (classes, h, w)."""

    name: str
    photo: NDArray[np.uint8]
    labels: Labels
    odds: Plane


def roads(
    name: str = "muon",
    *,
    skill: float = 1.0,
    images: int = 6,
    size: int = 320,
    names: Sequence[str] = (),
    seed: int = 0,
) -> Shown:
    """Return a report on roads with curves, lines, widths and views; without skill, answers are noise.

    `names` replaces the images' names.
    """
    held = []
    for number in range(images):
        scene = road_scene(number + 3, size=size, road_share=0.05)
        labels = scene.labels.copy()
        labels[: size // 16, : size // 8] = VOID
        road = _answer(np.random.default_rng((seed, number)), labels == 1, skill)
        called = names[number] if number < len(names) else f"photos/2215{number}_15.png"
        held.append(Picture(called, scene.photo, labels, np.stack([-road, road])))
    return _shown(name, held, ("background", "road"), "threshold", lines="road")


def land(
    name: str = "weeds", *, skill: float = 0.8, images: int = 4, size: int = 160, seed: int = 0
) -> Shown:
    """Return a report on three classes that argmax decides, of which one is made of objects."""
    held = []
    classes = ("ground", "crop", "weed")
    for number in range(images):
        scene = land_scene(number, size=size, shares=(0.7, 0.27, 0.03))
        rng = np.random.default_rng((seed, number, 3))
        odds = np.stack([_answer(rng, scene.labels == label, skill) for label in range(3)])
        held.append(Picture(f"field_{number}.png", scene.photo, scene.labels, odds))
    return _shown(name, held, classes, "argmax", objects="weed")


def labelled(name: str = "their tool", *, images: int = 3, size: int = 160) -> Shown:
    """Return a report on class maps of another tool: nothing to rank, no curve, no run."""
    shown = roads(name, images=images, size=size)
    held, pictures = shown.report, dict(shown.pictures)
    views = [_replaced(view, answers=()) for view in held.views]
    bare = {"average_precision": None, "threshold": None, "curve": None, "reliability": None, "operating": ()}
    bare |= {
        "calibration_error": None,
        "expected_share": None,
        "roc_area": None,
        "break_even": None,
        "lines": None,
    }
    classes = {key: _replaced(one, intervals={}, **bare) for key, one in held.classes.items()}
    report = _replaced(
        held,
        run_digest="",
        source="classes",
        views=tuple(views),
        classes=classes,
        thresholds_from="",
        examples=(),
    )
    return Shown(name, report, pictures=pictures)


def bare(name: str = "nothing measured") -> Shown:
    """Return a report in which everything that can be missing is."""
    nothing = dict.fromkeys(
        ("iou", "f1", "precision", "recall", "average_precision", "threshold", "relaxed_f1")
    )
    nothing |= {"calibration_error": None, "expected_share": None}
    report = Report(
        run_digest="",
        data="empty",
        part="all",
        images=0,
        decision="argmax",
        thresholds_from="",
        relaxed_px=3,
        classes={one: ClassScores(pixels=0, **nothing) for one in ("background", "road")},
        macro=reports.MacroScores(
            iou=None, f1=None, precision=None, recall=None, average_precision=None, classes=0
        ),
        constant_predictor=ConstantPredictor(answer="nothing labelled", accuracy=0, macro_iou=0, entropy=0),
        counted_pixels=0,
        uncounted_pixels=10,
        notes=(),
        micro=reports.MicroScores(accuracy=0),
    )
    return Shown(name, report)


def png(picture: NDArray[np.uint8]) -> bytes:
    """Return a PNG of a (h, w) grey or (3, h, w) red, green and blue picture."""
    drawn = picture if picture.ndim == 2 else np.ascontiguousarray(picture.transpose(1, 2, 0)[..., ::-1])
    return cv2.imencode(".png", drawn)[1].tobytes()


def jpeg(photo: NDArray[np.uint8]) -> bytes:
    """Return a JPEG of a (3, h, w) red, green and blue photo."""
    return cv2.imencode(".jpg", np.ascontiguousarray(photo.transpose(1, 2, 0)[..., ::-1]))[1].tobytes()


def coded(odds: Plane) -> Labels:
    """Return log-odds as the grey levels of `View.answers`."""
    return np.rint(1 + 254 * (np.clip(odds, -8, 8) + 8) / 16).astype(np.uint8)


def _replaced(record, **changes):
    import msgspec

    return msgspec.structs.replace(record, **changes)


def _answer(rng: np.random.Generator, truth: NDArray[np.bool_], skill: float) -> Plane:
    """Return log-odds: the blurred truth, with stretches that are lost and others that are made up."""
    size = truth.shape[0]
    clouds = cv2.resize(
        rng.normal(size=(size // 24, size // 24)), (size, size), interpolation=cv2.INTER_CUBIC
    )
    near = cv2.GaussianBlur(truth.astype(np.float64), (0, 0), 1.4)
    false = cv2.resize(rng.normal(size=(size // 10, size // 10)), (size, size), interpolation=cv2.INTER_CUBIC)
    odds = skill * (6.5 * near - 1.0) - 3.6 + 1.9 * clouds + 0.8 * np.maximum(false - 1.1, 0) * 3
    return odds + 0.35 * rng.normal(size=truth.shape)


def _shown(
    name: str,
    held: Sequence[Picture],
    classes: tuple[str, ...],
    decision: str,
    *,
    lines: str = "",
    objects: str = "",
) -> Shown:
    labels = np.stack([one.labels for one in held])
    odds = np.stack([one.odds for one in held], axis=1)
    counted = labels != VOID
    thresholds = [_best(odds[place][counted], labels[counted] == place) for place in range(len(classes))]
    given = odds.argmax(0) if decision == "argmax" else (odds[1] >= _odds(thresholds[1])).astype(int)
    scored = {
        own: _class(odds[place], given == place, labels, place, float(thresholds[place]))
        for place, own in enumerate(classes)
    }
    if lines:
        scored[lines] = _replaced(scored[lines], lines=_LINES, widths=_WIDTHS)
    if objects:
        scored[objects] = _replaced(scored[objects], objects=_OBJECTS)
    confusion = tuple(
        tuple(int((counted & (labels == row) & (given == column)).sum()) for column in range(len(classes)))
        for row in range(len(classes))
    )
    by_image = tuple(_image(one, given[place], scored, number=place) for place, one in enumerate(held))
    views, pictures = _views(held, by_image, classes, given)
    examples, more = _examples(held, classes)
    pictures |= more
    report = _report(name, classes, decision, scored, confusion, by_image, views, int((~counted).sum()))
    return Shown(name, _replaced(report, examples=examples), pictures=pictures)


def beside(one: Shown, other: Shown) -> Shown:
    """Return `one` as it was scored against `other`, with a difference for each score that both have."""
    held = tuple(
        parts.Difference(
            name=own,
            score=score,
            this=getattr(scores, score),
            other=getattr(other.report.classes[own], score),
            difference=getattr(scores, score) - getattr(other.report.classes[own], score),
            interval=parts.Interval(
                low=getattr(scores, score) - getattr(other.report.classes[own], score) - 0.03,
                high=getattr(scores, score) - getattr(other.report.classes[own], score) + 0.03,
            ),
        )
        for own, scores in one.report.classes.items()
        for score in ("iou", "average_precision", "boundary_iou", "calibration_error")
        if None not in (getattr(scores, score), getattr(other.report.classes[own], score))
    )
    # Their pictures lie in one folder.
    moved = {f"other.{name}": picture for name, picture in other.pictures.items()}
    views = tuple(
        _replaced(
            view,
            photo=f"other.{view.photo}",
            truth=f"other.{view.truth}",
            given=f"other.{view.given}",
            answers=tuple(f"other.{name}" for name in view.answers),
        )
        for view in other.report.views
    )
    rival = _replaced(other.report, name=other.name, views=views, against=None, differences=(), examples=())
    return one._replace(
        report=_replaced(one.report, against=rival, differences=held), pictures={**one.pictures, **moved}
    )


def _examples(
    held: Sequence[Picture], classes: tuple[str, ...]
) -> tuple[tuple[parts.Example, ...], dict[str, bytes]]:
    rare, drawn, pictures = len(classes) - 1, [], {}
    for place, one in enumerate(held[:3]):
        side = min(64, *one.labels.shape)
        files = {"photo": f"{place}.example.jpg", "truth": f"{place}.example.png"}
        marked = np.zeros((4, side, side), np.uint8)
        marked[3] = np.where(one.labels[:side, :side] == rare, 255, 0)
        bands = np.ascontiguousarray(marked.transpose(1, 2, 0))
        pictures |= {
            files["photo"]: jpeg(one.photo[:, :side, :side]),
            files["truth"]: cv2.imencode(".png", bands)[1].tobytes(),
        }
        share = float((one.labels[:side, :side] == rare).mean())
        drawn.append(
            parts.Example(
                image=one.name,
                name=classes[rare],
                share=share,
                top=0,
                left=0,
                width=side,
                height=side,
                **files,
            )
        )
    return tuple(drawn), pictures


def _odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def _best(odds: Plane, truth: NDArray[np.bool_]) -> float:
    cuts = np.linspace(-6, 6, 121)
    overlap = [(truth & (odds >= cut)).sum() / max((truth | (odds >= cut)).sum(), 1) for cut in cuts]
    return float(1 / (1 + np.exp(-cuts[int(np.argmax(overlap))])))


def _class(
    odds: Plane, given: NDArray[np.bool_], labels: Labels, place: int, threshold: float
) -> ClassScores:
    counted = labels != VOID
    truth, answers, map_given = (labels == place)[counted], odds[counted], given[counted]
    hit = int((truth & map_given).sum())
    precision, recall = hit / max(int(map_given.sum()), 1), hit / max(int(truth.sum()), 1)
    iou = hit / max(int((truth | map_given).sum()), 1)
    curve, average_precision = _curve(answers, truth)
    around = {"iou": iou, "average_precision": average_precision, "precision": precision, "recall": recall}
    probability = 1 / (1 + np.exp(-answers))
    return ClassScores(
        iou=iou,
        f1=2 * iou / (1 + iou),
        precision=precision,
        recall=recall,
        average_precision=average_precision,
        threshold=threshold,
        pixels=int(truth.sum()),
        relaxed_f1=min(1.0, 1.2 * iou + 0.2),
        calibration_error=float(abs(probability.mean() - truth.mean())),
        expected_share=float(probability.mean()),
        roc_area=0.97,
        boundary_iou=0.8 * iou,
        relaxed_precision=min(1.0, precision * 1.15),
        relaxed_recall=min(1.0, recall * 1.15),
        break_even=min(1.0, recall * 1.1),
        intervals={
            key: parts.Interval(low=max(0.0, value - 0.04), high=min(1.0, value + 0.035))
            for key, value in around.items()
        },
        curve=curve,
        reliability=_reliability(probability, truth),
        operating=_operating(curve),
        shares=_SHARES,
    )


def _curve(odds: Plane, truth: NDArray[np.bool_]) -> tuple[parts.Curve, float]:
    order = np.sort(odds)
    cuts = np.unique(
        np.concatenate(
            [order[:: max(len(order) // 80, 1)], np.sort(odds[truth])[:: max(truth.sum() // 120, 1)]]
        )
    )
    rising = np.sort(odds[truth])
    hits = len(rising) - np.searchsorted(rising, cuts)
    given = len(order) - np.searchsorted(order, cuts)
    precision, recall = hits / given, hits / max(len(rising), 1)
    curve = parts.Curve(
        thresholds=tuple((1 / (1 + np.exp(-cuts))).tolist()),
        precision=tuple(precision.tolist()),
        recall=tuple(recall.tolist()),
        false_positive_rate=tuple(((given - hits) / max(len(order) - len(rising), 1)).tolist()),
    )
    return curve, float(np.sum(np.diff(recall[::-1], prepend=0) * precision[::-1]))


def _operating(curve: parts.Curve) -> tuple[parts.Operating, ...]:
    precision, recall = np.array(curve.precision), np.array(curve.recall)
    iou = precision * recall / np.maximum(precision + recall - precision * recall, 1e-9)
    wanted = {
        "recall 0.9": int(np.argmax(np.where(recall >= 0.9, precision, -1))),
        "precision 0.8": int(np.argmax(np.where(precision >= 0.8, recall, -1))),
        "best F1 and IoU": int(np.argmax(iou)),
    }
    points = [
        parts.Operating(
            wanted=told,
            threshold=curve.thresholds[at],
            precision=float(precision[at]),
            recall=float(recall[at]),
            iou=float(iou[at]),
        )
        for told, at in wanted.items()
    ]
    relaxed = parts.Operating(
        wanted="relaxed break-even", threshold=0.31, precision=0.86, recall=0.86, iou=None
    )
    return (*points, relaxed)


def _reliability(probability: Plane, truth: NDArray[np.bool_]) -> parts.Reliability:
    bins = np.minimum((probability * 15).astype(int), 14)
    pixels = np.bincount(bins, minlength=15)
    filled = np.maximum(pixels, 1)
    return parts.Reliability(
        mean_probability=tuple((np.bincount(bins, probability, 15) / filled).tolist()),
        frequency=tuple((np.bincount(bins, truth, 15) / filled).tolist()),
        pixels=tuple(pixels.tolist()),
    )


def _image(
    one: Picture, given: NDArray[np.integer], scored: dict[str, ClassScores], number: int
) -> parts.ImageScores:
    counted = one.labels != VOID
    places = range(len(scored))
    unions = [(counted & ((one.labels == place) | (given == place))).sum() for place in places]
    hits = [(counted & (one.labels == place) & (given == place)).sum() for place in places]
    return parts.ImageScores(
        image=one.name,
        scene=f"scene {number // 2}",
        pixels=tuple(int((one.labels == place).sum()) for place in places),
        given=tuple(int((counted & (given == place)).sum()) for place in places),
        counted=int(counted.sum()),
        iou=tuple(float(hit / union) if union else None for hit, union in zip(hits, unions, strict=True)),
        average_precision=tuple(None for _ in places),
    )


def _views(
    held: Sequence[Picture],
    by_image: Sequence[parts.ImageScores],
    classes: tuple[str, ...],
    given: NDArray[np.integer],
) -> tuple[tuple[parts.View, ...], dict[str, bytes]]:
    rare = len(classes) - 1
    order = sorted(range(len(held)), key=lambda place: -(by_image[place].iou[rare] or 0))
    chosen = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    views, pictures = [], {}
    for why, place in chosen.items():
        one = held[place]
        files = {"photo": f"{place}.photo.jpg", "truth": f"{place}.truth.png", "given": f"{place}.given.png"}
        pictures[files["given"]] = png(given[place].astype(np.uint8))
        answers = tuple(f"{place}.{number}.png" for number in range(len(classes)))
        pictures |= {files["photo"]: jpeg(one.photo), files["truth"]: png(one.labels)}
        pictures |= {file: png(coded(odds)) for file, odds in zip(answers, one.odds, strict=True)}
        height, width = one.labels.shape
        views.append(
            parts.View(
                image=one.name,
                why=why,
                name=classes[rare],
                iou=by_image[place].iou[rare],
                scale=1.0,
                width=width,
                height=height,
                top=0,
                left=0,
                answers=answers,
                **files,
            )
        )
    return tuple(views), pictures


def _report(
    name: str,
    classes: tuple[str, ...],
    decision: str,
    scored: dict[str, ClassScores],
    confusion: tuple[tuple[int, ...], ...],
    by_image: tuple[parts.ImageScores, ...],
    views: tuple[parts.View, ...],
    uncounted: int,
) -> Report:
    pixels = [one.pixels for one in scored.values()]
    counted = sum(pixels)
    shares = np.array(pixels) / counted
    means = {
        key: float(np.mean([getattr(one, key) for one in scored.values()]))
        for key in ("iou", "f1", "precision", "recall", "average_precision")
    }
    constant = ConstantPredictor(
        answer=classes[int(np.argmax(pixels))],
        accuracy=float(shares.max()),
        macro_iou=float(shares.max()) / len(classes),
        entropy=float(-(shares * np.log(shares)).sum()),
    )
    return Report(
        run_digest=f"{abs(hash(name)) % 16**16:016x}",
        data="massachusetts_roads" if len(classes) == 2 else "weedmap",
        part="test",
        images=len(by_image),
        scenes=(len(by_image) + 1) // 2,
        decision=decision,
        thresholds_from="val",
        relaxed_px=3,
        boundary_px=4,
        classes=scored,
        macro=reports.MacroScores(**means, classes=len(classes)),
        constant_predictor=constant,
        counted_pixels=counted,
        uncounted_pixels=uncounted,
        notes=("The test part was never looked at while training.",),
        micro=reports.MicroScores(accuracy=sum(row[place] for place, row in enumerate(confusion)) / counted),
        confusion=confusion,
        by_image=by_image,
        transfer=(_TRANSFER,) if len(classes) == 3 else (),
        views=views,
        views_folder="report.views",
    )


_LINES = parts.LineScores(
    apls=0.512,
    topo_precision=0.701,
    topo_recall=0.655,
    topo_f1=0.677,
    cldice=0.74,
    completeness=0.79,
    correctness=0.77,
    breaks=3.4,
    false_branches=1.9,
    unit="km",
    true_length=21.4,
)
_WIDTHS = (
    parts.WidthScores(low=1, high=4, pixels=1_904, recall=0.31),
    parts.WidthScores(low=5, high=8, pixels=14_020, recall=0.72),
    parts.WidthScores(low=9, high=14, pixels=9_310, recall=0.86),
    parts.WidthScores(low=15, high=None, pixels=0, recall=None),
)
_OBJECTS = parts.ObjectScores(
    least_iou=0.5,
    true=142,
    given=151,
    matched=88,
    precision=88 / 151,
    recall=88 / 142,
    f1=176 / 293,
    sizes=(
        parts.SizeScores(low=1, high=64, true=60, given=70, matched=20, f1=40 / 130),
        parts.SizeScores(low=64, high=256, true=50, given=51, matched=40, f1=80 / 101),
        parts.SizeScores(low=256, high=None, true=32, given=30, matched=28, f1=56 / 62),
    ),
)
_SHARES = (
    parts.ShareScores(low=0.0, high=0.03, images=2, iou=0.44, average_precision=0.6),
    parts.ShareScores(low=0.03, high=0.06, images=2, iou=0.55, average_precision=0.71),
    parts.ShareScores(low=0.06, high=0.11, images=2, iou=0.61, average_precision=0.8),
)
_TRANSFER = parts.Transfer(
    name="weed", chosen_share=0.023, share=0.002, threshold=0.41, iou=0.12, best_threshold=0.83, best_iou=0.2
)
