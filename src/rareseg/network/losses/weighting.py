"""How much each pixel counts: class weights, and the division that makes a sum over pixels a mean."""

from collections.abc import Iterable, Sequence
from numbers import Real

import torch
from torch import Tensor

from rareseg.errors import SettingError
from rareseg.network.losses.targets import Labels

Weights = Sequence[float] | None


def mean_factors(weights: Weights, labels: Labels) -> Tensor:
    """Return the factors that turn a sum over counted pixels into a mean weighted by class.

    Args:
        weights: One per class, finite and >= 0, or None for equal weights.
        labels: The batch's labels.

    Returns:
        Exclusive classes: w_k / (summed weight of the counted pixels), (classes), or (1) for equal weights.
        Yes-or-no questions: w_k / mean(w) / counted pixels, (classes, 1), or (1, 1) for equal weights.

    Raises:
        SettingError: if there is not one usable weight per class.
    """
    share = 1 / labels.all_pixels
    if weights is None:
        return share.view(1, 1) if labels.yes_or_no else share.view(1)
    table = class_weights(weights, labels)
    if labels.yes_or_no:
        return (table / table.mean() * share).unsqueeze(1)
    whole = (labels.present.sum(dim=0) * table).sum()
    return table / torch.where(whole > 0, whole, torch.ones_like(whole))


def class_weights(weights: Sequence[float], labels: Labels) -> Tensor:
    """Return checked class weights, (classes) in `Labels.wide`; raises SettingError if they are not usable."""
    weights = listed(weights, "class weights, one per class")
    usable = len(weights) == labels.classes and all(0 <= weight < float("inf") for weight in weights)
    if not usable or sum(weights) == 0:
        noun = "class weights, one per class," if labels.classes > 1 else "class weight,"
        message = f"Expected {labels.classes} {noun} finite, >= 0 and not all 0; received {tuple(weights)}."
        raise SettingError(message)
    return torch.tensor(weights, dtype=labels.wide, device=labels.values.device)


def listed(values: object, name: str) -> tuple[float, ...]:
    """Return a sequence of numbers, also one that comes as a tensor or an array.

    Raises:
        SettingError: naming `name`, unless it is one.
    """
    given = values.tolist() if isinstance(values, Tensor) else values
    many = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    if many is None or not all(isinstance(number, Real) for number in many):
        message = f"Expected {name}: a sequence of numbers, such as (0.2, 0.8); received {values!r}."
        raise SettingError(message)
    return many


def check_range(
    value: float,
    name: str,
    *,
    low: float,
    high: float = float("inf"),
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Raise SettingError, naming the setting and its range, unless `value` is a finite number within it."""
    above = value > low if open_low else value >= low
    below = value < high if open_high or high == float("inf") else value <= high
    if above and below:
        return
    least = f"{'>' if open_low else '>='} {low:g}"
    most = "" if high == float("inf") else f" and {'<' if open_high else '<='} {high:g}"
    message = f"Expected {name} to be a finite number {least}{most}; received {value}."
    raise SettingError(message)
