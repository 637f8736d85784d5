"""Random states of torch, NumPy and Python, put back after looking."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def random_states_kept(*generators: torch.Generator) -> Iterator[None]:
    """Put back, on leaving, the global random states of torch (every device in use), NumPy and Python.

    Args:
        generators: further generators to put back, such as those of a DataLoader.
    """
    # Asking a device for its state would start CUDA where nobody uses it.
    in_use = torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
    on_cpu, on_devices = torch.get_rng_state(), torch.cuda.get_rng_state_all() if in_use else []
    # The global generator of NumPy is what augmentations of users draw from.
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    own = [generator.get_state() for generator in generators]
    try:
        yield
    finally:
        torch.set_rng_state(on_cpu)
        if on_devices:
            torch.cuda.set_rng_state_all(on_devices)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
        for generator, state in zip(generators, own, strict=True):
            generator.set_state(state)


def generators_of(data: Any) -> tuple[torch.Generator, ...]:
    """Return the generators that a DataLoader and its samplers draw from."""
    batch_sampler = getattr(data, "batch_sampler", None)
    owners = (data, getattr(data, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None))
    found = [getattr(owner, "generator", None) for owner in owners]
    return tuple({id(each): each for each in found if isinstance(each, torch.Generator)}.values())
