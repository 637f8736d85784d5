"""24. The maps are right, but hold class ids, which a viewer shows as black."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.cases.seams import fair_maps, write_truth
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, write_masks
from casebook.measuring import iou
from casebook.training import ask


def build(seed: int) -> Case:
    """Build a case: good class maps with ids from 0."""
    return redrawn("display_only", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    world = draw_world(
        rng, prevalence=(0.02, 0.15), size=choice(rng, (96, 128, 160)), images=choice(rng, (8, 14)), real=True
    )
    folder, names, _ = write_truth(rng, world)
    maps, answers = fair_maps(rng, world.labels), new_folder()
    write_masks(answers, names, maps.astype(np.uint8), choice(rng, (".png", ".png", ".tif")))
    found = iou(maps, world.labels, world.rare)
    hold(found > 0.5, f"the maps are poor: rare IoU {found:.2f}")
    return Case(
        expected=("display_only",),
        framework="files",
        diagnose=ask(subject=folder, predictions=answers),
        drawn=told(
            classes=len(world.classes),
            proof=f"rare IoU {found:.2f}, highest id {maps.max()}",
        ),
    )
