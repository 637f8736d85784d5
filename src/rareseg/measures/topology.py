"""All scores of thin things in one image from one drawing of their lines."""

from dataclasses import dataclass, field
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from rareseg.measures.apls import PathCounts, path_counts_of
from rareseg.measures.cldice import ClDiceCounts, cldice_counts
from rareseg.measures.connections import BUFFER, ConnectionCounts, connection_counts_of
from rareseg.measures.ground import drawn_lines
from rareseg.measures.topo import TopoCounts, topo_counts_of


@final
@dataclass(frozen=True, slots=True)
class TopologyCounts:
    """Counts of every kind; `+` merges images."""

    apls: PathCounts = field(default_factory=PathCounts)
    topo: TopoCounts = field(default_factory=TopoCounts)
    connections: ConnectionCounts = field(default_factory=ConnectionCounts)
    cldice: ClDiceCounts = field(default_factory=ClDiceCounts)

    def __add__(self, other: Self) -> Self:
        """Merge two disjoint sets of images.

        Raises:
            SettingError: if one was measured in metres and the other in px.
        """
        return type(self)(
            self.apls + other.apls,
            self.topo + other.topo,
            self.connections + other.connections,
            self.cldice + other.cldice,
        )


def topology_counts(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    pixel_size: float | None = None,
    *,
    buffer: float = BUFFER,
    seed: int = 0,
) -> TopologyCounts:
    """Measure one image and class by APLS, TOPO, lengths and breaks, and clDice, each with its usual settings.

    Args:
        predicted: (height, width), where the map gives the class.
        truth: where the mask holds it.
        counted: where pixels count; in others the prediction is taken as the truth: lines run on through them in
            both maps alike, and nothing in there is counted.
        pixel_size: metres per px; None measures in px.
        buffer: px, how far lines may lie apart where lengths are compared.
        seed: of the draws of APLS and TOPO.

    Raises:
        SettingError: if shapes differ or a setting is out of range.
    """
    drawn = drawn_lines(predicted, truth, counted, pixel_size)
    return TopologyCounts(
        path_counts_of(drawn, seed=seed),
        topo_counts_of(drawn, seed=seed),
        connection_counts_of(drawn, buffer=buffer),
        cldice_counts(predicted, truth, counted),
    )
