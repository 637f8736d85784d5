"""Two causes: a network that ranks but never answers the class, and that maps photos prepared otherwise."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.cases.preprocessing_differs import wrongly_fed
from casebook.cases.threshold_off import ranks_unseen
from casebook.runs import draw_training, fit_until
from casebook.torch_training import TorchTraining
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("both_threshold_and_preprocessing", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(rng, classes=2, prevalence=(0.01, 0.06), decoys=2.5, batch_norm=False)
    training = start(recipe, wiring)
    fit_until(training, lambda now: now.lift > 4, most=200)
    training.fit(30)
    scores = training.scores()
    hold(ranks_unseen(scores), scores.told())
    how, fed = wrongly_fed(rng, recipe.world)
    hold(how != "bands swapped", "bands may look alike")
    given = fed if isinstance(training, TorchTraining) else np.ascontiguousarray(np.moveaxis(fed, 1, -1))
    return training_case(
        training,
        "preprocessing_differs",
        "threshold_off",
        beside=("metric_illusion", "under_trained"),
        prediction_inputs=given,
        drawn=told(how=how, proof=scores.told()),
    )
