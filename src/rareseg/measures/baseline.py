"""What a map scores that looks at no pixel: every score is read beside it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rareseg.records.audit import ConstantPredictor


def constant_predictor(
    pixels: Sequence[int], labelled: int, classes: Sequence[str], *, overlapping: bool
) -> ConstantPredictor:
    """Score the answer that is the same everywhere.

    Exclusive classes: the answer is the class with most pixels (the first of equals); `entropy` is that
    of the class shares, -sum p ln p. Overlapping classes: the answer gives each class that holds more
    than half of the labelled pixels; `accuracy` is the mean over classes, and `entropy` the sum over
    classes of -p ln p - (1 - p) ln (1 - p). `macro_iou` is the mean over the classes that are present.

    Args:
        pixels: labelled pixels of each class.
        labelled: labelled pixels in all; 0 gives zeros and the answer "nothing labelled".
        classes: their names.
        overlapping: whether a pixel may belong to several classes.
    """
    if not labelled:
        return ConstantPredictor(answer="nothing labelled", accuracy=0.0, macro_iou=0.0, entropy=0.0)
    shares = np.asarray(pixels, np.float64) / labelled
    present = shares > 0
    if overlapping:
        given = shares > 0.5
        answer = " + ".join(name for name, is_given in zip(classes, given, strict=True) if is_given)
        accuracy = float(np.maximum(shares, 1 - shares).mean())
        entropy = float((_surprise(shares) + _surprise(1 - shares)).sum())
    else:
        given = np.arange(len(shares)) == shares.argmax()
        answer = classes[int(shares.argmax())]
        accuracy = float(shares.max())
        entropy = float(_surprise(shares).sum())
    # A class given everywhere has all of its pixels right, and the union is everything.
    macro_iou = float((shares * given)[present].mean()) if present.any() else 0.0
    return ConstantPredictor(
        answer=answer or "no class", accuracy=accuracy, macro_iou=macro_iou, entropy=entropy
    )


def _surprise(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -p ln p, 0 at p = 0."""
    logs = np.zeros_like(shares)
    np.log(shares, out=logs, where=shares > 0)
    return -shares * logs
