"""Which samples an epoch draws."""

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError


def class_balanced_indices(
    labels: NDArray[np.integer], rng: np.random.Generator, draws: int
) -> NDArray[np.int64]:
    """Draw sample numbers so that every class that occurs comes up equally often, in random order.

    `labels` (n,) holds each sample's class. Each of the k classes that occur gets draws // k draws, and the
    remainder goes to classes drawn at random. Within a class all samples are drawn once before one is drawn
    again, so a rare class repeats as evenly as it can, and a frequent one not at all.
    Returns (draws,) indices into `labels`. A network trained so has learnt equal shares: see
    `priors.undo_sampling_shift`. Raises SettingError if `labels` is empty or not flat, or `draws` is below 1.

    Reference: Kang et al. 2020, arXiv:1910.09217, sec. 3 (class-balanced sampling).
    """
    if labels.ndim != 1 or labels.size == 0:
        message = (
            "labels must be flat and hold at least one sample; "
            f"got shape {labels.shape}. Pass one label per sample."
        )
        raise SettingError(message)
    if draws < 1:
        message = f"draws must be 1 or more; got {draws}. Name how many samples an epoch has."
        raise SettingError(message)
    present = np.unique(labels)
    quota = np.full(len(present), draws // len(present))
    quota[rng.permutation(len(present))[: draws % len(present)]] += 1
    drawn = [
        _in_turns(np.flatnonzero(labels == label), rng, int(count))
        for label, count in zip(present, quota, strict=True)
    ]
    return np.asarray(rng.permutation(np.concatenate(drawn)), np.int64)


def _in_turns(members: NDArray[np.int64], rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    rounds = -(-count // len(members))
    return np.asarray(
        np.concatenate([members[:0], *(rng.permutation(members) for _ in range(rounds))])[:count]
    )
