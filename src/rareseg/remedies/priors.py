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


def shift(
    shares: Sequence[float],
    *,
    overlapping: bool = False,
    weights: Sequence[float] | None = None,
    drawn: Sequence[float] | None = None,
    adjustment: float = 0.0,
) -> NDArray[np.float64]:
    r"""Return what training by cross-entropy adds to each class's honest logit (n,), nats: take it off again in use.

    Exclusive classes, whose softmax does not notice a number added to all (the most frequent class gets 0):

    .. math:: s_c = \ln w_c + \ln\frac{q_c}{p_c} - \tau \ln p_c

    Overlapping classes, each its own question (weights weigh both of its answers, and so shift nothing):

    .. math:: s_c = \mathrm{logit}(q_c) - (1 + \tau) \mathrm{logit}(p_c)

    For sampling this takes a class to look the same wherever it is drawn (label shift); crops around rare things
    also show more of what stands beside them, so there it is an approximation, to be checked by measurement.

    Args:
        shares: p, share of each class where the network will be used, 0..1.
        overlapping: A pixel may belong to several classes.
        weights: w, class weights of the loss, >= 0; exclusive classes only.
        drawn: q, share of each class among the pixels trained on, 0..1.
        adjustment: tau by which the loss itself adds tau ln p to the logits (logit-adjusted; balanced softmax: 1).

    A class that weighs nothing, is never drawn or never occurs cannot be put back: that term leaves it as it is.

    Raises:
        SettingError: if the lists differ in length or range, or weights are given for overlapping classes.

    Reference: Elkan 2001 (IJCAI), theorem 2; Saerens et al. 2002, eq. 2.4; Menon et al. 2020, arXiv:2007.07314,
    eq. 9 and 10; Ren et al. 2020, arXiv:2007.10740, eq. 4.
    """
    given = checked_shares(shares)
    prior = log_odds(given) if overlapping else log_prior(given)
    found = -adjustment * prior
    if drawn is not None:
        met = _of_length(checked_shares(drawn), given, "drawn")
        moved = (log_odds(met) if overlapping else log_prior(met)) - prior
        found += np.where((met > 0) & (given > 0), moved, 0.0)
    if weights is not None:
        found += _log_weights(weights, given, overlapping=overlapping)
    return found if overlapping else np.asarray(found - found[int(given.argmax())])


def _log_weights(
    weights: Sequence[float], shares: NDArray[np.float64], *, overlapping: bool
) -> NDArray[np.float64]:
    if overlapping:
        message = (
            "weights shift nothing where classes overlap: both answers to a class weigh the same. Pass None."
        )
        raise SettingError(message)
    held = _of_length(np.asarray(weights, np.float64), shares, "weights")
    if not (np.isfinite(held) & (held >= 0)).all() or not held.any():
        message = (
            f"weights must be finite, not below 0 and not all 0; got {held.tolist()}. Use those of the plan."
        )
        raise SettingError(message)
    return np.asarray(np.log(np.where(held > 0, held, 1.0)))


def _of_length(values: NDArray[np.float64], shares: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if values.shape != shares.shape:
        message = (
            f"{name} must hold {len(shares)} numbers, one per class as shares does; got {values.tolist()}. "
            "Count both over the same classes."
        )
        raise SettingError(message)
    return values
