"""Healthy, but hardly begun: nothing is wrong, and nothing can be said of the outcome."""

import numpy as np

from casebook.case import CANNOT_TELL, Case, redrawn, told
from casebook.runs import check_learnable, draw_training
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case: 0 to 3 steps; a second run shows that it learns."""
    return redrawn("healthy_fresh", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(rng, prevalence=(0.01, 0.2), contrast=(4, 7))
    training = start(recipe, wiring)
    training.fit(int(rng.integers(0, 4)))
    later = check_learnable(recipe, wiring, most=240)
    return training_case(
        training,
        acceptable=("under_trained", CANNOT_TELL),
        beside=("metric_illusion",),
        drawn=told(later=later.told()),
    )
