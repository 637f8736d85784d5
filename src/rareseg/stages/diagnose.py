"""Diagnose a model in a training set-up: measure its batches, probe copies of it, name causes."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rareseg.causes.ranking import diagnosis_of
from rareseg.errors import SettingError
from rareseg.imagery.suspicion.batches import Held, evidence_of_batches
from rareseg.probing.examine import Told, examine
from rareseg.probing.history import history_evidence
from rareseg.probing.subject import Batch, Floats, Setup, Subject
from rareseg.progress import Progress, Silent
from rareseg.records.diagnosis import Diagnosis
from rareseg.records.evidence import DataEvidence, HistoryEvidence

LEAST_SECONDS = 5.0
"""Below these no probe can be made."""
_CHANNELS_AT_MOST = 16
"""Bands that a photo may have where it is not told which axis they lie on."""


class Effort(NamedTuple):
    """How much may be done."""

    seconds: float
    quick: bool
    """Leave out the probes that train copies."""


def diagnose_model(
    subject: Subject, told: Told, effort: Effort, *, served: Any = None, progress: Progress | None = None
) -> Diagnosis:
    """Probe a model under study and name causes; it is left as it is, bit for bit.

    Args:
        subject: The model, its loss, optimizer and data.
        told: What the user says of the training so far.
        effort: How much may be done.
        served: Images as the model is fed when it maps, in the layout of the training images; or None.
        progress: Shows what is being done.

    Raises:
        SettingError: if the time is too short for any probe, or `served` holds no images.
    """
    if effort.seconds < LEAST_SECONDS:
        message = (
            f"Expected at least {LEAST_SECONDS:g} seconds for a diagnosis; received {effort.seconds:g}. "
            "quick=True leaves out what takes longest."
        )
        raise SettingError(message)
    started = time.monotonic()
    look = partial(_look, served=served, quick=effort.quick)
    shown = progress or Silent()
    evidence = examine(subject, told, look, seconds=effort.seconds, quick=effort.quick, progress=shown)
    return diagnosis_of(evidence, time.monotonic() - started)


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
    training: Sequence[Batch], validation: Sequence[Batch], setup: Setup, *, served: Any, quick: bool
) -> tuple[DataEvidence, tuple[str, ...]]:
    same = [batch for batch in training if _fits(batch, training[0])]
    held = [batch for batch in validation if _fits(batch, training[0])]
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
    if len(same) < len(training):
        notes += (
            f"{len(training) - len(same)} batches of another image size were left out of the data's evidence.",
        )
    return found, notes


def _fits(batch: Batch, first: Batch) -> bool:
    return batch.pictures.shape[1:] == first.pictures.shape[1:] and batch.raw.shape[1:] == first.raw.shape[1:]


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
