"""27. A softmax over one channel: it answers 1 everywhere, whatever it is shown."""

import numpy as np
from torch import Tensor

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice
from casebook.runs import draw_training
from casebook.training import start, training_case
from casebook.wirings import Wiring

BCE = Wiring(channels="one", last="softmax", loss="bce", targets="plane", read="as_is")


def squared(answers: Tensor, targets: Tensor) -> Tensor:
    """Return the Brier score."""
    return ((answers - targets) ** 2).mean()


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("softmax_on_one_channel", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, classes=2, prevalence=(0.003, 0.3), real=True)
    loss = choice(rng, (None, squared)) if recipe.framework == "torch" else None
    training = start(recipe, BCE, loss=loss)
    training.fit(int(rng.integers(0, 20)))
    answers = np.concatenate([training.probabilities(batch[0]) for batch in training.unseen])
    hold(float(np.ptp(answers)) == 0.0, "the answer varies")
    return training_case(
        training,
        "softmax_on_one_channel",
        acceptable=(),
        beside=("metric_illusion", "under_trained"),
        drawn=told(proof=f"answers {answers.flat[0]:.1f} everywhere"),
    )
