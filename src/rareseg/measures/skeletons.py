"""Thin skeletons of masks."""

import cv2
import numpy as np
from numpy.typing import NDArray

_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def thickened_skeleton(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Return the skeleton of `mask` (rows, cols), widened by `radius` steps to four neighbours and cut to the mask.

    The skeleton is one pixel wide and connected as the mask is (8 neighbours); with radius 0 it is left so.

    Reference: Zhang and Suen 1984, Communications of the ACM 27(3), as scikit-image has it.
    """
    if not mask.any():
        return np.zeros(mask.shape, np.bool_)
    # It loads SciPy, which takes longer than most commands of this library; few losses need it.
    from skimage.morphology import skeletonize  # noqa: PLC0415

    line = np.asarray(skeletonize(mask), np.uint8)  # type: ignore[no-untyped-call]
    wide = np.asarray(cv2.dilate(line, _CROSS, iterations=radius), np.uint8) if radius else line
    return mask & wide.view(np.bool_)
