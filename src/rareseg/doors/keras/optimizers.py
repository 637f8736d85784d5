"""The optimizer under study: a stand-in where the user's is not built yet, its first values, and its learning rate."""

from typing import Any

import keras
import numpy as np

from rareseg.doors.keras.arrays import values_of
from rareseg.doors.keras.keeping import swap


def learning_rate(optimizer: Any) -> float | None:
    """Return the learning rate at the present step, of a schedule too; None if it cannot be read."""
    try:
        return float(values_of(optimizer.learning_rate))
    except (AttributeError, TypeError, ValueError):
        return None


def fresh(optimizer: Any) -> Any | None:
    """Return a new optimizer of the same settings, not built; None if its settings do not say all."""
    try:
        found = type(optimizer).from_config(optimizer.get_config())
    except Exception:
        return None
    for part, copied in zip(_parts(optimizer), _parts(found), strict=False):
        for name, value in vars(part).items():
            # Chosen by a method, not by a setting.
            if name.startswith("_exclude_from_weight_decay"):
                swap(copied, name, value)
    return found


def first_values(optimizer: Any, variables: list[Any]) -> list[Any] | None:
    """Return the values with which the optimizer's variables start, in their order; None if they are not known."""
    found = fresh(optimizer)
    if found is None:
        return None
    found.build(variables)
    values = [np.array(values_of(variable)) for variable in found.variables]
    return values if len(values) == len(optimizer.variables) else None


def empty(optimizer: Any, values: list[Any]) -> None:
    """Give the optimizer's variables their first values; the learning rate stays."""
    rate = rate_holder(optimizer)._learning_rate
    for variable, value in zip(optimizer.variables, values, strict=True):
        if variable is not rate:
            variable.assign(value)


def rate_holder(optimizer: Any) -> Any:
    """Return the optimizer that holds the learning rate: the inner one where the loss is scaled for fp16."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def has_schedule(optimizer: Any) -> bool:
    """Tell whether the learning rate is computed from the step."""
    return callable(rate_holder(optimizer)._learning_rate) and not isinstance(
        rate_holder(optimizer)._learning_rate, keras.Variable
    )


def set_rate(optimizer: Any, brought: Any, factor: float) -> None:
    """Set the learning rate to `factor` times what was brought: a number, or a schedule."""
    holder = rate_holder(optimizer)
    if not has_schedule(optimizer):
        holder._learning_rate.assign(brought * factor)
    elif isinstance(brought, keras.optimizers.schedules.LearningRateSchedule):
        swap(holder, "_learning_rate", _Scaled(brought, factor))
    else:
        swap(holder, "_learning_rate", lambda: brought() * factor)


def brought_rate(optimizer: Any) -> Any:
    """Return the learning rate as `set_rate` takes it."""
    rate = rate_holder(optimizer)._learning_rate
    return rate if has_schedule(optimizer) else float(values_of(rate))


class _Scaled(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A schedule times a number."""

    def __init__(self, schedule: Any, factor: float) -> None:
        super().__init__()
        self._schedule, self._factor = schedule, factor

    def __call__(self, step: Any) -> Any:
        return self._schedule(step) * self._factor

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self._schedule, "factor": self._factor}


def _parts(optimizer: Any) -> list[Any]:
    holder = rate_holder(optimizer)
    return [optimizer] if holder is optimizer else [optimizer, holder]
