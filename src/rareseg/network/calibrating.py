"""After training: mapping probabilities back to the true shares, and choosing thresholds on what comes out.

What training did by formula (class weights, sampling, logit adjustment) is taken back by formula, as long as
that makes probabilities no worse on held-out pixels. Where no formula says (focal, Dice, sums of losses), or
where the formula did harm, a temperature and one shift per class are fitted to the held-out pixels.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from rareseg.measures.calibration import calibration_error
from rareseg.measures.confusion import mean_of_present
from rareseg.measures.curves import ScoreHistogram
from rareseg.measures.samples import PixelSample
from rareseg.measures.scaling import Scaling, fit_classes, fit_odds, rebinned, scaled
from rareseg.network.probes import to_log_odds
from rareseg.network.session import choose_thresholds
from rareseg.network.validation import Counted
from rareseg.records.plan import Plan
from rareseg.records.run import Calibration
from rareseg.remedies.undoing import Shift, of_training

Errors = tuple[float | None, ...]


class Chosen(NamedTuple):
    """What a run keeps beside its weights so that it maps as it should."""

    calibration: Calibration
    thresholds: tuple[float | None, ...]
    """Per class, a probability as mapped back."""
    decision_weights: tuple[float, ...] | None
    """Per class, for argmax."""


class HeldOut(NamedTuple):
    """What was counted on held-out pixels, with the network's own probabilities."""

    counted: Counted | None
    """None if nothing was."""
    sample: PixelSample | None
    """Some of the pixels, where histograms do not say enough: see `sample_for`."""


def sample_for(plan: Plan, pixels: int) -> PixelSample | None:
    """Return what is to collect pixels for `calibrate`, of a part of `pixels` pixels; None if nothing is needed.

    Of two classes, and of overlapping ones, the histogram of log-odds says all; of three and more exclusive
    classes it does not say what becomes of one class when another is moved.
    """
    classes = len(plan.classes)
    if plan.overlapping or classes < 3 or not of_training(plan, plan.shares).causes:
        return None
    return PixelSample.of(pixels, classes)


def calibrate(plan: Plan, held_out: HeldOut, *, drawn: Sequence[float] | None, part: str) -> Chosen:
    """Choose how probabilities are mapped back, and thresholds of what comes out.

    Args:
        plan: The plan that was trained.
        held_out: Counts of the part that thresholds are chosen on.
        drawn: Share of each class among the labelled pixels that were trained on; None if not known.
        part: Name of that part.
    """
    before = _errors(plan, held_out, _unmoved(plan))
    found = _best(plan, held_out, of_training(plan, drawn), before)
    measured = f" Mean calibration error on {part}: {_spell(before)}, then {_spell(found.errors)}."
    calibration = Calibration(
        how=found.how,
        because=found.because + (measured if found.how != "none" else ""),
        temperature=found.scaling.temperature,
        shift=found.scaling.shift,
        measured_on=part,
        error_before=before,
        error_after=found.errors,
    )
    weights = tuple(
        float(np.exp(value)) * factor
        for value, factor in zip(found.scaling.shift, _adjusted(plan), strict=True)
    )
    return Chosen(
        calibration,
        _thresholds(plan, held_out, found.scaling),
        weights if plan.inference.decision == "argmax" else None,
    )


def _adjusted(plan: Plan) -> tuple[float, ...]:
    """Return the factors of post-hoc logit adjustment, share^-tau (Menon 2020, arXiv:2007.07314, eq. 9)."""
    strength = plan.inference.logit_adjustment or 0.0
    return tuple(share**-strength if share else 1.0 for share in plan.shares)


class _Found(NamedTuple):
    how: Literal["none", "undone", "fitted"]
    because: str
    scaling: Scaling
    errors: Errors


