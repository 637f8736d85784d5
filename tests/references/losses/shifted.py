"""Logits moved by the shares of classes: Menon 2020, Ren 2020, Cao 2019."""

import numpy as np
from tests.references.losses.evidence import evidence
from tests.references.losses.pixelwise import surprises


def _mean(losses, amounts):
    return float(losses.sum() / amounts.sum()) if amounts.sum() else 0.0


def logit_adjusted(logits, labels, *, shares, temperature=1.0, **common):
    """Menon et al. 2020 (arXiv 2007.07314), eq. 10: cross-entropy of z + tau log prior."""
    seen = evidence(logits, labels, **common)
    shares = np.asarray(shares, np.float64)
    prior = np.log(shares) if seen.exclusive else np.log(shares) - np.log1p(-shares)
    moved = seen.scores + temperature * prior[None, :, None, None]
    return _mean(*surprises(seen, scores=moved))


def balanced_softmax(logits, labels, *, shares, **common):
    """Ren et al. 2020 (arXiv 2007.10740), eq. 4: n_y e^z_y over the sum of n_k e^z_k."""
    seen = evidence(logits, labels, **common)
    total = 0.0
    for image, row, col in np.argwhere(seen.counted):
        z = seen.scores[image, :, row, col]
        weighed = np.asarray(shares) * np.exp(z - z.max())
        total -= np.log(weighed[seen.truth[image, :, row, col]].item() / weighed.sum())
    return float(total / seen.counted.sum()) if seen.counted.any() else 0.0


def ldam(logits, labels, *, shares, max_margin=0.5, scale=1.0, weights=None, **common):
    """Cao et al. 2019 (arXiv 1906.07413), eq. 13: the label's logit less C / n^(1/4), times the scale."""
    seen = evidence(logits, labels, **common)
    shares = np.asarray(shares, np.float64)
    if seen.exclusive:
        margins = shares**-0.25 / (shares**-0.25).max() * max_margin
        moved = seen.scores - seen.truth * margins[None, :, None, None]
    else:
        yes, no = shares**-0.25, (1 - shares) ** -0.25
        rarer = np.maximum(yes, no)
        yes, no = (side / rarer * max_margin for side in (yes, no))
        moved = seen.scores - np.where(seen.truth, yes[None, :, None, None], -no[None, :, None, None])
    return _mean(*surprises(seen, scores=scale * moved, weights=weights))
