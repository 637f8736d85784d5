"""How long do the scores of thin things take? Generated roads, and the worst that a mask can be.

    python benchmarks/topology.py [--size 1500] [--share 0.2] [--rounds 3]

roads   a dense network of generated roads; the prediction misses 40 squares of it and invents 20 strokes
same    the same network twice
blobs   smooth noise above its mean: wide things, with many holes
noise   half of the pixels, at random, in both maps: all lines and junctions

Times are medians, in seconds, of one process and one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from rareseg.measures.apls import path_counts_of
from rareseg.measures.cldice import cldice_counts
from rareseg.measures.connections import connection_counts_of
from rareseg.measures.ground import drawn_lines
from rareseg.measures.lines import line_graph
from rareseg.measures.objects import object_counts
from rareseg.measures.topo import topo_counts_of
from rareseg.measures.topology import topology_counts
from rareseg.measures.widths import width_counts
from rareseg.scenes.roads import lay_roads, road_coverage

Mask = NDArray[np.bool_]


def main() -> None:
    """Print a table of times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1500, help="side of the images, px")
    parser.add_argument("--share", type=float, default=0.2, help="share of road")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rows = [_timed(*pair, options.rounds) for pair in _pairs(options.size, options.share).values()]
    names = list(_pairs(64, options.share))
    print(f"{'':14}" + "".join(f"{name:>10}" for name in names))
    for part in rows[0]:
        print(f"{part:14}" + "".join(f"{row[part]:10.2f}" for row in rows))


def _pairs(size: int, share: float) -> dict[str, tuple[Mask, Mask]]:
    rng = np.random.default_rng(0)
    roads = road_coverage(lay_roads(rng, size, share), size) > 0.5
    predicted = roads.astype(np.uint8)
    for row, col in rng.integers(0, size, (40, 2)).tolist():
        predicted[row : row + 40, col : col + 40] = 0
    for start, stop in rng.integers(0, size, (20, 2, 2)).tolist():
        cv2.line(predicted, start, stop, 1, 5)
    smooth = [cv2.GaussianBlur(rng.random((size, size), np.float32), (0, 0), 8) for _ in range(2)]
    noise = [rng.random((size, size)) < 0.5 for _ in range(2)]
    return {
        "roads": (predicted > 0, roads),
        "same": (roads, roads),
        "blobs": (smooth[0] > smooth[0].mean(), smooth[1] > smooth[1].mean()),
        "noise": (noise[0], noise[1]),
    }


def _timed(predicted: Mask, truth: Mask, rounds: int) -> dict[str, float]:
    counted = np.ones(truth.shape, np.bool_)
    drawn = drawn_lines(predicted, truth, counted, None)
    parts: dict[str, Callable[[], object]] = {
        "one graph": lambda: line_graph(truth),
        "APLS": lambda: path_counts_of(drawn),
        "TOPO": lambda: topo_counts_of(drawn),
        "connections": lambda: connection_counts_of(drawn),
        "clDice": lambda: cldice_counts(predicted, truth, counted),
        "all of these": lambda: topology_counts(predicted, truth, counted),
        "objects": lambda: object_counts(predicted, truth, counted),
        "widths": lambda: width_counts(predicted, truth, counted),
    }
    return {name: statistics.median(_seconds(part) for _ in range(rounds)) for name, part in parts.items()}


def _seconds(part: Callable[[], object]) -> float:
    start = time.perf_counter()
    part()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
