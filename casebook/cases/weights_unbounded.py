"""12. Weights of one over the share: a rare pixel costs hundreds of times as much, and the map floods."""

import numpy as np
import torch
from torch import nn

from casebook.case import Case, hold, redrawn, told
from casebook.cases.weights_misapplied import weigh
from casebook.keras_training import KerasTraining
from casebook.runs import draw_training
from casebook.training import start, training_case
from casebook.wirings import RIGHT


def build(seed: int) -> Case:
    """Build a case: trained until the rare class is answered many times too often."""
    return redrawn("weights_unbounded", seed, _draw, attempts=12)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, prevalence=(0.002, 0.008), contrast=(1.5, 4))
    counts = recipe.world.counts
    weights = [float(counts[0] / max(count, 1)) for count in counts]
    hold(80 < max(weights) < 3000, f"weights reach {max(weights):.0f}")
    one = recipe.classes == 2 and rng.random() < 0.6
    loss = None
    if recipe.framework == "torch":
        tensor = torch.tensor(weights)
        loss = nn.BCEWithLogitsLoss(pos_weight=tensor[1]) if one else nn.CrossEntropyLoss(weight=tensor)
    training = start(recipe, RIGHT[recipe.framework, "one" if one else "all"][0], loss=loss)
    if isinstance(training, KerasTraining):
        weigh(training, weights)
    training.fit(int(rng.integers(30, 100)))
    scores = training.scores()
    hold(scores.predicted > 4 * scores.prevalence, f"no flood: {scores.told()}")
    hold(
        np.isfinite(training.losses[-1]) and scores.dead < 0.35, f"the rate is at fault too: {scores.told()}"
    )
    return training_case(
        training,
        "weights_unbounded",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        class_weight=dict(enumerate(weights)) if rng.random() < 0.5 else None,
        drawn=told(largest=max(weights), proof=scores.told()),
    )
