"""Healthy: the features were trained before and are frozen; the last layer alone trains, and the maps are good."""

import numpy as np
from torch import nn

from casebook.case import Case, redrawn, told
from casebook.runs import draw_training, fit_until, good
from casebook.torch_training import TorchTraining
from casebook.training import Training, start, training_case


def build(seed: int) -> Case:
    """Build a case: trained whole, then frozen but for a fresh last layer, and trained on."""
    return redrawn("healthy_transfer", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(rng, prevalence=(0.03, 0.2), contrast=(4.5, 7))
    training = start(recipe, wiring)
    fit_until(training, good, most=300)
    _freeze(training)
    training.fit(60)
    scores = fit_until(training, good, most=training.steps + 120)
    return training_case(training, drawn=told(proof=scores.told()))


def _freeze(training: Training) -> None:
    if isinstance(training, TorchTraining):
        convolutions = [layer for layer in training.model.modules() if isinstance(layer, nn.Conv2d)]
        for weight in training.model.parameters():
            weight.requires_grad = False
        head = convolutions[-1]
        for weight in head.parameters():
            weight.requires_grad = True
        training.reoptimised(list(head.parameters()))
        return
    for layer in training.model.layers[:-1]:
        layer.trainable = False
    training.recompile()
