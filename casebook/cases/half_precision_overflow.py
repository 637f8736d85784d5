"""19. Half precision overflows: a sum over pixels, an exponential or a feature passes 65,504."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from casebook.case import Case, hold, redrawn, told
from casebook.drawing import choice
from casebook.runs import draw_training
from casebook.torch_training import Loss
from casebook.training import start, training_case
from casebook.wirings import Wiring

ALL = Wiring(channels="all", last="none", loss="cross_entropy", targets="one_hot", read="softmax")


class HalfBody(nn.Module):
    """A network whose features are computed in half precision, and scaled by `gain` before the last look."""

    def __init__(self, body: nn.Module, gain: float) -> None:
        """Multiply the answers of `body` by `gain`."""
        super().__init__()
        self.body, self.gain = body, gain

    def forward(self, images: Tensor) -> Tensor:
        """Return half-precision answers."""
        with torch.autocast("cpu", dtype=torch.float16):
            return torch.as_tensor(self.body(images)).half() * self.gain


def half_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """Return soft Dice whose sums stay in half precision."""
    share, truth = logits.softmax(1).to(logits.dtype), targets.to(logits.dtype)
    overlap = (share * truth).sum((0, 2, 3))
    return (1 - 2 * overlap / (share.sum((0, 2, 3)) + truth.sum((0, 2, 3)))).float().mean()


def half_exponential(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy with a softmax written by hand, without taking off the maximum."""
    raised = logits.exp()
    share = raised / raised.sum(1, keepdim=True)
    return -(targets.to(logits.dtype) * (share + 1e-6).log()).sum(1).float().mean()


def build(seed: int) -> Case:
    """Build a case: the loss is no number in half precision, and one in full."""
    return redrawn("half_precision_overflow", seed, _draw, attempts=16)


def _draw(rng: np.random.Generator) -> Case:
    sums = rng.random() < 0.6
    recipe, _ = draw_training(
        rng,
        framework="torch",
        prevalence=(0.005, 0.1),
        size=96 if sums else None,
        batch_norm=False,
        width=(4, 8),
    )
    if sums:
        object.__setattr__(recipe, "batch", choice(rng, (8, 16)))
    loss: Loss = half_dice if sums else half_exponential
    training = start(recipe, ALL, loss=loss)
    training.model = HalfBody(training.model, 1.0 if sums else float(rng.uniform(60, 400)))
    half = _loss(training, loss)
    full = _loss(training, loss, full=True)
    hold(not np.isfinite(half) or _sums_overflow(training), f"the loss is {half:.3f} in half precision")
    hold(np.isfinite(full), "the loss is no number in full precision either")
    hold(not np.isfinite(half), f"the loss is {half:.3f} in half precision")
    return training_case(
        training,
        "half_precision_overflow",
        beside=("metric_illusion", "under_trained"),
        precision="fp16",
        drawn=told(
            loss=loss.__name__ if hasattr(loss, "__name__") else "", proof=f"half {half}, full {full:.3f}"
        ),
    )


def _loss(training: Any, loss: Loss, *, full: bool = False) -> float:
    images, targets = training.batches[0]
    with torch.no_grad():
        answers = training.model(images)
        return float(loss(answers.float() if full else answers, targets))


def _sums_overflow(training: Any) -> bool:
    return bool(np.isinf(_loss(training, lambda answers, _: answers.softmax(1).sum((0, 2, 3)).max())))
