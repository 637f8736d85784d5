"""Two causes: a softmax before cross-entropy, and class weights that never reach it."""

import numpy as np

from casebook.case import Case, redrawn, told
from casebook.cases.activation_twice import TORCH
from casebook.cases.weights_ignored import told_weights
from casebook.runs import draw_training
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("both_activation_and_weights", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, framework="torch", prevalence=(0.005, 0.1))
    weights = told_weights(rng, recipe.world.counts / recipe.world.counts.sum())
    training = start(recipe, TORCH[0])
    training.fit(int(rng.integers(0, 60)))
    return training_case(
        training,
        "activation_twice",
        "weights_ignored",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        class_weight=weights,
        drawn=told(weights=[round(one, 2) for one in weights]),
    )
