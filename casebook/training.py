"""Start a training of either framework, and turn it into a case."""

from collections.abc import Callable
from typing import Any

import rareseg
from casebook.case import Case
from casebook.drawing import Recipe
from casebook.keras_training import KerasTraining
from casebook.torch_training import TorchTraining
from casebook.wirings import Wiring

Training = TorchTraining | KerasTraining


def start(recipe: Recipe, wiring: Wiring, *, loss: Any = None, rate: float | None = None) -> Training:
    """Start fresh; the same recipe gives the same weights."""
    kind = TorchTraining if recipe.framework == "torch" else KerasTraining
    return kind(recipe, wiring, loss=loss, rate=rate)


def ask(**question: Any) -> Callable[[], Any]:
    """Return the question to the diagnosis, to be asked later."""
    subject = question.pop("subject")
    return lambda: rareseg.diagnose(subject, **question)


def training_case(
    training: Training,
    *expected: str,
    acceptable: tuple[str, ...] = (),
    beside: tuple[str, ...] = (),
    drawn: dict[str, str] | None = None,
    **more: Any,
) -> Case:
    """Return a case that brings `training`, with `more` arguments for the diagnosis."""
    return Case(
        expected=expected,
        acceptable=acceptable,
        beside=beside,
        framework="torch" if isinstance(training, TorchTraining) else "keras",
        diagnose=ask(**training.question(**more)),
        drawn=training.recipe.told(wiring=training.wiring.loss, steps=training.steps, **(drawn or {})),
    )
