"""13. Dice alone: it settles on one answer for every pixel and its slope is gone."""

from typing import Any

import keras
import numpy as np
from torch import Tensor

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice
from casebook.measuring import Scores
from casebook.runs import check_learnable, draw_training
from casebook.torch_training import TorchTraining
from casebook.training import start, training_case
from casebook.wirings import Wiring, right_wiring

ONE = {
    "torch": Wiring(channels="one", last="sigmoid", loss="bce", targets="plane", read="as_is"),
    "keras": Wiring(channels="one", last="sigmoid", loss="bce", targets="plane", read="as_is"),
}
ALL = {
    "torch": Wiring(channels="all", last="softmax", loss="nll", targets="one_hot", read="as_is"),
    "keras": Wiring(channels="all", last="softmax", loss="categorical", targets="one_hot", read="as_is"),
}


def torch_dice(answers: Tensor, targets: Tensor) -> Tensor:
    """Return one minus soft Dice of probabilities, mean over channels, whole batch."""
    axes = (0, 2, 3)
    overlap = (answers * targets).sum(axes)
    return (1 - (2 * overlap + 1) / (answers.sum(axes) + targets.sum(axes) + 1)).mean()


def keras_dice(targets: Any, answers: Any) -> Any:
    """Return the same in Keras, channels last."""
    axes = (0, 1, 2)
    targets = keras.ops.cast(targets, answers.dtype)
    overlap = keras.ops.sum(answers * targets, axes)
    sizes = keras.ops.sum(answers, axes) + keras.ops.sum(targets, axes)
    return keras.ops.mean(1 - (2 * overlap + 1) / (sizes + 1))


def build(seed: int) -> Case:
    """Build a case: trained with Dice alone to a constant answer; cross-entropy learns the same."""
    return redrawn("dice_stuck", seed, _draw, attempts=16)


def _draw(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(
        rng,
        prevalence=(0.012, 0.08),
        contrast=(5.0, 8.0),
        optimizers=("sgd", "sgd", "momentum", "momentum", "adamw"),
        classes=choice(rng, (2, 2, 2, 3, 5)),
    )
    wiring = (ONE if recipe.classes == 2 and rng.random() < 0.7 else ALL)[recipe.framework]
    training = start(recipe, wiring, loss=torch_dice if recipe.framework == "torch" else keras_dice)
    _confident(training, float(rng.uniform(3, 9)))
    training.fit(20)
    early = training.scores()
    hold(_one_answer(early), f"it learns: {early.told()}")
    training.fit(40)
    scores = training.scores()
    hold(_one_answer(scores), f"it learns: {scores.told()}")
    hold(scores.dead < 0.35, f"dead units: {scores.told()}")
    epoch = len(training.batches)
    drop = 1 - np.mean(training.losses[-epoch:]) / np.mean(training.losses[-3 * epoch : -2 * epoch])
    hold(abs(drop) < 0.02, f"the loss still falls by {drop:.3f}")
    cured = check_learnable(recipe, right_wiring(rng, recipe.framework, recipe.classes), most=240)
    long = int(rng.integers(3, 10))
    return training_case(
        training,
        "dice_stuck",
        beside=("metric_illusion", "under_trained"),
        steps_trained=training.steps * long,
        epochs_trained=training.steps * long / epoch,
        drawn=told(proof=scores.told(), loss=training.losses[-1], drop=drop, cured=cured.told()),
    )


def _one_answer(scores: Scores) -> bool:
    """Return whether the maps show one class everywhere, and no better order than chance."""
    return scores.lift < 2 and not 0.05 * scores.prevalence < scores.predicted < 0.95


def _confident(training: Any, odds: float) -> None:
    """Start the last layer sure of the background, as after a prior bias or a first phase of cross-entropy."""
    if isinstance(training, TorchTraining):
        head = [layer for layer in training.model.modules() if hasattr(layer, "out_channels")][-1]
        bias = head.bias.data
        bias += -odds if len(bias) == 1 else 0
        bias[0] += odds if len(bias) > 1 else 0
        return
    kernel, bias = training.model.get_layer("head").get_weights()
    bias = bias - odds if len(bias) == 1 else bias + odds * (np.arange(len(bias)) == 0)
    training.model.get_layer("head").set_weights([kernel, bias])
