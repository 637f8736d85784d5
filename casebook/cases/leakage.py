"""22. Validation shows what training has seen: the same scenes, overlapping windows, or neighbours on the ground."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from casebook.case import Case, redrawn, told
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos, write_raster
from casebook.runs import draw_training, fit_until, learns
from casebook.scenes import Labels, Photos
from casebook.training import ask, start, training_case


def build(seed: int) -> Case:
    """Build a case by batches with a trained network, or by files in two parts."""
    return redrawn("leakage", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    how = choice(rng, ("batches", "same files", "overlap", "touching"))
    return _batches(rng) if how == "batches" else _files(rng, how)


def _batches(rng: np.random.Generator) -> Case:
    recipe, wiring = draw_training(rng, prevalence=(0.02, 0.2), contrast=(4, 7))
    training = start(recipe, wiring)
    fit_until(training, learns, most=200)
    share = float(rng.uniform(0.4, 1.0))
    world, count = recipe.world, len(recipe.world.unseen_photos)
    shared = max(2, round(share * count))
    picked = rng.choice(len(world.photos), shared, replace=False)
    photos = np.concatenate([world.photos[picked], world.unseen_photos[shared:]])
    labels = np.concatenate([world.labels[picked], world.unseen_labels[shared:]])
    training.unseen = training.batched(photos, training.targets(labels))
    return training_case(
        training,
        "leakage",
        beside=("threshold_off", "metric_illusion"),
        drawn=told(proof=f"{shared} of {count} validation scenes are trained on"),
    )


def _files(rng: np.random.Generator, how: str) -> Case:
    classes = choice(rng, (2, 2, 3))
    world = draw_world(rng, classes=classes, prevalence=(0.03, 0.2), size=256, images=6)
    side, factor = 96, 255 if classes == 2 else 1
    step = {"overlap": 48, "touching": 96, "same files": 96}[how]
    if how == "touching":
        return _touching(rng, world.photos, (world.labels * factor).astype(np.uint8))
    photos, labels = windows(world.photos, world.labels, side, step if how == "overlap" else 128)
    order = rng.permutation(len(photos))
    cut = round(len(order) * 0.7)
    training, validation = order[:cut], order[cut:]
    if how == "same files":
        shared = max(2, round(len(validation) * float(rng.uniform(0.4, 1))))
        validation = np.concatenate([rng.choice(training, shared, replace=False), validation[shared:]])
    folder = new_folder()
    names = stems(rng, len(training) + len(validation))
    for part, chosen, called in (
        ("train", training, names[: len(training)]),
        ("val", validation, names[len(training) :]),
    ):
        write_photos(folder / part / "images", called, photos[chosen])
        write_masks(folder / part / "masks", called, (labels[chosen] * factor).astype(np.uint8))
    return Case(
        expected=("leakage",),
        framework="files",
        diagnose=ask(subject=folder),
        drawn=told(how=how, proof=f"{len(validation)} validation and {len(training)} training windows"),
    )


def windows(photos: Photos, labels: Labels, side: int, step: int) -> tuple[Photos, Labels]:
    """Cut windows of `side` px every `step` px."""
    starts = range(0, photos.shape[-1] - side + 1, step)
    spots = [(slice(top, top + side), slice(left, left + side)) for top in starts for left in starts]
    cut = [(photo[:, r, c], mask[r, c]) for photo, mask in zip(photos, labels, strict=True) for r, c in spots]
    return np.stack([one for one, _ in cut]), np.stack([one for _, one in cut])


def _touching(rng: np.random.Generator, photos: Photos, masks: NDArray[np.uint8]) -> Case:
    """Write georeferenced tiles of a few scenes, drawn into parts tile by tile."""
    folder, side = new_folder(), 64
    validation = 0
    for number, (photo, mask) in enumerate(zip(photos[:3], masks[:3], strict=True)):
        for top in range(0, 256, side):
            for left in range(0, 256, side):
                part = "val" if rng.random() < 0.3 else "train"
                validation += part == "val"
                place = (400_000.0 + 5_000 * number + left, 4_700_000.0 - top)
                rows, cols = slice(top, top + side), slice(left, left + side)
                name = f"s{number}_{top}_{left}.tif"
                _raster(folder / part / "images" / name, photo[:, rows, cols], place)
                _raster(folder / part / "masks" / name, mask[None, rows, cols], place)
    return Case(
        expected=("leakage",),
        framework="files",
        diagnose=ask(subject=folder),
        drawn=told(
            how="touching", proof=f"{validation} of 48 georeferenced tiles validate, drawn one by one"
        ),
    )


def _raster(path: Path, bands: NDArray[np.uint8], place: tuple[float, float]) -> None:
    write_raster(path, np.ascontiguousarray(bands), place)
