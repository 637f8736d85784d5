"""11. All labels lie some pixels beside what they mean."""

from dataclasses import replace

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import World, choice, draw_recipe, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos
from casebook.measuring import information
from casebook.training import ask, start, training_case
from casebook.wirings import right_wiring

MARGIN = 10


def build(seed: int) -> Case:
    """Build a case by files or by batches."""
    return redrawn("shifted_labels", seed, _draw)


def shifted(world: World, move: tuple[int, int]) -> World:
    """Return the world's middle, with labels taken `move` rows and columns off."""
    inner = slice(MARGIN, -MARGIN)
    down, right = move
    side = world.photos.shape[-1]
    rows = slice(MARGIN - down, side - MARGIN - down)
    cols = slice(MARGIN - right, side - MARGIN - right)
    return replace(
        world,
        photos=world.photos[..., inner, inner],
        unseen_photos=world.unseen_photos[..., inner, inner],
        labels=world.labels[:, rows, cols],
        unseen_labels=world.unseen_labels[:, rows, cols],
    )


def draw_shifted(rng: np.random.Generator, size: int) -> tuple[World, str]:
    """Draw a world of `size` px with shifted labels, and the numbers that prove it."""
    whole = draw_world(
        rng, prevalence=(0.02, 0.2), images=16, size=size + 2 * MARGIN, contrast=(4, 7), real=True
    )
    move = (int(rng.integers(-8, 9)), int(rng.integers(-8, 9)))
    hold(np.hypot(*move) >= 4, "too small a shift")
    straight, world = shifted(whole, (0, 0)), shifted(whole, move)
    right, given = (information(one.photos, one.labels) for one in (straight, world))
    hold(given < 0.75 * right, f"information {given:.3f} against {right:.3f}")
    return world, f"shift {move}, information {given:.3f} nats, straight {right:.3f}"


def _draw(rng: np.random.Generator) -> Case:
    by_files = rng.random() < 0.5
    world, proof = draw_shifted(rng, choice(rng, (96, 128)) if by_files else choice(rng, (48, 64)))
    if by_files:
        folder, names = new_folder(), stems(rng, len(world.photos))
        factor = 255 if len(world.classes) == 2 else 1
        write_photos(folder / "images", names, world.photos)
        write_masks(folder / "masks", names, (world.labels * factor).astype(np.uint8))
        return Case(
            expected=("shifted_labels",),
            framework="files",
            diagnose=ask(subject=folder),
            drawn=told(proof=proof),
        )
    recipe = draw_recipe(rng, world)
    training = start(recipe, right_wiring(rng, recipe.framework, recipe.classes))
    training.fit(int(rng.integers(10, 60)))
    return training_case(
        training,
        "shifted_labels",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        drawn=told(proof=proof),
    )
