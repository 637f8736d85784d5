"""Dealing groups of images to parts so that every class gets close to its share in each."""

from typing import final

import numpy as np
from numpy.typing import NDArray

_MOST_STARTS = 24
_MOVES = 100
_WORK = 300_000_000
"""Numbers to compute at most: many groups balance by chance, so few starts do."""
_MISSING = 1e3
"""Cost of a class that a part lacks though there are enough groups of it."""


@final
class Dealer:
    """Deals groups to parts: from several seeded starts, moves single groups while that brings balance."""

    def __init__(self, amounts: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
        """Take in what there is to deal.

        Args:
            amounts: (groups, classes + 1), pixels of each class, and of all, in each group.
            shares: (parts,), what each part should get; a part of share 0 gets nothing.
        """
        totals = amounts.sum(axis=0)
        present = totals > 0
        self._parts = np.flatnonzero(shares > 0)
        self._shares = shares[self._parts, None] / shares.sum()
        self._portions = amounts[:, present] / totals[present]
        self._due = (amounts[:, present] > 0).sum(axis=0) >= len(self._parts)
        # The last column is the size of the part: as heavy as all classes together.
        self._weights = np.ones(int(present.sum()))
        self._weights[-1] = max(1, len(self._weights) - 1)

    def best(self, seed: int) -> list[int]:
        """Return the index of each group's part; the same seed gives the same answer."""
        random = np.random.default_rng(seed)
        groups, columns = self._portions.shape
        starts = _WORK // (_MOVES * groups * columns * len(self._parts) ** 2)
        runs = [self._improved(self._start(random)) for _ in range(min(_MOST_STARTS, max(1, starts)))]
        places = min(runs, key=lambda run: run[0])[1]
        return [int(self._parts[place]) for place in places]

    def _start(self, random: np.random.Generator) -> NDArray[np.intp]:
        """Deal shuffled groups to whichever part lacks most of its share."""
        sizes = self._portions[:, -1]
        places = np.zeros(len(sizes), dtype=np.intp)
        filled = np.zeros(len(self._parts))
        for group in random.permutation(len(sizes)):
            part = int(np.argmin(filled / self._shares[:, 0]))
            places[group] = part
            filled[part] += sizes[group]
        return places

    def _improved(self, places: NDArray[np.intp]) -> tuple[float, NDArray[np.intp]]:
        """Move the group whose move helps most, until none helps."""
        everyone = np.arange(len(places))
        held = np.zeros((len(self._parts), self._portions.shape[1]))
        np.add.at(held, places, self._portions)
        cost = float(self._cost(held))
        for _ in range(_MOVES):
            costs = np.stack([self._cost_after(held, places, part) for part in range(len(self._parts))])
            costs[places, everyone] = np.inf
            part, group = np.unravel_index(int(np.argmin(costs)), costs.shape)
            if costs[part, group] >= cost - 1e-12:
                break
            held[places[group]] -= self._portions[group]
            held[part] += self._portions[group]
            places[group], cost = part, float(costs[part, group])
        return cost, places

    def _cost_after(
        self, held: NDArray[np.float64], places: NDArray[np.intp], part: int
    ) -> NDArray[np.float64]:
        """Cost after moving each group alone to `part`, (groups,)."""
        moved = np.broadcast_to(held, (len(places), *held.shape)).copy()
        moved[np.arange(len(places)), places] -= self._portions
        moved[:, part] += self._portions
        return self._cost(moved)

    def _cost(self, held: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared relative distance from the shares, (..., parts, columns) -> (...); absence costs more."""
        off = (((held - self._shares) / self._shares) ** 2 * self._weights).sum(axis=(-1, -2))
        # Sums of float portions leave crumbs where a class has gone.
        absent = ((held < 1e-9) & self._due).sum(axis=(-1, -2))
        return np.asarray(off + _MISSING * absent)
