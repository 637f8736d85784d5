"""A torch module with its loss, optimizer and data, as probes ask of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from rareseg.errors import DataError
from rareseg.network.subjects.criterion import Criterion, ignored_by, modules_of
from rareseg.network.subjects.feeding import Fed, Feed, as_tensor, first_picture, spelled, without_short
from rareseg.network.subjects.ignoring import ignored_label
from rareseg.network.subjects.kept import Memory
from rareseg.network.subjects.outputs import in_full_precision, pictures_of, taken_from
from rareseg.network.subjects.randomness import random_states_kept
from rareseg.network.subjects.running import Runner, as_probe_error
from rareseg.network.subjects.setup import Precision
from rareseg.network.subjects.targets import TargetForm, form_of
from rareseg.network.subjects.training import (
    draw_anew,
    is_finite,
    matrices_of,
    ratios,
    set_training,
    step_with,
)
from rareseg.network.subjects.units import ActivationWatch
from rareseg.probing.subject import Batch, Floats, Labels, ProbeError, Setup, Step
from rareseg.records.evidence import LayerUnits


@final
class TorchSubject:
    """A module under study; see rareseg.probing.subject.Subject for what each method promises.

    Targets are handed to the loss as the data gives them, cast and with an axis of length 1 added or dropped only
    where the loss refuses them otherwise. Images in whole numbers are cast to the model's dtype, not scaled.
    """

    setup: Setup

    def __init__(
        self,
        model: nn.Module,
        loss: Any,
        optimizer: Any,
        feed: Feed,
        *,
        validation: Feed | None,
        classes: int | None,
        ignore_index: int | None,
        precision: Precision,
    ) -> None:
        """Read the first batch, and run the model on some of its images to see how it answers.

        Raises:
            DataError: if the data holds no batch.
            ProbeError: if the model cannot be run on it.
        """
        self.model, self.loss_called, self.optimizer = model, loss, optimizer
        self._feed, self._validation = feed, validation
        self._runner = Runner(model, precision)
        self._criterion = None if loss is None else Criterion(loss)
        self._note_as_brought()
        self._depth = 0
        self._left_out: tuple[str, ...] = ()
        self._lacking: tuple[str, ...] = ()
        first = feed.first(1)
        if not first:
            message = "data: expected at least one batch of images and targets; got none. Check the loader's length."
            raise DataError(message)
        with self._undisturbed(), torch.no_grad():
            model.eval()
            self._layout, self.last_activation = self._runner.look(first[0])
        self.form = self._form(first[0], classes, ignore_index)

    @property
    def precision(self) -> Precision:
        """Return the arithmetic of the training."""
        return self._runner.precision

    @property
    def assumed(self) -> tuple[str, ...]:
        """Say what is done to images, labels and outputs so that model and loss take them; a sentence each."""
        [fed] = self._feed.first(1)
        found = [taken_from(self._layout.example), self._runner.cast(fed)]
        loss = () if self._criterion is None else self._criterion.assumed(spelled(fed.targets))
        return (*(one for one in found if one is not None), *loss, *self._lacking, *self._left_out)

    def without_channel(self, names: tuple[str, ...]) -> None:
        """Note which of the named classes the model has no channel for."""
        lacking = names[max(self._layout.channels, 2) :]
        if lacking:
            self._lacking = (
                f"The model answers with {self._layout.channels} channels, which are taken for the first of the "
                f"{len(names)} classes: {', '.join(lacking)} can never be predicted.",
            )

    def training_batches(self, most: int) -> list[Batch]:
        """Return up to `most` batches of the training data, as the loader gives them."""
        kept, self._left_out = without_short(self._feed.first(most), self._raised_in_training)
        return [self._batch(fed) for fed in kept]

    def validation_batches(self, most: int) -> list[Batch]:
        """Return up to `most` batches of the validation data; none if none was given."""
        return [] if self._validation is None else [self._batch(fed) for fed in self._validation.first(most)]

    def answers(self, batch: Batch, *, training: bool = False) -> Floats:
        """Return outputs (images, channels, pixels) float32, as the model gives them."""
        with self._undisturbed(), torch.no_grad():
            if training:
                set_training(self.model, self._brought)
            else:
                self.model.eval()
            return self._layout.rows(self._runner(batch.images))

    def loss(self, batch: Batch, answers: Floats) -> float:
        """Return the user's loss of `batch` at `answers` (images, channels, pixels)."""
        return self._loss_at(self._targets(batch.targets), answers, _spatial(batch))

    def loss_of_labels(self, batch: Batch, labels: Labels, answers: Floats) -> float:
        """Return the user's loss at `answers` if the targets of `batch` said `labels`, (images, pixels)."""
        written = self.form.write(self._targets(batch.targets), labels, batch.labels)
        return self._loss_at(written, answers, _spatial(batch))

    def step(self, batch: Batch) -> Step:
        """Train one step, with autocast and loss scaling where the precision asks for them."""
        self._only_inside_kept("step")
        if self.optimizer is None or self._criterion is None:
            message = "a training step needs a loss and an optimizer"
            raise ProbeError(message)
        set_training(self.model, self._brought)
        weights = matrices_of(self.model)
        before = [each.detach().clone() for each in weights]
        targets = self._targets(batch.targets)

        def loss_now() -> Tensor:
            with self._runner.autocast():
                return self._asked(self._runner(batch.images), targets)

        with torch.enable_grad(), as_probe_error("training"):
            loss = step_with(self.optimizer, self.model, loss_now, scaled=self._runner.scales_loss)
        return Step(loss, ratios(before, weights), is_finite(self.model))

    def units(self, batches: list[Batch]) -> list[LayerUnits]:
        """Return dead and saturated shares per layer in evaluation mode; empty for compiled TorchScript."""
        with self._undisturbed(), torch.no_grad():
            self.model.eval()
            watch = ActivationWatch(self.model)
            for batch in batches:
                self._runner.watched(watch, batch.images)
            return watch.layers()

    def renew(self) -> bool:
        """Draw trained weights anew by each layer's `reset_parameters`, and empty the optimizer."""
        self._only_inside_kept("renew")
        renewed = draw_anew(self.model)
        if renewed and self.optimizer is not None:
            self.optimizer.state.clear()
        return renewed

    def scale_rate(self, factor: float) -> None:
        """Set the learning rate of every group to `factor` times what it was when it was brought."""
        self._only_inside_kept("scale_rate")
        for group, rate in zip(getattr(self.optimizer, "param_groups", ()), self._rates, strict=False):
            if rate is not None:
                group["lr"] = rate * factor

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put back, on leaving, weights, gradients, buffers, modes, hooks, optimizer and random states."""
        memory = self._memory(parameters=True)
        if self._depth == 0:
            self._note_as_brought()
        with random_states_kept():
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                memory.put_back()

    def _raised_in_training(self, fed: Fed) -> str | None:
        with self._undisturbed(), torch.no_grad():
            set_training(self.model, self._brought)
            try:
                self._runner(fed.images)
            except ProbeError as error:
                return str(error).rstrip(".")
        return None

    def _note_as_brought(self) -> None:
        self._brought = {module: module.training for module in self.model.modules()}
        rates = [group.get("lr") for group in getattr(self.optimizer, "param_groups", ())]
        self._rates = [rate.clone() if isinstance(rate, Tensor) else rate for rate in rates]

    def _memory(self, *, parameters: bool) -> Memory:
        memory = Memory(parameters=parameters)
        memory.add_module(self.model)
        for part in modules_of(self.loss_called):
            memory.add_module(part)
        if parameters and self.optimizer is not None:
            memory.add_attributes(self.optimizer)
        return memory

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Put back what a pass without gradients may change: statistics, modes, counters, random states."""
        memory = self._memory(parameters=False)
        with random_states_kept():
            try:
                yield
            finally:
                memory.put_back()

    def _only_inside_kept(self, what: str) -> None:
        if self._depth == 0:
            message = f"{what} changes the model: it is called inside `with subject.kept():` only"
            raise ProbeError(message)

    def _form(self, fed: Fed, classes: int | None, ignored: int | None) -> TargetForm:
        """Return how targets are written; what the loss leaves out is read off it, or found by asking it."""
        targets, channels, grid = self._targets(fed.targets), self._layout.channels, self._layout.spatial
        told = ignored_by(self.loss_called) if ignored is None else ignored
        self.form = form_of(targets, channels=channels, grid=grid, classes=classes, ignore_index=told)
        if told is not None or self._criterion is None:
            return self.form

        def loss_at(wanted: Tensor, answers: Floats) -> float:
            return self._loss_at(wanted, answers, grid)

        found = ignored_label(self.form, targets, channels, loss_at)
        return form_of(targets, channels=channels, grid=grid, classes=classes, ignore_index=found)

    def _batch(self, fed: Fed) -> Batch:
        targets = self._targets(fed.targets)
        labels, several = self.form.read(targets)
        raw = targets.detach().cpu()
        return Batch(
            images=fed.images,
            targets=fed.targets,
            weights=fed.weights,
            labels=labels,
            several=several,
            raw=(raw.float() if raw.dtype == torch.bfloat16 else raw).numpy(),
            pictures=pictures_of(first_picture(as_tensor(fed.images))),
        )

    def _targets(self, targets: Any) -> Tensor:
        tensor = as_tensor(targets)
        if not isinstance(tensor, Tensor):
            message = f"data: expected targets as a tensor or an array; got {type(targets).__name__}."
            raise DataError(message)
        # Arrays are float64 by NumPy's default, not by the user's will.
        if isinstance(targets, np.ndarray) and tensor.dtype == torch.float64:
            tensor = tensor.float()
        return tensor.to(self._runner.device)

    def _loss_at(self, targets: Tensor, answers: Floats, spatial: tuple[int, ...]) -> float:
        """Return the loss at answers in float32, as half precision would round differences away.

        Where the training's own arithmetic overflows, or the loss takes no other, its value is what counts.
        """
        native = self._layout.native(answers, spatial)
        if self._layout.dtype not in {torch.float16, torch.bfloat16}:
            return self._loss_of(native, targets)
        try:
            precise = self._loss_of(in_full_precision(native), targets)
        except ProbeError:
            return self._loss_of(native, targets)
        own = self._loss_of(native, targets)
        return precise if np.isfinite(own) else own

    def _loss_of(self, output: Any, targets: Tensor) -> float:
        memory = Memory(parameters=False)
        for part in modules_of(self.loss_called):
            memory.add_module(part)
        with random_states_kept(), torch.no_grad(), self._runner.autocast():
            try:
                return float(self._asked(output, targets))
            finally:
                memory.put_back()

    def _asked(self, output: Any, targets: Tensor) -> Tensor:
        if self._criterion is None:
            message = "there is no loss: give rareseg.diagnose the loss that the training uses"
            raise ProbeError(message)
        risky = targets.is_cuda and bool(self.form.outside(targets).size)
        return self._criterion(output, targets, risky=risky)


def _spatial(batch: Batch) -> tuple[int, ...]:
    """Return rows and columns of a batch's images: answers of that many pixels are taken to lie on them."""
    rows, cols = batch.pictures.shape[-2:]
    return int(rows), int(cols)
