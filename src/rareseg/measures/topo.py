"""TOPO: starting at the same spot of both maps and going the same way, does one meet the same lines?

Biagioni and Eriksson 2012, Inferring road maps from GPS traces (Transportation Research Record 2291): the truth
drops holes, the prediction marbles, at even distances on every line within reach of the start; a marble falls into
a hole that is near, one into each. A road that is drawn beside the start and not joined to it is not reached.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.ground import Drawn, common_unit, drawn_lines, positive
from rareseg.measures.harmonic import harmonic
from rareseg.measures.lines import LineGraph
from rareseg.measures.matching import best_first
from rareseg.measures.networks import chosen_evenly, network, points_that_count
from rareseg.measures.thinning import Pixels
from rareseg.measures.tracing import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

RADIUS, SPACING, REACH = 150.0, 5.0, 8.0
"""How far to go from a start, between holes, from a marble to its hole; m or px.

Marbles and holes of one line lie up to half the spacing apart along it: the reach is the usual 3 px beside a line, and
that much, and as much again for bends.
"""
LEAST_SPACING_PX = 3.0
MOST = 200
"""Starts in one image."""
_WORK = 4_000_000
"""Starts times holes or marbles at most, so that noise, which is all lines, does not take minutes."""


@final
@dataclass(frozen=True, slots=True)
class TopoCounts:
    """Sums over starts; `+` merges images."""

    unit: str = ""
    """"m" or "px", of the settings; "" before the first image."""
    starts: int = 0
    holes: int = 0
    """Dropped on true lines."""
    marbles: int = 0
    """Dropped on predicted lines."""
    holes_met: int = 0
    """Holes with a marble."""
    marbles_met: int = 0
    """Marbles in a hole."""

    def __add__(self, other: Self) -> Self:
        """Merge two disjoint sets of images.

        Raises:
            SettingError: if one was measured in metres and the other in px.
        """
        unit = common_unit(self.unit, other.unit)
        dropped = (self.holes + other.holes, self.marbles + other.marbles)
        met = (self.holes_met + other.holes_met, self.marbles_met + other.marbles_met)
        return type(self)(unit, self.starts + other.starts, *dropped, *met)

    @property
    def precision(self) -> float | None:
        """Share of marbles in a hole, 0 if there is no marble; None if the truth has no line."""
        if not self.holes:
            return None
        return self.marbles_met / self.marbles if self.marbles else 0.0

    @property
    def recall(self) -> float | None:
        """Share of holes with a marble; None if the truth has no line."""
        return self.holes_met / self.holes if self.holes else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None if the truth has no line."""
        precision, recall = self.precision, self.recall
        if precision is None or recall is None:
            return None
        return harmonic(precision, recall)


def topo_counts(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    pixel_size: float | None = None,
    *,
    radius: float = RADIUS,
    spacing: float = SPACING,
    reach: float = REACH,
    most: int = MOST,
    seed: int = 0,
) -> TopoCounts:
    """Measure one image and class; whole images, because windows break lines.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; in others the prediction is taken as the truth, and nothing starts or is dropped.
        pixel_size: metres per px; None measures in px.
        radius: how far to go from a start along lines, m or px.
        spacing: between holes and between marbles, m or px.
        reach: from a marble to its hole, and between the two starts, at most, m or px.
        most: starts in one image at most, drawn from the truth by `seed`.
        seed: of the draw.

    Raises:
        SettingError: if shapes differ or a setting is not positive.
    """
    lines = drawn_lines(predicted, truth, counted, pixel_size)
    return topo_counts_of(lines, radius=radius, spacing=spacing, reach=reach, most=most, seed=seed)


