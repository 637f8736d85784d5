"""A Keras training that can be run, measured and brought to the diagnosis."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from casebook import measuring
from casebook.drawing import Recipe
from casebook.keras_nets import build
from casebook.wirings import Wiring, written

_losses = keras.losses
LOSSES: dict[str, Callable[[], Any]] = {
    "bce": _losses.BinaryCrossentropy,
    "bce_logits": lambda: _losses.BinaryCrossentropy(from_logits=True),
    "sparse": _losses.SparseCategoricalCrossentropy,
    "sparse_logits": lambda: _losses.SparseCategoricalCrossentropy(from_logits=True),
    "categorical": _losses.CategoricalCrossentropy,
    "categorical_logits": lambda: _losses.CategoricalCrossentropy(from_logits=True),
}
_OPTIMIZERS: dict[str, Callable[[float], Any]] = {
    "sgd": keras.optimizers.SGD,
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "adadelta": keras.optimizers.Adadelta,
}


class Batches(keras.utils.PyDataset):
    """Ready batches as a Keras data set."""

    def __init__(self, batches: list[Any]) -> None:
        """Keep the batches."""
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


class KerasTraining:
    """A compiled model and batches, and how to train, measure and ask about them."""

    framework = "keras"

    def __init__(
        self, recipe: Recipe, wiring: Wiring, *, loss: Any = None, rate: float | None = None
    ) -> None:
        """Start fresh: the same recipe gives the same weights."""
        self.recipe, self.wiring, self.steps = recipe, wiring, 0
        channels = 1 if wiring.channels == "one" else recipe.classes
        world = recipe.world
        self.model = build(recipe.network, channels, wiring.last, world.photos.shape[-1])
        self.rate = recipe.rate if rate is None else rate
        self.loss = loss or LOSSES[wiring.loss]()
        self.recompile()
        self.batches = self.batched(world.photos, self.targets(world.labels))
        self.unseen = self.batched(world.unseen_photos, self.targets(world.unseen_labels))
        self.losses: list[float] = []
        self.packing = recipe.packing

    def recompile(self) -> None:
        """Compile with a fresh optimizer, as after freezing."""
        self.model.compile(optimizer=_OPTIMIZERS[self.recipe.optimizer](self.rate), loss=self.loss)

    def targets(self, labels: NDArray[np.integer]) -> NDArray[Any]:
        """Write labels in the form of the wiring, channels last."""
        targets = written(labels, self.wiring.targets, self.recipe.classes)
        return np.moveaxis(targets, 1, -1) if targets.ndim == 4 else targets

    def batched(self, photos: NDArray[Any], targets: NDArray[Any]) -> list[tuple[Any, ...]]:
        """Return batches of photos in grey levels, (n, bands, rows, cols), and of targets."""
        images = np.ascontiguousarray(np.moveaxis(self.recipe.world.fed(photos), 1, -1))
        size = self.recipe.batch
        return [(images[at : at + size], targets[at : at + size]) for at in range(0, len(images), size)]

    def fit(self, steps: int) -> list[float]:
        """Train `steps` steps; return their losses. Stops at a loss that is not finite."""
        losses: list[float] = []
        for _ in range(steps):
            batch = self.batches[self.steps % len(self.batches)]
            self.model.reset_metrics()
            losses.append(float(self.model.train_on_batch(*batch)))
            self.steps += 1
            if not math.isfinite(losses[-1]):
                break
        self.losses += losses
        return losses

    def probabilities(self, images: NDArray[Any], *, training: bool = False) -> NDArray[np.floating]:
        """Return probabilities as the user reads them, channels first."""
        kept = self.model.get_weights() if training else None
        answer = keras.ops.convert_to_numpy(keras.ops.stop_gradient(self.model(images, training=training)))
        if kept is not None:
            self.model.set_weights(kept)
        answer = np.moveaxis(np.asarray(answer, np.float64), -1, 1)
        if self.wiring.read == "sigmoid":
            return 1 / (1 + np.exp(-np.clip(answer, -80, 80)))
        if self.wiring.read == "softmax":
            odds = np.exp(answer - answer.max(1, keepdims=True))
            return np.asarray(odds / odds.sum(1, keepdims=True))
        return answer

    def scores(self, labels: NDArray[np.integer] | None = None) -> measuring.Scores:
        """Measure on unseen scenes."""
        truth = self.recipe.world.unseen_labels if labels is None else labels
        answers = np.concatenate([self.probabilities(batch[0]) for batch in self.unseen])
        return measuring.scores(answers, truth, self.recipe.world.rare, self.dead())

    def dead(self) -> float:
        """Return the share of ReLU channels that are 0 everywhere on two batches."""
        rectified = [
            layer.output
            for layer in self.model.layers
            if isinstance(layer, keras.layers.Activation) and layer.activation is keras.activations.relu
        ]
        if not rectified:
            return 0.0
        looks = keras.Model(self.model.inputs[0], rectified)
        alive: list[NDArray[np.bool_]] = []
        for images, *_ in self.batches[:2]:
            outputs = looks(images, training=False)
            maps = [keras.ops.convert_to_numpy(keras.ops.stop_gradient(value)) for value in outputs]
            alive.append(np.concatenate([(value != 0).any(axis=(0, 1, 2)) for value in maps]))
        return float(1 - np.any(alive, axis=0).mean())

    def packed(self, batches: list[tuple[Any, ...]]) -> Any:
        """Return batches in the form that was drawn."""
        if self.packing == "list":
            return batches
        if self.packing == "dataset":
            return Batches(batches)
        return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))

    def question(self, **more: Any) -> dict[str, Any]:
        """Return the arguments of rareseg.diagnose."""
        return {
            "subject": self.model,
            "data": self.packed(self.batches),
            "validation": self.packed(self.unseen),
            "classes": self.recipe.world.classes,
            "steps_trained": self.steps,
            "epochs_trained": self.steps / len(self.batches),
            **more,
        }
