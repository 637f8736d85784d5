"""Diagnose a model in a training set-up: measure its batches, probe copies of it, name causes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace as replace_fields
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from rareseg.causes.ranking import diagnosis_of
from rareseg.errors import DataError, SettingError
from rareseg.imagery.suspicion.batches import Held, evidence_of_batches
from rareseg.probing.examine import Told, examine
from rareseg.probing.history import history_evidence
from rareseg.probing.subject import VOID_LABEL, Batch, Floats, Setup, Subject
from rareseg.progress import Progress, Silent
from rareseg.records.diagnosis import Diagnosis
from rareseg.records.evidence import DataEvidence, Evidence, HistoryEvidence

_ON_TRAINING = (
    "No validation data were given: answers are those to training images, which a network may know by heart."
)
LEAST_SECONDS = 5.0
"""Below these no probe can be made."""
_CHANNELS_AT_MOST = 16
"""Bands that a photo may have where it is not told which axis they lie on."""


@runtime_checkable
class Assuming(Protocol):
    """A subject that had to assume how model, loss and data fit together."""

    @property
    def assumed(self) -> tuple[str, ...]:
        """Return a sentence on each assumption; known once the loss was asked."""


class Effort(NamedTuple):
    """How much may be done."""

    seconds: float
    quick: bool
    """Leave out the probes that train copies."""


def diagnose_model(
    subject: Subject,
    told: Told,
    effort: Effort,
    *,
    served: Any = None,
    held_out: bool = True,
    progress: Progress | None = None,
) -> Diagnosis:
    """Probe a model under study and name causes; it is left as it is, bit for bit.

    Args:
        subject: The model, its loss, optimizer and data.
        told: What the user says of the training so far.
        effort: How much may be done.
        served: Images as the model is fed when it maps, in the layout of the training images; or None.
        held_out: Data that training does not see were given.
        progress: Shows what is being done.

    Raises:
        DataError: if images of training and validation differ in bands, or hold values that are not finite and turn
            answers into such.
        SettingError: if the time is too short for any probe, or `served` holds no images.
    """
    if effort.seconds < LEAST_SECONDS:
        message = (
            f"Expected at least {LEAST_SECONDS:g} seconds for a diagnosis; received {effort.seconds:g}. "
            "quick=True leaves out what takes longest."
        )
        raise SettingError(message)
    started = time.monotonic()
    look = partial(_look, subject, served=served, quick=effort.quick, held_out=held_out)
    shown = progress or Silent()
    evidence = examine(subject, told, look, seconds=effort.seconds, quick=effort.quick, progress=shown)
    assumed: tuple[str, ...] = () if held_out else (_ON_TRAINING,)
    assumed += subject.assumed if isinstance(subject, Assuming) else ()
    evidence = replace(evidence, assumed=assumed, notes=(*evidence.notes, *_left_out(evidence)))
    return _with_loss_that_raises(diagnosis_of(evidence, time.monotonic() - started))


def _left_out(evidence: Evidence) -> tuple[str, ...]:
    raised = None if evidence.learning is None else evidence.learning.raised
    if raised is None:
        return ()
    return (f"Training on some batches, which were left out: {raised.rstrip('.')}. Your loop stops there.",)


def _with_loss_that_raises(found: Diagnosis) -> Diagnosis:
    """Say it first where the loss raises and nothing else explains it: no training gets past that."""
    wiring = found.evidence.wiring
    if wiring is None or wiring.loss_error is None or found.state != "cannot tell":
        return found
    said = wiring.loss_error.rstrip(".")
    step = "Make the loss return one number for a batch of the data as it is given, and diagnose again."
    return replace(
        found,
        summary=f"The loss cannot be computed on the first batch: {said}.",
        next_steps=(step, *found.next_steps),
    )


def history_of(history: Any) -> HistoryEvidence | None:
    """Return the user's curves: a mapping of names to values, or an object that holds one as `.history`.

    Raises:
        SettingError: if it is neither.
    """
    if history is None:
        return None
    curves = getattr(history, "history", history)
    if not isinstance(curves, Mapping) or not all(isinstance(one, Sequence) for one in curves.values()):
        message = (
            "Expected history as a mapping of names to one value per epoch, such as {'loss': [...], 'val_iou': "
            f"[...]}}, or Keras's History; received {type(history).__name__}."
        )
        raise SettingError(message)
    return history_evidence(curves)


def _look(
    subject: Subject,
    training: Sequence[Batch],
    validation: Sequence[Batch],
    setup: Setup,
    *,
    served: Any,
    quick: bool,
    held_out: bool,
) -> tuple[DataEvidence, tuple[str, ...]]:
    _check(subject, training, validation)
    same = [_on_one_grid(batch) for batch in training if _fits(batch, training[0])]
    held = [_on_one_grid(batch) for batch in validation if _same_size(batch, training[0])]
    pictures = np.concatenate([batch.pictures for batch in same])
    found, notes = evidence_of_batches(
        pictures,
        np.concatenate([batch.labels for batch in same]),
        np.concatenate([batch.raw for batch in same]),
        setup.classes,
        batch_sizes=tuple(batch.count for batch in same),
        label_form=setup.label_form,
        ignore_index=setup.ignore_index,
        validation=_held(held),
        prediction=None if served is None else _as_pictures(served, pictures.shape[1]),
        quick=quick,
    )
    other = (len(training) - len(same), len(validation) - len(held))
    blank = held_out and not any((batch.labels != VOID_LABEL).any() for batch in validation)
    return found, (*notes, *_not_looked_at(*other, blank=blank))


def _not_looked_at(training: int, validation: int, *, blank: bool) -> Iterator[str]:
    """Yield notes on batches of another size than the first, and on validation data without a label."""
    if training:
        yield f"{training} batches of another image size were left out of the data's evidence."
    if validation:
        yield f"{validation} validation batches of another image size were left out of the data's evidence."
    if blank:
        yield (
            "Answers to images that training does not see: the validation data hold no pixel with a label that counts. "
            "Those to training images were judged instead."
        )


def _check(subject: Subject, training: Sequence[Batch], validation: Sequence[Batch]) -> None:
    """Refuse validation images of other bands, and images that are not finite where the network cannot take them."""
    bands = training[0].pictures.shape[1]
    other = next((batch.pictures.shape for batch in validation if batch.pictures.shape[1] != bands), None)
    if other is not None:
        message = (
            f"validation: expected images of {bands} bands, as those of the training data; got shape {other}. Prepare "
            "both alike."
        )
        raise DataError(message)
    _check_finite(subject, training, "data")
    _check_finite(subject, validation, "validation")


def _check_finite(subject: Subject, batches: Sequence[Batch], what: str) -> None:
    """Refuse images with NaN or infinity that make the network answer so: they alone explain a training that fails."""
    images = first = 0
    for number, batch in enumerate(batches):
        bad = ~np.isfinite(batch.pictures).all(axis=(1, 2, 3))
        if bad.any() and not np.isfinite(subject.answers(batch)[bad]).all():
            first = first if images else number
            images += int(bad.sum())
    if images:
        message = (
            f"{what}: expected finite images; {images} of them hold NaN or infinity (the first in batch {first}), and "
            "the model answers NaN to them. One such pixel makes the loss, and after one step every weight, NaN: then "
            "only one class is predicted. Replace these values (torch.nan_to_num), or leave the images out."
        )
        raise DataError(message)


def _on_one_grid(batch: Batch) -> Batch:
    """Return images and labels of one size, where the network answers at another: labels as large as the images.

    Where the targets are as small as the answers, images are thinned out to them instead.
    """
    rows, cols = batch.pictures.shape[2:]
    pixels = batch.labels.shape[1]
    if pixels == rows * cols:
        return batch
    high = _rows_of(pixels, rows, cols)
    wide = pixels // high
    if (rows, cols) not in pairwise(batch.raw.shape[1:]):
        picked = batch.pictures[:, :, _nearest(rows, high)[:, None], _nearest(cols, wide)]
        return replace_fields(batch, pictures=picked)
    planes = batch.labels.reshape(-1, high, wide)[:, _nearest(high, rows)[:, None], _nearest(wide, cols)]
    return replace_fields(batch, labels=planes.reshape(len(planes), -1))


def _rows_of(pixels: int, rows: int, cols: int) -> int:
    """Return into how many rows `pixels` fall on a grid of the shape of an image."""
    divisors = [high for high in range(1, pixels + 1) if pixels % high == 0]
    return min(divisors, key=lambda high: abs(high / rows - pixels / high / cols))


def _nearest(here: int, there: int) -> NDArray[np.intp]:
    """Return which of `here` pixels lies nearest to each of `there` pixels of the same extent."""
    return np.minimum(((np.arange(there) + 0.5) * here / there).astype(np.intp), here - 1)


def _same_size(batch: Batch, first: Batch) -> bool:
    return batch.pictures.shape[1:] == first.pictures.shape[1:]


def _fits(batch: Batch, first: Batch) -> bool:
    return _same_size(batch, first) and batch.raw.shape[1:] == first.raw.shape[1:]


def _held(batches: list[Batch]) -> Held | None:
    if not batches:
        return None
    pictures = np.concatenate([batch.pictures for batch in batches])
    return Held(pictures, np.concatenate([batch.labels for batch in batches]))


def _as_pictures(served: Any, bands: int) -> Floats:
    """Return (images, bands, rows, cols) from an array or tensor with bands first or last."""
    given = served.detach().cpu() if hasattr(served, "detach") else served
    found: NDArray[Any] = np.asarray(given)
    if found.ndim == 3:
        found = found[None]
    if found.ndim != 4 or bands not in (found.shape[1], found.shape[3]):
        message = (
            f"Expected prediction_inputs as images of {bands} bands, (images, bands, rows, cols) or (images, rows, "
            f"cols, bands); received shape {found.shape}."
        )
        raise SettingError(message)
    if found.shape[1] != bands or (found.shape[3] == bands and found.shape[1] > _CHANNELS_AT_MOST):
        found = np.moveaxis(found, 3, 1)
    return found.astype(np.float32)
