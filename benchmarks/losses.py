"""Time and memory of every loss, forward and backward, against cross-entropy of the same run and against peers.

    python benchmarks/losses.py [--rounds 9] [--only NAME] [--threads 2] [--clock cpu] [--confidence 0]

float32 logits (random normal) and int64 labels in blocks of 8x8 pixels: 8x12x256x256 and 8x2x256x256 with exclusive
classes, against torch's F.cross_entropy; 8x1x512x512 with 4 % ones, against torch's binary cross-entropy. In every
round each function runs twice in a row, as it does in a training, and the second time counts: the first pays for
the memory that the function before gave back. All functions take turns, so that a busy machine slows all alike;
ratios are of medians. What takes over a second runs and is timed once. --confidence adds to the logit of the
labelled class, as training would: sorts have more to do then. On a busy machine, --threads 1 --clock cpu compares
processor time, which other work disturbs less.

Memory is the peak of the resident set during forward and backward above what was resident before, in a process of
its own in which a small batch went before, as a multiple of the logits; the gradient itself, 1, is part of it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from peers.losses import installed, peers
from torch import Tensor
from torch.nn import functional as F

from rareseg.network.losses.catalogue import LOSSES, build
from rareseg.records.plan import LossChoice, WeightsChoice
from rareseg.remedies import loss_sums

SIZES = {"8x12x256x256": (8, 12, 256, 256), "8x2x256x256": (8, 2, 256, 256), "8x1x512x512": (8, 1, 512, 512)}
TARGETS = {
    "cross_entropy": 1.1,
    "cross_entropy + dice": 1.3,
    "focal": 1.5,
    "dice": 1.2,
    "jaccard": 1.2,
    "tversky": 1.2,
    "lovasz": 3.0,
    "cldice (3 iterations)": 8.0,
    "cldice (10 iterations)": 8.0,
}
"""Times cross-entropy's time."""
MEMORY_TARGET = 2.0
WEIGHED = (
    "cross_entropy + dice",
    "dice",
    "jaccard",
    "tversky",
    "focal_tversky",
    "generalised_dice",
    "lovasz",
)
"""Losses whose memory is measured, beside cross-entropy's."""
SLOW = 1.0
"""Seconds."""
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Clock = Callable[[], float]
EXCLUSIVE_ONLY = ("balanced_softmax",)

Loss = Callable[[Tensor, Tensor], Tensor]


class Row(NamedTuple):
    """One function to time."""

    name: str
    package: str
    loss: Loss | None
    """None if it cannot run; `note` says why."""
    note: str
    channels_last: bool = False


