"""Two causes: a sigmoid per exclusive class, and Adadelta at Keras's learning rate of 0.001."""

from dataclasses import replace

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.cases.sigmoid_on_exclusive_classes import WIRINGS
from casebook.drawing import choice
from casebook.runs import draw_training
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("both_sigmoids_and_low_rate", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(
        rng, classes=choice(rng, (3, 4, 6)), prevalence=(0.01, 0.12), optimizers=("adadelta",)
    )
    training = start(replace(recipe, rate=1e-3), choice(rng, WIRINGS[recipe.framework]))
    training.fit(40)
    drop = 1 - training.losses[-1] / training.losses[0]
    hold(drop < 0.1, f"the loss falls by {drop:.2f}")
    return training_case(
        training,
        "sigmoid_on_exclusive_classes",
        "learning_rate_too_low",
        beside=("metric_illusion", "under_trained", "frozen"),
        steps_trained=400,
        epochs_trained=400 / len(training.batches),
        drawn=told(drop=drop),
    )
