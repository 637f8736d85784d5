r"""Losses on skeletons: a gap in a road costs as much as a missing road, however narrow the road is.

With p the probability of a class and g its label (0 or 1), sums over the counted pixels of the batch, e the
smoothing, and the loss of a batch the mean over the classes looked at:

    cldice            1 - 2 P S / (P + S),   P = (sum S(p) g + e) / (sum S(p) + e)    of the map's skeleton, the share
                                                                                     inside the mask (precision)
                                             S = (sum S(g) p + e) / (sum S(g) + e)    of the mask's skeleton, the share
                                                                                     inside the map (sensitivity)
    skeleton_recall   1 - (sum p t + e) / (sum t + e),   t = the mask's thin skeleton, thickened, then cut to the mask

S is the soft skeleton of `soft_skeletons`, of counted pixels only. 0 / 0 (where e = 0) counts as 1, and P = S = 0
gives the loss 1. Published code sums over all classes before it divides, so that long classes drown short ones;
here each class has its own score.

For a class that the batch lacks, S = 1 and P = e / (sum S(p) + e): false positives cost as far as they have a
skeleton. Skeleton recall is 0 there whatever the map says, and free of false positives everywhere: it is a
recall. It must stand beside a loss that counts them.
"""

import torch
from torch import Tensor

from rareseg.measures.skeletons import thickened_skeleton
from rareseg.network.losses.planes import Classes, check_whole, each_plane, read_planes
from rareseg.network.losses.soft_skeletons import skeleton_sums
from rareseg.network.losses.weighting import check_range
from rareseg.records.dataset import VOID

MOST_STEPS = 1000
"""px; more erosions or dilations than this are a slip."""


def cldice(
    logits: Tensor,
    labels: Tensor,
    *,
    iterations: int = 10,
    smoothing: float = 1.0,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""1 - harmonic mean of the skeletons' precision and sensitivity: Dice of lines instead of areas.

    It does not care how wide a road is, so it needs dice or cross_entropy beside it (the paper halves both).
    Each iteration is an erosion by one pixel on either side. Too few leave the skeletons of wide objects as
    bands, which only makes the loss more like Dice; more cost time and change nothing.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        iterations: Erosions, px, 0..MOST_STEPS: half the width of the widest object.
        smoothing: e, px of skeleton, finite and >= 0.
        classes: Class indices that the mean runs over; None: all, but of exclusive classes all but the first.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too; None leaves none out.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Shit et al. 2021, arXiv:2003.07311, eq. 1 and 2, algorithms 1 and 2.
    """
    check_whole(iterations, "cldice's iterations", low=0, high=MOST_STEPS)
    check_range(smoothing, "cldice's smoothing", low=0)
    planes = read_planes(
        logits, labels, classes=classes, overlapping=overlapping, ignore_index=ignore_index, valid=valid
    )
    sums = skeleton_sums(*planes, iterations=iterations)
    precision = _ratio(sums.right, sums.claimed, smoothing)
    sensitivity = _ratio(sums.found, sums.present, smoothing)
    both = precision + sensitivity
    return (1 - 2 * precision * sensitivity / both.clamp(min=torch.finfo(both.dtype).tiny)).mean()


def skeleton_recall(
    logits: Tensor,
    labels: Tensor,
    *,
    radius: int = 2,
    smoothing: float = 1.0,
    classes: Classes = None,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""1 - the share of the mask's thickened skeleton that the map covers: never alone, for it is a recall.

    The skeleton is thin, exact and of the labels only, so it costs one thinning per mask and no gradient passes
    through it. It is thickened by `radius` steps to the four neighbours and then cut to the mask. Published code
    thins the union of all classes; here each class is thinned on its own, so that a class has the same skeleton
    whatever lies beside it. Pixels that are not counted are taken as not of the class.

    Args:
        logits: (batch, classes, rows, cols), any float; computed in float32 (float64 stays).
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        radius: Steps, px, 0..MOST_STEPS.
        smoothing: e, px of thickened skeleton, finite and >= 0.
        classes: Class indices that the mean runs over; None: all, but of exclusive classes all but the first.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too; None leaves none out.

    Returns:
        Scalar in 0..1; 0 with zero gradient if no looked-at class is labelled.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range.

    Reference: Kirchhoff et al. 2024, arXiv:2404.03010, eq. 3 and algorithm 1.
    """
    check_whole(radius, "skeleton_recall's radius", low=0, high=MOST_STEPS)
    check_range(smoothing, "skeleton_recall's smoothing", low=0)
    planes = read_planes(
        logits, labels, classes=classes, overlapping=overlapping, ignore_index=ignore_index, valid=valid
    )
    masks = planes.holds.cpu()
    lines = torch.zeros(masks.shape, dtype=torch.bool)

    def work(at: tuple[int, ...]) -> None:
        lines[at] = torch.from_numpy(thickened_skeleton(masks[at].numpy(), radius))

    each_plane(work, masks.shape)
    weights = lines.to(planes.chance)
    found = (planes.chance * weights).sum(dim=(0, 2, 3))
    return (1 - _ratio(found, weights.sum(dim=(0, 2, 3)), smoothing)).mean()


def _ratio(part: Tensor, whole: Tensor, smoothing: float) -> Tensor:
    """Return (part + e) / (whole + e), 1 where that is 0 / 0."""
    divisor = whole + smoothing
    empty = divisor == 0
    return torch.where(empty, 1, (part + smoothing) / torch.where(empty, 1, divisor))
