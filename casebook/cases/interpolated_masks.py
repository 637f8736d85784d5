"""9. Masks were resized with interpolation, or saved as JPEG: values between those of the classes along every edge."""

import cv2
import numpy as np
from numpy.typing import NDArray

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos
from casebook.runs import draw_training
from casebook.torch_training import TorchTraining
from casebook.training import ask, start, training_case
from casebook.wirings import RIGHT


def build(seed: int) -> Case:
    """Build a case by files (PNG or JPEG) or by batches of soft targets."""
    return redrawn("interpolated_masks", seed, _draw)


def interpolated(
    rng: np.random.Generator, masks: NDArray[np.integer], *, linear: bool = False
) -> NDArray[np.uint8]:
    """Shrink masks (n, rows, cols) of 0..255 and enlarge them again, with interpolation."""
    how = cv2.INTER_LINEAR if linear or rng.random() < 0.6 else cv2.INTER_CUBIC
    size, factor = masks.shape[-1], float(rng.uniform(0.4, 0.8))
    small = round(size * factor)
    values = [
        cv2.resize(
            cv2.resize(mask.astype(np.uint8), (small, small), interpolation=cv2.INTER_NEAREST),
            (size, size),
            interpolation=how,
        )
        for mask in masks
    ]
    return np.stack(values)


def _draw(rng: np.random.Generator) -> Case:
    return _batches(rng) if rng.random() < 0.35 else _files(rng)


def _files(rng: np.random.Generator) -> Case:
    classes = choice(rng, (2, 2, 3, 4))
    world = draw_world(rng, classes=classes, size=choice(rng, (96, 128)), prevalence=(0.01, 0.2), real=True)
    folder, names = new_folder(), stems(rng, len(world.photos))
    step = 255 // (classes - 1)
    masks = (world.labels * step).astype(np.uint8)
    suffix = choice(rng, (".png", ".png", ".jpg"))
    if suffix == ".png":
        masks = interpolated(rng, masks)
        between = float((masks % step != 0).mean())
        hold(between > 0.01, f"only {between:.3f} between")
    write_photos(folder / "images", names, world.photos)
    write_masks(folder / "masks", names, masks, suffix)
    return Case(
        expected=("interpolated_masks",),
        framework="files",
        diagnose=ask(subject=folder),
        drawn=told(classes=classes, suffix=suffix, proof=f"{len(np.unique(masks))} values before saving"),
    )


def _batches(rng: np.random.Generator) -> Case:
    recipe, _ = draw_training(rng, classes=2, prevalence=(0.02, 0.25), real=True)
    training = start(recipe, choice(rng, RIGHT[recipe.framework, "one"]))
    world = recipe.world
    form = [
        interpolated(rng, labels * 255, linear=True).astype(np.float32) / 255
        for labels in (world.labels, world.unseen_labels)
    ]
    shaped = [part[:, None] if isinstance(training, TorchTraining) else part[..., None] for part in form]
    training.batches = training.batched(world.photos, shaped[0])
    training.unseen = training.batched(world.unseen_photos, shaped[1])
    between = float(((form[0] > 0) & (form[0] < 1)).mean())
    hold(between > 0.01, f"only {between:.3f} between")
    training.fit(int(rng.integers(0, 60)))
    return training_case(
        training,
        "interpolated_masks",
        beside=("metric_illusion", "under_trained", "threshold_off"),
        drawn=told(proof=f"{between:.3f} of the targets lie between 0 and 1"),
    )
