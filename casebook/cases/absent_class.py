"""16. A class that is configured has no pixel in training, in validation, or anywhere."""

from dataclasses import replace

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import World, choice, draw_recipe, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos, write_toml
from casebook.scenes import NAMES
from casebook.training import ask, start, training_case
from casebook.wirings import right_wiring


def build(seed: int) -> Case:
    """Build a case by batches, trained for a while, or by files with a description."""
    return redrawn("absent_class", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    classes = choice(rng, (2, 3, 5, 8))
    world = draw_world(rng, classes=classes, prevalence=(0.02, 0.1))
    if rng.random() < 0.35:
        return _files(rng, world)
    where = choice(rng, ("training", "validation", "both"))
    world = _lacking(world, where)
    recipe = draw_recipe(rng, world)
    training = start(recipe, right_wiring(rng, recipe.framework, recipe.classes))
    training.fit(int(rng.integers(20, 120)))
    return training_case(
        training,
        "absent_class",
        beside=("metric_illusion", "under_trained", "threshold_off", "empty_batches"),
        drawn=told(where=where, proof=f"pixels in training {world.counts.tolist()}"),
    )


def _lacking(world: World, where: str) -> World:
    """Name one class more, or take the last one out of the validation scenes."""
    if where == "both":
        return replace(world, classes=(*world.classes, NAMES[len(world.classes)]))
    hold(len(world.classes) > 2, "two classes are needed")
    last = len(world.classes) - 1
    name = "labels" if where == "training" else "unseen_labels"
    pictures = "photos" if where == "training" else "unseen_photos"
    labels, photos = getattr(world, name).copy(), getattr(world, pictures).copy()
    gone = labels == last
    labels[gone] = 0
    background = np.median(photos.transpose(1, 0, 2, 3)[:, ~gone], axis=1).astype(np.uint8)
    photos.transpose(1, 0, 2, 3)[:, gone] = background[:, None]
    return replace(world, **{name: labels, pictures: photos})


def _files(rng: np.random.Generator, world: World) -> Case:
    folder, names = new_folder(), stems(rng, len(world.photos))
    write_photos(folder / "images", names, world.photos)
    write_masks(folder / "masks", names, world.labels.astype(np.uint8))
    named = [(name, (k,)) for k, name in enumerate((*world.classes, NAMES[len(world.classes)]))]
    return Case(
        expected=("absent_class",),
        framework="files",
        diagnose=ask(subject=write_toml(folder, named)),
        drawn=told(proof=f"no mask holds {len(world.classes)}"),
    )
