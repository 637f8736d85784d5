"""A run taken from disk, ready to map."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from msgspec import structs
from torch import nn

from rareseg.errors import RecordError, StaleRecordError
from rareseg.network import hardware
from rareseg.network.checkpoint import BEST, load_tensors, load_weights
from rareseg.network.forward import Mapper
from rareseg.network.session import build_network, mapper_for
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.plan import Plan
from rareseg.records.run import Run

AUDIT, PLAN, RUN = "audit.json", "plan.json", "run.json"
"""Names of the records in a run's folder."""


@final
@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run's records and its network with the best weights."""

    run: Run
    plan: Plan
    audit: Audit
    model: nn.Module

    def mapper(self) -> Mapper:
        """Return the Mapper that maps as the plan says, to probabilities that hold for the true shares."""
        return mapper_for(self.model, self.plan, self.run.photo, calibration=self.run.calibration)


def load_run(folder: Path) -> TrainedRun:
    """Read a run's records and weights.

    Raises:
        RecordError: if `folder` is not the folder of a finished run.
        StaleRecordError: if its records do not belong together.
        WeightsError: if the weights are missing or do not fit.
    """
    if not (folder / RUN).is_file():
        message = (
            f"{folder}: expected the folder of a run with {RUN}, {PLAN}, {AUDIT} and {BEST}; {RUN} is missing. "
            "Train one by: rareseg train DATA -o RUN."
        )
        raise RecordError(message)
    run = codec.read(folder / RUN, Run)
    plan = codec.read(folder / PLAN, Plan)
    audit = codec.read(folder / AUDIT, Audit)
    if (codec.digest(plan), codec.digest(audit)) != (run.plan_digest, run.audit_digest):
        message = (
            f"{folder}: plan.json or audit.json was changed after the training ({RUN} names plan {run.plan_digest} "
            f"and audit {run.audit_digest}). Restore them, or train again."
        )
        raise StaleRecordError(message)
    _check_lengths(folder, run, audit)
    model = build_network(_without_downloads(plan), bands=len(run.photo.mean))
    load_weights(model, load_tensors(folder / BEST), str(folder / BEST))
    return TrainedRun(run, plan, audit, hardware.to_device(model, plan.precision))


def _check_lengths(folder: Path, run: Run, audit: Audit) -> None:
    """Refuse a run.json whose lists do not have one entry per class or band."""
    dataset = audit.dataset
    for name, values, wanted in (
        ("thresholds", run.thresholds, len(dataset.classes)),
        ("calibration.shift", run.calibration.shift, len(dataset.classes)),
        ("decision_weights", run.decision_weights or dataset.classes, len(dataset.classes)),
        ("photo.mean", run.photo.mean, dataset.bands),
        ("photo.std", run.photo.std, dataset.bands),
    ):
        if len(values) != wanted:
            message = f"{folder / RUN}: {name} holds {len(values)} numbers; expected {wanted}. Restore it."
            raise RecordError(message)


def _without_downloads(plan: Plan) -> Plan:
    """Return the plan with an encoder that starts at random: its weights come from the run anyway."""
    if plan.model.pretrained is None:
        return plan
    model = structs.replace(plan.model, pretrained=False, encoder_weights=None)
    return structs.replace(plan, model=model)
