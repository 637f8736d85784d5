"""12. Class weights are meant, but no pixel costs more for them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from casebook.case import Case, redrawn, told
from casebook.drawing import choice
from casebook.runs import draw_training
from casebook.training import start, training_case
from casebook.wirings import RIGHT


class Forgetful(nn.Module):
    """Cross-entropy that keeps its class weights to itself."""

    def __init__(self, weight: list[float]) -> None:
        """Keep the weights, one per class."""
        super().__init__()
        self.register_buffer("weight", torch.tensor(weight))

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, unweighted."""
        return functional.cross_entropy(logits, labels)


def told_weights(rng: np.random.Generator, shares: np.ndarray[Any, Any]) -> list[float]:
    """Return inverse or square-root inverse class weights, the first 1."""
    power = choice(rng, (0.5, 0.5, 0.8))
    weights = np.clip(shares[0] / np.maximum(shares, 1e-4), 0, 2000) ** power
    return [float(one) for one in np.clip(weights, 1, 40)]


def build(seed: int) -> Case:
    """Build a case: weights told to the diagnosis, and a loss that lacks or loses them."""
    return redrawn("weights_ignored", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, framework="torch", prevalence=(0.005, 0.1), real=True)
    weights = told_weights(rng, recipe.world.counts / recipe.world.counts.sum())
    form: Any = dict(enumerate(weights)) if rng.random() < 0.5 else weights
    one = recipe.classes == 2 and rng.random() < 0.5
    if one:
        everywhere = nn.BCEWithLogitsLoss(weight=torch.tensor(weights[1]))
        loss = choice(rng, (everywhere, nn.BCEWithLogitsLoss()))
    else:
        loss = choice(rng, (nn.CrossEntropyLoss(), Forgetful(weights)))
    training = start(recipe, RIGHT["torch", "one" if one else "all"][0], loss=loss)
    training.fit(int(rng.integers(0, 80)))
    return training_case(
        training,
        "weights_ignored",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        class_weight=form,
        drawn=told(weights=[round(w, 2) for w in weights], loss=type(loss).__name__, proof="by construction"),
    )
