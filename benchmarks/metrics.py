"""Time and memory of scoring: exact average precision against peers, and everything that is counted of a raster.

    python benchmarks/metrics.py [--megapixels 50] [--full 100] [--rounds 3] [--no-peers]

Average precision of one class at 4 % from float32 probabilities (what peers sort): ours on one thread, the log-odds
included, medians of the rounds; peers once, as they take that long. Ratios are of one run; where memory is short, give
fewer megapixels. Beside them stand the difference to the exact value and the bounds that the histogram states.

The full evaluation is the command itself, in a process of its own, on one GeoTIFF with its mask and with float32
probabilities in tiles of 512 px: confusion, curves, relaxed curves (3 px), boundaries and intervals; once more on a
quarter of the pixels with lines, objects and widths. Its memory is the peak of the resident set.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from peers.metrics import PEERS, installed

from rareseg.imagery.tiles import blocks
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.probabilities import log_odds

TARGETS = {"ratio": 20.0, "seconds": 10.0, "mebibytes": 300.0}
_STRIP = 1 << 22
_SHARE = 0.04


def main() -> None:
    """Print one table of average precision and one of the full evaluation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, default=50.0, help="of average precision")
    parser.add_argument("--full", type=float, default=100.0, help="megapixels of the full evaluation")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    given = parser.parse_args()
    print(", ".join(f"{name} {version}" for name, version in installed().items()))
    if given.megapixels > 0:
        _average_precision(round(given.megapixels * 1e6), given.rounds, peers=not given.no_peers)
    if given.full > 0:
        _full(given.full, given.rounds, shapes=False)
        _full(given.full / 4, 1, shapes=True)


def _average_precision(pixels: int, rounds: int, *, peers: bool) -> None:
    probabilities, truth = _pixels(pixels)
    times = []
    for _ in range(rounds):
        seconds, histogram = _timed(lambda: _histogram(probabilities, truth))
        times.append(seconds)
    ours = statistics.median(times)
    (found,), (bounds,) = histogram.average_precision(), histogram.average_precision_bounds()
    low, high = bounds
    print(f"\naverage precision of {pixels / 1e6:g} MP, {_SHARE:.0%} of them of the class")
    print(f"{'package':<16}{'s':>9}{'MP/s':>9}{'ours is faster by':>19}{'AP':>12}{'ours - it':>12}")
    print(f"{'rareseg':<16}{ours:9.3f}{pixels / 1e6 / ours:9.0f}{'':>19}{found:12.7f}")
    print(
        f"{'':<16}stated bounds {low:.7f} to {high:.7f}: off by {max(high - found, found - low):.1e} at most"
    )
    for name, peer in PEERS.items() if peers else ():
        try:
            seconds, exact = _timed(lambda call=peer: call(probabilities, truth))
        except ImportError as error:
            print(f"{name:<16}not installed: {error}")
            continue
        print(
            f"{name:<16}{seconds:9.3f}{pixels / 1e6 / seconds:9.1f}{seconds / ours:19.1f}{exact:12.7f}"
            f"{found - exact:12.1e}  (wanted {TARGETS['ratio']:g} times, and 1e-4)"
        )


def _histogram(probabilities: NDArray[np.float32], truth: NDArray[np.uint8]) -> ScoreHistogram:
    total = ScoreHistogram.empty(1)
    for start in range(0, truth.size, _STRIP):
        part = slice(start, start + _STRIP)
        total += ScoreHistogram.count(
            _odds(probabilities[None, part])[None], truth[None, part], overlapping=True
        )
    return total