def main() -> None:
    """Print one table per size, and one of memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", help="one loss, or a sum of losses, by name")
    parser.add_argument("--size", choices=SIZES, action="append")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--confidence", type=float, default=0.0)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--peak", nargs=2, metavar=("SIZE", "NAME"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.peak:
        size, name = given.peak
        print(json.dumps(_peak(SIZES[size], name)))
        return
    print(
        f"{given.threads} threads, {given.rounds} rounds, logits of the label + {given.confidence:g};",
        end=" ",
    )
    print(", ".join(f"{name} {version}" for name, version in installed().items()))
    names = [given.only] if given.only else [*LOSSES, *(name for name in TARGETS if name not in LOSSES)]
    names = [name for name in names if given.only or name != "cldice"]
    for size in given.size or SIZES:
        _times(size, names, given.rounds, given.confidence, CLOCKS[given.clock])
    if not given.no_memory:
        _memory(given.size or list(SIZES), [name for name in ("cross_entropy", *WEIGHED) if name in names])


def _times(size: str, names: list[str], rounds: int, confidence: float, clock: Clock) -> None:
    shape = SIZES[size]
    logits, labels = _batch(shape, confidence)
    rows = [
        Row("", "torch", _baseline(labels, shape[1]), ""),
        *(row for name in names for row in _rows(name, shape[1])),
    ]
    times = _rounds(rows, logits, labels, rounds, clock)
    middle = {index: statistics.median(taken) for index, taken in times.items() if taken}
    title = "F.binary_cross_entropy_with_logits" if shape[1] == 1 else "F.cross_entropy"
    print(f"\n{size}, {title}: {middle[0] * 1000:.1f} ms")
    print(f"{'loss':<24}{'package':<12}{'ms':>8}{'x CE':>7}{'wanted':>8}{'ours / peer':>13}  note")
    for index, row in enumerate(rows):
        if index:
            print(_line(index, row, rows, middle))


def _line(index: int, row: Row, rows: list[Row], middle: dict[int, float]) -> str:
    start = f"{row.name:<24}{row.package:<12}"
    if index not in middle:
        return f"{start}{'-':>8}{'-':>7}{'':>8}{'':>13}  {row.note}"
    ours, wanted, against = row.package == "rareseg", "", ""
    if ours:
        wanted = f"{TARGETS[row.name]:.1f}" if row.name in TARGETS else ""
    else:
        own = next(i for i, one in enumerate(rows) if one.name == row.name and one.package == "rareseg")
        against = f"{middle[own] / middle[index]:.2f}" if own in middle else ""
    ratio = middle[index] / middle[0]
    return f"{start}{middle[index] * 1000:8.1f}{ratio:7.2f}{wanted:>8}{against:>13}  {row.note}".rstrip()


def _rounds(
    rows: list[Row], logits: Tensor, labels: Tensor, rounds: int, clock: Clock
) -> dict[int, list[float]]:
    """Return seconds per row; a row that fails gets its reason as its note."""
    times: dict[int, list[float]] = {index: [] for index in range(len(rows))}
    turned = logits.detach().movedim(1, -1).contiguous().requires_grad_()
    slow: set[int] = set()
    for number in range(rounds + 1):
        for index, row in enumerate(rows):
            if row.loss is None or (number > 1 and index in slow):
                continue
            given = turned if row.channels_last else logits
            try:
                seconds = _once(row.loss, given, labels, clock)
                if number and index not in slow:
                    seconds = _once(row.loss, given, labels, clock)
            except (RuntimeError, TypeError, ValueError, AssertionError) as error:
                reason = str(error).split("\n")[0][:80]
                rows[index] = row._replace(loss=None, note=f"fails: {reason}")
                times[index] = []
                continue
            if number:  # the first round warms up
                times[index].append(seconds)
            elif seconds > SLOW:
                slow.add(index)
    return times


def _once(loss: Loss, logits: Tensor, labels: Tensor, clock: Clock = time.perf_counter) -> float:
    logits.grad = None
    started = clock()
    loss(logits, labels).backward()
    return clock() - started


def _rows(name: str, classes: int) -> list[Row]:
    try:
        rows = [Row(name, "rareseg", _ours(name, classes), "")]
    except KeyError as error:
        rows = [Row(name, "rareseg", None, f"not there: {error}")]
    if name in EXCLUSIVE_ONLY and classes == 1:
        return [Row(name, "rareseg", None, "exclusive classes only")]
    for peer in peers(name, classes):
        try:
            rows.append(Row(name, peer.package, peer.make(), peer.note, peer.channels_last))
        except ImportError as error:
            rows.append(Row(name, peer.package, None, f"not installed: {error}"))
    return rows


def _ours(name: str, classes: int) -> Loss:
    term, _, inside = name.partition(" (")
    given = {key: "0" for key in loss_sums.settings(term) if key.endswith(f".{loss_sums.RAMP}")}
    if inside:
        given["cldice.iterations"] = inside.split()[0]
    choice = LossChoice(name=term, settings=loss_sums.settings(term, given), because="", reference="")
    weights = WeightsChoice(rule="none", values=(1.0,) * classes, because="", reference="")
    shares = (0.04,) if classes == 1 else _shares(classes)
    for part in loss_sums.terms(term):
        LOSSES[part.remedy.name]  # a KeyError says which is missing
    return build(choice, weights, shares=shares, overlapping=False)


def _baseline(labels: Tensor, classes: int) -> Loss:
    if classes > 1:
        return F.cross_entropy
    targets = labels.unsqueeze(1).float()  # beforehand: the function alone is what times are compared with
    return lambda logits, labels: F.binary_cross_entropy_with_logits(logits, targets[: len(labels)])


def _shares(classes: int) -> tuple[float, ...]:
    """Return shares of which each is 0.7 of the one before; of two classes, 96 % and 4 %."""
    if classes == 2:
        return (0.96, 0.04)
    parts = [0.7**number for number in range(classes)]
    return tuple(part / sum(parts) for part in parts)


def _batch(shape: tuple[int, int, int, int], confidence: float) -> tuple[Tensor, Tensor]:
    images, classes, rows, cols = shape
    generator = torch.Generator().manual_seed(0)
    shares = torch.tensor((0.96, 0.04) if classes == 1 else _shares(classes))
    blocks = torch.multinomial(
        shares, images * -(-rows // 8) * -(-cols // 8), replacement=True, generator=generator
    ).view(images, -(-rows // 8), -(-cols // 8))
    labels = blocks.repeat_interleave(8, dim=1).repeat_interleave(8, dim=2)[:, :rows, :cols].contiguous()
    logits = torch.randn(shape, generator=generator)
    if classes == 1:
        logits += confidence * (2 * labels.unsqueeze(1) - 1)
    elif confidence:
        logits.scatter_add_(1, labels.unsqueeze(1), torch.full_like(logits[:, :1], confidence))
    return logits.requires_grad_(), labels


def _memory(sizes: list[str], names: list[str]) -> None:
    if not Path("/proc/self/clear_refs").exists():
        print("\npeak memory: not measured, this system does not tell it")
        return
    print(
        f"\npeak memory above what was resident, times the logits (wanted {MEMORY_TARGET:g}; gradient 1 included)"
    )
    print(f"{'loss':<24}" + "".join(f"{size:>15}" for size in sizes))
    for name in ["torch", *names]:
        peaks = [_peak_apart(size, name) for size in sizes]
        print(
            f"{'torch cross-entropy' if name == 'torch' else name:<24}"
            + "".join(f"{peak:>15}" for peak in peaks)
        )


def _peak_apart(size: str, name: str) -> str:
    command = [sys.executable, __file__, "--peak", size, name, "--threads", str(torch.get_num_threads())]
    # Every large array in memory of its own: else one that fits what the imports gave back costs nothing.
    apart = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=apart)
    return f"{json.loads(done.stdout):.2f}" if done.returncode == 0 else "fails"


def _peak(shape: tuple[int, int, int, int], name: str) -> float:
    logits, labels = _batch(shape, 0.0)
    small = _batch((shape[0], shape[1], 32, 32), 0.0)
    for one, truth in (small, (logits, labels)):
        loss = _baseline(truth, shape[1]) if name == "torch" else _ours(name, shape[1])
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        before = _resident()
        _once(loss, one, truth)
    return (_resident() - before) * 1024 / (logits.numel() * logits.element_size())


def _resident() -> int:
    """Return the peak resident set since it was reset, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    main()
