r"""Losses on the overlap of map and mask: Dice and Tversky.

All counted pixels of the batch are one set ("batch Dice"), so that a rare class has pixels to overlap with in
most batches. With p the probability of a class and g its label (0 or 1), summed over counted pixels:

    TP = sum p g,   FP = sum p (1 - g),   FN = sum (1 - p) g
    loss of the class = 1 - (TP + s) / (TP + a FP + b FN + s)

and the loss is the mean over ALL classes, those that the batch lacks included. For such a class TP = FN = 0
and the loss is a FP / (a FP + s): false positives still cost, and the fewer there are the more each one does.
Without smoothing (s = 0) it would be 1 whatever the map says, with no gradient; leaving the class out, as is
common, makes every false alarm on an empty scene free.
"""

from torch import Tensor

from rareseg.errors import SettingError
from rareseg.network.losses.targets import check_shapes, in_full_precision, spread

SMOOTHING = 0.5
"""s in pixels. Half a pixel in Tversky is one pixel in Dice's usual form, (2 TP + 1) / (2 TP + FP + FN + 1):
too little to shift the loss of a class that the batch holds, enough to push false positives of one that it
lacks."""


def dice(logits: Tensor, labels: Tensor, *, overlapping: bool = False) -> Tensor:
    r"""1 - (2 TP + 1) / (2 TP + FP + FN + 1), over the counted pixels of the batch, mean over all classes.

    The 1 is a smoothing of one pixel; see the module for what it does to classes that the batch lacks.
    Dice does not care for true negatives, so the majority cannot drown the rare class; in return its
    probabilities run to 0 and 1.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`; VOID is left out.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.

    Reference: Milletari et al. 2016, arXiv:1606.04797, with plain instead of squared sums (Drozdzal et al.
    2016, arXiv:1608.04117).
    """
    return tversky(
        logits, labels, false_positive_weight=0.5, false_negative_weight=0.5, overlapping=overlapping
    )


def tversky(
    logits: Tensor,
    labels: Tensor,
    *,
    false_positive_weight: float,
    false_negative_weight: float,
    overlapping: bool = False,
) -> Tensor:
    r"""1 - (TP + 1/2) / (TP + a FP + b FN + 1/2), over the counted pixels of the batch, mean of all classes.

    a = b = 0.5 is Dice. More weight on false negatives finds more of a rare class and is wrong more often.
    The weights have names here because published codes disagree which of alpha and beta is which.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`; VOID is left out.
        false_positive_weight: a, finite and >= 0. At 0 false positives are free, also of absent classes.
        false_negative_weight: b, finite and >= 0; not both may be 0.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a weight is out of range.

    Reference: Salehi et al. 2017, arXiv:1706.05721, eq. 3 (0.3 for false positives, 0.7 for false negatives).
    """
    check_error_weights(false_positive_weight, false_negative_weight)
    check_shapes(logits, labels, overlapping=overlapping)
    holds, counted = spread(labels, logits.shape[1], overlapping=overlapping)
    scores = in_full_precision(logits)
    probabilities = scores.sigmoid() if overlapping else scores.softmax(dim=1)
    # Three sums over (batch, classes, rows, cols) give all counts: FP = sum p - TP, FN = sum g - TP.
    hits = (probabilities * holds).sum(dim=(0, 2, 3))
    claimed = (probabilities * counted).sum(dim=(0, 2, 3))
    present = holds.sum(dim=(0, 2, 3))
    errors = false_positive_weight * (claimed - hits) + false_negative_weight * (present - hits)
    return 1 - ((hits + SMOOTHING) / (hits + errors + SMOOTHING)).mean()


def check_error_weights(false_positive_weight: float, false_negative_weight: float) -> None:
    """Raise SettingError unless both weights are finite and >= 0 and at least one is above 0."""
    weights = (false_positive_weight, false_negative_weight)
    if not all(0 <= weight < float("inf") for weight in weights) or sum(weights) == 0:
        message = (
            "Expected tversky's false_positive_weight and false_negative_weight to be finite, >= 0 and not "
            f"both 0; received {false_positive_weight} and {false_negative_weight}."
        )
        raise SettingError(message)
