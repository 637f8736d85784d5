"""26. Images are scaled, ordered or normalised otherwise when mapping than in training."""

import numpy as np
from numpy.typing import NDArray

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import World, choice
from casebook.measuring import Scores, scores
from casebook.runs import draw_training, fit_until, good
from casebook.torch_training import TorchTraining
from casebook.training import Training, start, training_case


def build(seed: int) -> Case:
    """Build a case: a well-trained network, and the images that it is fed when mapping."""
    return redrawn("preprocessing_differs", seed, _draw, attempts=12)


def wrongly_fed(rng: np.random.Generator, world: World) -> tuple[str, NDArray[np.float32]]:
    """Return unseen scenes prepared wrongly, (n, bands, rows, cols), and how."""
    photos = world.unseen_photos.astype(np.float32)
    right, scaled = world.fed(photos), bool(world.scale[0] == 255)
    how = choice(rng, ("grey levels", "divided again", "bands swapped", "other normalisation"))
    if how == "grey levels":
        return how, photos
    if how == "divided again":
        return how, right / 255 if scaled else (photos / 255 - world.offset[:, None, None]) / world.scale[
            :, None, None
        ]
    if how == "bands swapped":
        return how, np.ascontiguousarray(world.fed(photos[:, ::-1]))
    return how, (photos / 255 - 0.45) / 0.225 if scaled else photos / 255


def _draw(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(
        rng, prevalence=(0.03, 0.2), contrast=(4, 7), classes=choice(rng, (2, 2, 3)), batch_norm=False
    )
    training = start(recipe, wiring)
    fit_until(training, good, most=240)
    how, fed = wrongly_fed(rng, recipe.world)
    worse = answered(training, fed)
    right = training.scores()
    hold(not worse.iou > 0.5 * right.iou, f"it stands {how}: {worse.told()}")
    given = fed if isinstance(training, TorchTraining) else np.ascontiguousarray(np.moveaxis(fed, 1, -1))
    gap = _band_gap(recipe.world, fed)
    return training_case(
        training,
        "preprocessing_differs",
        beside=(),
        prediction_inputs=given,
        drawn=told(how=how, right=right.told(), wrong=worse.told(), gap=gap),
    )


def _band_gap(world: World, fed: NDArray[np.float32]) -> float:
    """Return the largest difference of band means in deviations of training, and require one that can be seen."""
    training = world.fed(world.photos)
    gap = np.abs(fed.mean((0, 2, 3)) - training.mean((0, 2, 3))) / training.std((0, 2, 3))
    spread = fed.std() / training.std()
    hold(float(gap.max()) > 0.4 or not 0.6 < spread < 1.6, "band means and spread are alike")
    return float(gap.max())


def answered(training: Training, fed: NDArray[np.float32]) -> Scores:
    """Return the scores of answers to these inputs."""
    world = training.recipe.world
    raw = fed * world.scale[:, None, None] + world.offset[:, None, None]
    batches = training.batched(raw, training.targets(world.unseen_labels))
    answers = np.concatenate([training.probabilities(batch[0]) for batch in batches])
    return scores(answers, world.unseen_labels, world.rare, 0.0)
