"""The decision where the last layer starts: at the constant answer that the loss itself likes best."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from rareseg.records.audit import PartFacts
from rareseg.records.plan import InitialisationChoice, LossChoice, WeightsChoice
from rareseg.remedies import loss_sums, priors


def initialisation_choice(
    facts: PartFacts,
    weights: WeightsChoice,
    *,
    loss: LossChoice,
    overlapping: bool,
    asked: bool | None,
) -> InitialisationChoice:
    """Start the last layer at the prior that the (weighted, or adjusted) loss sees."""
    held = np.array([entry.share for entry in facts.classes], np.float64)
    shares = _smoothed(held, loss, overlapping=overlapping)
    weight = np.array(weights.values if not weights.deferred else [1.0] * len(shares), np.float64)
    prior = _seen_prior(shares, weight, _power(loss), overlapping=overlapping)
    floor = _floor(shares, weight, overlapping=overlapping)
    if not overlapping:
        # Smoothing gives pixels of one class other weights too, but the loss is divided by those of its own.
        floor *= float(shares @ weight) / float(held @ weight)
    listed = ", ".join(
        f"{entry.name} {share:.2%}" for entry, share in zip(facts.classes, prior, strict=True) if share
    )
    weighted = "" if np.allclose(prior, held) else " as the loss sees them"
    return InitialisationChoice(
        prior_bias=True if asked is None else asked,
        prior=tuple(float(value) for value in prior),
        because=(
            f"shares{weighted} are {listed}: starting there, {_begins(loss, floor)}no step is spent on learning the "
            "prior"
        ),
        reference="Lin 2017, arXiv:1708.02002, sec. 4.1",
    )


def _begins(loss: LossChoice, floor: float) -> str:
    """Return the part of the reason that holds the floor of cross-entropy, where it is the loss that has one."""
    exact = ["cross_entropy", "logit_adjusted", "balanced_softmax"]
    if loss.settings.get("ldam.max_margin") == 0:
        exact.append("ldam")
    if not any(term.remedy.name in exact for term in loss_sums.terms(loss.name)):
        return ""
    return f"cross-entropy begins at its floor for a constant map ({floor:.3f} nats), and "


def _smoothed(shares: NDArray[np.float64], loss: LossChoice, *, overlapping: bool) -> NDArray[np.float64]:
    """Return the share of the label that each class gets where cross-entropy spreads a part of it over all."""
    spread = float(cast("float", loss.settings.get("cross_entropy.smoothing", 0.0)))
    return shares + spread * (1 / (2 if overlapping else len(shares)) - shares)


def _power(loss: LossChoice) -> float:
    """Return the power of the shares that a constant map starts at: 1, unless the loss itself moves the logits.

    A loss on z + tau ln p is least for a constant map at p^(1 - tau), one on scale z at p^(1 / scale). The
    margins of ldam, which lower its best constant answer for rare classes a little, are left out.
    """
    parts = [term.remedy.name for term in loss_sums.terms(loss.name)]
    if "cross_entropy" in parts:
        return 1.0
    if "balanced_softmax" in parts:
        return 0.0
    if "logit_adjusted" in parts:
        return 1 - float(cast("float", loss.settings["logit_adjusted.temperature"]))
    return 1 / float(cast("float", loss.settings.get("ldam.scale", 1.0)))


def _seen_prior(
    shares: NDArray[np.float64], weight: NDArray[np.float64], power: float, *, overlapping: bool
) -> NDArray[np.float64]:
    """Return the answer at which the loss of a constant map is least, given what the loss does to shares."""
    if overlapping:
        odds = power * priors.log_odds(shares)
        return np.asarray(np.where(shares > 0, (1 + np.tanh(odds / 2)) / 2, 0.0))
    weighed = np.where(shares > 0, np.maximum(shares, priors.LEAST_SHARE), 0.0) * weight
    used = weighed > 0
    logits = power * np.log(weighed[used])
    seen = np.zeros(len(weighed))
    seen[used] = np.exp(logits - logits.max())
    return np.asarray(seen / seen.sum())


def _floor(shares: NDArray[np.float64], weight: NDArray[np.float64], *, overlapping: bool) -> float:
    """Return cross-entropy's least value for a constant map, nats per pixel, scaled as in the loss itself."""
    if not overlapping:
        seen = shares * weight
        return priors.entropy(seen / seen.sum())
    surprise = np.array([priors.entropy([share, 1 - share]) for share in shares])
    return float((surprise * weight / weight.mean()).sum())
