"""15. The ignored value is the rare class's own, or nearly every pixel carries it."""

import keras
import numpy as np
from torch import nn

from casebook.case import Case, redrawn, told
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos, write_toml
from casebook.runs import draw_training
from casebook.training import ask, start, training_case
from casebook.wirings import RIGHT


def build(seed: int) -> Case:
    """Build a case by batches, trained for a while, or by files with a description."""
    return redrawn("ignored_labels", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    if rng.random() < 0.3:
        return _files(rng)
    recipe, _ = draw_training(rng, prevalence=(0.01, 0.15), real=True)
    world, rare = recipe.world, recipe.world.rare
    which = choice(rng, ("own", "255", "nearly all"))
    ignored = rare if which == "own" else 255
    wirings = [one for one in RIGHT[recipe.framework, "all"] if one.targets == "indices"]
    if recipe.framework == "torch":
        loss = nn.CrossEntropyLoss(ignore_index=ignored)
        wirings = wirings[:1]
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored)
    training = start(recipe, wirings[0], loss=loss)
    covered = []
    for name, photos, labels in (
        ("batches", world.photos, world.labels),
        ("unseen", world.unseen_photos, world.unseen_labels),
    ):
        marked = _marked(rng, labels, which, rare)
        covered.append(float((marked == ignored)[labels == rare].mean()))
        setattr(training, name, training.batched(photos, marked))
    training.fit(int(rng.integers(10, 50)))
    return training_case(
        training,
        "ignored_labels",
        beside=("metric_illusion", "under_trained", "threshold_off", "absent_class"),
        ignore_index=ignored if rng.random() < 0.5 else None,
        drawn=told(which=which, ignored=ignored, proof=f"{covered[0]:.2f} of the rare class is left out"),
    )


def _marked(rng: np.random.Generator, labels: np.ndarray, which: str, rare: int) -> np.ndarray:
    marked = labels.copy()
    if which == "255":
        marked[labels == rare] = 255
    elif which == "nearly all":
        side = labels.shape[-1]
        kept = max(6, round(side * float(rng.uniform(0.12, 0.2))))
        frame = np.ones((side, side), bool)
        top, left = rng.integers(0, side - kept, 2)
        frame[top : top + kept, left : left + kept] = False
        marked[:, frame] = 255
    return marked


def _files(rng: np.random.Generator) -> Case:
    world = draw_world(rng, classes=choice(rng, (3, 4)), prevalence=(0.02, 0.12), size=96)
    folder, names = new_folder(), stems(rng, len(world.photos))
    masks = world.labels.astype(np.uint8)
    masks[world.labels == world.rare] = 255
    write_photos(folder / "images", names, world.photos)
    write_masks(folder / "masks", names, masks)
    named = [(name, (255 if k == world.rare else k,)) for k, name in enumerate(world.classes)]
    kept = [one for one in named if one[1] != (255,)]
    return Case(
        expected=("ignored_labels",),
        beside=("absent_class",),
        framework="files",
        diagnose=ask(subject=write_toml(folder, kept, "void = [255]")),
        drawn=told(proof=f"{world.classes[world.rare]} is 255, which the description leaves out"),
    )
