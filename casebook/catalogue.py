"""Which kinds of case there are, and which causes cannot be built."""

import importlib
import pkgutil
from collections.abc import Callable

from casebook import cases
from casebook.case import Case

CAUSES = (
    *("threshold_off", "under_trained", "learning_rate_too_high", "learning_rate_too_low", "frozen"),
    *("sigmoid_on_exclusive_classes", "activation_twice", "logits_to_probability_loss"),
    *("label_values_out_of_range", "interpolated_masks", "colours_read_as_grey", "wrong_pairs"),
    *("shifted_labels", "weights_ignored", "weights_misapplied", "weights_unbounded", "dice_stuck"),
    *("empty_batches", "ignored_labels", "absent_class", "batch_norm_gap", "half_precision_overflow"),
    *("late_collapse", "metric_illusion", "leakage", "label_noise", "display_only", "seams"),
    *("preprocessing_differs", "softmax_on_one_channel"),
)
"""Causes that have a file in cases/, in the order of the list of failure modes."""
NOT_BUILT = {
    "software_versions": "needs old releases of the frameworks, which cannot stand beside the new ones"
}


def kinds() -> tuple[str, ...]:
    """Return all kinds of case: the causes, then the healthy ones, then pairs of causes."""
    found = {module.name for module in pkgutil.iter_modules(cases.__path__)}
    known = [name for name in CAUSES if name in found]
    return (*known, *sorted(found - set(known)))


def builder(kind: str) -> Callable[[int], Case]:
    """Return the function that builds a case of `kind` from a seed."""
    build: Callable[[int], Case] = importlib.import_module(f"casebook.cases.{kind}").build
    return build
