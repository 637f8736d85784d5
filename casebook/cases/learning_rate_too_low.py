"""4. The learning rate is so low that nothing moves, however long it runs."""

from dataclasses import replace

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import log_uniform
from casebook.runs import check_learnable, draw_training
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case: a rate 1,000 to 100,000 times too low, or Keras's 0.001 for Adadelta; many steps are told."""
    return redrawn("learning_rate_too_low", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(
        rng, prevalence=(0.005, 0.15), optimizers=("sgd", "momentum", "adam", "adamw", "adadelta", "adadelta")
    )
    rate = 1e-3 if recipe.optimizer == "adadelta" else recipe.rate / log_uniform(rng, 1_000, 100_000)
    training = start(replace(recipe, rate=rate), wiring)
    fresh = start(recipe, wiring).scores()
    training.fit(int(rng.integers(40, 80)))
    scores = training.scores()
    epoch, long = len(training.batches), int(rng.integers(3, 15))
    drop = 1 - np.mean(training.losses[-epoch:]) / np.mean(training.losses[:epoch])
    hold(scores.average_precision < fresh.average_precision + 0.15, f"it learns: {scores.told()}")
    hold(scores.average_precision < 0.3, f"it ranks as it is: {scores.told()}")
    hold(drop * long < 0.5, f"the loss would fall by {drop * long:.2f} in the time told")
    cured = check_learnable(recipe, wiring)
    return training_case(
        training,
        "learning_rate_too_low",
        acceptable=("frozen",) if rate < 1e-7 else (),
        beside=("metric_illusion", "under_trained"),
        steps_trained=training.steps * long,
        epochs_trained=training.steps * long / len(training.batches),
        drawn=told(proof=scores.told(), drop=drop, rate=rate, cured=cured.told()),
    )
