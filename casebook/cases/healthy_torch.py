"""Healthy: PyTorch trainings that came to good results, with all that people do rightly."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from casebook.case import Case, redrawn, told
from casebook.drawing import choice
from casebook.runs import draw_training, fit_until, good
from casebook.training import start, training_case
from casebook.wirings import RIGHT, Wiring


class WithDice(nn.Module):
    """Cross-entropy plus soft Dice."""

    def __init__(self) -> None:
        """Take both with weight 1."""
        super().__init__()
        self.cross_entropy = nn.CrossEntropyLoss()

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the sum."""
        shares = logits.softmax(1)
        truth = nn.functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)
        overlap = (shares * truth).sum((0, 2, 3))
        dice = 1 - (2 * overlap + 1) / (shares.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + 1)
        return torch.as_tensor(self.cross_entropy(logits, labels) + dice.mean())


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("healthy_torch", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(
        rng, framework="torch", prevalence=(0.015, 0.25), contrast=(4.5, 8), real=False
    )
    more: dict[str, Any] = {}
    loss, kind = None, choice(rng, ("plain", "plain", "weighted", "dice", "ignore"))
    if kind != "plain":
        wiring = RIGHT["torch", "all"][0]
    if kind == "weighted":
        loss, wiring, more = _weighted(rng, recipe)
    elif kind == "dice":
        loss = WithDice()
    elif kind == "ignore":
        loss = nn.CrossEntropyLoss(ignore_index=255)
    training = start(recipe, wiring, loss=loss)
    if kind == "ignore":
        for _, targets in training.batches:
            targets[:, :2] = 255
    scores = fit_until(training, good, most=300)
    return training_case(training, drawn=told(kind=kind, proof=scores.told()), **more)


def _weighted(rng: np.random.Generator, recipe: Any) -> tuple[nn.Module, Wiring, dict[str, Any]]:
    """Square-root inverse weights, where they belong."""
    counts = recipe.world.counts
    weights = np.clip(np.sqrt(counts[0] / np.maximum(counts, 1)), 1, 6)
    told_too = {"class_weight": dict(enumerate(map(float, weights)))} if rng.random() < 0.5 else {}
    tensor = torch.tensor(weights, dtype=torch.float32)
    if recipe.classes == 2 and rng.random() < 0.5:
        return nn.BCEWithLogitsLoss(pos_weight=tensor[1]), RIGHT["torch", "one"][0], told_too
    return nn.CrossEntropyLoss(weight=tensor), RIGHT["torch", "all"][0], told_too
