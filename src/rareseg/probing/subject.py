"""What probes may ask of a model under study. One implementation per framework; NumPy arrays go in and out.

Canonical layout: pixels in one row. Labels (images, pixels) int16: class index, or VOID_LABEL where not counted;
answers (images, channels, pixels) float32, in the order of the user's channels, as the model gives them.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rareseg.records.evidence import LabelForm, LayerUnits

VOID_LABEL = -1
Floats = NDArray[np.float32]
Labels = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as the user's data gives it, and what its targets say."""

    images: Any
    """The user's own array or tensor, or structure of them."""
    targets: Any
    weights: Any
    """Sample weights that came with the batch, or None."""
    labels: Labels
    """(images, pixels)."""
    several: NDArray[np.bool_] | None
    """(images, classes, pixels) where targets let classes overlap; else None."""
    raw: NDArray[Any]
    """Targets as they came, in NumPy."""
    pictures: Floats
    """(images, bands, rows, cols) of what the model is fed."""

    @property
    def count(self) -> int:
        """Return the number of images."""
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Setup:
    """What can be read off the user's objects without running them."""

    framework: Literal["torch", "keras"]
    loss_name: str
    optimizer_name: str
    learning_rate: float | None
    parameters: int
    trainable_parameters: int
    classes: tuple[str, ...]
    label_form: LabelForm
    ignore_index: int | None
    """Label that the loss leaves out."""
    declared_weights: tuple[float, ...] | None
    weighted_by: str | None
    normalised: bool
    """Layers that normalise by batch."""
    precision: str
    upsampling: tuple[str, ...]
    """Sentences on transposed convolutions that leave a checkerboard."""
    versions: Mapping[str, str]
    trainable: bool
    """There is a loss and an optimizer, so that training probes can run."""
    last_activation: str | None = None
    """Name of the last layer's activation where it can be read, such as "sigmoid"."""


@dataclass(frozen=True, slots=True)
class Step:
    """One training step."""

    loss: float
    ratios: tuple[float, ...] = field(default=())
    """|change| over |weights| of each trainable tensor of two and more dimensions, in the order of the layers."""
    finite: bool = True
    """All weights are finite afterwards."""


class Subject(Protocol):
    """A model under study. Every method leaves it as it is, but for `step`, `renew` and `scale_rate` inside `kept`."""

    setup: Setup

    def training_batches(self, most: int) -> list[Batch]:
        """Return up to `most` batches of the training data, as the user's training would see them."""

    def validation_batches(self, most: int) -> list[Batch]:
        """Return up to `most` batches that training does not see; none if there is no such data."""

    def answers(self, batch: Batch, *, training: bool = False) -> Floats:
        """Return the model's output, (images, channels, pixels); `training` uses batch statistics and dropout."""

    def loss(self, batch: Batch, answers: Floats) -> float:
        """Return the user's loss of `batch` if the model answered `answers`, class weights as in training.

        Raises:
            ProbeError: with what the loss raised.
        """

    def loss_of_labels(self, batch: Batch, labels: Labels, answers: Floats) -> float:
        """Return the user's loss if the labels were `labels`, written in the form of the batch's targets."""

    def step(self, batch: Batch) -> Step:
        """Train one step with the user's loss and optimizer. Only inside `kept`."""

    def units(self, batches: list[Batch]) -> list[LayerUnits]:
        """Return the dead and saturated share of every layer with a ReLU, sigmoid or tanh, last layer left out."""

    def renew(self) -> bool:
        """Draw all trainable weights anew and empty the optimizer; False where that cannot be done. Inside `kept`."""

    def scale_rate(self, factor: float) -> None:
        """Multiply the learning rate as it was brought by `factor`. Inside `kept`."""

    def kept(self) -> AbstractContextManager[None]:
        """Put everything back on leaving: weights, statistics, optimizer, modes, random states; bit for bit."""


class ProbeError(Exception):
    """The user's model or loss raised; the text is what it said."""


def each(batches: list[Batch]) -> Iterator[Batch]:
    """Yield batches that hold a counted pixel."""
    return (batch for batch in batches if bool((batch.labels != VOID_LABEL).any()))
