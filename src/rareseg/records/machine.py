"""What the machine can do: facts that the plan reads beside the Audit."""

from typing import Literal

from rareseg.records.codec import Record


class Machine(Record, frozen=True, kw_only=True):
    """The machine that will train."""

    accelerator: Literal["cpu", "cuda", "mps"]
    fast_bf16: bool
    """True if the processor multiplies bfloat16 in hardware (AVX512-bf16, AMX, recent GPUs)."""
    memory_bytes: int
    """Main memory that is free."""
    cores: int
    """Threads that torch computes with."""
