"""7. Raw logits go to a loss that takes probabilities (or their logarithms)."""

import numpy as np
import torch
from torch import Tensor

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice
from casebook.runs import draw_training
from casebook.training import start, training_case
from casebook.wirings import Wiring

PLANE = Wiring(channels="one", last="none", loss="bce", targets="plane", read="as_is")
INDICES = Wiring(channels="all", last="none", loss="nll", targets="indices", read="as_is")
ONE_HOT = Wiring(channels="all", last="none", loss="categorical", targets="one_hot", read="as_is")
_EPSILON = 1e-7


def clipped_bce(answers: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of probabilities, as people write it."""
    kept = answers.clamp(_EPSILON, 1 - _EPSILON)
    return -(targets * kept.log() + (1 - targets) * (1 - kept).log()).mean()


def plain_dice(answers: Tensor, targets: Tensor) -> Tensor:
    """Return soft Dice of probabilities, as people write it."""
    return 1 - (2 * (answers * targets).sum() + 1) / (answers.sum() + targets.sum() + 1)


def focal(answers: Tensor, targets: Tensor) -> Tensor:
    """Return the focal loss of probabilities."""
    right = torch.where(targets > 0.5, answers, 1 - answers).clamp(_EPSILON, 1)
    return (-((1 - right) ** 2) * right.log()).mean()


def build(seed: int) -> Case:
    """Build a case: fresh, or after some steps."""
    return redrawn("logits_to_probability_loss", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, prevalence=(0.003, 0.25), real=True)
    many, loss, steps = recipe.classes > 2 or rng.random() < 0.2, None, int(rng.integers(0, 30))
    if recipe.framework == "keras":
        wiring = ONE_HOT if many else PLANE
    elif many:
        wiring = INDICES
    else:
        wiring, loss = PLANE, choice(rng, (None, clipped_bce, clipped_bce, plain_dice, focal))
        steps = 0 if loss is None else steps
    training = start(recipe, wiring, loss=loss)
    training.fit(steps)
    answers = np.concatenate([training.probabilities(batch[0]) for batch in training.unseen])
    outside = float(((answers < 0) | (answers > 1)).mean()) if np.isfinite(answers).all() else 1.0
    hold(outside > 0.02, f"only {outside:.3f} of the answers are no probabilities")
    return training_case(
        training,
        "logits_to_probability_loss",
        beside=("metric_illusion", "under_trained", "threshold_off", "learning_rate_too_high"),
        drawn=told(loss=getattr(loss, "__name__", wiring.loss), proof=f"{outside:.3f} outside 0..1"),
    )
