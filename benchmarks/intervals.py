"""How often 95 % intervals hold the true score: many evaluations of a few scenes each, from one known population.

    python benchmarks/intervals.py [--scenes 4 8 20] [--worlds 300]

A scene has a difficulty that its classes, lines and objects share in part, pixels of five classes of which two are
missing in many scenes, and lines and objects of one class. The true scores are those of 20,000 scenes. Beside the
scores of one map stands the paired difference to a map that finds a little less of everything in every scene.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.class_counts import ClassCounts, ratios
from rareseg.measures.confusion import Confusion, mean_of_present
from rareseg.measures.connections import ConnectionCounts
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.evaluation import Evaluation
from rareseg.measures.map_counts import MapCounts
from rareseg.measures.objects import ObjectCounts
from rareseg.measures.score_intervals import drawn, drawn_alike, of_class, of_difference, of_means
from rareseg.measures.shape_counts import ShapeCounts
from rareseg.measures.topology import TopologyCounts

PIXELS = (20_000, 3_000, 800, 300, 100)
PRESENT = (1.0, 1.0, 1.0, 0.6, 0.6)
"""Chance that a scene holds the class."""
SHAPED = 1
"""The class of lines and objects."""
WORSE = 0.3
"""Logits by which the other map finds less."""
_POPULATION = 20_000
_DETAILS = ("lines.completeness", "lines.breaks", "objects.f1")


class Scene(NamedTuple):
    """What was counted of one map of one scene."""

    confusion: NDArray[np.int64]
    shape: ShapeCounts


def main() -> None:
    """Print how often intervals hold the truth, a row per number of scenes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, nargs="+", default=[4, 8, 20])
    parser.add_argument("--worlds", type=int, default=300)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    truth = _truth(list(_scenes(rng, _POPULATION)))
    print(f"{'scenes':<8}" + "".join(f"{name:>20}" for name in truth))
    for count in given.scenes:
        held: dict[str, list[bool]] = defaultdict(list)
        for _ in range(given.worlds):
            for name, span in _spans(list(_scenes(rng, count))).items():
                held[name].append(span[0] <= truth[name] <= span[1])
        shares = (f"{np.mean(held[name]):.3f} of {len(held[name])}" if held[name] else "-" for name in truth)
        print(f"{count:<8}" + "".join(f"{share:>20}" for share in shares))


def _scenes(rng: np.random.Generator, count: int) -> Iterator[tuple[Scene, Scene]]:
    """Yield scenes, each as a map and a worse one see it."""
    for _ in range(count):
        hard = rng.normal()
        there = [rng.random() < chance for chance in PRESENT]
        wanted = [
            rng.poisson(size * np.exp(0.8 * rng.normal())) * held
            for size, held in zip(PIXELS, there, strict=True)
        ]
        ease = 1.2 + 0.6 * hard + 0.6 * rng.normal(size=len(PIXELS))
        length, objects = rng.gamma(4, 500.0), int(rng.poisson(12 * np.exp(0.5 * rng.normal())))
        level = 1.5 + 0.7 * hard + 0.5 * rng.normal()
        yield (
            _seen(rng, wanted, ease, length, objects, level=level),
            _seen(rng, wanted, ease - WORSE, length, objects, level=level - WORSE),
        )


def _seen(
    rng: np.random.Generator,
    wanted: Sequence[int],
    ease: NDArray[np.float64],
    length: float,
    objects: int,
    *,
    level: float,
) -> Scene:
    classes = len(wanted)
    counts = np.zeros((classes, classes), np.int64)
    for label, pixels in enumerate(wanted):
        hits = rng.binomial(pixels, _share(ease[label]))
        others = [other for other in range(classes) if other != label]
        weights = np.array(PIXELS, np.float64)[others]
        counts[label, label] = hits
        counts[label, others] = rng.multinomial(pixels - hits, weights / weights.sum())
    found = _share(level)
    lines = ConnectionCounts(
        "m",
        length,
        length * found,
        length * 1.1,
        length * 0.9 * found,
        int(rng.poisson(length / 300 * (1.2 - found))),
        int(rng.poisson(length / 500)),
    )
    true, matched, false = np.zeros((3, 16), np.int64)
    true[3], matched[3], false[3] = objects, rng.binomial(objects, found), rng.poisson(4)
    shape = ShapeCounts(lines=TopologyCounts(connections=lines), objects=ObjectCounts(true, matched, false))
    return Scene(counts, shape)


def _share(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def _evaluation(scenes: Sequence[Scene]) -> Evaluation:
    names = [f"scene {number:05d}" for number in range(len(scenes))]
    found = Evaluation.begun(
        [f"class {label}" for label in range(len(PIXELS))], names, overlapping=False, ranked=False, shapes={}
    )
    nothing = MapCounts.empty(len(PIXELS), overlapping=False, ranked=False)
    for number, scene in enumerate(scenes):
        confusion = Confusion(scene.confusion, overlapping=False)
        counts = replace(nothing, confusion=confusion)
        found.total = found.total + counts
        found.by_scene.add(number, ScoreHistogram.empty(len(PIXELS)), confusion)
        found.details.add(number, counts, {SHAPED: scene.shape})
    return found


def _truth(population: Sequence[tuple[Scene, Scene]]) -> dict[str, float]:
    (ours, details), (theirs, _) = (_summed([pair[side] for pair in population]) for side in (0, 1))
    told = {f"IoU of class {label}": value for label, value in enumerate(ours)}
    told |= {"mean IoU": float(np.mean(ours)), "difference": ours[SHAPED] - theirs[SHAPED]}
    return told | {name: details[name] for name in _DETAILS}


def _summed(scenes: Sequence[Scene]) -> tuple[list[float], dict[str, float]]:
    confusion = Confusion(np.sum([scene.confusion for scene in scenes], axis=0), overlapping=False)
    shape = ShapeCounts()
    for scene in scenes:
        shape = shape + scene.shape
    return [float(one or 0) for one in confusion.iou()], {
        name: value for name, value in ratios(ClassCounts(shape=shape)).items() if value is not None
    }


def _spans(scenes: Sequence[tuple[Scene, Scene]]) -> dict[str, tuple[float, float]]:
    """Return every interval that is told of these scenes."""
    ours, theirs = (_evaluation([pair[side] for pair in scenes]) for side in (0, 1))
    scores, own = ours.total.confusion.iou(), drawn(ours)
    spans = {f"IoU of class {label}": of_class(own, label, {"iou": scores}).get("iou") for label in range(5)}
    details = ratios(ours.details.total(SHAPED))
    by_class = {name: [details[name] if label == SHAPED else None for label in range(5)] for name in _DETAILS}
    spans |= of_class(own, SHAPED, by_class)
    if None not in scores:
        spans["mean IoU"] = of_means(own, {"iou": mean_of_present(scores)}, {"iou": scores}).get("iou")
    gap = (scores[SHAPED] or 0) - (theirs.total.confusion.iou()[SHAPED] or 0)
    spans["difference"] = of_difference(*drawn_alike(ours, theirs), "iou", SHAPED, gap)
    return {name: (span.low, span.high) for name, span in spans.items() if span is not None}


if __name__ == "__main__":
    main()
