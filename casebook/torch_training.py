"""A PyTorch training that can be run, measured and brought to the diagnosis."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from casebook import measuring
from casebook.drawing import Recipe
from casebook.torch_nets import build
from casebook.wirings import Wiring, written

Loss = Callable[[Tensor, Tensor], Tensor]

LOSSES: dict[str, Callable[[], Loss]] = {
    "bce_logits": nn.BCEWithLogitsLoss,
    "bce": nn.BCELoss,
    "cross_entropy": nn.CrossEntropyLoss,
    "nll": nn.NLLLoss,
}
_OPTIMIZERS: dict[str, Callable[[Any, float], torch.optim.Optimizer]] = {
    "sgd": lambda weights, rate: torch.optim.SGD(weights, lr=rate),
    "momentum": lambda weights, rate: torch.optim.SGD(weights, lr=rate, momentum=0.9),
    "adam": lambda weights, rate: torch.optim.Adam(weights, lr=rate),
    "adamw": lambda weights, rate: torch.optim.AdamW(weights, lr=rate),
    "rmsprop": lambda weights, rate: torch.optim.RMSprop(weights, lr=rate),
    "adadelta": lambda weights, rate: torch.optim.Adadelta(weights, lr=rate),
}


class Ended(nn.Module):
    """A network with an activation behind it."""

    layers: ClassVar[dict[str, Callable[[], nn.Module]]] = {
        "sigmoid": nn.Sigmoid,
        "softmax": lambda: nn.Softmax(dim=1),
        "log_softmax": lambda: nn.LogSoftmax(dim=1),
    }

    def __init__(self, body: nn.Module, last: str) -> None:
        """Put the activation called `last` behind `body`."""
        super().__init__()
        self.body = body
        self.last = self.layers[last]()

    def forward(self, images: Tensor) -> Tensor:
        """Return the activated answer."""
        return torch.as_tensor(self.last(self.body(images)))


class TorchTraining:
    """Model, loss, optimizer and batches, and how to train, measure and ask about them."""

    framework = "torch"

    def __init__(
        self, recipe: Recipe, wiring: Wiring, *, loss: Loss | None = None, rate: float | None = None
    ) -> None:
        """Start fresh: the same recipe gives the same weights."""
        self.recipe, self.wiring, self.steps = recipe, wiring, 0
        channels = 1 if wiring.channels == "one" else recipe.classes
        body = build(recipe.network, channels)
        self.model: nn.Module = body if wiring.last == "none" else Ended(body, wiring.last)
        self.rate = recipe.rate if rate is None else rate
        self.optimizer = _OPTIMIZERS[recipe.optimizer](self.model.parameters(), self.rate)
        self.loss: Loss = loss or LOSSES[wiring.loss]()
        world = recipe.world
        self.batches = self.batched(world.photos, self.targets(world.labels))
        self.unseen = self.batched(world.unseen_photos, self.targets(world.unseen_labels))
        self.losses: list[float] = []
        self.packing = recipe.packing

    def reoptimised(self, weights: Any) -> None:
        """Give the optimizer these parameters only."""
        self.optimizer = _OPTIMIZERS[self.recipe.optimizer](weights, self.rate)

    def targets(self, labels: NDArray[np.integer]) -> NDArray[Any]:
        """Write labels in the form of the wiring."""
        return written(labels, self.wiring.targets, self.recipe.classes)

    def batched(self, photos: NDArray[Any], targets: NDArray[Any]) -> list[tuple[Tensor, Tensor]]:
        """Return batches of photos in grey levels and of targets."""
        images = torch.from_numpy(self.recipe.world.fed(photos))
        values, size = torch.from_numpy(targets), self.recipe.batch
        return [(images[at : at + size], values[at : at + size]) for at in range(0, len(images), size)]

    def fit(self, steps: int) -> list[float]:
        """Train `steps` steps; return their losses. Stops at a loss that is not finite."""
        self.model.train()
        losses: list[float] = []
        for _ in range(steps):
            images, targets = self.batches[self.steps % len(self.batches)]
            loss = self.loss(self.model(images), targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.steps += 1
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                break
        self.losses += losses
        return losses

    def outputs(self, images: Tensor, *, training: bool = False) -> Tensor:
        """Return raw outputs; `training` uses batch statistics and leaves the kept ones as they are."""
        kept = {name: value.clone() for name, value in self.model.named_buffers()}
        self.model.train(training)
        with torch.no_grad():
            answer = torch.as_tensor(self.model(images)).float()
            for name, value in self.model.named_buffers():
                value.copy_(kept[name])
        return answer

    def probabilities(self, images: Tensor, *, training: bool = False) -> NDArray[np.floating]:
        """Return probabilities as the user reads them."""
        answer = self.outputs(images, training=training)
        if self.wiring.read == "sigmoid":
            answer = answer.sigmoid()
        elif self.wiring.read == "softmax":
            answer = functional.softmax(answer, dim=1)
        return answer.numpy()

    def scores(self, labels: NDArray[np.integer] | None = None) -> measuring.Scores:
        """Measure on unseen scenes."""
        truth = self.recipe.world.unseen_labels if labels is None else labels
        answers = np.concatenate([self.probabilities(images) for images, _ in self.unseen])
        return measuring.scores(answers, truth, self.recipe.world.rare, self.dead())

    def dead(self) -> float:
        """Return the share of ReLU channels that are 0 everywhere on two batches."""
        alive: dict[int, Tensor] = {}

        def look(layer: nn.Module, _: Any, output: Tensor) -> None:
            live = (output != 0).any(3).any(2).any(0)
            alive[id(layer)] = live | alive.get(id(layer), torch.zeros_like(live))

        hooks = [m.register_forward_hook(look) for m in self.model.modules() if isinstance(m, nn.ReLU)]
        for images, _ in self.batches[:2]:
            self.outputs(images)
        for hook in hooks:
            hook.remove()
        return float(1 - torch.cat(list(alive.values())).float().mean()) if alive else 0.0

    def packed(self, batches: list[tuple[Tensor, Tensor]]) -> Any:
        """Return batches in the form that was drawn."""
        if self.packing == "list":
            return batches
        images = torch.cat([images for images, _ in batches])
        targets = torch.cat([targets for _, targets in batches])
        if self.packing == "arrays":
            return images.numpy(), targets.numpy()
        return DataLoader(TensorDataset(images, targets), batch_size=self.recipe.batch)

    def question(self, **more: Any) -> dict[str, Any]:
        """Return the arguments of rareseg.diagnose."""
        return {
            "subject": self.model,
            "loss": self.loss,
            "optimizer": self.optimizer,
            "data": self.packed(self.batches),
            "validation": self.packed(self.unseen),
            "classes": self.recipe.world.classes,
            "steps_trained": self.steps,
            "epochs_trained": self.steps / len(self.batches),
            **more,
        }
