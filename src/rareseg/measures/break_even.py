"""Where relaxed precision equals relaxed recall, between the measured points of one curve or of many at once.

Between two measured points pixels count in proportion (Davis & Goadrich 2006, The relationship between precision-recall
and ROC curves), as if those of a bin came in random order: scores that are all the same break even at the share of
pixels that lie near the truth.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.int64] | NDArray[np.float64]
_Floats = NDArray[np.float64]

# Of a root, which rounding may push out of its segment.
_SLACK = 1e-9


class Crossings(NamedTuple):
    """The highest break-even of each curve."""

    score: _Floats
    """(curves,) precision and recall there, 0..1; NaN without a true pixel."""
    segment: NDArray[np.intp]
    """(curves,) it lies between measured point `segment` - 1 and `segment`; before the first nothing is given."""
    lead: _Floats
    """(curves, points) hits x true - given x found at each measured point: 0 where both are equal."""


def crossings(hits: Sums, given: Sums, found: Sums) -> Crossings:
    """Return where curves break even.

    Args:
        hits: (curves, points), given pixels near the truth, if all are given from here on; rising from point to point.
        given: (curves, points), given pixels.
        found: (curves, points), true pixels near a given one; those at the last point are all.
    """
    hits, given, found = (
        np.pad(np.asarray(side, np.float64), ((0, 0), (1, 0))) for side in (hits, given, found)
    )
    true = found[:, -1:]
    lead = true * hits - given * found
    # On the way from one point to the next, true * hits - given * found is a * t^2 + b * t + c, t in 0..1.
    more_hits, more_given, more_found = (np.diff(side) for side in (hits, given, found))
    a, c = -more_given * more_found, lead[:, :-1]
    b = true * more_hits - given[:, :-1] * more_found - found[:, :-1] * more_given
    with np.errstate(divide="ignore", invalid="ignore"):
        q = -(b + np.copysign(np.sqrt(b * b - 4 * a * c), b)) / 2
        roots = np.stack([q / a, c / q])
        inside = (roots >= -_SLACK) & (roots <= 1 + _SLACK)
        scores = np.where(inside, (found[:, :-1] + np.where(inside, roots, 0.0) * more_found) / true, -1.0)
    best = scores.max(axis=0)
    segment = best.argmax(axis=1)
    score = np.clip(best.max(axis=1), 0.0, 1.0)
    return Crossings(np.where(true[:, 0] > 0, score, np.nan), segment, lead[:, 1:])
