"""Scoring a trained run scene by scene, so that its scores can be pooled over other draws of scenes."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import DataError
from rareseg.imagery.samples import read_photo, read_sample
from rareseg.imagery.tiles import Window
from rareseg.measures.calibration import calibration_error
from rareseg.measures.confusion import Confusion
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.decisions import decide
from rareseg.measures.scene_counts import SceneCounts, blocks
from rareseg.network.forward import Mapper
from rareseg.network.probes import to_log_odds
from rareseg.network.trained import TrainedRun
from rareseg.records.comparison import Scored
from rareseg.records.dataset import Pair, PartName


class SceneScores(NamedTuple):
    """Scores of one part, and the counts of its scenes."""

    scored: Scored
    counts: SceneCounts


def score_scenes(trained: TrainedRun, root: Path, part: PartName) -> SceneScores:
    """Map the images of `part` of the run's own data below `root`, and count them scene by scene.

    Raises:
        DataError: if no pixel of the part is counted.
    """
    begun = time.monotonic()
    dataset = trained.audit.dataset
    classes, overlapping = len(dataset.classes), dataset.overlapping
    pairs = [pair for pair in dataset.pairs if pair.part == part]
    number = blocks(pair.group for pair in pairs)
    counts = SceneCounts.empty(len(set(number.values())), classes, overlapping=overlapping)
    total = ScoreHistogram.empty(classes)
    confusion = Confusion.empty(classes, overlapping=overlapping)
    mapper = trained.mapper()
    for pair in pairs:
        for curve, given in _count(mapper, trained, root, pair):
            counts.add(number[pair.group], curve, given)
            total += curve
            confusion += given
    if not confusion.counted:
        message = f"{root}: part {part!r} holds no counted pixel, so there is nothing to score."
        raise DataError(message)
    errors = zip(calibration_error(total), total.pixels, strict=True)
    counts = counts.counted()
    scored = Scored(
        average_precision=total.average_precision(),
        iou=confusion.iou(),
        calibration_error=tuple(error if pixels else None for error, pixels in errors),
        scenes=len(counts),
        images=len(pairs),
        seconds=time.monotonic() - begun,
    )
    return SceneScores(scored, counts)


def _count(
    mapper: Mapper, trained: TrainedRun, root: Path, pair: Pair
) -> Iterator[tuple[ScoreHistogram, Confusion]]:
    """Yield the counts of one image, block by block."""
    dataset = trained.audit.dataset

    def read(window: Window) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
        return read_photo(root / pair.image, dataset.nodata, window)

    for block in mapper.map_blocks(read, pair.height, pair.width):
        labels = read_sample(root, dataset, pair, block.window).counted
        given = decide(
            block.probabilities,
            trained.run.thresholds,
            decision=trained.plan.inference.decision,
            overlapping=dataset.overlapping,
            weights=trained.run.decision_weights,
        )
        yield (
            ScoreHistogram.count(to_log_odds(block.probabilities), labels, overlapping=dataset.overlapping),
            Confusion.count(given, labels, classes=len(dataset.classes), overlapping=dataset.overlapping),
        )
