"""The collapse watch: what a network answers at fixed held-out crops, and which of its units are dead."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rareseg.errors import TrainingError
from rareseg.measures.collapse import margin
from rareseg.measures.curves import ScoreHistogram
from rareseg.network.batches import Batch
from rareseg.network.forward import autocast, to_probabilities
from rareseg.records.dataset import VOID
from rareseg.records.plan import Plan
from rareseg.records.run import CollapseCheck

_SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that their log-odds stay finite."""


def to_log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ln(p / (1 - p)), float32, of probabilities of any shape."""
    inside = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    odds: NDArray[np.float32] = np.log(inside) - np.log1p(-inside)
    return odds


@final
class CollapseWatch:
    """Looks at the same held-out crops again and again."""

    def __init__(self, batches: list[Batch], plan: Plan) -> None:
        """Keep the crops that hold a counted pixel.

        Raises:
            TrainingError: if none does.
        """
        self._batches = [batch for batch in batches if bool((batch.labels != VOID).any())]
        if not self._batches:
            message = (
                "The validation part holds no counted pixel: all is void or without photo. Check the audit."
            )
            raise TrainingError(message)
        self._plan = plan
        labels = [batch.labels.numpy().astype(np.uint8) for batch in self._batches]
        self._labels = np.concatenate(labels).reshape(-1)

    def look(self, model: nn.Module, step: int) -> CollapseCheck:
        """Return the check of the rare class that `model` ranks worst; weights and statistics stay as they are."""
        with _dead_units(model) as units:
            log_odds, logits = self._answers(model)
        counted = self._labels != VOID
        curve = ScoreHistogram.count(
            log_odds.reshape(len(log_odds), 1, -1), self._labels[None], overlapping=self._plan.overlapping
        )
        precisions = curve.average_precision()
        total = max(int(counted.sum()), 1)
        prevalences = [pixels / total for pixels in curve.pixels]
        majority = int(np.argmax(self._plan.shares))
        rare = [label for label in range(len(precisions)) if self._plan.overlapping or label != majority]
        worst = min(rare, key=lambda label: margin(precisions[label], prevalences[label]))
        rest = 0.0 if self._plan.overlapping else logits[majority]
        difference = (logits[worst] - rest)[counted]
        average = precisions[worst]
        prevalence = prevalences[worst]
        return CollapseCheck(
            step=step,
            rare_class=self._plan.classes[worst],
            average_precision=average,
            prevalence=prevalence,
            lift=None if average is None or not prevalence else average / prevalence,
            spatial_deviation=float(difference.std()),
            dead_share=units.dead_share(),
            predicted_share=self._predicted_share(logits[:, counted], worst),
        )

    def _predicted_share(self, logits: NDArray[np.float32], label: int) -> float:
        given = logits[label] > 0 if self._plan.overlapping else logits.argmax(axis=0) == label
        return float(given.mean())

    @torch.inference_mode()
    def _answers(self, model: nn.Module) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return log-odds and logits, both (classes, pixels) float32."""
        was_training = model.training
        model.eval()
        device = next(model.parameters()).device
        answers: list[Tensor] = []
        for batch in self._batches:
            with autocast(self._plan.precision, device):
                answers.append(model(batch.images.to(device)).float().cpu())
        model.train(was_training)
        logits = torch.cat(answers)
        odds = to_log_odds(to_probabilities(logits, overlapping=self._plan.overlapping).numpy())
        classes = logits.shape[1]
        return odds.swapaxes(0, 1).reshape(classes, -1), logits.numpy().swapaxes(0, 1).reshape(classes, -1)


@final
class UnitCount:
    """Which ReLU channels ever answered something."""

    def __init__(self) -> None:
        """Start with no layer seen."""
        self._alive: dict[tuple[str, int], Tensor] = {}
        self._calls: Counter[str] = Counter()

    def begin(self) -> None:
        """Note that a forward pass begins."""
        self._calls.clear()

    def see(self, name: str, output: Tensor) -> None:
        """Note the channels of (batch, channels, ...) `output` that are above 0 anywhere.

        A layer that is used several times in a pass, as in ResNet blocks, counts as so many layers.
        """
        place = (name, self._calls[name])
        self._calls[name] += 1
        above = (output.amax(dim=[0, *range(2, output.ndim)]) > 0).cpu()
        self._alive[place] = self._alive[place] | above if place in self._alive else above

    def dead_share(self) -> float:
        """Return the share of channels, 0..1, that were 0 everywhere; 0 for a network without ReLU."""
        alive = list(self._alive.values())
        return 1.0 - float(torch.cat(alive).float().mean()) if alive else 0.0


@contextmanager
def _dead_units(model: nn.Module) -> Iterator[UnitCount]:
    units = UnitCount()

    def begin(_module: nn.Module, _inputs: object) -> None:
        units.begin()

    def see(name: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        units.see(name, output)

    hooks = [model.register_forward_pre_hook(begin)]
    hooks += [
        module.register_forward_hook(partial(see, name))
        for name, module in model.named_modules()
        if isinstance(module, nn.ReLU)
    ]
    try:
        yield units
    finally:
        for hook in hooks:
            hook.remove()
