"""6. The network ends in an activation that the loss applies again."""

import numpy as np

from casebook.case import Case, redrawn, told
from casebook.drawing import choice
from casebook.runs import draw_training
from casebook.training import start, training_case
from casebook.wirings import Wiring

ONE = Wiring(channels="one", last="sigmoid", loss="bce_logits", targets="plane", read="as_is")
TORCH = (Wiring(channels="all", last="softmax", loss="cross_entropy", targets="indices", read="as_is"),)
KERAS = (
    Wiring(channels="all", last="softmax", loss="sparse_logits", targets="indices", read="as_is"),
    Wiring(channels="all", last="softmax", loss="categorical_logits", targets="one_hot", read="as_is"),
)


def build(seed: int) -> Case:
    """Build a case: sigmoid or softmax twice, fresh or trained for a while."""
    return redrawn("activation_twice", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, prevalence=(0.003, 0.25), real=True)
    wide = TORCH if recipe.framework == "torch" else KERAS
    wiring = ONE if recipe.classes == 2 and rng.random() < 0.7 else choice(rng, wide)
    training = start(recipe, wiring)
    training.fit(int(rng.integers(0, 60)))
    return training_case(
        training,
        "activation_twice",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        drawn=told(last=wiring.last, proof="by construction"),
    )
