"""Two causes: shifted labels, and a learning rate that kills the units."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.cases.learning_rate_too_high import died, too_high
from casebook.cases.shifted_labels import draw_shifted
from casebook.drawing import draw_recipe
from casebook.training import start, training_case
from casebook.wirings import right_wiring


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("both_shift_and_high_rate", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    world, proof = draw_shifted(rng, 48)
    recipe = too_high(rng, draw_recipe(rng, world, batch_norm=False, activations=("relu",)))
    training = start(recipe, right_wiring(rng, recipe.framework, recipe.classes))
    training.fit(50)
    scores = training.scores()
    hold(died(scores, training), f"still alive: {scores.told()}")
    return training_case(
        training,
        "shifted_labels",
        "learning_rate_too_high",
        beside=("metric_illusion", "under_trained"),
        drawn=told(proof=f"{proof}; {scores.told()}"),
    )
