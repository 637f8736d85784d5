"""1. The network ranks well, but argmax and 0.5 never answer the rare class."""

import numpy as np

from casebook.case import Case, hold, redrawn, told
from casebook.files import new_folder, stems, write_masks, write_photos, write_probabilities
from casebook.measuring import Scores
from casebook.runs import draw_training, fit_until
from casebook.training import Training, ask, start, training_case


def build(seed: int) -> Case:
    """Build a case: trained until it ranks, or among look-alikes that keep every probability below 0.5."""
    return redrawn("threshold_off", seed, _draw)


def ranks_unseen(scores: Scores) -> bool:
    """Return whether the class is ranked well and hardly ever answered."""
    return (
        scores.lift > 4
        and scores.average_precision > 0.2
        and scores.predicted < 0.1 * scores.prevalence
        and scores.deviation > 0.7
    )


def _draw(rng: np.random.Generator) -> Case:
    decoys = float(rng.uniform(1.5, 3)) if rng.random() < 0.6 else 0.0
    classes = 2 if rng.random() < 0.7 else None
    recipe, wiring = draw_training(rng, prevalence=(0.004, 0.06), decoys=decoys, classes=classes)
    training = start(recipe, wiring)
    if decoys:
        fit_until(training, lambda now: now.lift > 4, most=200)
        training.fit(40)
        scores = training.scores()
        hold(ranks_unseen(scores), scores.told())
    else:
        scores = fit_until(training, ranks_unseen, every=10, most=200)
    drawn = told(decoys=decoys, proof=scores.told())
    beside = () if decoys else ("under_trained",)
    if rng.random() < 0.2:
        return _by_rasters(rng, training, drawn)
    return training_case(training, "threshold_off", beside=(*beside, "metric_illusion"), drawn=drawn)


def _by_rasters(rng: np.random.Generator, training: Training, drawn: dict[str, str]) -> Case:
    world, folder = training.recipe.world, new_folder()
    names = stems(rng, len(world.unseen_photos))
    probabilities = np.concatenate([training.probabilities(batch[0]) for batch in training.unseen])
    write_photos(folder / "images", names, world.unseen_photos)
    factor = 255 if len(world.classes) == 2 else 1
    write_masks(folder / "masks", names, (world.unseen_labels * factor).astype(np.uint8))
    maps = new_folder()
    write_probabilities(maps, names, probabilities)
    return Case(
        expected=("threshold_off",),
        beside=("under_trained", "metric_illusion"),
        framework="files",
        diagnose=ask(subject=folder, predictions=maps),
        drawn={**training.recipe.told(), **drawn, "by": "rasters"},
    )
