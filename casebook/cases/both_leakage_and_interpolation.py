"""Two causes, by files: validation holds training scenes, and masks were resized with interpolation."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.cases.interpolated_masks import interpolated
from casebook.drawing import draw_world
from casebook.files import new_folder, stems, write_masks, write_photos
from casebook.training import ask


def build(seed: int) -> Case:
    """Build a case."""
    return redrawn("both_leakage_and_interpolation", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    world = draw_world(rng, classes=2, prevalence=(0.03, 0.2), size=96, images=20)
    masks = interpolated(rng, world.labels * 255)
    hold(float(((masks > 0) & (masks < 255)).mean()) > 0.01, "hardly anything between")
    validation = np.append(rng.choice(14, 3, replace=False), np.arange(14, 20))
    names, folder = stems(rng, 14 + len(validation)), new_folder()
    for part, chosen, called in (("train", np.arange(14), names[:14]), ("val", validation, names[14:])):
        write_photos(folder / part / "images", called, world.photos[chosen])
        write_masks(folder / part / "masks", called, masks[chosen])
    return Case(
        expected=("interpolated_masks", "leakage"),
        framework="files",
        diagnose=ask(subject=folder),
        drawn=told(proof=f"3 of {len(validation)} validation scenes are trained on"),
    )
