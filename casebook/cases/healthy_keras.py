"""Healthy: Keras trainings that came to good results, with sample weights or without."""

import numpy as np

from casebook.case import Case, redrawn, told
from casebook.cases.weights_misapplied import weigh
from casebook.keras_training import KerasTraining
from casebook.runs import draw_training, fit_until, good
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("healthy_keras", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(rng, framework="keras", prevalence=(0.015, 0.25), contrast=(4.5, 8))
    training, weighted = start(recipe, wiring), rng.random() < 0.25
    if weighted and isinstance(training, KerasTraining):
        counts = recipe.world.counts
        weigh(training, [float(one) for one in np.clip(np.sqrt(counts[0] / np.maximum(counts, 1)), 1, 5)])
    scores = fit_until(training, good, most=300)
    return training_case(training, drawn=told(weighted=weighted, proof=scores.told()))
