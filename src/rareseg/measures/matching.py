"""One-to-one matching of two sets of things, the best pairs first, without a loop over pairs."""

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def best_first(one: Places, other: Places, cost: NDArray[np.float64]) -> Places:
    """Return the places of the pairs that a walk by rising `cost` takes when it skips things that are taken.

    Args:
        one: (pairs,) number of the first thing of each pair, 0 or more; no pair comes twice.
        other: number of the second.
        cost: the lower, the earlier a pair has its turn. Of pairs that cost alike, which is first is arbitrary, but
            always the same.
    """
    # A fixed disorder: in a row of things at equal distances, each pair would otherwise wait for the one before it.
    tie = (one * 2654435761 + other * 40503) % 4294967291
    order = np.lexsort((other, one, tie, cost))
    best_one = np.empty(one.max(initial=-1) + 1, np.int64)
    best_other = np.empty(other.max(initial=-1) + 1, np.int64)
    taken = []
    while order.size:
        # A pair is taken when none of its two things' other pairs comes before it.
        left, right, ranks = one[order], other[order], np.arange(order.size)
        best_one[left[::-1]] = ranks[::-1]
        best_other[right[::-1]] = ranks[::-1]
        best = (best_one[left] == ranks) & (best_other[right] == ranks)
        taken.append(order[best])
        best_one[left[best]] = -1
        best_other[right[best]] = -1
        order = order[(best_one[left] >= 0) & (best_other[right] >= 0)]
    return np.concatenate(taken) if taken else np.empty(0, np.int64)
