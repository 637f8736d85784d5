"""Cross-entropy of the hardest pixels: Wu et al. 2016 (arXiv 1605.06885), Shrivastava et al. 2016."""

import math

import numpy as np
from tests.references.losses.evidence import evidence
from tests.references.losses.pixelwise import surprises


def _of_the_hardest(losses, amounts, number):
    """Weighted mean of the `number` largest unweighted losses."""
    hardest = np.argsort(-losses, kind="stable")[:number]
    total = amounts[hardest].sum()
    return float((amounts * losses)[hardest].sum() / total) if total else 0.0


def top_k(logits, labels, *, share=0.1, weights=None, **common):
    seen = evidence(logits, labels, **common)
    losses, amounts = surprises(seen, weights=weights)
    losses = losses / amounts
    return _of_the_hardest(losses, amounts, math.ceil(share * len(losses)))


def ohem(logits, labels, *, threshold=0.7, least_share=0.0625, weights=None, **common):
    seen = evidence(logits, labels, **common)
    losses, amounts = surprises(seen, weights=weights)
    losses = losses / amounts
    number = max((np.exp(-losses) < threshold).sum(), math.ceil(least_share * len(losses)))
    return _of_the_hardest(losses, amounts, number)
