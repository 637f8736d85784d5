"""Healthy: data folders as people have them, masks written in every right way."""

import numpy as np

from casebook.case import Case, redrawn, told
from casebook.cases.colours_read_as_grey import VOC
from casebook.drawing import choice, draw_world
from casebook.files import new_folder, stems, write_masks, write_photos, write_toml
from casebook.training import ask


def build(seed: int) -> Case:
    """Build a case: 0 and 255, ids, ids from a description, or colours; whole or in two parts."""
    return redrawn("healthy_folder", seed, _draw)


def _draw(rng: np.random.Generator) -> Case:
    classes = choice(rng, (2, 2, 2, 3, 4, 6))
    world = draw_world(
        rng,
        classes=classes,
        size=choice(rng, (96, 128, 160)),
        images=choice(rng, (12, 20, 30)),
        prevalence=(0.02, 0.25),
        real=True,
    )
    kind = choice(rng, ("values", "values", "described", "colours", "parts"))
    folder, masks = new_folder(), world.labels.astype(np.uint8) * (255 if classes == 2 else 1)
    names = stems(rng, len(masks))
    suffix = choice(rng, (".png", ".jpg"))
    if kind == "parts":
        names = stems(rng, len(masks) + len(world.unseen_labels))
        unseen = world.unseen_labels.astype(np.uint8) * (255 if classes == 2 else 1)
        for part, photos, drawn, called in (
            ("train", world.photos, masks, names[: len(masks)]),
            ("val", world.unseen_photos, unseen, names[len(masks) :]),
        ):
            write_photos(folder / part / "images", called, photos, suffix)
            write_masks(folder / part / "masks", called, drawn)
        return _case(folder, kind, classes)
    write_photos(folder / "images", names, world.photos, suffix)
    if kind == "colours":
        masks = np.array(VOC, np.uint8)[world.labels]
    write_masks(folder / "masks", names, masks)
    if kind == "described":
        step = 255 if classes == 2 else 1
        return _case(
            write_toml(folder, [(name, (k * step,)) for k, name in enumerate(world.classes)]), kind, classes
        )
    return _case(folder, kind, classes)


def _case(subject: object, kind: str, classes: int) -> Case:
    return Case(
        expected=(),
        framework="files",
        diagnose=ask(subject=subject),
        drawn=told(kind=kind, classes=classes),
    )
