"""Class weights for pixelwise losses.

Each rule gives one weight per class, scaled so that the mean weight over labelled pixels is 1
(sum of share x weight = sum of shares). So the loss, its gradient and the learning rate that fits stay
at the same size whatever the rule. A class that never occurs gets weight 0: no pixel can use it, and a
huge or infinite weight would only wait for the first mislabelled pixel.

Weights also move what the network answers: see `priors.shift`, by which mapping takes that back.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rareseg.errors import SettingError
from rareseg.records.audit import Counts
from rareseg.remedies.priors import checked_shares

ENET_CONSTANT = 1.02

Weights = tuple[float, ...]

LEVEL = 1.1
"""Largest weight over smallest below which weights change next to nothing."""

RULES = ("none", "inverse", "sqrt_inverse", "median_frequency", "enet", "effective_number")
"""Rules that `by_rule` knows."""


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
    if not 1 < constant < np.inf:
        message = (
            f"constant must be above 1, else weights have no bound; got {constant}. Try {ENET_CONSTANT}."
        )
        raise SettingError(message)
    present = _present(shares)
    return _scaled(np.where(present, 1 / np.log(constant + np.asarray(shares, np.float64)), 0.0), shares)


def effective_number(
    shares: Sequence[float], numbers: Sequence[int], *, beta: float | None = None
) -> Weights:
    r"""Weigh class c by 1 / E_c, the effective number of its examples: more of the same say less and less.

    .. math:: w_c = \frac{1 - \beta}{1 - \beta^{n_c}}

    `shares` as in `inverse`. `numbers` n: examples (images, objects) of each class, at least 1 of every class
    that occurs. `beta`: 0 (all weights equal) up to 1, not included (near 1: inverse to n). None is
    (N - 1) / N, where N is the largest of `numbers`: then E_c = n_c for rare classes and 0.63 N for the most
    frequent one, so that the weights neither vanish nor all agree, however many examples there are.
    .9 to .9999 are usual for images.

    Do not give it pixels: among millions of them every beta up to .99999 gives the same weight to all classes.
    Where every image holds every class, images tell nothing either: count objects.
    Raises SettingError for other values.

    Reference: Cui et al. 2019, arXiv:1901.05555, eq. 2 and sec. 4 (N is there the volume of the data).
    """
    present = _present(shares)
    count = np.asarray(numbers, np.float64)
    if count.shape != present.shape or not (count[present] >= 1).all():
        message = (
            "numbers must hold one count per class, at least 1 where the class occurs; "
            f"got {tuple(numbers)} for shares {tuple(shares)}. Count them again."
        )
        raise SettingError(message)
    rate = 1 - 1 / float(count[present].max()) if beta is None else beta
    if not 0 <= rate < 1:
        message = f"beta must lie between 0 and 1, 1 not included; got {beta}. Try 0.999."
        raise SettingError(message)
    raw = np.zeros(len(count))
    raw[present] = 1 / effective_numbers(count[present], rate)
    return _scaled(raw, shares)


def effective_numbers(numbers: ArrayLike, beta: float) -> NDArray[np.float64]:
    """Return E_n = (1 - beta^n) / (1 - beta), float64, for counts n >= 1 and beta in 0..1 (1 not included)."""
    # expm1 and log1p: 1 - beta^n loses all its digits where beta is near 1 and n small.
    count = np.asarray(numbers, np.float64)
    if beta == 0:
        return np.ones_like(count)
    return np.asarray(-np.expm1(count * np.log1p(beta - 1)) / (1 - beta))


def capped(weights: Sequence[float], cap: float, shares: Sequence[float]) -> Weights:
    """Lower weights until the largest is at most `cap` times the smallest of a class that occurs; mean 1 again.

    `weights` >= 0 as a rule gives them; `cap` >= 1; `shares` as in `inverse`.
    Raises SettingError for other values.
    """
    if not 1 <= cap < np.inf:
        message = (
            f"cap must be a finite ratio of at least 1 (1: all classes weigh the same); got {cap}. Try 50."
        )
        raise SettingError(message)
    raw = np.asarray(weights, np.float64)
    used = raw[_present(shares) & (raw > 0)]
    return _scaled(np.minimum(raw, cap * used.min()), shares)


def ratio(weights: Sequence[float]) -> float:
    """Return the largest weight over the smallest above 0: what a pixel of the one class is worth in the other's.

    Raises SettingError if no weight is above 0.
    """
    used = [weight for weight in weights if weight > 0]
    if not used:
        message = f"weights must hold a number above 0; got {tuple(weights)}. Raise one of them."
        raise SettingError(message)
    return max(used) / min(used)


def level_warning(rule: str, counts: Counts, weights: Sequence[float]) -> str:
    """Return what to add to a plan's reason where a rule weighs all classes that occur alike; "" where it does not."""
    used = [weight for weight, pixels in zip(weights, counts.pixels, strict=True) if pixels]
    if len(used) < 2 or ratio(used) >= LEVEL:
        return ""
    found = f"; but {rule} does next to nothing here: its weights differ by {ratio(used) - 1:.1%} at most"
    if rule == "effective_number" and min(counts.images_with) > 0.9 * counts.images:
        found += (
            ", as every class lies in nearly every image (weights.counted=objects counts objects instead)"
        )
    return found