def topo_counts_of(
    drawn: Drawn,
    *,
    radius: float = RADIUS,
    spacing: float = SPACING,
    reach: float = REACH,
    most: int = MOST,
    seed: int = 0,
) -> TopoCounts:
    """Do the same with lines that were drawn before."""
    positive(radius=radius, spacing=spacing, reach=reach, most=most)
    step = max(spacing / drawn.scale, LEAST_SPACING_PX)
    near = max(reach / drawn.scale, step)
    spots = [
        points_that_count(lines, step, drawn.counted) for lines in (drawn.true_lines, drawn.predicted_lines)
    ]
    holes, marbles = spots
    size = max(holes.size, marbles.size, 1)
    rng = np.random.default_rng(seed)
    starts = chosen_evenly(rng, np.arange(holes.size), min(int(most), max(_WORK // size, 8)))
    if not starts.size:
        return TopoCounts(drawn.unit)
    there, here = drawn.true_lines.points[holes], drawn.predicted_lines.points[marbles]
    limit = radius / drawn.scale
    # What lies just beyond the radius on one map may match what lies just within it on the other.
    own = _reached(drawn.true_lines, holes, starts, limit, near)
    others = _reached(drawn.predicted_lines, marbles, _nearest(here, there[starts], near), limit, near)
    pairs = _pairs(there, here, own, others, near)
    met = np.array([_met(pairs, *dropped) for dropped in zip(own, others, strict=True)])
    dropped = (sum(int(one.inside.sum()) for one in spots) for spots in (own, others))
    return TopoCounts(drawn.unit, int(starts.size), *dropped, *met.sum(axis=0).tolist())


class _Dropped(NamedTuple):
    """Numbers of the spots that one start reaches, and whether within the radius or just beyond it."""

    spots: Pixels
    inside: NDArray[np.bool_]


def _nearest(here: Floats, points: Floats, near: float) -> Pixels:
    """Return the number of the marble nearest to each of `points`, -1 if none is near."""
    from scipy.spatial import cKDTree  # noqa: PLC0415

    if not len(here):
        return np.full(len(points), -1, np.int64)
    distances, nearest = cKDTree(here).query(points, distance_upper_bound=near + 1e-6)
    return np.where(np.isfinite(distances), nearest, -1).astype(np.int64)


def _pairs(
    there: Floats, here: Floats, own: list[_Dropped], others: list[_Dropped], near: float
) -> "csr_array":
    """Return how far marbles lie from holes, (holes, marbles), of those that some start reaches.

    Distances are px and 1 more, because a sparse matrix takes 0 for none.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415
    from scipy.spatial import cKDTree  # noqa: PLC0415

    shape = (len(there), len(here))
    one, other = (np.unique(np.concatenate([spots for spots, _ in side])) for side in (own, others))
    if not one.size or not other.size:
        return coo_array(shape, dtype=np.float64).tocsr()
    trees = cKDTree(there[one]), cKDTree(here[other])
    found = trees[0].sparse_distance_matrix(trees[1], near + 1e-6, output_type="ndarray")
    return coo_array((found["v"] + 1.0, (one[found["i"]], other[found["j"]])), shape=shape).tocsr()


def _reached(lines: LineGraph, spots: Pixels, starts: Pixels, limit: float, more: float) -> list[_Dropped]:
    """Return what each start (a number in `spots`, -1 for none) reaches within `limit` px of way, and `more`."""
    reached = [_Dropped(np.empty(0, np.int64), np.empty(0, np.bool_)) for _ in range(starts.size)]
    known = np.flatnonzero(starts >= 0)
    ways = network(lines, spots)
    vertex = ways.vertex[spots]
    for part, distances in ways.distances(vertex[starts[known]], limit=limit + more):
        for number, row in zip(known[part].tolist(), distances, strict=True):
            found = np.flatnonzero(row[vertex] <= limit + more)
            reached[number] = _Dropped(found, row[vertex[found]] <= limit)
    return reached


def _met(pairs: "csr_array", holes: _Dropped, marbles: _Dropped) -> tuple[int, int]:
    """Return how many holes get a marble and how many marbles a hole, the nearest pairs first."""
    if not holes.spots.size or not marbles.spots.size:
        return 0, 0
    near = pairs[holes.spots].tocoo()
    place = np.full(pairs.shape[1], -1, np.int64)
    place[marbles.spots] = np.arange(marbles.spots.size)
    kept = place[near.col] >= 0
    one, other = near.row[kept].astype(np.int64), place[near.col[kept]]
    chosen = best_first(one, other, near.data[kept])
    return int(holes.inside[one[chosen]].sum()), int(marbles.inside[other[chosen]].sum())
