"""4. Most of the network is frozen at random weights, or its weights never reached the optimizer."""

from typing import Any

import keras
import numpy as np
from torch import nn

from casebook.case import Case, hold, redrawn, told
from casebook.runs import check_learnable, draw_training
from casebook.torch_training import TorchTraining
from casebook.training import Training, start, training_case


def build(seed: int) -> Case:
    """Build a case: only the last layer (or only its bias) trains; unfrozen, the same network learns."""
    return redrawn("frozen", seed, _draw, attempts=12)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(rng, prevalence=(0.004, 0.08), width=(4, 10), contrast=(2.0, 3.5))
    training = start(recipe, wiring)
    share = _freeze(rng, training)
    training.fit(120)
    scores = training.scores()
    hold(share < 0.2, f"{share:.2f} still trains")
    cured = check_learnable(recipe, wiring)
    worse = scores.average_precision < 0.5 * cured.average_precision
    hold(worse and scores.predicted < 0.3 * scores.prevalence, f"it learns all the same: {scores.told()}")
    return training_case(
        training,
        "frozen",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        drawn=told(proof=scores.told(), trainable=share, cured=cured.told()),
    )


def _freeze(rng: np.random.Generator, training: Training) -> float:
    """Freeze all but the head or but its bias; return the share of the weights that trains."""
    only_bias = rng.random() < 0.3
    if isinstance(training, TorchTraining):
        return _freeze_torch(rng, training, only_bias=only_bias)
    layers = [layer for layer in training.model.layers if layer.weights]
    for layer in layers[:-1]:
        layer.trainable = False
    if only_bias:
        layers[-1].trainable = False
        batch_norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
        for layer in batch_norms or layers[-1:]:
            layer.trainable = True
    training.recompile()
    weights = sum(int(np.prod(weight.shape)) for weight in training.model.trainable_weights)
    return weights / training.model.count_params()


def _freeze_torch(rng: np.random.Generator, training: TorchTraining, *, only_bias: bool) -> float:
    head: Any = [module for module in training.model.modules() if isinstance(module, nn.Conv2d)][-1]
    kept = [head.bias] if only_bias else [head.weight, head.bias]
    if rng.random() < 0.5:
        for weight in training.model.parameters():
            weight.requires_grad = any(weight is one for one in kept)
    training.reoptimised(kept)
    return sum(one.numel() for one in kept) / sum(one.numel() for one in training.model.parameters())
