"""The prior: how often classes occur, as logits that a network can start from or be shifted by.

Logarithms are natural; entropies are in nats.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rareseg.errors import SettingError

LEAST_SHARE = 1e-6
"""Share that a class which never occurs is taken to have, so that its logit stays finite."""


def checked_shares(shares: ArrayLike) -> NDArray[np.float64]:
    """Return shares as float64 (n,); raises SettingError unless all lie in 0..1 and one is above 0."""
    given = np.asarray(shares, np.float64)
    if given.ndim != 1 or not ((given >= 0) & (given <= 1)).all() or not given.any():
        message = (
            "shares must be one number in 0..1 per class, at least one of them above 0; "
            f"got {given.tolist()}. Divide pixel counts by their sum."
        )
        raise SettingError(message)
    return given


def log_prior(
    shares: Sequence[float] | NDArray[np.float64], *, least: float = LEAST_SHARE
) -> NDArray[np.float64]:
    """Return ln p_c (n,): the bias by which a softmax layer with zero weights answers the shares p.

    For exclusive classes; p is first divided by its sum. Shares below `least` count as `least`, so that
    a class that never occurs gets a finite logit (about -14).

    Reference: Lin et al. 2017, arXiv:1708.02002, sec. 4.1 (there for the sigmoid).
    """
    given = checked_shares(shares)
    kept = np.maximum(given / given.sum(), least)
    return np.asarray(np.log(kept / kept.sum()))


def log_odds(
    shares: Sequence[float] | NDArray[np.float64], *, least: float = LEAST_SHARE
) -> NDArray[np.float64]:
    r"""Return ln(p_c / (1 - p_c)) (n,): the bias by which a sigmoid layer with zero weights answers p.

    For overlapping classes; the shares need not add up to 1 and may be one alone. They are clipped to
    least..1 - least.

    Reference: Lin et al. 2017, arXiv:1708.02002, sec. 4.1: b = -ln((1 - \pi) / \pi).
    """
    given = np.clip(checked_shares(shares), least, 1 - least)
    return np.asarray(np.log(given) - np.log1p(-given))


def entropy(shares: Sequence[float] | NDArray[np.float64]) -> float:
    """Return -sum p ln p in nats: the cross-entropy of a network that only knows the shares p of its classes.

    p is first divided by its sum; a share of 0 adds nothing.
    """
    given = checked_shares(shares)
    share = given[given > 0] / given.sum()
    return float(-(share * np.log(share)).sum() + 0.0)


def undo_sampling_shift(
    logits: NDArray[np.floating], from_shares: Sequence[float], to_shares: Sequence[float]
) -> NDArray[np.float64]:
    r"""Move softmax logits from the class shares p a network was trained on to the shares q where it is used.

    .. math:: z'_c = z_c + \ln q_c - \ln p_c

    Bayes' rule for samples drawn by class (`from_shares` p) and met as they come (`to_shares` q).
    `logits` (..., n); both shares hold n numbers above 0, and are first divided by their sums: a class never
    drawn cannot be put back. Raises SettingError for other shares, or another last axis.

    Reference: Menon et al. 2020, arXiv:2007.07314, sec. 4 (logit adjustment; there with equal q).
    """
    before, after = checked_shares(from_shares), checked_shares(to_shares)
    if before.shape != after.shape or not (before > 0).all() or not (after > 0).all():
        message = (
            "from_shares and to_shares must hold the same number of classes and no share of 0; "
            f"got {before.tolist()} and {after.tolist()}. Leave out classes that do not occur."
        )
        raise SettingError(message)
    if not logits.ndim or logits.shape[-1] != len(before):
        message = (
            f"logits must end in an axis of {len(before)} classes; "
            f"got shape {logits.shape}. Move that axis last."
        )
        raise SettingError(message)
    shift = np.log(after / after.sum()) - np.log(before / before.sum())
    return np.asarray(logits.astype(np.float64) + shift)


def undo_sampling_shift_of_odds(
    logits: NDArray[np.floating], from_share: float, to_share: float
) -> NDArray[np.float64]:
    r"""Move sigmoid logits of one class from its share p in training to its share q in use.

    .. math:: z' = z + \ln\frac{q}{1 - q} - \ln\frac{p}{1 - p}

    `logits` of any shape; both shares lie between 0 and 1, neither included. Raises SettingError for others.

    Reference: as `undo_sampling_shift`, for two classes.
    """
    for name, share in (("from_share", from_share), ("to_share", to_share)):
        if not 0 < share < 1:
            message = f"{name} must lie between 0 and 1, without either; got {share}. Count the class again."
            raise SettingError(message)
    shift = np.log(to_share / (1 - to_share)) - np.log(from_share / (1 - from_share))
    return np.asarray(logits.astype(np.float64) + shift)
