"""Training throughput: `rareseg train` against the same network in a bare PyTorch loop over in-memory crops.

    python benchmarks/throughput.py [--steps 300] [--rounds 3]

Both use the default plan's network, optimizer, batch and precision. The bare loop draws its crops beforehand and
does nothing but forward, cross-entropy, backward and step; rareseg reads, turns and scales crops, clips gradients,
averages weights, logs, watches for collapse and validates. The rounds alternate; the table gives medians.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

import rareseg
from rareseg.network.batches import Batches
from rareseg.network.crops import CropStore
from rareseg.network.optimizers import Stepper
from rareseg.network.session import build_network
from rareseg.records.run import PhotoStatistics


def main() -> None:
    """Alternate both loops and print their medians and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = rareseg.scenes.write_roads(folder / "scenes", count=24, size=512, seed=3)
        audit = rareseg.audit(data)
        plan = rareseg.plan(audit, steps=given.steps)
        ours, bare = [], []
        for _ in range(given.rounds):
            bare.append(_bare(data, audit, plan, given.steps))
            run = rareseg.train(data, output=folder / "run", audit=audit, plan=plan, overwrite=True)
            ours.append(run.seconds / run.steps)
    pairs = zip(ours, bare, strict=True)
    print(f"{'':>24} {'s per step':>11} {'crops per s':>12}")
    for title, times in (("bare PyTorch loop", bare), ("rareseg train", ours)):
        middle = statistics.median(times)
        print(f"{title:>24} {middle:11.3f} {plan.batch.size / middle:12.1f}")
    ratios = [one / other for one, other in pairs]
    print(f"time per step, rareseg / bare: {statistics.median(ratios):.3f} (rounds: {_listed(ratios)})")


def _bare(data: Path, audit: rareseg.Audit, plan: rareseg.Plan, steps: int) -> float:
    """Return seconds per step of the bare loop."""
    facts = audit.part("train")
    statistics_ = PhotoStatistics(mean=facts.band_mean, std=facts.band_std)
    pairs = [pair for pair in audit.dataset.pairs if pair.part == "train"]
    store = CropStore(data, audit.dataset, pairs, fill=facts.band_mean, memory_bytes=1 << 32)
    drawn = Batches(store, plan, statistics_, seed=0)
    batches = [drawn.make() for _ in range(16)]
    torch.manual_seed(0)
    model = build_network(plan, bands=audit.dataset.bands)
    stepper = Stepper(model, plan.optimizer)
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    for step in range(steps):
        batch = batches[int(rng.integers(len(batches)))]
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.precision.name == "bf16-mixed"):
            logits = model(batch.images)
        F.cross_entropy(logits.float(), batch.labels, ignore_index=255).backward()
        stepper.step(step / steps)
    return (time.perf_counter() - started) / steps


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":
    main()
