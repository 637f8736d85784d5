"""8. Targets hold values that no class has: 0 and 255 for a yes-or-no loss, ids from 1 on, a stray 255."""

import numpy as np

from casebook.case import Case, redrawn, told
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos, write_toml
from casebook.runs import draw_training
from casebook.training import ask, start, training_case
from casebook.wirings import RIGHT


def build(seed: int) -> Case:
    """Build a case by batches, or by files whose description lacks a value."""
    return redrawn("label_values_out_of_range", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    if rng.random() < 0.25:
        return _files(rng)
    if rng.random() < 0.5:
        return _bytes(rng)
    return _ids(rng)


def _bytes(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, classes=2, prevalence=(0.005, 0.25), real=True)
    training = start(recipe, choice(rng, RIGHT[recipe.framework, "one"][-1:]))
    training.batches = [(images, targets * 255) for images, targets in training.batches]
    training.unseen = [(images, targets * 255) for images, targets in training.unseen]
    if training.wiring.loss != "bce":
        training.fit(int(rng.integers(0, 40)))
    return training_case(
        training,
        "label_values_out_of_range",
        beside=("metric_illusion", "under_trained", "threshold_off", "learning_rate_too_high"),
        drawn=told(proof="targets are 0 and 255"),
    )


def _ids(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, classes=choice(rng, (3, 5, 9)), prevalence=(0.005, 0.1))
    wirings = [one for one in RIGHT[recipe.framework, "all"] if one.targets == "indices"]
    training = start(recipe, choice(rng, wirings))
    from_one = bool(rng.random() < 0.6)
    if from_one:
        training.batches = [(images, targets + 1) for images, targets in training.batches]
        training.unseen = [(images, targets + 1) for images, targets in training.unseen]
    else:
        for _, targets in (*training.batches, *training.unseen):
            targets[:, :3] = 255
            targets[:, :, -3:] = 255
    return training_case(
        training,
        "label_values_out_of_range",
        beside=("metric_illusion", "under_trained", "absent_class"),
        drawn=told(proof="ids from 1 on" if from_one else "255 along two sides"),
    )


def _files(rng: np.random.Generator) -> Case:
    world = draw_world(rng, classes=choice(rng, (3, 4, 6)), size=96, prevalence=(0.005, 0.1))
    folder, names = new_folder(), stems(rng, len(world.photos))
    left = int(rng.integers(1, len(world.classes)))
    write_photos(folder / "images", names, world.photos)
    write_masks(folder / "masks", names, world.labels.astype(np.uint8))
    named = [(name, (k,)) for k, name in enumerate(world.classes) if k != left]
    return Case(
        expected=("label_values_out_of_range",),
        framework="files",
        diagnose=ask(subject=write_toml(folder, named)),
        drawn=told(classes=len(world.classes), proof=f"value {left} of the masks is no class"),
    )
