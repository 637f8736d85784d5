r"""Losses against imbalance for `model.compile`, on every backend of Keras, pixel by pixel.

    model.compile("adam", CrossEntropy(class_weights=[1, 25], from_logits=True))
    model.compile("adam", CrossEntropy(ignore_class=255) + 0.5 * Dice(ignore_class=255))

They compute what `rareseg.network.losses` does in PyTorch, with the same defaults. Targets are class indices
(images, rows, cols) or (images, rows, cols, 1), or a channel per class; answers have the channels last, rows and
columns in two axes or in one. One channel is a yes-or-no question, p = sigmoid(z); several are exclusive classes,
p = softmax(z), unless `overlapping`. Sample weights, one per image or per pixel, weigh pixels; 0 leaves them out. A
label that no class has makes the loss NaN rather than wrong; of one-hot targets, a pixel without a 1 is left out.

With y the label of a pixel, g = 1 where y is the class, s_i the sample weight or 1, sums over counted pixels:
    CrossEntropy  sum_i s_i w_y (-log p_y) / sum_i s_i w_y
                  overlapping: sum_i s_i sum_k w_k / mean(w) (-g log p_k - (1 - g) log(1 - p_k)) / sum_i s_i
    Tversky       1 - (TP + s) / (TP + a FP + b FN + s), TP = sum p g, FP = sum p (1 - g), FN = sum (1 - p) g
    Dice          1 - (TP + s) / (P/2 + G/2 + s), P = sum p (squared: sum p^2), G = sum g
the last two over the batch as one set, then the mean over all classes, those that the batch lacks included.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras import ops

from rareseg.doors.keras.loss_inputs import Seen, over
from rareseg.doors.keras.pixel_loss import PixelLoss, Sum, check_range, ratio, registered
from rareseg.errors import SettingError

__all__ = ["CrossEntropy", "Dice", "Sum", "Tversky"]

SMOOTHING = 0.5
"""Pixels."""


@registered
class CrossEntropy(PixelLoss):
    r"""Mean of -log p_y over counted pixels, weighted by class if asked for: what `class_weight` of `fit` cannot do."""

    def __init__(
        self,
        class_weights: Sequence[float] | Mapping[int, float] | None = None,
        ignore_class: int | None = None,
        from_logits: bool = False,
        logit_adjustment: Sequence[float] | None = None,
        *,
        temperature: float = 1.0,
        overlapping: bool = False,
        name: str = "cross_entropy",
    ) -> None:
        """Set up cross-entropy.

        Args:
            class_weights: One per class, finite and >= 0, or {class: weight}. One channel takes two, of no and yes.
            ignore_class: Label of pixels that are left out, such as 255.
            from_logits: The model answers logits (no last activation); else probabilities.
            logit_adjustment: Share of each class among labelled pixels of the training data, 0 < share < 1 (one
                channel: of no and yes, or of yes alone). `temperature` times their logarithm is added to the logits in
                the loss alone; the model then answers as if all classes were equally frequent. Not with class_weights.
            temperature: Strength of it, finite and >= 0.
            overlapping: A pixel may belong to several classes: a sigmoid per channel.
            name: Of the loss.

        Raises:
            SettingError: if a setting is out of range, or weights are joined with logit_adjustment.

        Reference: Menon et al. 2020, arXiv:2007.07314, eq. 10 (logit adjustment).
        """
        weights = _weights(class_weights)
        shares = None if logit_adjustment is None else tuple(float(share) for share in logit_adjustment)
        check_range(temperature, "temperature")
        if shares is not None and not all(0 < share < 1 for share in shares):
            message = (
                f"Expected logit_adjustment to be shares between 0 and 1, none of them 0; received {shares}."
            )
            raise SettingError(message)
        if shares is not None and weights is not None:
            message = "Expected class_weights or logit_adjustment; received both, which correct for the shares twice."
            raise SettingError(message)
        super().__init__(
            ignore_class=ignore_class,
            from_logits=from_logits,
            overlapping=overlapping,
            name=name,
            class_weights=weights,
            logit_adjustment=shares,
            temperature=temperature,
        )
        self.class_weights, self.logit_adjustment, self.temperature = weights, shares, temperature

    def measured(self, found: Seen) -> Any:
        """Return the loss of a batch in canonical form."""
        logits = found.logits
        if self.logit_adjustment is not None:
            logits = logits + self._shift(self.logit_adjustment, found)
        if not found.each:
            weighed = found.holds
            if self.class_weights is not None:
                weighed = weighed * over(self.class_weights, "class weights", found.channels)
            weighed = weighed * found.counted[..., None]
            return ratio(-ops.sum(weighed * ops.log_softmax(logits, axis=-1)), ops.sum(weighed))
        surprise = ops.relu(logits) - logits * found.holds + ops.softplus(-ops.abs(logits))
        if found.channels == 1 and self.class_weights is not None and len(self.class_weights) == 2:
            no, yes = self.class_weights
            factors = found.counted * (no + (yes - no) * found.holds[..., 0])
            return ratio(ops.sum(factors * surprise[..., 0]), ops.sum(factors))
        if self.class_weights is not None:
            table = over(self.class_weights, "class weights", found.channels)
            surprise = surprise * (table / ops.mean(table))
        return ratio(ops.sum(surprise * found.counted[..., None]), ops.sum(found.counted))

    def _shift(self, shares: tuple[float, ...], found: Seen) -> Any:
        if found.channels == 1 and len(shares) == 2:
            levels = [math.log(shares[1] / shares[0])]
        else:
            levels = [math.log(share) - (math.log1p(-share) if found.each else 0.0) for share in shares]
        return self.temperature * over(levels, "shares in logit_adjustment", found.channels)


class _OverlapLoss(PixelLoss):
    """A ratio of sums over pixels, by class."""

    def __init__(
        self, *, per_image: bool, smoothing: float, classes: Sequence[int] | None, **given: Any
    ) -> None:
        """Check what all ratios need."""
        check_range(smoothing, "smoothing")
        chosen = None if classes is None else tuple(int(label) for label in classes)
        if chosen is not None and (not chosen or min(chosen) < 0 or len(set(chosen)) < len(chosen)):
            message = (
                f"Expected classes to be different class indices, at least one, or None; received {chosen}."
            )
            raise SettingError(message)
        super().__init__(per_image=per_image, smoothing=smoothing, classes=chosen, **given)
        self.per_image, self.smoothing, self.classes = per_image, smoothing, chosen

    def measured(self, found: Seen) -> Any:
        """Return the loss of a batch in canonical form."""
        chances = ops.sigmoid(found.logits) if found.each else ops.softmax(found.logits, axis=-1)
        axes = (1,) if self.per_image else (0, 1)
        weights = found.counted[..., None]
        hits, claimed, squares, present = (
            ops.reshape(ops.sum(term * weights, axis=axes), (-1, found.channels))
            for term in (chances * found.holds, chances, chances * chances, found.holds)
        )
        lost = self.lost(hits, claimed, squares, present)
        if self.classes is not None:
            if max(self.classes) >= found.channels:
                message = f"Expected classes below {found.channels}, the channels; received {self.classes}."
                raise SettingError(message)
            lost = ops.take(lost, list(self.classes), axis=1)
        filled = ops.cast(ops.reshape(ops.sum(found.counted, axis=axes), (-1, 1)) > 0, "float32")
        # A set without a counted pixel has lost nothing.
        return ops.mean(ops.sum(lost * filled, axis=0) / ops.maximum(ops.sum(filled), 1.0))

    def lost(self, hits: Any, claimed: Any, squares: Any, present: Any) -> Any:
        """Return 1 - the ratio, (sets, classes), of sums of that shape."""
        raise NotImplementedError


@registered
class Dice(_OverlapLoss):
    """1 - (2 TP + 2 s) / (P + G + 2 s) over the counted pixels of the batch, mean over classes."""

    def __init__(
        self,
        ignore_class: int | None = None,
        from_logits: bool = False,
        *,
        squared: bool = False,
        per_image: bool = False,
        smoothing: float = SMOOTHING,
        classes: Sequence[int] | None = None,
        overlapping: bool = False,
        name: str = "dice",
    ) -> None:
        """Set up Dice; at its best added to cross-entropy.

        Args:
            ignore_class: Label of pixels that are left out.
            from_logits: The model answers logits; else probabilities.
            squared: Squares of p in the divisor.
            per_image: A score for each image instead of one for the batch.
            smoothing: s in pixels, finite and >= 0.
            classes: Indices of the classes that the mean runs over; None: all.
            overlapping: A pixel may belong to several classes: a sigmoid per channel.
            name: Of the loss.

        Raises:
            SettingError: if a setting is out of range.

        Reference: Milletari et al. 2016, arXiv:1606.04797 (squared); Drozdzal et al. 2016, arXiv:1608.04117 (plain).
        """
        super().__init__(
            ignore_class=ignore_class,
            from_logits=from_logits,
            overlapping=overlapping,
            name=name,
            per_image=per_image,
            smoothing=smoothing,
            classes=classes,
            squared=squared,
        )
        self.squared = squared

    def lost(self, hits: Any, claimed: Any, squares: Any, present: Any) -> Any:
        """Return 1 - Dice, (sets, classes)."""
        whole = ((squares if self.squared else claimed) + present) / 2
        return ratio(whole - hits, whole + self.smoothing)


@registered
class Tversky(_OverlapLoss):
    """1 - (TP + s) / (TP + a FP + b FN + s) over the counted pixels of the batch, mean over classes."""

    def __init__(
        self,
        false_positive_weight: float = 0.3,
        false_negative_weight: float = 0.7,
        ignore_class: int | None = None,
        from_logits: bool = False,
        *,
        per_image: bool = False,
        smoothing: float = SMOOTHING,
        classes: Sequence[int] | None = None,
        overlapping: bool = False,
        name: str = "tversky",
    ) -> None:
        """Set up Tversky: Dice with a price for false alarms and one for misses.

        Args:
            false_positive_weight: a, finite and >= 0.
            false_negative_weight: b, finite and >= 0; not both may be 0.
            ignore_class: Label of pixels that are left out.
            from_logits: The model answers logits; else probabilities.
            per_image: A score for each image instead of one for the batch.
            smoothing: s in pixels, finite and >= 0.
            classes: Indices of the classes that the mean runs over; None: all.
            overlapping: A pixel may belong to several classes: a sigmoid per channel.
            name: Of the loss.

        Raises:
            SettingError: if a setting is out of range.

        Reference: Salehi et al. 2017, arXiv:1706.05721, eq. 3.
        """
        check_range(false_positive_weight, "false_positive_weight")
        check_range(false_negative_weight, "false_negative_weight")
        if false_positive_weight == false_negative_weight == 0:
            message = "Expected false_positive_weight or false_negative_weight above 0; received 0 for both."
            raise SettingError(message)
        super().__init__(
            ignore_class=ignore_class,
            from_logits=from_logits,
            overlapping=overlapping,
            name=name,
            per_image=per_image,
            smoothing=smoothing,
            classes=classes,
            false_positive_weight=false_positive_weight,
            false_negative_weight=false_negative_weight,
        )
        self.false_positive_weight, self.false_negative_weight = false_positive_weight, false_negative_weight

    def lost(self, hits: Any, claimed: Any, squares: Any, present: Any) -> Any:
        """Return 1 - the Tversky index, (sets, classes)."""
        wrong = self.false_positive_weight * (claimed - hits) + self.false_negative_weight * (present - hits)
        return ratio(wrong, hits + wrong + self.smoothing)


def _weights(given: Sequence[float] | Mapping[int, float] | None) -> tuple[float, ...] | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        given = [given.get(label, 1.0) for label in range(max(given, default=-1) + 1)]
    weights = tuple(float(weight) for weight in given)
    if not all(0 <= weight < math.inf for weight in weights) or sum(weights) == 0:
        message = f"Expected class weights, one per class, finite, >= 0 and not all 0; received {weights}."
        raise SettingError(message)
    return weights
