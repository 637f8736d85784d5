"""20. The rare class was learnt and is forgotten later, while the training loss goes on falling."""

from typing import Any

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice
from casebook.runs import draw_training, fit_until
from casebook.scenes import empty_scenes
from casebook.training import Training, start, training_case


def build(seed: int) -> Case:
    """Build a case: trained well, then on without the class, with the history of both."""
    return redrawn("late_collapse", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(
        rng,
        prevalence=(0.02, 0.12),
        contrast=(4, 7),
        batch_norm=False,
        width=(6, 10),
        images=12,
        size=48,
        optimizers=("momentum", "adam", "adamw"),
    )
    hold(recipe.world.look is not None, "real crops have no empty kin")
    history: dict[str, list[float]] = {name: [] for name in ("loss", "val_iou", "rare_share")}
    training = start(recipe, wiring)

    def noted(_: Any) -> bool:
        _note(training, history, every=10)
        return history["val_iou"][-1] > 0.4 and len(history["loss"]) >= 4

    fit_until(training, noted, every=10, most=200)
    best, kept = max(history["val_iou"]), training.batches
    photos, labels = empty_scenes(rng, recipe.world.look, 12, recipe.world.photos.shape[-1])
    training.batches = training.batched(photos, training.targets(labels))
    for _ in range(int(rng.integers(5, 10))):
        training.fit(10)
        _note(training, history, every=10)
    training.batches = kept
    hold(history["val_iou"][-1] < 0.15 * best, f"not forgotten: {history['val_iou'][-1]:.3f} of {best:.3f}")
    hold(history["loss"][-1] < history["loss"][len(history["loss"]) // 2], "the loss does not fall")
    told_names = choice(rng, (("loss", "val_iou"), ("loss", "rare_share"), ("loss", "val_iou", "rare_share")))
    return training_case(
        training,
        "late_collapse",
        beside=("metric_illusion", "threshold_off", "under_trained"),
        history={name: history[name] for name in told_names},
        drawn=told(told=told_names, proof=f"IoU {best:.2f}, then {history['val_iou'][-1]:.3f}"),
    )


def _note(training: Training, history: dict[str, list[float]], *, every: int) -> None:
    now = training.scores()
    history["loss"].append(float(np.mean(training.losses[-every:])))
    history["val_iou"].append(float(np.nan_to_num(now.iou)))
    history["rare_share"].append(now.predicted)
