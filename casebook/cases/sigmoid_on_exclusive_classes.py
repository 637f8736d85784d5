"""5. A sigmoid per class and binary cross-entropy, though every pixel has exactly one class."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice
from casebook.runs import draw_training
from casebook.training import start, training_case
from casebook.wirings import Wiring

WIRINGS = {
    "torch": (
        Wiring(channels="all", last="none", loss="bce_logits", targets="one_hot", read="sigmoid"),
        Wiring(channels="all", last="sigmoid", loss="bce", targets="one_hot", read="as_is"),
    ),
    "keras": (
        Wiring(channels="all", last="sigmoid", loss="bce", targets="one_hot", read="as_is"),
        Wiring(channels="all", last="none", loss="bce_logits", targets="one_hot", read="sigmoid"),
    ),
}


def build(seed: int) -> Case:
    """Build a case: trained until pixels are claimed by no class or by several."""
    return redrawn("sigmoid_on_exclusive_classes", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    classes = choice(rng, (3, 4, 5, 8, 12))
    recipe, _ = draw_training(rng, classes=classes, prevalence=(0.004, 0.1))
    training = start(recipe, choice(rng, WIRINGS[recipe.framework]))
    training.fit(int(rng.integers(8, 60)))
    answers = np.concatenate([training.probabilities(batch[0]) for batch in training.unseen])
    claims = (answers > 0.5).sum(1)
    unclaimed = float((claims != 1).mean())
    hold(unclaimed > 0.02, f"only {unclaimed:.3f} of the pixels are claimed by none or several")
    return training_case(
        training,
        "sigmoid_on_exclusive_classes",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        drawn=told(proof=f"{unclaimed:.3f} of the pixels have no class or several"),
    )
