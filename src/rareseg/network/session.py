"""Setting up a training from its records, and closing it: what lies before and after the loop."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import final

import msgspec
import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from rareseg.errors import StaleRecordError, TrainingError
from rareseg.measures.drawn import nothing_drawn
from rareseg.measures.scaling import Scaling
from rareseg.network import losses
from rareseg.network.batches import Batch, Batches
from rareseg.network.checkpoint import load_state, load_weights
from rareseg.network.crops import CropStore
from rareseg.network.forward import Mapper
from rareseg.network.loop import Course, Trainee, Validate
from rareseg.network.models.build import build_model
from rareseg.network.models.priors import set_prior
from rareseg.network.optimizers import Stepper
from rareseg.network.probes import CollapseWatch
from rareseg.network.validation import Counted, Scorer, macro_iou, sample_windows, score_windows, summed
from rareseg.records.codec import digest
from rareseg.records.plan import AugmentationChoice, Plan, SamplingChoice
from rareseg.records.run import Calibration, PhotoStatistics, TrainingState, Validation

_WATCH_BATCHES = 2
_VALIDATION_PIXELS = 4_000_000


@final
@dataclass(frozen=True, slots=True)
class Session:
    """One training, ready to go."""

    course: Course
    trainee: Trainee
    fabric: Fabric
    statistics: PhotoStatistics


def build_network(plan: Plan, *, bands: int) -> nn.Module:
    """Return the plan's network, its last layer started at the prior if the plan says so."""
    model = build_model(plan.model, bands=bands, classes=len(plan.classes))
    if plan.initialisation.prior_bias:
        prior = torch.tensor(plan.initialisation.prior, dtype=torch.float64)
        set_prior(model, prior, overlapping=plan.overlapping)
    layout = torch.channels_last if plan.precision.channels_last else torch.contiguous_format
    return model.to(memory_format=layout)


def prepare(
    plan: Plan,
    training: CropStore,
    held_out: CropStore,
    statistics: PhotoStatistics,
    *,
    fabric: Fabric,
    folder: Path,
    resume: bool,
) -> Session:
    """Build everything that the loop needs; with `resume`, from the state in `folder`.

    Raises:
        StaleRecordError: if the state in `folder` belongs to another plan.
        SettingError: if the plan's model or loss does not exist or its settings contradict each other.
    """
    torch.manual_seed(plan.seed)
    model: nn.Module = fabric.setup_module(build_network(plan, bands=len(statistics.mean)))
    stepper = Stepper(model, plan.optimizer)
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    trainee = Trainee(model, stepper, average, _first_state(plan))
    if resume:
        _take_up(trainee, plan, folder)
    state = trainee.state
    course = Course(
        plan=plan,
        batches=Batches(training, plan, statistics, seed=plan.seed, first=state.step, drawn=state.drawn),
        loss=losses.build(plan.loss, plan.weights, shares=plan.shares, overlapping=plan.overlapping),
        watch=CollapseWatch(list(_watch_batches(held_out, plan, statistics)), plan),
        validate=_validator(plan, held_out, model, statistics),
        folder=folder,
        rare_class=_rarest(plan),
    )
    return Session(course, trainee, fabric, statistics)


def choose_thresholds(counted: Counted, plan: Plan) -> tuple[float | None, ...]:
    """Return, per class, the probability from which F1 is best; of two exclusive classes the rare one decides."""
    best = tuple(None if score is None else score.threshold for score in counted.curve.best())
    if plan.overlapping or len(best) != 2:
        return best
    rare = _rarest(plan)
    chosen = best[rare]
    rest = None if chosen is None else 1 - chosen
    return (rest, chosen) if rare == 1 else (chosen, rest)


def mapper_for(
    model: nn.Module,
    plan: Plan,
    statistics: PhotoStatistics,
    *,
    views: int | None = None,
    calibration: Calibration | None = None,
) -> Mapper:
    """Return the Mapper of a network and its plan; `views` replaces the plan's.

    With `calibration` probabilities are mapped back to the true shares; without, they are the network's own.
    """
    inference = plan.inference if views is None else msgspec.structs.replace(plan.inference, views=views)
    return Mapper(
        model,
        statistics,
        inference=inference,
        precision=plan.precision,
        overlapping=plan.overlapping,
        classes=len(plan.classes),
        scaling=None if calibration is None else Scaling(calibration.temperature, calibration.shift),
    )


def versions() -> dict[str, str]:
    """Return the versions that a run depends on."""
    packages = ("rareseg", "torch", "numpy", "rasterio")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _rarest(plan: Plan) -> int:
    """Return the class with the smallest share above 0."""
    present = [(share, label) for label, share in enumerate(plan.shares) if share > 0]
    if not present:
        message = (
            "The plan's shares are 0 for every class: nothing can be learned. Plan again from the audit."
        )
        raise TrainingError(message)
    return min(present)[1]


def _first_state(plan: Plan) -> TrainingState:
    return TrainingState(
        plan_digest=digest(plan),
        step=0,
        seconds=0.0,
        initial_loss=0.0,
        best_score=-1.0,
        best_step=0,
        validations=(),
        checks=(),
        drawn=nothing_drawn(len(plan.classes)),
    )


def _take_up(trainee: Trainee, plan: Plan, folder: Path) -> None:
    state, owned = load_state(folder)
    if state.plan_digest != digest(plan):
        message = (
            f"{folder} was trained by plan {state.plan_digest}, but the plan given now is {digest(plan)}. "
            "Resume with the plan.json of that folder, or train into another folder."
        )
        raise StaleRecordError(message)
    load_weights(trainee.model, owned["model"], f"{folder} (state)")
    for name, value in owned["average"].items():
        trainee.average[name].copy_(value)
    trainee.stepper.load(owned["optimizer"])
    trainee.state = state


def _watch_batches(held_out: CropStore, plan: Plan, statistics: PhotoStatistics) -> Iterator[Batch]:
    """Draw fixed held-out crops, half of them around rare classes so that those can be ranked at all."""
    majority = int(np.argmax(plan.shares))
    labels = tuple(label for label in range(len(plan.classes)) if plan.overlapping or label != majority)
    sampling = SamplingChoice(
        rule="class_centred", share=0.5, labels=labels, because="held out", reference=""
    )
    still = AugmentationChoice(
        mirror="none", quarter_turns=False, brightness=0, contrast=0, because="held out", reference=""
    )
    looked_at = msgspec.structs.replace(plan, sampling=sampling, augmentation=still)
    batches = Batches(held_out, looked_at, statistics, seed=plan.seed)
    for _ in range(_WATCH_BATCHES):
        yield batches.make()


def _validator(plan: Plan, held_out: CropStore, model: nn.Module, statistics: PhotoStatistics) -> Validate:
    windows = sample_windows(held_out, side=plan.inference.window, pixels=_VALIDATION_PIXELS, seed=plan.seed)
    mapper = mapper_for(model, plan, statistics, views=1)
    scorer = Scorer(len(plan.classes), plan.overlapping, plan.inference.decision, None)

    def validate(step: int, seconds: float) -> Validation:
        counted = summed(score_windows(mapper, held_out, windows, scorer))
        if counted is None:
            message = "The validation part holds no image. Check the split in the audit."
            raise TrainingError(message)
        ious, mean = macro_iou(counted, decision=plan.inference.decision)
        return Validation(
            step=step,
            seconds=seconds,
            loss=counted.log_loss / max(counted.counted, 1),
            average_precision=counted.curve.average_precision(),
            iou=ious,
            score=mean,
        )

    return validate
