"""18. Batch normalisation answers well in training and badly afterwards: its running statistics are not the data's."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
from torch import nn

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice
from casebook.measuring import Scores, scores
from casebook.runs import draw_training
from casebook.torch_training import TorchTraining
from casebook.training import Training, start, training_case


def build(seed: int) -> Case:
    """Build a case: slow running statistics, or batches of one or two scenes whose light differs."""
    return redrawn("batch_norm_gap", seed, _draw, attempts=12)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(
        rng,
        prevalence=(0.02, 0.2),
        contrast=(4, 7),
        batch_norm=True,
        width=(4, 10),
        classes=choice(rng, (2, 2, 3)),
    )
    uneven = rng.random() < 0.4
    if uneven:
        recipe = replace(_uneven(rng, recipe), batch=choice(rng, (1, 2)))
    recipe = replace(recipe, packing={"arrays": "list"}.get(recipe.packing, recipe.packing))
    training = start(recipe, wiring)
    momentum = 0.1 if uneven else float(choice(rng, (0.001, 0.003, 0.01)))
    _set_momentum(training, momentum)
    training.fit(int(rng.integers(50, 100)))
    as_trained, as_used = _on_training(training, training=True), _on_training(training, training=False)
    hold(
        as_trained.average_precision > max(0.45, 3 * as_trained.prevalence),
        f"not trained: {as_trained.told()}",
    )
    shares = (as_trained.predicted + 1e-6) / (as_used.predicted + 1e-6)
    worse = as_used.average_precision < 0.5 * as_trained.average_precision
    hold(worse or not 1 / 4 < shares < 4, f"no gap: {as_used.told()}")
    # Where training mode maps nothing either, it is the threshold that is off.
    mapped = as_trained.prevalence / 4 < as_trained.predicted < 4 * as_trained.prevalence
    hold(worse or mapped, f"bad in training mode too: {as_trained.told()}")
    return training_case(
        training,
        "batch_norm_gap",
        beside=("metric_illusion", "threshold_off"),
        drawn=told(momentum=momentum, training=as_trained.told(), evaluation=as_used.told()),
    )


def _uneven(rng: np.random.Generator, recipe: Any) -> Any:
    """Give every scene a light of its own."""
    world = recipe.world
    light = rng.uniform(0.35, 1.6, (len(world.photos), 1, 1, 1))
    photos = np.clip(world.photos * light, 0, 255).astype(np.uint8)
    return replace(recipe, world=replace(world, photos=photos))


def _set_momentum(training: Training, momentum: float) -> None:
    if isinstance(training, TorchTraining):
        for layer in training.model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = momentum
        return
    for layer in training.model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 1 - momentum


def _on_training(run: Training, *, training: bool) -> Scores:
    answers = np.concatenate([run.probabilities(batch[0], training=training) for batch in run.batches])
    return scores(answers, run.recipe.world.labels, run.recipe.world.rare, 0.0)
