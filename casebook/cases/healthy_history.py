"""Healthy: a good training with its history, and mapped with the same preparation as it was trained."""

from typing import Any

import numpy as np

from casebook.case import Case, redrawn, told
from casebook.runs import draw_training, fit_until, good
from casebook.torch_training import TorchTraining
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("healthy_history", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(rng, prevalence=(0.02, 0.2), contrast=(4, 7), size=48)
    history: dict[str, list[float]] = {name: [] for name in ("loss", "val_iou", "rare_share")}
    training = start(recipe, wiring)

    def noted(now: Any) -> bool:
        history["loss"].append(float(np.mean(training.losses[-20:])))
        history["val_iou"].append(float(np.nan_to_num(now.iou)))
        history["rare_share"].append(now.predicted)
        return good(now) and len(history["loss"]) >= 4

    scores = fit_until(training, noted, every=20, most=260)
    more: dict[str, Any] = {"history": history} if rng.random() < 0.7 else {}
    if not more or rng.random() < 0.5:
        fed = recipe.world.fed(recipe.world.unseen_photos)
        right = fed if isinstance(training, TorchTraining) else np.ascontiguousarray(np.moveaxis(fed, 1, -1))
        more["prediction_inputs"] = right
    return training_case(training, drawn=told(brought=list(more), proof=scores.told()), **more)
