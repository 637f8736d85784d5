"""11. Masks belong to other images: sorted differently, or off by one."""

import numpy as np
from numpy.typing import NDArray

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice, draw_recipe, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos
from casebook.measuring import information
from casebook.training import ask, start, training_case
from casebook.wirings import right_wiring


def build(seed: int) -> Case:
    """Build a case by files or by batches."""
    return redrawn("wrong_pairs", seed, _draw)


def _order(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Return a permutation without fixed points: one on, or any."""
    if rng.random() < 0.5:
        return np.roll(np.arange(count), int(rng.integers(1, 3)))
    cycle = rng.permutation(count)
    order = np.empty(count, np.int64)
    order[cycle] = np.roll(cycle, 1)
    return order


def _draw(rng: np.random.Generator) -> Case:
    by_files = rng.random() < 0.5
    size = choice(rng, (96, 128)) if by_files else None
    world = draw_world(rng, prevalence=(0.02, 0.25), images=20, size=size, real=True)
    order, unseen = _order(rng, len(world.labels)), _order(rng, len(world.unseen_labels))
    right = information(world.photos, world.labels)
    given = information(world.photos, world.labels[order])
    hold(given < 0.4 * right, f"information {given:.3f} against {right:.3f}")
    drawn = told(proof=f"information {given:.3f} nats, rightly paired {right:.3f}")
    if by_files:
        folder, names = new_folder(), stems(rng, len(world.photos))
        factor = 255 if len(world.classes) == 2 else 1
        write_photos(folder / "images", names, world.photos)
        write_masks(folder / "masks", names, (world.labels[order] * factor).astype(np.uint8))
        return Case(expected=("wrong_pairs",), framework="files", diagnose=ask(subject=folder), drawn=drawn)
    recipe = draw_recipe(rng, world)
    training = start(recipe, right_wiring(rng, recipe.framework, recipe.classes))
    training.batches = training.batched(world.photos, training.targets(world.labels[order]))
    training.unseen = training.batched(world.unseen_photos, training.targets(world.unseen_labels[unseen]))
    training.fit(int(rng.integers(10, 60)))
    return training_case(
        training, "wrong_pairs", beside=("metric_illusion", "under_trained", "threshold_off"), drawn=drawn
    )
