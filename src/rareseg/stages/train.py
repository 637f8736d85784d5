"""Train: from a Plan and the data it was made for to a Run. Decides nothing; every setting is the plan's."""

from collections.abc import Iterator
from pathlib import Path

from rareseg.errors import OutputExistsError, StaleRecordError, TrainingError
from rareseg.measures.collapse import collapsed, verdict
from rareseg.network import hardware
from rareseg.network.checkpoint import BEST, load_tensors, load_weights
from rareseg.network.crops import CropStore
from rareseg.network.logs import TrainingLog
from rareseg.network.loop import fit
from rareseg.network.session import Session, choose_thresholds, mapper_for, prepare, versions
from rareseg.network.trained import AUDIT, PLAN, RUN
from rareseg.network.validation import Counted, Scorer, score_store, summed
from rareseg.progress import Progress, Silent, Task
from rareseg.records import codec
from rareseg.records.audit import Audit, PartFacts
from rareseg.records.dataset import PartName
from rareseg.records.plan import Plan
from rareseg.records.run import Outcome, PhotoStatistics, Run


def train_plan(
    root: Path,
    audit: Audit,
    plan: Plan,
    folder: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Train `plan` on the images below `root` and leave a run in `folder`.

    Raises:
        OutputExistsError: if `folder` holds a run already, and neither `resume` nor `overwrite` is set.
        StaleRecordError: if the plan was made from another audit, or the state to resume from another plan.
        TrainingError: if the loss is no longer finite, or a part holds nothing to learn from.
    """
    progress = progress or Silent()
    if plan.audit_digest != codec.digest(audit):
        message = (
            f"The plan was made from audit {plan.audit_digest}, but the data's audit is now {codec.digest(audit)}: "
            "images, masks or split have changed. Make a new plan, or restore the data."
        )
        raise StaleRecordError(message)
    _claim(folder, resume=resume, overwrite=overwrite)
    facts = _part(audit, "train")
    statistics = PhotoStatistics(mean=facts.band_mean, std=facts.band_std)
    training = _store(root, audit, "train", statistics, progress)
    held_out = _store(root, audit, "val", statistics, progress)
    codec.write(folder / AUDIT, audit, overwrite=True)
    codec.write(folder / PLAN, plan, overwrite=True)
    fabric = hardware.fabric(plan.precision)
    session = prepare(
        plan, training, held_out, statistics, fabric=fabric, folder=folder, resume=resume
    )
    with TrainingLog(folder, plan.classes, resume=resume) as log:
        outcome = fit(session.course, session.trainee, fabric, log, progress)
    run = _conclude(session, audit, held_out, outcome, progress)
    codec.write(folder / RUN, run, overwrite=True)
    return run


def _claim(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse to mix two runs in one folder."""
    if folder.exists() and not folder.is_dir():
        message = f"{folder} is a file; expected a folder for the run. Choose another name with -o."
        raise OutputExistsError(message)
    used = folder.exists() and any(folder.iterdir())
    if used and not (resume or overwrite):
        message = (
            f"{folder} is not empty. Go on with its training by --resume, replace it by --overwrite, "
            "or choose another name with -o."
        )
        raise OutputExistsError(message)
    if used and overwrite and not resume:
        _remove_run(folder)


def _remove_run(folder: Path) -> None:
    """Remove what a run wrote, and nothing else that may lie in the folder."""
    for pattern in ("*.safetensors", "audit.json", "plan.json", "run.json", "report.json", "log.csv"):
        for path in folder.glob(pattern):
            path.unlink()
    for path in folder.glob("tensorboard/events.out.tfevents.*"):
        path.unlink()


def _part(audit: Audit, name: PartName) -> PartFacts:
    facts = audit.part(name)
    if facts is None:
        message = f"The audit has no part {name!r}, and training needs it. Check the split in the audit."
        raise TrainingError(message)
    return facts


def _store(
    root: Path, audit: Audit, name: PartName, statistics: PhotoStatistics, progress: Progress
) -> CropStore:
    _part(audit, name)
    pairs = [pair for pair in audit.dataset.pairs if pair.part == name]
    return CropStore(
        root,
        audit.dataset,
        pairs,
        fill=statistics.mean,
        memory_bytes=hardware.describe().memory_bytes // 3,
        progress=progress,
    )


def _conclude(
    session: Session, audit: Audit, held_out: CropStore, outcome: Outcome, progress: Progress
) -> Run:
    """Choose thresholds with the best weights, and look once more for collapse."""
    plan, state, model = session.course.plan, session.trainee.state, session.trainee.model
    path = session.course.folder / BEST
    load_weights(model, load_tensors(path), str(path))
    check = session.course.watch.look(model, state.step)
    if outcome == "finished" and collapsed(check):
        outcome = "collapsed"
    scorer = Scorer(len(plan.classes), plan.overlapping, plan.inference.decision, None)
    mapper = mapper_for(model, plan, session.statistics)
    with progress.task("choosing thresholds", len(held_out)) as task:
        counted = summed(_counting(score_store(mapper, held_out, scorer), task))
    thresholds = choose_thresholds(counted, plan) if counted else (None,) * len(plan.classes)
    weights = list(model.parameters())
    return Run(
        audit_digest=codec.digest(audit),
        plan_digest=codec.digest(plan),
        outcome=outcome,
        reason=verdict(check).reason if outcome == "collapsed" else _reason(outcome, plan, state.step),
        steps=state.step,
        seconds=state.seconds,
        initial_loss=state.initial_loss,
        best_step=state.best_step,
        parameters=sum(weight.numel() for weight in weights),
        trainable_parameters=sum(weight.numel() for weight in weights if weight.requires_grad),
        photo=session.statistics,
        thresholds=thresholds,
        thresholds_from="val",
        validations=state.validations,
        checks=(*state.checks, check),
        versions=versions(),
    )


def _counting(counts: Iterator[Counted], task: Task) -> Iterator[Counted]:
    for counted in counts:
        task.advance()
        yield counted


def _reason(outcome: Outcome, plan: Plan, steps: int) -> str:
    if outcome == "interrupted":
        return f"Stopped by hand at step {steps}; --resume goes on from there."
    budget = f"{plan.budget.steps} steps" if plan.budget.steps else f"{plan.budget.minutes:g} minutes"
    return f"The budget of {budget} is used up after {steps} steps."
