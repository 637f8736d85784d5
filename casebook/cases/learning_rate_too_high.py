"""3. The learning rate is too high: ReLUs die, and the same answer comes everywhere."""

from dataclasses import replace

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import Recipe, log_uniform
from casebook.measuring import Scores
from casebook.runs import check_learnable, draw_training
from casebook.training import Training, start, training_case


def build(seed: int) -> Case:
    """Build a case: 10 to 300 times a good rate; a second run shows that the good rate learns."""
    return redrawn("learning_rate_too_high", seed, _draw)


def died(scores: Scores, training: Training) -> bool:
    """Return whether the answer is the same everywhere, with dead units or a loss that is no number."""
    dead = scores.dead > 0.35 or not np.isfinite(training.losses[-1])
    return dead and scores.deviation < 0.05 and scores.lift < 1.5


def too_high(rng: np.random.Generator, recipe: Recipe) -> Recipe:
    """Return the recipe with a learning rate far too high."""
    factor = log_uniform(rng, 30, 300) if "sgd" in recipe.optimizer else log_uniform(rng, 10, 150)
    return replace(recipe, rate=recipe.rate * factor)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(
        rng,
        prevalence=(0.005, 0.15),
        batch_norm=False,
        activations=("relu",),
        optimizers=("sgd", "momentum", "adam", "adam", "adamw", "rmsprop"),
    )
    sick = too_high(rng, recipe)
    training = start(sick, wiring)
    training.fit(int(rng.integers(30, 90)))
    scores = training.scores()
    hold(died(scores, training), f"still alive: {scores.told()}")
    cured = check_learnable(recipe, wiring)
    return training_case(
        training,
        "learning_rate_too_high",
        beside=("metric_illusion",),
        drawn=told(proof=scores.told(), good_rate=recipe.rate, cured=cured.told()),
    )
