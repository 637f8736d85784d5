r"""Losses on the overlap of map and mask: Dice, Jaccard, Tversky and their kin.

All counted pixels of the batch are one set ("batch Dice"), so that a rare class has pixels to overlap with in
most batches. With p the probability of a class and g its label (0 or 1), summed over counted pixels:

    TP = sum p g,   P = sum p,   G = sum g,   FP = P - TP,   FN = G - TP       (squared: P = sum p^2 there)
    dice            1 - (TP + s) / (P/2 + G/2 + s)
    jaccard         1 - (TP + s) / (P + G - TP + s)
    tversky         1 - (TP + s) / (TP + a FP + b FN + s)
    focal_tversky   (1 - Tversky index)^exponent

and the loss is the mean over ALL classes (or those chosen), those that the batch lacks included. For such a class
TP = G = 0 and Dice is P / (P + 2 s): false positives still cost, and the fewer there are the more each one does.
Without smoothing (s = 0) it would be 1 whatever the map says, with no gradient; leaving the class out, as is
common, makes every false alarm on an empty scene free. Where the divisor is 0 (s = 0, P = G = 0) the loss is 0.

`per_image`: a score per image and class, then the mean over images with a counted pixel, then over classes.

Generalised Dice is one score for all classes together, each with a weight v_k by its size:
    1 - (sum_k v_k TP_k + s) / (sum_k v_k (P_k + G_k) / 2 + s),   s = 1/2,   v_k = u_k / max(u)
    u_k = 1/G_k^2, 1/G_k or 1; a class that the set lacks gets the largest u of those present (1 if none is)
Dividing by the largest u changes nothing but what s means: half a pixel of the rarest class, which keeps false
positives costly where no class is present.
"""

from torch import Tensor

from rareseg.network.losses.overlap_terms import (
    SMOOTHING,
    Classes,
    Weighting,
    dice_terms,
    focal_tversky_terms,
    generalised_dice_terms,
    jaccard_terms,
    tversky_terms,
)
from rareseg.network.losses.terms import total
from rareseg.records.dataset import VOID


def dice(
    logits: Tensor,
    labels: Tensor,
    *,
    squared: bool = False,
    per_image: bool = False,
    smoothing: float = SMOOTHING,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""1 - (2 TP + 2 s) / (P + G + 2 s), over the counted pixels of the batch, mean over all classes.

    Dice does not care for true negatives, so the majority cannot drown the rare class; in return its
    probabilities run to 0 and 1. See the module for what s does to classes that the batch lacks.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        squared: Squares of p in the divisor instead of p: a slope that fades at p = 0.
        per_image: A score for each image instead of one for the batch.
        smoothing: s in pixels, finite and >= 0.
        classes: Indices of the classes that the mean runs over; None: all.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Milletari et al. 2016, arXiv:1606.04797 (squared); Drozdzal et al. 2016, arXiv:1608.04117 (plain).
    """
    terms = dice_terms(squared=squared, per_image=per_image, smoothing=smoothing, classes=classes)
    parts = [(1.0, terms)]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def jaccard(
    logits: Tensor,
    labels: Tensor,
    *,
    squared: bool = False,
    per_image: bool = False,
    smoothing: float = SMOOTHING,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""1 - (TP + s) / (P + G - TP + s), over the counted pixels of the batch, mean over all classes.

    1 - IoU with probabilities in place of decisions: Dice's order of maps, with a smaller slope where the
    overlap is small.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        squared: Squares of p in the divisor instead of p: a slope that fades at p = 0.
        per_image: A score for each image instead of one for the batch.
        smoothing: s in pixels, finite and >= 0.
        classes: Indices of the classes that the mean runs over; None: all.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Rahman & Wang 2016, doi:10.1007/978-3-319-50835-1_22, eq. 3.
    """
    terms = jaccard_terms(squared=squared, per_image=per_image, smoothing=smoothing, classes=classes)
    parts = [(1.0, terms)]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def generalised_dice(
    logits: Tensor,
    labels: Tensor,
    *,
    weighting: Weighting = "inverse_square",
    per_image: bool = False,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""1 - one Dice for all classes together, each weighted by the inverse square of its size.

    A pixel of a rare class weighs as much more as the class is rarer, squared. See the module for the exact
    formula and for classes that the batch lacks.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        weighting: Weight of a class by its labelled pixels; see the module.
        per_image: A score for each image instead of one for the batch.
        classes: Indices of the classes that the mean runs over; None: all.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Sudre et al. 2017, arXiv:1707.03237, section 2.1.
    """
    terms = generalised_dice_terms(weighting=weighting, per_image=per_image, classes=classes)
    parts = [(1.0, terms)]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def tversky(
    logits: Tensor,
    labels: Tensor,
    *,
    false_positive_weight: float = 0.3,
    false_negative_weight: float = 0.7,
    per_image: bool = False,
    smoothing: float = SMOOTHING,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""1 - (TP + s) / (TP + a FP + b FN + s), over the counted pixels of the batch, mean over all classes.

    a = b = 0.5 is Dice, a = b = 1 Jaccard. More weight on false negatives finds more of a rare class and is
    wrong more often. The weights have names because published codes disagree which of alpha and beta is which.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        false_positive_weight: a, finite and >= 0. At 0 false positives are free, also of absent classes.
        false_negative_weight: b, finite and >= 0; not both may be 0.
        per_image: A score for each image instead of one for the batch.
        smoothing: s in pixels, finite and >= 0.
        classes: Indices of the classes that the mean runs over; None: all.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Salehi et al. 2017, arXiv:1706.05721, eq. 3 (0.3 for false positives, 0.7 for false negatives).
    """
    terms = tversky_terms(
        false_positive_weight=false_positive_weight,
        false_negative_weight=false_negative_weight,
        per_image=per_image,
        smoothing=smoothing,
        classes=classes,
    )
    parts = [(1.0, terms)]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)


def focal_tversky(
    logits: Tensor,
    labels: Tensor,
    *,
    false_positive_weight: float = 0.3,
    false_negative_weight: float = 0.7,
    exponent: float = 0.75,
    per_image: bool = False,
    smoothing: float = SMOOTHING,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""(1 - Tversky index)^exponent, over the counted pixels of the batch, mean over all classes.

    Below 1 - index = 1e-6 it goes on as a straight line to 0, because the power's slope has no bound there.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        false_positive_weight: a, finite and >= 0. At 0 false positives are free, also of absent classes.
        false_negative_weight: b, finite and >= 0; not both may be 0.
        exponent: Finite and > 0; the paper's 1 / gamma. Below 1 pushes classes that are nearly right.
        per_image: A score for each image instead of one for the batch.
        smoothing: s in pixels, finite and >= 0.
        classes: Indices of the classes that the mean runs over; None: all.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Abraham & Khan 2018, arXiv:1810.07842, eq. 4, whose gamma = 4/3 is an exponent of 0.75; mean, not sum.
    """
    terms = focal_tversky_terms(
        false_positive_weight=false_positive_weight,
        false_negative_weight=false_negative_weight,
        exponent=exponent,
        per_image=per_image,
        smoothing=smoothing,
        classes=classes,
    )
    parts = [(1.0, terms)]
    return total(parts, logits, labels, overlapping=overlapping, ignore_index=ignore_index, valid=valid)
