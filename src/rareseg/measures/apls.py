"""APLS: do ways along the predicted lines have the length of the true ones, and do they exist at all?

Van Etten, Lindenbaum and Bacastow 2018, SpaceNet, arXiv:1807.01232, section 4.2, and their package `apls`.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.ground import Drawn, common_unit, drawn_lines, positive
from rareseg.measures.harmonic import harmonic
from rareseg.measures.networks import Network, chosen_evenly, nearest_places, network, points_that_count
from rareseg.measures.thinning import Pixels
from rareseg.measures.tracing import Floats

SPACING, SNAP, SHORTEST = 50.0, 4.0, 10.0
"""Of the published package: between control points, from a control point to the other map's line, shortest way."""
LEAST_SPACING_PX, LEAST_SNAP_PX = 10.0, 2.0
"""Where pixels are large, finer settings would ask for what no mask can show."""
MOST = 300
"""Control points from which ways start."""

_WORK = 2_000_000
"""Vertices visited at most, in round numbers: with large graphs, ways start from fewer points."""


@final
@dataclass(frozen=True, slots=True)
class PathCounts:
    """Sums over images; `+` merges them. As in SpaceNet, every image with a true way weighs alike."""

    unit: str = ""
    """"m" or "px", of the settings; "" before the first image."""
    images: int = 0
    """Images in which the truth has a way of the shortest length or more."""
    scores: float = 0.0
    """Sum of their scores."""
    forth: float = 0.0
    """Sum of their shares of true ways that the prediction has."""
    back: float = 0.0
    """Sum of their shares of predicted ways that the truth has."""

    def __add__(self, other: Self) -> Self:
        """Merge two disjoint sets of images.

        Raises:
            SettingError: if one was measured in metres and the other in px.
        """
        unit = common_unit(self.unit, other.unit)
        sums = (self.scores + other.scores, self.forth + other.forth, self.back + other.back)
        return type(self)(unit, self.images + other.images, *sums)

    @property
    def score(self) -> float | None:
        """APLS, 0..1; None if the truth has no line."""
        return self.scores / self.images if self.images else None

    @property
    def truth_onto_prediction(self) -> float | None:
        """1 - mean cost of true ways in the prediction, 0..1: falls where lines are missed or broken."""
        return self.forth / self.images if self.images else None

    @property
    def prediction_onto_truth(self) -> float | None:
        """1 - mean cost of predicted ways in the truth, 0..1: falls where lines are invented."""
        return self.back / self.images if self.images else None


def path_counts(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    pixel_size: float | None = None,
    *,
    spacing: float = SPACING,
    snap: float = SNAP,
    shortest: float = SHORTEST,
    most: int = MOST,
    seed: int = 0,
) -> PathCounts:
    """Measure one image and class; whole images, because windows break lines.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; in others the prediction is taken as the truth, and no way starts or ends there.
        pixel_size: metres per px; None measures in px.
        spacing: largest distance between control points along a line, m or px.
        snap: how far a control point may lie from the other map's line, m or px.
        shortest: ways below, m or px, are left out.
        most: ways start from at most so many control points, drawn by `seed`; they end at all of them.
        seed: of the draw.

    Raises:
        SettingError: if shapes differ or a setting is not positive.
    """
    lines = drawn_lines(predicted, truth, counted, pixel_size)
    return path_counts_of(lines, spacing=spacing, snap=snap, shortest=shortest, most=most, seed=seed)


def path_counts_of(
    drawn: Drawn,
    *,
    spacing: float = SPACING,
    snap: float = SNAP,
    shortest: float = SHORTEST,
    most: int = MOST,
    seed: int = 0,
) -> PathCounts:
    """Do the same with lines that were drawn before."""
    positive(spacing=spacing, snap=snap, shortest=shortest, most=most)
    step = max(spacing / drawn.scale, LEAST_SPACING_PX)
    reach = max(snap / drawn.scale, LEAST_SNAP_PX)
    least = shortest / drawn.scale
    rng = np.random.default_rng(seed)
    maps = (drawn.true_lines, drawn.predicted_lines)
    controls = [points_that_count(lines, step, drawn.counted) for lines in maps]
    snapped = [nearest_places(maps[1 - k], maps[k].points[controls[k]], reach) for k in (0, 1)]
    networks = [
        network(maps[k], np.concatenate([controls[k], snapped[1 - k][snapped[1 - k] >= 0]])) for k in (0, 1)
    ]
    size = max(networks[0].ways.shape[0], networks[1].ways.shape[0], 1)
    bound = min(int(most), max(_WORK // size, 8))
    starts = [chosen_evenly(rng, np.arange(points.size), bound) for points in controls]
    shares = [
        _share(networks[k], networks[1 - k], controls[k], snapped[k], starts[k], least=least) for k in (0, 1)
    ]
    if shares[0] is None:
        return PathCounts(drawn.unit)
    # As published: a prediction without a way to compare scores 0, as one with none that is right.
    forth, back = shares[0], shares[1] or 0.0
    return PathCounts(drawn.unit, 1, harmonic(forth, back), forth, back)


def _share(
    own: Network, others: Network, controls: Pixels, snapped: Pixels, starts: Pixels, *, least: float
) -> float | None:
    """Return 1 - mean cost of the ways between `controls`; None if there is none of `least` px."""
    vertex = own.vertex[controls]
    counterpart = np.full(controls.size, -1, np.int64)
    counterpart[snapped >= 0] = others.vertex[snapped[snapped >= 0]]
    cost, ways = 0.0, 0
    for part, there in own.distances(vertex[starts]):
        wanted = there[:, vertex]
        given = np.full_like(wanted, np.inf)
        known = np.flatnonzero(counterpart[starts[part]] >= 0)
        met = np.flatnonzero(counterpart >= 0)
        for chosen, found in others.distances(counterpart[starts[part]][known]):
            given[np.ix_(known[chosen], met)] = found[:, counterpart[met]]
        asked = np.isfinite(wanted) & (wanted >= least)
        cost += float(_costs(wanted[asked], given[asked]).sum())
        ways += int(np.count_nonzero(asked))
    return 1 - cost / ways if ways else None


def _costs(wanted: Floats, given: Floats) -> Floats:
    """Return |wanted - given| / wanted, at most 1, which a way that is missing costs (equation 1)."""
    return np.minimum(np.abs(wanted - given) / wanted, 1)
