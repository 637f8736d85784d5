"""14. Most batches (or crops) hold no pixel of the rarest class."""

from dataclasses import replace

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import World, choice, draw_recipe, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos
from casebook.scenes import empty_scenes
from casebook.training import ask, start, training_case
from casebook.wirings import right_wiring


def build(seed: int) -> Case:
    """Build a case by batches, trained for a while, or by files."""
    return redrawn("empty_batches", seed, _draw)


def _mostly_empty(rng: np.random.Generator, world: World, per_full: int) -> World:
    """Put `per_full` scenes without the rarest class beside each with it, in any order."""
    hold(world.look is not None, "real crops have no empty kin")
    parts = []
    for photos, labels in ((world.photos, world.labels), (world.unseen_photos, world.unseen_labels)):
        more, empty = empty_scenes(rng, world.look, len(photos) * per_full, photos.shape[-1])
        order = rng.permutation(len(photos) * (per_full + 1))
        parts.append((np.concatenate([photos, more])[order], np.concatenate([labels, empty])[order]))
    return replace(
        world,
        photos=parts[0][0],
        labels=parts[0][1],
        unseen_photos=parts[1][0],
        unseen_labels=parts[1][1],
    )


def _draw(rng: np.random.Generator) -> Case:
    by_files = rng.random() < 0.35
    world = draw_world(
        rng, images=choice(rng, (4, 6)), prevalence=(0.005, 0.06), size=choice(rng, (48, 64, 96))
    )
    world = _mostly_empty(rng, world, int(rng.integers(12, 20)))
    if by_files:
        return _files(rng, world)
    recipe = replace(draw_recipe(rng, world), batch=choice(rng, (1, 2, 2, 4)))
    recipe = replace(recipe, packing={"arrays": "list"}.get(recipe.packing, recipe.packing))
    training = start(recipe, right_wiring(rng, recipe.framework, recipe.classes))
    size = recipe.batch
    held = [(world.labels[at : at + size] == world.rare).any() for at in range(0, len(world.labels), size)]
    share = 1 - float(np.mean(held))
    hold(share > 0.7, f"only {share:.2f} of the batches are empty")
    training.fit(int(rng.integers(10, 60)))
    return training_case(
        training,
        "empty_batches",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        drawn=told(proof=f"{share:.2f} of the batches lack {world.classes[world.rare]}"),
    )


def _files(rng: np.random.Generator, world: World) -> Case:
    folder, names = new_folder(), stems(rng, len(world.photos))
    factor = 255 if len(world.classes) == 2 else 1
    write_photos(folder / "images", names, world.photos)
    write_masks(folder / "masks", names, (world.labels * factor).astype(np.uint8))
    share = 1 - float((world.labels == world.rare).any((1, 2)).mean())
    return Case(
        expected=("empty_batches",),
        framework="files",
        diagnose=ask(subject=folder),
        drawn=told(proof=f"{share:.2f} of {len(names)} images lack the rarest class"),
    )
