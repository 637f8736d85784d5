"""Class weights for pixelwise losses.

Each rule gives one weight per class, scaled so that the mean weight over labelled pixels is 1
(sum of share x weight = sum of shares). So the loss, its gradient and the learning rate that fits stay
at the same size whatever the rule. A class that never occurs gets weight 0: no pixel can use it, and a
huge or infinite weight would only wait for the first mislabelled pixel.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rareseg.errors import SettingError
from rareseg.records.audit import Counts
from rareseg.remedies.priors import checked_shares

ENET_CONSTANT = 1.02

Weights = tuple[float, ...]


def none(shares: Sequence[float]) -> Weights:
    """Weigh every class that occurs by 1."""
    return _scaled(np.ones(len(shares)), shares)


def inverse(shares: Sequence[float]) -> Weights:
    """Weigh class c by 1 / p_c: every class that occurs gets the same part of the loss.

    `shares` p holds each class's share of the labelled pixels, 0..1. Raises SettingError for others.
    """
    present = _present(shares)
    return _scaled(np.divide(1.0, shares, out=np.zeros(len(shares)), where=present), shares)


def sqrt_inverse(shares: Sequence[float]) -> Weights:
    """Weigh class c by 1 / sqrt(p_c): half-way, in logarithms, between none and inverse.

    Arguments and errors as in `inverse`.
    """
    present = _present(shares)
    return _scaled(np.divide(1.0, np.sqrt(shares), out=np.zeros(len(shares)), where=present), shares)


def median_frequency(shares: Sequence[float], image_shares: Sequence[float]) -> Weights:
    """Weigh class c by median(f) / f_c, where f_c is the share of class c in the images that hold it.

    `shares`: of labelled pixels, 0..1. `image_shares`: of labelled pixels, the share that lies in images
    holding the class, 0..1 and not below `shares`. f_c = shares[c] / image_shares[c]; the median runs
    over the classes that occur. Raises SettingError for other values.

    Reference: Eigen & Fergus 2015, arXiv:1411.4734 (semantic labels).
    """
    present = _present(shares)
    held = np.asarray(image_shares, np.float64)
    if held.shape != present.shape or not ((held <= 1) & (held >= np.asarray(shares) - 1e-9)).all():
        message = (
            "image_shares must hold one number per class, from the class's share to 1: "
            "the share of pixels in images with the class; "
            f"got {tuple(image_shares)} for shares {tuple(shares)}. Count them again."
        )
        raise SettingError(message)
    frequency = np.divide(shares, held, out=np.zeros(len(held)), where=present)
    raw = np.divide(np.median(frequency[present]), frequency, out=np.zeros(len(held)), where=present)
    return _scaled(raw, shares)


def enet(shares: Sequence[float], *, constant: float = ENET_CONSTANT) -> Weights:
    """Weigh class c by 1 / ln(constant + p_c): bounded by 1 / ln(constant) however rare the class.

    `shares` as in `inverse`; `constant` > 1, 1.02 in the paper (1.03 is also met, with a bound of 34 instead
    of 50). Raises SettingError for other values.

    Reference: Paszke et al. 2016 (ENet), arXiv:1606.02147, sec. 5.
    """
    if not constant > 1:
        message = (
            f"constant must be above 1, else weights have no bound; got {constant}. Try {ENET_CONSTANT}."
        )
        raise SettingError(message)
    present = _present(shares)
    return _scaled(np.where(present, 1 / np.log(constant + np.asarray(shares, np.float64)), 0.0), shares)


def by_rule(rule: str, counts: Counts) -> Weights:
    """Return the weights of a rule by its name, from what was counted in the training part.

    `rule`: none, inverse, sqrt_inverse, median_frequency or enet. For median_frequency, images are
    taken to hold equally many labelled pixels. Raises SettingError for another name, or if no pixel is
    labelled.
    """
    if rule not in _BY_SHARES and rule != "median_frequency":
        known = ", ".join((*_BY_SHARES, "median_frequency"))
        message = f"unknown rule for class weights {rule!r}; known are {known}. Name one of these."
        raise SettingError(message)
    if counts.labelled < 1:
        message = f"class weights need labelled pixels; {counts.images} images hold none. Check the masks."
        raise SettingError(message)
    shares = [pixels / counts.labelled for pixels in counts.pixels]
    if rule == "median_frequency":
        held = [images / counts.images for images in counts.images_with]
        return median_frequency(shares, [max(pair) for pair in zip(held, shares, strict=True)])
    return _BY_SHARES[rule](shares)


_BY_SHARES = {"none": none, "inverse": inverse, "sqrt_inverse": sqrt_inverse, "enet": enet}


def _present(shares: Sequence[float]) -> NDArray[np.bool_]:
    return np.asarray(checked_shares(shares) > 0)


def _scaled(raw: NDArray[np.float64], shares: Sequence[float]) -> Weights:
    """Scale to mean 1 over labelled pixels, and give classes that never occur 0."""
    share = checked_shares(shares)
    weights = np.where(share > 0, raw, 0.0)
    weights = weights * share.sum() / (weights * share).sum()
    return tuple(float(weight) for weight in weights)
