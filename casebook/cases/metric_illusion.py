"""21. The accuracy looks fine, and the maps are no better than one answer everywhere."""

import numpy as np

from casebook.case import CANNOT_TELL, Case, redrawn, told
from casebook.cases.seams import write_truth
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, write_masks
from casebook.training import ask


def build(seed: int) -> Case:
    """Build a case: class maps of nothing but background, or hardly anything else."""
    return redrawn("metric_illusion", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    world = draw_world(rng, prevalence=(0.005, 0.1), size=choice(rng, (96, 128)), real=True)
    folder, names, factor = write_truth(rng, world)
    maps = np.zeros_like(world.labels)
    stray = float(choice(rng, (0.0, 0.0, 0.001)))
    maps[rng.random(maps.shape) < stray] = world.rare
    answers = new_folder()
    write_masks(answers, names, (maps * factor).astype(np.uint8))
    accuracy = float((maps == world.labels).mean())
    hit = (maps == world.rare) & (world.labels == world.rare)
    return Case(
        expected=("metric_illusion",),
        beside=("under_trained", CANNOT_TELL),
        framework="files",
        diagnose=ask(subject=folder, predictions=answers),
        drawn=told(
            classes=len(world.classes), proof=f"accuracy {accuracy:.3f}, rare pixels found {hit.sum()}"
        ),
    )