def _best(plan: Plan, held_out: HeldOut, shift: Shift, before: Errors) -> _Found:
    unmoved = _Found("none", "", _unmoved(plan), before)
    if not shift.causes:
        return unmoved._replace(because="Nothing in the plan moves probabilities from the true shares.")
    moved = " and ".join(shift.causes)
    said = f"No formula says how far {moved} moved the probabilities"
    if shift.logits is not None:
        undone = Scaling(1.0, shift.logits)
        errors = _errors(plan, held_out, undone)
        if not _worse(errors, before):
            because = f"What {moved} moved is taken back by formula."
            return _Found("undone", because, undone, errors)
        said = f"Taking {moved} back by formula gave a calibration error of {_spell(errors)}, no gain"
    if held_out.counted is None:
        return unmoved._replace(because=f"{said}, and no held-out pixel was counted to fit it on.")
    fitted = _fitted(held_out, plan)
    errors = _errors(plan, held_out, fitted)
    if _worse(errors, before):
        return unmoved._replace(because=f"{said}, and neither did a fit ({_spell(errors)}).")
    return _Found("fitted", f"{said}: a temperature and a shift per class were fitted.", fitted, errors)


def _fitted(held_out: HeldOut, plan: Plan) -> Scaling:
    """Fit a scaling to held-out pixels; one that changes nothing where too few classes were counted."""
    if held_out.counted is None:
        return _unmoved(plan)
    if _by_histogram(plan):
        return fit_odds(held_out.counted.curve, overlapping=plan.overlapping)
    pixels = held_out.sample.pixels() if held_out.sample is not None else None
    return _unmoved(plan) if pixels is None else fit_classes(*pixels)


def _by_histogram(plan: Plan) -> bool:
    return plan.overlapping or len(plan.classes) == 2


def _unmoved(plan: Plan) -> Scaling:
    return Scaling(1.0, (0.0,) * len(plan.classes))


def _curve(plan: Plan, held_out: HeldOut, scaling: Scaling) -> ScoreHistogram | None:
    """Return the histogram of the moved probabilities; None if nothing was counted."""
    if held_out.counted is None:
        return None
    if _by_histogram(plan):
        return rebinned(held_out.counted.curve, scaling, overlapping=plan.overlapping)
    pixels = held_out.sample.pixels() if held_out.sample is not None else None
    if pixels is None:
        return held_out.counted.curve if scaling.idle else None
    probabilities, labels = pixels
    moved = scaled(probabilities, scaling, overlapping=False)
    return ScoreHistogram.count(to_log_odds(moved)[:, None], labels[None], overlapping=False)


def _errors(plan: Plan, held_out: HeldOut, scaling: Scaling) -> Errors:
    curve = _curve(plan, held_out, scaling)
    return (None,) * len(plan.classes) if curve is None else calibration_error(curve)


def _worse(after: Errors, before: Errors) -> bool:
    """Whether the mean error grew; what cannot be measured is taken for no worse."""
    known = mean_of_present(after), mean_of_present(before)
    return known[0] is not None and known[1] is not None and known[0] > known[1]


def _thresholds(plan: Plan, held_out: HeldOut, scaling: Scaling) -> tuple[float | None, ...]:
    """Return thresholds of the moved probabilities; where ranking stays, the chosen ones are moved themselves."""
    if held_out.counted is None:
        return (None,) * len(plan.classes)
    if not _by_histogram(plan):
        curve = _curve(plan, held_out, scaling)
        return (None,) * len(plan.classes) if curve is None else _cuts(curve)
    chosen = choose_thresholds(held_out.counted, plan)
    if scaling.idle:
        return chosen
    cuts = np.array([0.5 if cut is None else cut for cut in chosen])
    moved = scaled(cuts[:, None], scaling, overlapping=plan.overlapping)[:, 0].tolist()
    return tuple(None if cut is None else value for cut, value in zip(chosen, moved, strict=True))


def _cuts(curve: ScoreHistogram) -> tuple[float | None, ...]:
    return tuple(None if score is None else score.threshold for score in curve.best())


def _spell(errors: Errors) -> str:
    mean = mean_of_present(errors)
    return "not measured" if mean is None else f"{mean:.4f}"