def by_rule(
    rule: str,
    counts: Counts,
    *,
    constant: float | None = None,
    beta: float | None = None,
    counted: str | None = None,
    cap: float | None = None,
) -> Weights:
    """Return the weights of a rule by its name, from what was counted in the training part.

    Args:
        rule: One of RULES. For median_frequency, images are taken to hold equally many labelled pixels.
        counts: Counts of the training part.
        constant: enet only: see `enet`; None is 1.02.
        beta: effective_number only: see there; None fits it to the counts.
        counted: effective_number only: "images" (None) or "objects" that hold the class.
        cap: Any rule but none: largest weight over smallest, see `capped`.

    Raises:
        SettingError: for another rule, a setting that the rule does not take or out of its range, or if no
            pixel is labelled.
    """
    if rule not in RULES:
        message = f"unknown rule for class weights {rule!r}; known are {', '.join(RULES)}. Name one of these."
        raise SettingError(message)
    _refuse_idle(rule, {"constant": constant, "beta": beta, "counted": counted, "cap": cap})
    if counts.labelled < 1:
        message = f"class weights need labelled pixels; {counts.images} images hold none. Check the masks."
        raise SettingError(message)
    shares = [pixels / counts.labelled for pixels in counts.pixels]
    if rule == "median_frequency":
        held = [images / counts.images for images in counts.images_with]
        found = median_frequency(shares, [max(pair) for pair in zip(held, shares, strict=True)])
    elif rule == "effective_number":
        found = effective_number(shares, _examples(counts, counted, beta), beta=beta)
    elif rule == "enet":
        found = enet(shares, constant=ENET_CONSTANT if constant is None else constant)
    else:
        found = _BY_SHARES[rule](shares)
    return found if cap is None else capped(found, cap, shares)


_BY_SHARES: dict[str, Callable[[Sequence[float]], Weights]] = {
    "none": none,
    "inverse": inverse,
    "sqrt_inverse": sqrt_inverse,
}
_TAKEN_BY = {"constant": ("enet",), "beta": ("effective_number",), "counted": ("effective_number",)}


def _refuse_idle(rule: str, settings: Mapping[str, object]) -> None:
    for name, value in settings.items():
        users = _TAKEN_BY.get(name, RULES[1:])
        if value is not None and rule not in users:
            message = (
                f"weights.{name}={value} has no effect on weights.rule={rule}: only {', '.join(users)} takes it. "
                f"Set weights.{name}=none."
            )
            raise SettingError(message)


def _examples(counts: Counts, counted: str | None, beta: float | None) -> tuple[int, ...]:
    """Return how many examples of each class there are."""
    if counted in (None, "images"):
        return counts.images_with
    if counted == "objects":
        return counts.objects
    if counted != "pixels":
        message = f"weights.counted must be images or objects; got {counted!r}. Name one of these."
        raise SettingError(message)
    usual = 0.9999 if beta is None else beta
    used = np.array([pixels for pixels in counts.pixels if pixels])
    each = 1 / effective_numbers(used, usual)
    message = (
        f"weights.counted=pixels makes effective numbers meaningless: with {used.min():,} to {used.max():,} pixels "
        f"per class and beta={usual:g}, every weight is {each.min():.3g} to {each.max():.3g}. Set "
        "weights.counted=images or objects."
    )
    raise SettingError(message)


def _present(shares: Sequence[float]) -> NDArray[np.bool_]:
    return np.asarray(checked_shares(shares) > 0)


def _scaled(raw: NDArray[np.float64], shares: Sequence[float]) -> Weights:
    """Scale to mean 1 over labelled pixels, and give classes that never occur 0."""
    share = checked_shares(shares)
    weights = np.where(share > 0, raw, 0.0)
    weights = weights * share.sum() / (weights * share).sum()
    return tuple(float(weight) for weight in weights)
