"""Healthy: good maps, as probabilities of a trained network or as masks in the values of the truth."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.cases.seams import fair_maps, write_truth
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, write_masks, write_probabilities
from casebook.measuring import iou
from casebook.runs import draw_training, fit_until, good
from casebook.training import ask, start


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("healthy_predictions", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    return _probabilities(rng) if rng.random() < 0.5 else _masks(rng)


def _probabilities(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(
        rng, classes=choice(rng, (2, 2, 3)), prevalence=(0.02, 0.2), contrast=(4, 7)
    )
    training = start(recipe, wiring)
    scores = fit_until(training, good, most=300)
    held = recipe.world.unseen_photos, recipe.world.unseen_labels
    object.__setattr__(recipe.world, "photos", held[0])
    object.__setattr__(recipe.world, "labels", held[1])
    folder, names, _ = write_truth(rng, recipe.world)
    answers = new_folder()
    probabilities = np.concatenate([training.probabilities(batch[0]) for batch in training.unseen])
    write_probabilities(answers, names, probabilities)
    return Case(
        expected=(),
        framework="files",
        diagnose=ask(subject=folder, predictions=answers),
        drawn=recipe.told(proof=scores.told()),
    )


def _masks(rng: np.random.Generator) -> Case:
    world = draw_world(rng, classes=2, prevalence=(0.03, 0.2), size=choice(rng, (96, 128, 192)), real=True)
    folder, names, _ = write_truth(rng, world)
    maps, answers = fair_maps(rng, world.labels), new_folder()
    write_masks(answers, names, (maps * 255).astype(np.uint8))
    found = iou(maps, world.labels, 1)
    hold(found > 0.5, f"the maps are poor: IoU {found:.2f}")
    return Case(
        expected=(),
        framework="files",
        diagnose=ask(subject=folder, predictions=answers),
        drawn=told(kind="0 and 255", proof=f"IoU {found:.2f}"),
    )
