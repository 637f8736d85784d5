"""How far what is fed at prediction differs from what was fed in training."""

import numpy as np

from rareseg.imagery.suspicion.looks import Floats


def band_gap(training: Floats, prediction: Floats) -> float | None:
    """Return the largest difference of band means, in standard deviations of training.

    Args:
        training: (images, bands, rows, cols).
        prediction: the same, of any size.

    Returns:
        None if the numbers of bands differ, or training shows no contrast.
    """
    if training.shape[1] != prediction.shape[1] or not prediction.size or not training.size:
        return None
    spread = training.std(axis=(0, 2, 3), dtype=np.float64)
    gap = np.abs(prediction.mean(axis=(0, 2, 3), dtype=np.float64) - training.mean((0, 2, 3), np.float64))
    # A constant band says nothing by itself, but for what the others vary by.
    spread = np.where(spread > 0, spread, spread.max(initial=0.0))
    return float((gap / spread).max()) if spread.min() > 0 else None


def prediction_scale(training: Floats, prediction: Floats) -> float | None:
    """Return the spread of values at prediction over that in training, within bands; None without contrast."""
    if not prediction.size or not training.size:
        return None
    before, after = (
        float(np.sqrt(stack.var((0, 2, 3), np.float64).mean())) for stack in (training, prediction)
    )
    return after / before if before > 0 else None
