"""What training batches held: counts that add up from batch to batch, and the shares they come to."""

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.histogram import histogram
from rareseg.records.dataset import VOID
from rareseg.records.plan import Plan
from rareseg.records.run import Drawn, Sampled


def nothing_drawn(classes: int) -> Drawn:
    """Return the counts of no batch: the zero of `both_drawn`."""
    return Drawn(crops=0, placed=0, labelled=0, pixels=(0,) * classes, holding=(0,) * classes)


def both_drawn(a: Drawn, b: Drawn) -> Drawn:
    """Return the counts of two sets of batches taken together."""
    return Drawn(
        crops=a.crops + b.crops,
        placed=a.placed + b.placed,
        labelled=a.labelled + b.labelled,
        pixels=tuple(one + other for one, other in zip(a.pixels, b.pixels, strict=True)),
        holding=tuple(one + other for one, other in zip(a.holding, b.holding, strict=True)),
    )


def held_in(labels: NDArray[np.uint8], *, placed: int, classes: int, overlapping: bool) -> Drawn:
    """Count the crops of one batch.

    Args:
        labels: (crops, rows, cols), class indices or, if `overlapping`, bit sets (bit k = class k); 255 = void.
        placed: how many of the crops the sampling rule placed.
        classes: number of classes.
        overlapping: whether a pixel may belong to several classes.
    """
    by_label = np.stack([histogram(crop, 256)[:VOID] for crop in labels])
    values = np.arange(VOID)
    belongs = [(values >> k) & 1 == 1 if overlapping else values == k for k in range(classes)]
    pixels = np.stack([by_label[:, kind].sum(axis=1) for kind in belongs])
    return Drawn(
        crops=len(labels),
        placed=placed,
        labelled=int(by_label.sum()),
        pixels=tuple(pixels.sum(axis=1).tolist()),
        holding=tuple(np.count_nonzero(pixels, axis=1).tolist()),
    )


def sampled(drawn: Drawn, plan: Plan) -> Sampled | None:
    """Return what was drawn beside what `plan` asked for; None if nothing was."""
    if not drawn.crops:
        return None
    labels = plan.sampling.labels or ()
    if plan.sampling.rule == "rare_class":
        labels = tuple(range(len(plan.classes)))
    return Sampled(
        rule=plan.sampling.rule,
        classes=plan.classes,
        around=tuple(plan.classes[label] for label in labels),
        crops=drawn.crops,
        asked_share=plan.sampling.share or 0.0,
        placed_share=drawn.placed / drawn.crops,
        data_shares=plan.shares,
        realised_shares=tuple(count / max(drawn.labelled, 1) for count in drawn.pixels),
        crops_holding=tuple(count / drawn.crops for count in drawn.holding),
    )
