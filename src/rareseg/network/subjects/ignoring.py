"""Finding the label that a loss leaves out by asking the loss."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from rareseg.network.subjects.targets import TargetForm
from rareseg.probing.subject import Floats, ProbeError

_CANDIDATES = 3
"""Most frequent values outside the classes that are tried."""

LossAt = Callable[[Tensor, Floats], float]
"""The loss of targets at answers (images, channels, pixels)."""


def ignored_label(form: TargetForm, targets: Tensor, channels: int, loss_at: LossAt) -> int | None:
    """Return the label outside the classes at which answers do not change the loss; None if there is none.

    Labels that no class has are no fault where the loss masks them, as many do with 255 or -1 in code of their own.
    """
    values, counts = np.unique(form.outside(targets), return_counts=True)
    for value in values[np.argsort(-counts)][:_CANDIDATES]:
        if value == np.round(value) and _is_ignored(
            form.where(targets, float(value)), targets, channels, loss_at
        ):
            return int(value)
    return None


def _is_ignored(there: np.ndarray, targets: Tensor, channels: int, loss_at: LossAt) -> bool:
    """Return whether the loss is the same whatever is answered `there`, (images, pixels)."""
    # Between 0 and 1, and summing to 1, so that it serves as logits and as probabilities.
    even = np.full((len(there), channels, there.shape[1]), 1 / max(channels, 2), np.float32)
    moved = even.copy()
    moved[:, 0] += np.where(there, 0.25, 0.0).astype(np.float32)
    moved[:, -1] -= np.where(there, 0.25 if channels > 1 else 0.0, 0.0).astype(np.float32)
    try:
        one, other = loss_at(targets, even), loss_at(targets, moved)
    except ProbeError:
        return False
    return bool(np.isfinite(one)) and one == other
