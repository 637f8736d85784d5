"""What `fit` makes of `class_weight`: sample weights, or an exception; which of the two depends on the data.

Keras looks up one class per image. A map of labels per image is no class, so arrays and a PyDataset raise a TypeError;
generators and DataLoaders take no `class_weight` at all; and tf.data looks up the class of each pixel, but takes the
index of the largest label along the last axis where that axis is longer than 1, be it channels or columns.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rareseg.doors.keras.batches import Kind


def sample_weights(targets: NDArray[Any], class_weight: Any, weights: Any, kind: Kind) -> Any:
    """Return the sample weights with which `fit` would train.

    Args:
        targets: Of a batch.
        class_weight: As given to `fit`; None, or weights of the batch's own, leave these.
        weights: Sample weights that came with the batch, or None.
        kind: Of the data.

    Raises:
        Exception: of the type and with the words of Keras, where `fit` would raise.
    """
    if class_weight is None or weights is not None:
        # `fit` refuses both at once, so where batches bring weights these are the way that classes are weighed.
        return weights
    if kind in ("generator", "DataLoader", "grain"):
        name = {"generator": "Python generator", "DataLoader": "torch DataLoader", "grain": "grain.Dataset"}[
            kind
        ]
        message = f"Argument `class_weight` is not supported for {name} inputs. Received: class_weight={class_weight}"
        raise ValueError(message)
    if kind == "tf.data":
        return _by_pixel(targets, class_weight)
    # Keras's own function, because its words and limits change with its version.
    from keras.src.trainers.data_adapters.data_adapter_utils import (  # noqa: PLC0415
        class_weight_to_sample_weights,
    )

    return class_weight_to_sample_weights(targets, class_weight)


def declared(class_weight: Any, classes: int) -> tuple[float, ...] | None:
    """Return the weight of each class as the user means it; Keras gives 1 to a class that the mapping lacks."""
    if class_weight is None:
        return None
    if isinstance(class_weight, Mapping):
        return tuple(float(class_weight.get(label, 1.0)) for label in range(classes))
    values = [float(value) for value in class_weight]
    return tuple(values[:classes]) + (1.0,) * (classes - len(values))


def _by_pixel(targets: NDArray[Any], class_weight: Any) -> NDArray[np.float32]:
    table = np.array(
        [class_weight.get(label, 1.0) for label in range(max(class_weight) + 1)], dtype=np.float32
    )
    classes = targets
    if targets.ndim >= 2:
        classes = targets.argmax(axis=-1) if targets.shape[-1] > 1 else np.round(targets[..., 0])
    indices = np.round(classes).astype(np.int32)
    # tf.gather gives 0 for what lies outside on a GPU and raises on a CPU; the latter is what is met first.
    if indices.min(initial=0) < 0 or indices.max(initial=0) >= len(table):
        message = f"indices[...] = {int(indices.max())} is not in [0, {len(table)})"
        raise IndexError(message)
    return table[indices]