def _odds(probabilities: NDArray[np.float32], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return the log-odds, made in pieces that stay in the processor's cache; in place if `out` is what is given."""
    odds = np.empty_like(probabilities) if out is None else out
    across = min(probabilities.shape[1], 1 << 16)
    down = max(1, (1 << 16) // across)
    for top in range(0, len(odds), down):
        for left in range(0, odds.shape[1], across):
            part = slice(top, top + down), slice(left, left + across)
            odds[part] = log_odds(probabilities[part])
    return odds


def _full(megapixels: float, rounds: int, *, shapes: bool) -> None:
    side = round((megapixels * 1e6) ** 0.5)
    with tempfile.TemporaryDirectory() as temporary:
        _write(Path(temporary), side)
        command = [sys.executable, "-m", "rareseg", "evaluate", f"{temporary}/data", "--json"]
        command += ["--predictions", f"{temporary}/maps"] + ([] if shapes else ["--no-shapes"])
        runs = [_apart(command) for _ in range(rounds)]
    seconds, peak = statistics.median(run[0] for run in runs), max(run[1] for run in runs)
    wanted = (
        "" if shapes else f" (wanted {TARGETS['seconds']:g} s and {TARGETS['mebibytes']:g} MiB for 100 MP)"
    )
    print(f"\nrareseg evaluate DATA --predictions DIR{'' if shapes else ' --no-shapes'}: {side} x {side} px")
    print(f"{seconds:.1f} s, {side * side / 1e6 / seconds:.0f} MP/s, {peak:.0f} MiB resident at most{wanted}")
    scores = runs[0][2]["classes"]["foreground"]
    kept = ("average_precision", "iou", "break_even", "boundary_iou", "roc_area")
    print(", ".join(f"{name} {scores[name]:.4f}" for name in kept))


_MEASURED = """
import json, os, subprocess, sys, time
started = time.perf_counter()
child = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(child.pid, 0)
print(json.dumps([status, time.perf_counter() - started, used.ru_maxrss / 1024]), file=sys.stderr)
"""
"""Begun by a small process: until it is another program, a child has the memory of whoever begins it."""


def _apart(command: list[str]) -> tuple[float, float, dict[str, Any]]:
    """Return the seconds, the peak of the resident set in MiB, and the report of a command."""
    measured = [sys.executable, "-S", "-c", _MEASURED, *command]
    done = subprocess.run(measured, capture_output=True, text=True, check=True)
    status, seconds, peak = json.loads(done.stderr.splitlines()[-1])
    if status:
        message = f"{' '.join(command)} failed: {done.stderr}"
        raise SystemExit(message)
    return seconds, peak, json.loads(done.stdout)


def _write(folder: Path, side: int) -> None:
    """Write GeoTIFFs of winding lines, and of probabilities that lie a little beside them, tile by tile."""
    tile, seen = _tile(1024)
    photo = np.stack([90 + 60 * tile, 80 + 0 * tile, 70 + 0 * tile]).astype(np.uint8)
    contents = {"data/images": photo, "data/masks": tile[None] * np.uint8(255), "maps": seen[None]}
    for name, content in contents.items():
        (folder / name).mkdir(parents=True)
        with rasterio.open(
            folder / name / "scene.tif", "w", driver="GTiff", width=side, height=side, count=len(content),
            dtype=content.dtype, tiled=True, blockxsize=512, blockysize=512,
            crs="EPSG:32619", transform=rasterio.Affine(1, 0, 300_000, 0, -1, 4_700_000),
        ) as raster:  # fmt: skip
            for block in blocks(side, side, 1024):
                part = content[:, : block.height, : block.width]
                raster.write(
                    part, window=((block.row, block.row + block.height), (block.col, block.col + block.width))
                )


def _tile(side: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    ridge = cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), 24)
    labels = (np.abs(ridge) < np.quantile(np.abs(ridge), _SHARE)).astype(np.uint8)
    blurred = cv2.GaussianBlur(np.roll(labels, 1, axis=1).astype(np.float32), (0, 0), 2)
    noise = cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), 1.5)
    odds = 9 * blurred - 5 + 4 * noise + 0.3 * rng.normal(size=(side, side))
    return labels, (1 / (1 + np.exp(-odds))).astype(np.float32)


def _pixels(count: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return probabilities and truth, both (count,)."""
    rng = np.random.default_rng(0)
    truth = (rng.random(count, np.float32) < _SHARE).astype(np.uint8)
    odds = rng.standard_normal(count, np.float32)
    odds *= 2
    odds += np.float32(4) * truth - np.float32(4)
    np.exp(np.negative(odds, out=odds), out=odds)
    return np.reciprocal(odds + np.float32(1)), truth


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
