"""23. Some masks are wrong: nothing drawn, drawn for another image, or turned."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.cases.seams import write_truth
from casebook.drawing import choice, draw_recipe, draw_world
from casebook.measuring import average_precision
from casebook.runs import fit_until, learns
from casebook.scenes import Labels
from casebook.training import ask, start, training_case
from casebook.wirings import right_wiring


def build(seed: int) -> Case:
    """Build a case by files, or by batches with a trained network."""
    return redrawn("label_noise", seed, _draw)


def spoiled(rng: np.random.Generator, labels: Labels, count: int) -> tuple[Labels, str]:
    """Spoil the labels of `count` images in one way."""
    wrong, how = labels.copy(), choice(rng, ("empty", "of another", "turned"))
    picked = rng.choice(len(labels), count, replace=False)
    for index in picked:
        if how == "empty":
            wrong[index] = 0
        elif how == "of another":
            wrong[index] = labels[(index + 1 + rng.integers(len(labels) - 1)) % len(labels)]
        else:
            wrong[index] = np.rot90(labels[index], 2)
    return wrong, f"{how}: {sorted(picked.tolist())}"


def _draw(rng: np.random.Generator) -> Case:
    by_files = rng.random() < 0.5
    size = choice(rng, (96, 128)) if by_files else choice(rng, (48, 64))
    world = draw_world(
        rng, classes=choice(rng, (2, 2, 3)), prevalence=(0.04, 0.2), images=24, size=size, contrast=(4, 7)
    )
    count = int(rng.integers(2, 6))
    wrong, how = spoiled(rng, world.labels, count)
    different = int((wrong != world.labels).any((1, 2)).sum())
    hold(different == count, "some spoiled masks are as they were")
    drawn = told(how=how, proof=f"{count} of {len(wrong)} masks are wrong")
    if by_files:
        object.__setattr__(world, "labels", wrong)
        folder, _, _ = write_truth(rng, world)
        return Case(expected=("label_noise",), framework="files", diagnose=ask(subject=folder), drawn=drawn)
    recipe = draw_recipe(rng, world)
    training = start(recipe, right_wiring(rng, recipe.framework, recipe.classes))
    training.batches = training.batched(world.photos, training.targets(wrong))
    fit_until(training, learns, most=240)
    answers = np.concatenate([training.probabilities(batch[0]) for batch in training.batches])
    rank = answers[:, -1 if answers.shape[1] == 1 else world.rare]
    right = average_precision(rank.ravel(), (world.labels == world.rare).ravel())
    given = average_precision(rank.ravel(), (wrong == world.rare).ravel())
    hold(given < 0.97 * right, f"AP {given:.3f} by the spoiled masks, {right:.3f} by the right ones")
    return training_case(
        training,
        "label_noise",
        beside=("threshold_off", "metric_illusion", "empty_batches"),
        drawn={**drawn, **told(AP=f"{given:.3f} by the spoiled masks, {right:.3f} by the right ones")},
    )
