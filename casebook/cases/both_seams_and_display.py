"""Two causes: maps that are wrong along the borders of tiles, and hold class ids that a viewer shows as black."""

import numpy as np

from casebook.case import Case, redrawn, told
from casebook.cases.seams import draw_torn, write_truth
from casebook.files import new_folder, write_masks
from casebook.training import ask


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("both_seams_and_display", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    world, maps, proof = draw_torn(rng)
    folder, names, _ = write_truth(rng, world)
    answers = new_folder()
    write_masks(answers, names, maps.astype(np.uint8))
    return Case(
        expected=("seams", "display_only"),
        framework="files",
        diagnose=ask(subject=folder, predictions=answers),
        drawn=told(classes=len(world.classes), proof=proof),
    )
