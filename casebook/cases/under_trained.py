"""2. Too few steps: the network has learnt the shares of the classes at best; more of the same would do."""

import numpy as np

from casebook.case import CANNOT_TELL, Case, hold, redrawn, told
from casebook.runs import draw_training, fit_until, learns
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case: stopped after a few steps; a second run shows that going on would have sufficed."""
    return redrawn("under_trained", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(rng, prevalence=(0.005, 0.1), batch_norm=None)
    training = start(recipe, wiring)
    training.fit(int(rng.integers(4, 16)))
    scores = training.scores()
    hold(scores.predicted < 0.2 * scores.prevalence, f"it answers the class: {scores.told()}")
    hold(scores.average_precision < min(2.2 * scores.prevalence, 0.3), f"it ranks: {scores.told()}")
    hold(scores.dead < 0.35, f"dead units: {scores.told()}")
    later = fit_until(start(recipe, wiring), learns, every=40, most=240)
    return training_case(
        training,
        "under_trained",
        acceptable=(CANNOT_TELL,),
        beside=("metric_illusion",),
        drawn=told(proof=scores.told(), later=later.told()),
    )
