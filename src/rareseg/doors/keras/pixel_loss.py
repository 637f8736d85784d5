"""What the losses here have in common, and weighted sums of them."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from rareseg.doors.keras.loss_inputs import Seen, seen
from rareseg.errors import SettingError

registered = keras.saving.register_keras_serializable(package="rareseg")
"""Makes a loss part of a `.keras` file that can be opened where this package is imported."""


class PixelLoss(keras.losses.Loss):  # type: ignore[misc]
    """What the losses here have in common; `+` and multiplication by a number make sums of them."""

    def __init__(
        self, *, ignore_class: int | None, from_logits: bool, overlapping: bool, name: str, **kept: Any
    ) -> None:
        """Note how answers and targets are to be read."""
        # The reduction is part of each formula: a mean of ratios over pixels would be another loss.
        super().__init__(name=name, reduction="sum_over_batch_size")
        self.ignore_class, self.from_logits, self.overlapping = ignore_class, from_logits, overlapping
        self._kept = kept

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss, a scalar.

        Args:
            y_true: Targets; see the module.
            y_pred: (images, rows, cols, channels), (images, pixels, channels) or (images, channels), any float.
            sample_weight: None, or one per image or per pixel, >= 0.

        Raises:
            DataError: if shapes do not fit.
            SettingError: if a setting does not fit the number of channels.
        """
        found = seen(
            y_true,
            y_pred,
            sample_weight,
            ignore_class=self.ignore_class,
            from_logits=self.from_logits,
            overlapping=self.overlapping,
        )
        return self.measured(found) + found.broken

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss without sample weights."""
        return self(y_true, y_pred)

    def measured(self, found: Seen) -> Any:
        """Return the loss of a batch in canonical form."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the settings, from which `from_config` makes the same loss."""
        return {
            "ignore_class": self.ignore_class,
            "from_logits": self.from_logits,
            "overlapping": self.overlapping,
            "name": self.name,
            **self._kept,
        }

    def __add__(self, other: "PixelLoss | Sum") -> "Sum":
        return Sum([self]) + other

    def __mul__(self, factor: float) -> "Sum":
        return Sum([self], [factor])

    __rmul__ = __mul__


@registered
class Sum(keras.losses.Loss):  # type: ignore[misc]
    """A weighted sum of losses, as `CrossEntropy() + 0.5 * Dice()` makes it."""

    def __init__(
        self, losses: Sequence[Any], weights: Sequence[float] | None = None, *, name: str = "sum"
    ) -> None:
        """Set up a sum.

        Args:
            losses: Losses of this module.
            weights: One per loss, finite and >= 0; None: 1 each.
            name: Of the loss.

        Raises:
            SettingError: if there is no loss, or not one usable weight for each.
        """
        super().__init__(name=name, reduction="sum_over_batch_size")
        self.losses = list(losses)
        self.weights = [1.0] * len(self.losses) if weights is None else [float(weight) for weight in weights]
        if not self.losses or len(self.weights) != len(self.losses):
            message = (
                f"Expected losses and a weight for each; received {len(self.losses)} and {len(self.weights)}."
            )
            raise SettingError(message)
        for weight in self.weights:
            check_range(weight, "the weight of a loss")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the sum, a scalar; arguments as of its losses."""
        parts = zip(self.weights, self.losses, strict=True)
        return sum(weight * loss(y_true, y_pred, sample_weight) for weight, loss in parts)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the sum without sample weights."""
        return self(y_true, y_pred)

    def __add__(self, other: Any) -> "Sum":
        other = other if isinstance(other, Sum) else Sum([other])
        return Sum([*self.losses, *other.losses], [*self.weights, *other.weights])

    def __mul__(self, factor: float) -> "Sum":
        return Sum(self.losses, [weight * factor for weight in self.weights])

    __rmul__ = __mul__

    def get_config(self) -> dict[str, Any]:
        """Return the settings of the sum and of its losses."""
        losses = [keras.saving.serialize_keras_object(loss) for loss in self.losses]
        return {"losses": losses, "weights": self.weights, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Sum":
        """Return the sum that `get_config` described."""
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(losses, config["weights"], name=config["name"])


def ratio(part: Any, whole: Any) -> Any:
    """Return part over whole, 0 with a slope of 0 where the whole is 0."""
    empty = whole <= 0
    return ops.where(empty, 0.0, part) / ops.where(empty, 1.0, whole)


def check_range(value: float, name: str) -> None:
    """Raise SettingError unless `value` is finite and >= 0."""
    if not 0 <= value < math.inf:
        message = f"Expected {name} to be a finite number >= 0; received {value}."
        raise SettingError(message)
