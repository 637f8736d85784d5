"""What the machine can do: facts for the plan, and the Fabric that runs on them."""

import logging
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from rareseg.records.machine import Machine
from rareseg.records.plan import PrecisionChoice


def describe() -> Machine:
    """Look at this machine: accelerator, fast bfloat16, memory."""
    if torch.cuda.is_available():
        return Machine(
            accelerator="cuda",
            fast_bf16=torch.cuda.is_bf16_supported(including_emulation=False),
            memory_bytes=_memory(),
            cores=torch.get_num_threads(),
        )
    capabilities = torch.cpu.get_capabilities()
    fast = bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))
    return Machine(
        accelerator="mps" if torch.backends.mps.is_available() else "cpu",
        fast_bf16=fast,
        memory_bytes=_memory(),
        cores=torch.get_num_threads(),
    )


def fabric(precision: PrecisionChoice) -> Fabric:
    """Return a Fabric on one device in the plan's precision."""
    # Fabric would announce the precision, which stands in the plan.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    return Fabric(accelerator="auto", devices=1, precision=precision.name)


def to_device(model: nn.Module, precision: PrecisionChoice) -> nn.Module:
    """Return `model` on the device that `fabric` would use."""
    return model.to(fabric(precision).device)


def _memory() -> int:
    """Return the bytes of memory that are free for samples; 4 GiB where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 4 * 2**30
