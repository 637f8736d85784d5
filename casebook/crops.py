"""Small crops of real sets with two classes, if the environment names a folder of images and masks.

RARESEG_CASEBOOK_DATA: a folder with images/ and masks/ of the same stems, masks 0 and 255.
"""

import os
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from casebook.scenes import Labels, Photos

VARIABLE = "RARESEG_CASEBOOK_DATA"
_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}


def real_scenes(rng: np.random.Generator, count: int, size: int) -> tuple[Photos, Labels] | None:
    """Return crops that hold both classes; None where no folder is named or too few crops do."""
    folder = os.environ.get(VARIABLE)
    pairs = _pairs(folder) if folder else ()
    if not pairs:
        return None
    photos, labels = [], []
    for _ in range(count * 20):
        photo, mask = _read(*pairs[int(rng.integers(len(pairs)))])
        top, left = (int(rng.integers(0, side - size + 1)) for side in mask.shape)
        cut = mask[top : top + size, left : left + size]
        if 0.01 < cut.mean() < 0.5:
            photos.append(photo[:, top : top + size, left : left + size])
            labels.append(cut)
        if len(photos) == count:
            return np.stack(photos), np.stack(labels)
    return None


@cache
def _pairs(folder: str) -> tuple[tuple[Path, Path], ...]:
    root = Path(folder)
    masks = {path.stem: path for path in sorted(root.glob("masks/*")) if path.suffix.lower() in _SUFFIXES}
    images = [path for path in sorted(root.glob("images/*")) if path.stem in masks]
    return tuple((path, masks[path.stem]) for path in images)


@cache
def _read(image: Path, mask: Path) -> tuple[Photos, Labels]:
    photo = cv2.imread(str(image), cv2.IMREAD_COLOR)
    drawn = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    if photo is None or drawn is None or photo.shape[:2] != drawn.shape:
        message = f"{image} and {mask} must be images of one size. Mend or remove the pair."
        raise ValueError(message)
    bands = np.ascontiguousarray(photo[..., ::-1].transpose(2, 0, 1))
    return bands, (drawn > 127).astype(np.int64)
