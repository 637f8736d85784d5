"""Healthy: classes that may overlap, where a sigmoid per class and binary cross-entropy are right."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.cases.sigmoid_on_exclusive_classes import WIRINGS
from casebook.drawing import choice, draw_recipe, draw_world
from casebook.measuring import average_precision
from casebook.scenes import draw_scenes
from casebook.torch_training import TorchTraining
from casebook.training import start, training_case


def build(seed: int) -> Case:
    """Build a case: each class is drawn by itself on a band of its own; trained to good results."""
    return redrawn("healthy_overlapping", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    world = draw_world(rng, classes=3, prevalence=(0.05, 0.2), contrast=(4, 7))
    hold(world.look is not None, "real crops do not overlap")
    truth = []
    for photos, labels in ((world.photos, world.labels), (world.unseen_photos, world.unseen_labels)):
        size = photos.shape[-1]
        _, others = draw_scenes(rng, world.look, len(photos), size)
        second = others > 0
        photos[:, 2] = np.clip(photos[:, 2] * 0.4 + 110 * second, 0, 255).astype(np.uint8)
        truth.append(np.stack([labels == 1, labels == 2, second], 1).astype(np.float32))
    recipe = draw_recipe(rng, world)
    training = start(recipe, choice(rng, WIRINGS[recipe.framework]))
    shaped = truth if isinstance(training, TorchTraining) else [np.moveaxis(one, 1, -1) for one in truth]
    training.batches = training.batched(world.photos, np.ascontiguousarray(shaped[0]))
    training.unseen = training.batched(world.unseen_photos, np.ascontiguousarray(shaped[1]))
    found = [0.0]
    while min(found) < 0.7 and training.steps < 240:
        training.fit(40)
        answers = np.concatenate([training.probabilities(batch[0]) for batch in training.unseen])
        found = [average_precision(answers[:, k].ravel(), truth[1][:, k].ravel() > 0.5) for k in range(3)]
    hold(min(found) >= 0.7, f"AP {min(found):.2f}")
    hit = [float(((answers[:, k] > 0.5) & (truth[1][:, k] > 0.5)).sum()) for k in range(3)]
    either = [float(((answers[:, k] > 0.5) | (truth[1][:, k] > 0.5)).sum()) for k in range(3)]
    worst = min(one / max(other, 1) for one, other in zip(hit, either, strict=True))
    hold(worst >= 0.3, f"a class is mapped with an IoU of {worst:.2f}")
    several = float((truth[0].sum(1) > 1).mean())
    hold(several > 0.01, "classes hardly overlap")
    return training_case(
        training,
        classes=("crown", "road", "shade"),
        drawn=told(proof=f"AP {min(found):.2f}, {several:.2f} of the pixels hold several classes"),
    )
