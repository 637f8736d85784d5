"""Drawing a whole training in one line, and running it until it shows what is wanted."""

from collections.abc import Callable
from typing import Any

import numpy as np

from casebook.case import hold
from casebook.drawing import Recipe, draw_recipe, draw_world
from casebook.measuring import Scores
from casebook.training import Training, start
from casebook.wirings import Wiring, right_wiring

_OF_WORLD = ("classes", "prevalence", "images", "size", "contrast", "decoys", "real")


def draw_training(rng: np.random.Generator, **wanted: Any) -> tuple[Recipe, Wiring]:
    """Draw a recipe and a right wiring; `wanted` goes to draw_world and draw_recipe."""
    world = draw_world(rng, **{name: wanted.pop(name) for name in _OF_WORLD if name in wanted})
    recipe = draw_recipe(rng, world, **wanted)
    return recipe, right_wiring(rng, recipe.framework, recipe.classes)


def fit_until(
    training: Training, reached: Callable[[Scores], bool], *, every: int = 25, most: int = 250
) -> Scores:
    """Train until `reached`; return the scores then.

    Raises:
        NotSick: if `most` steps do not suffice.
    """
    while training.steps < most:
        training.fit(every)
        scores = training.scores()
        if reached(scores):
            return scores
        # A network that does not rank by then is not worth the other half of the time.
        hold(
            training.steps < 0.4 * most or scores.lift > 1.5 or scores.average_precision > 0.4, scores.told()
        )
    hold(condition=False, reason=f"not reached in {most} steps: {scores.told()}")
    return scores


def learns(scores: Scores) -> bool:
    """Return whether the rarest class is ranked well."""
    return scores.average_precision > max(0.5, 2 * scores.prevalence)


def good(scores: Scores) -> bool:
    """Return whether a training may be called healthy: the rarest class about as much as there is, and every class."""
    frequent = scores.predicted / max(scores.prevalence, 1e-9)
    every = scores.least_iou > 0.3
    return every and scores.iou > 0.5 and 0.6 < frequent < 1.6 and scores.average_precision > 0.65


def check_learnable(recipe: Recipe, wiring: Wiring, *, rate: float | None = None, most: int = 200) -> Scores:
    """Make sure that the same network learns this world when it is trained well; raise NotSick if not."""
    return fit_until(start(recipe, wiring, rate=rate), learns, every=40, most=most)
