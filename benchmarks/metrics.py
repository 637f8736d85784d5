"""Time and memory of scoring: exact average precision against peers, and everything that is counted of a raster.

    python benchmarks/metrics.py [--megapixels 50] [--full 100] [--rounds 3] [--threads 2] [--no-peers]

Average precision of one class at 4 % from float32 probabilities (what peers sort): ours on one thread, the log-odds
included, medians of the rounds; peers once, as they take that long. Ratios are of one run; where memory is short, give
fewer megapixels. Beside them stand the difference to the exact value and the bounds that the histogram states.

The full evaluation reads a raster of float32 probabilities and one of labels from disk in windows of 2048 px with a
halo, on threads, in a process of its own: confusion, curves, relaxed curves (3 px) and boundaries (2 % of the diagonal)
of the rare class. Its memory is the peak of the resident set, in all and above what was resident after the imports.
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
from numpy.typing import NDArray
from peers.metrics import PEERS, installed

from rareseg.imagery.tiles import Window, blocks
from rareseg.measures.boundary import boundary_width
from rareseg.measures.cores import haloed
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.pixel_counts import PixelCounts, counted_on_threads, halo_of
from rareseg.measures.probabilities import log_odds

WINDOW = 2048
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
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(_evaluate(given.child, given.threads)))
        return
    print(", ".join(f"{name} {version}" for name, version in installed().items()))
    if given.megapixels > 0:
        _average_precision(round(given.megapixels * 1e6), given.rounds, peers=not given.no_peers)
    if given.full > 0:
        _full(given.full, given.rounds, given.threads)


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


def _full(megapixels: float, rounds: int, threads: int) -> None:
    side = round((megapixels * 1e6) ** 0.5)
    with tempfile.TemporaryDirectory() as temporary:
        _write(Path(temporary), side)
        runs = [_apart(Path(temporary), threads) for _ in range(rounds)]
    seconds = statistics.median(run["seconds"] for run in runs)
    peak, above = (max(run[name] for run in runs) for name in ("peak", "above"))
    print(f"\nfull evaluation of {side} x {side} px in windows of {WINDOW} px, {threads} threads")
    print(
        f"{seconds:.2f} s, {side * side / 1e6 / seconds:.0f} MP/s (wanted {TARGETS['seconds']:g} s for 100 MP)"
    )
    print(f"{peak:.0f} MiB resident at most, {above:.0f} above the imports (wanted {TARGETS['mebibytes']:g})")
    print(", ".join(f"{name} {value:.4f}" for name, value in runs[0]["scores"].items()))


def _apart(folder: Path, threads: int) -> dict[str, object]:
    command = [sys.executable, __file__, "--child", str(folder), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def _evaluate(folder: Path, threads: int) -> dict[str, object]:
    """Score the rasters in `folder` as a process of its own."""
    side = json.loads((folder / "side.json").read_text())
    width = boundary_width(side, side)
    before = _resident("VmRSS")

    def count(window: Window) -> PixelCounts:
        outer, core = haloed(window, (side, side), halo_of(width))
        probabilities = _read(folder / "probabilities.f32", np.float32, side, Window(*outer))
        labels = _read(folder / "labels.u8", np.uint8, side, Window(*outer))
        given = (probabilities >= 0.5).astype(np.uint8)
        odds = _odds(probabilities, out=probabilities)[None]
        return PixelCounts.count(odds, given, labels, overlapping=False, width=width, core=core, only=[1])

    seconds, total = _timed(
        lambda: counted_on_threads(
            blocks(side, side, WINDOW), count, PixelCounts.empty(2, overlapping=False), threads=threads
        )
    )
    peak = _resident("VmHWM")
    scores = {
        "AP": total.curve.average_precision()[1],
        "best IoU": total.curve.best()[1].iou,
        "IoU": total.confusion.iou()[1],
        "relaxed break-even": total.relaxed.break_even()[1].score,
        "boundary IoU": total.boundary[1].iou,
    }
    if total.confusion.counted != side * side:
        message = f"{total.confusion.counted} px were counted of {side * side}"
        raise SystemExit(message)
    return {"seconds": seconds, "peak": peak, "above": peak - before, "scores": scores}


def _read(path: Path, dtype: type, side: int, window: Window) -> NDArray[np.generic]:
    """Return one window of a raw raster, read row by row."""
    found = np.empty((window.height, window.width), dtype)
    with path.open("rb", buffering=0) as stream:
        for row, line in enumerate(found, start=window.row):
            stream.seek((row * side + window.col) * found.itemsize)
            stream.readinto(line)
    return found


def _write(folder: Path, side: int) -> None:
    """Write rasters of winding lines, and of probabilities that lie a little beside them, tile by tile."""
    (folder / "side.json").write_text(json.dumps(side))
    tile, seen = _tile(1024)
    shape = (side, side)
    probabilities = np.memmap(folder / "probabilities.f32", np.float32, mode="w+", shape=shape)
    labels = np.memmap(folder / "labels.u8", np.uint8, mode="w+", shape=shape)
    for block in blocks(side, side, 1024):
        part = slice(block.row, block.row + block.height), slice(block.col, block.col + block.width)
        labels[part] = tile[: block.height, : block.width]
        probabilities[part] = seen[: block.height, : block.width]
    probabilities.flush()
    labels.flush()


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


def _resident(name: str) -> float:
    """Return what /proc says of this process's memory, MiB; 0 where there is no /proc."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), 0.0)


if __name__ == "__main__":
    main()
