"""10. Coloured masks were read as grey: their luminance stands where class ids should."""

import numpy as np
from numpy.typing import NDArray

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos
from casebook.runs import draw_training
from casebook.training import ask, start, training_case
from casebook.wirings import RIGHT

VOC = (
    *((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)),
    *((128, 128, 128), (64, 0, 0), (192, 0, 0), (64, 128, 0), (192, 128, 0)),
)
CAMVID = (
    *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0)),
    *((192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192), (0, 0, 0)),
)
PRIMARIES = (
    *((0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)),
    *((255, 255, 255), (255, 128, 0), (128, 0, 255), (0, 128, 64), (128, 64, 0)),
)


def build(seed: int) -> Case:
    """Build a case by files or by batches."""
    return redrawn("colours_read_as_grey", seed, _draw)


def luminance(colours: tuple[tuple[int, int, int], ...]) -> NDArray[np.int64]:
    """Return grey values as image libraries compute them (ITU-R BT.601)."""
    return np.round(np.array(colours) @ np.array([0.299, 0.587, 0.114])).astype(np.int64)


def _draw(rng: np.random.Generator) -> Case:
    classes = choice(rng, (3, 4, 6, 9))
    grey = luminance(choice(rng, (VOC, CAMVID, PRIMARIES)))[:classes]
    hold(len(set(grey.tolist())) == classes, "two colours have one grey")
    if rng.random() < 0.5:
        return _files(rng, classes, grey)
    recipe, _ = draw_training(rng, classes=classes, prevalence=(0.005, 0.1))
    wirings = [one for one in RIGHT[recipe.framework, "all"] if one.targets == "indices"]
    training = start(recipe, choice(rng, wirings))
    world = recipe.world
    training.batches = training.batched(world.photos, grey[world.labels])
    training.unseen = training.batched(world.unseen_photos, grey[world.unseen_labels])
    return training_case(
        training,
        "colours_read_as_grey",
        beside=("label_values_out_of_range", "metric_illusion", "under_trained", "absent_class"),
        drawn=told(proof=f"grey values {grey.tolist()}"),
    )


def _files(rng: np.random.Generator, classes: int, grey: NDArray[np.int64]) -> Case:
    world = draw_world(rng, classes=classes, size=choice(rng, (96, 128)), prevalence=(0.005, 0.1))
    folder, names = new_folder(), stems(rng, len(world.photos))
    write_photos(folder / "images", names, world.photos)
    write_masks(folder / "masks", names, grey[world.labels].astype(np.uint8))
    return Case(
        expected=("colours_read_as_grey",),
        framework="files",
        diagnose=ask(subject=folder),
        drawn=told(classes=classes, proof=f"grey values {grey.tolist()}"),
    )
