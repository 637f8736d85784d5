"""12. Class weights fall on the wrong class: counted backwards, in another order, or the ratio upside down."""

from typing import Any

import numpy as np
import torch
from torch import nn

from casebook.case import Case, hold, redrawn, told
from casebook.cases.weights_ignored import told_weights
from casebook.drawing import choice
from casebook.keras_training import KerasTraining
from casebook.runs import draw_training
from casebook.training import start, training_case
from casebook.wirings import RIGHT


def build(seed: int) -> Case:
    """Build a case: PyTorch's `weight` and `pos_weight`, or Keras's sample weights."""
    return redrawn("weights_misapplied", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, prevalence=(0.005, 0.1), real=True)
    shares = recipe.world.counts / recipe.world.counts.sum()
    meant = told_weights(rng, shares)
    hold(max(meant) > 2, "weights are nearly even")
    one = recipe.classes == 2 and rng.random() < 0.5
    wrong = [1 / weight for weight in meant] if one else meant[::-1]
    rare = recipe.world.rare
    hold(
        wrong[rare] < 0.6 * max(wrong) and wrong[rare] < 0.6 * meant[rare], "the rare class is favoured still"
    )
    loss = _torch_loss(wrong, one=one) if recipe.framework == "torch" else None
    training = start(recipe, RIGHT[recipe.framework, "one" if one else "all"][0], loss=loss)
    if isinstance(training, KerasTraining):
        weigh(training, wrong)
    training.fit(int(rng.integers(0, 60)))
    form: Any = choice(rng, (dict(enumerate(meant)), meant))
    return training_case(
        training,
        "weights_misapplied",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        class_weight=form,
        drawn=told(meant=[round(w, 2) for w in meant], wrong=[round(w, 2) for w in wrong]),
    )


def _torch_loss(weights: list[float], *, one: bool) -> nn.Module:
    if one:
        return nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weights[1] / weights[0]))
    return nn.CrossEntropyLoss(weight=torch.tensor(weights))


def weigh(training: KerasTraining, weights: list[float]) -> None:
    """Add sample weights per pixel to every batch, by class. Keras hands them over as lists or data sets only."""
    table = np.array(weights, np.float32)
    world, size = training.recipe.world, training.recipe.batch
    for name, labels in (("batches", world.labels), ("unseen", world.unseen_labels)):
        batches = getattr(training, name)
        weighted = [
            (*batch[:2], table[labels[at * size : (at + 1) * size]]) for at, batch in enumerate(batches)
        ]
        setattr(training, name, weighted)
    training.packing = "list" if training.packing == "arrays" else training.packing
