"""Train: from a Plan and the data it was made for to a Run. Decides nothing; every setting is the plan's."""

from pathlib import Path

import numpy as np

from rareseg.errors import OutputExistsError, SettingError, StaleRecordError, TrainingError
from rareseg.imagery.sets.contents import changed_files
from rareseg.measures.collapse import collapsed, verdict
from rareseg.measures.drawn import sampled
from rareseg.network import hardware
from rareseg.network.calibrating import HeldOut, calibrate, sample_for
from rareseg.network.checkpoint import BEST, LAST, STATE, load_tensors, load_weights
from rareseg.network.crops import CropStore
from rareseg.network.logs import TrainingLog
from rareseg.network.loop import fit
from rareseg.network.session import Session, mapper_for, prepare, versions
from rareseg.network.trained import AUDIT, PLAN, RUN
from rareseg.network.validation import Counted, Scorer, score_store
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.audit import Audit, PartFacts
from rareseg.records.dataset import PartName
from rareseg.records.places import Places, places_file, write_places
from rareseg.records.plan import Plan
from rareseg.records.run import CollapseCheck, Outcome, PhotoStatistics, Run
from rareseg.remedies.training import check_crop
from rareseg.remedies.weights import by_rule

_PARTS: tuple[PartName, PartName] = ("train", "val")


def train_plan(
    root: Path,
    audit: Audit,
    plan: Plan,
    folder: Path,
    *,
    places: Places | None = None,
    just_audited: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Train `plan` on the images below `root` and leave a run in `folder`.

    Args:
        root: the folder that the audit's paths are relative to.
        audit: the facts of the data.
        plan: what to do.
        folder: where the run goes.
        places: where classes lie, as `audit` counted it; None counts it anew from the masks.
        just_audited: True if `audit` was made from these files a moment ago; False compares every file with it.
        resume: go on with the training in `folder`.
        overwrite: replace the run in `folder`.
        progress: whom to tell how far it is.

    Raises:
        OutputExistsError: if `folder` holds anything already, and neither `resume` nor `overwrite` is set.
        StaleRecordError: if the plan was made from another audit, or the state to resume from another plan.
        WeightsError: if there is no state to resume.
        SettingError: if the plan's model or loss does not exist or its settings contradict each other.
        TrainingError: if the loss is no longer finite, or a part holds nothing to learn from.
    """
    progress = progress or Silent()
    _check_plan(plan, audit)
    if not just_audited:
        _check_files(root, audit)
    refuse_used(folder, resume=resume, overwrite=overwrite)
    facts = _part(audit, "train")
    statistics = PhotoStatistics(mean=facts.band_mean, std=facts.band_std)
    check_crop(plan.crop.size, [pair for pair in audit.dataset.pairs if pair.part == "train"])
    training, held_out = (
        _store(root, audit, part, fill=statistics.mean, places=places, progress=progress) for part in _PARTS
    )
    fabric = hardware.fabric(plan.precision)
    session = prepare(plan, training, held_out, statistics, fabric=fabric, folder=folder, resume=resume)
    # Only now is it certain that this plan can be trained, and that --resume goes on with what lies here.
    if not resume:
        _remove_run(folder)
    codec.write(folder / AUDIT, audit, overwrite=True)
    write_places(places_file(folder / AUDIT), training.places() | held_out.places(), audit, overwrite=True)
    codec.write(folder / PLAN, plan, overwrite=True)
    step = session.trainee.state.step
    with TrainingLog(folder, plan.classes, resume=resume, step=step) as log:
        outcome = fit(session.course, session.trainee, fabric, log, progress)
    run = _conclude(session, audit, held_out, outcome, progress)
    codec.write(folder / RUN, run, overwrite=True)
    return run


def _check_plan(plan: Plan, audit: Audit) -> None:
    if plan.audit_digest != codec.digest(audit):
        message = (
            f"The plan was made from audit {plan.audit_digest}, but the data's audit is now {codec.digest(audit)}: "
            "images, masks or split have changed. Make a new plan, or restore the data."
        )
        raise StaleRecordError(message)
    _check_weights(plan, audit)
    dataset = audit.dataset
    if (plan.classes, plan.overlapping) != (dataset.classes, dataset.overlapping):
        message = (
            f"The plan is for {_described(plan.classes, plan.overlapping)}, but the data's audit has "
            f"{_described(dataset.classes, dataset.overlapping)}. Name classes in the data's TOML, not in the plan."
        )
        raise StaleRecordError(message)


def _check_files(root: Path, audit: Audit) -> None:
    """Refuse an audit of other files: its priors, parts and scale would be those of another set."""
    problems = changed_files(root, audit.dataset)
    if problems:
        listed = "; ".join(f"{problem.path} {problem.reason}" for problem in problems[:3])
        message = (
            f"{len(problems)} of the files that the audit counted are not what they were: {listed}. "
            "Audit the data anew, or restore it."
        )
        raise StaleRecordError(message)


def _check_weights(plan: Plan, audit: Audit) -> None:
    """Refuse class weights that are not those of their rule, as after an edit by hand."""
    chosen, facts = plan.weights, _part(audit, "train")
    rule = chosen.rule
    if rule == "given":
        return
    expected = by_rule(
        rule,
        facts.counts,
        constant=chosen.constant,
        beta=chosen.beta,
        counted=chosen.counted,
        cap=chosen.cap,
    )
    if not np.allclose(plan.weights.values, expected, rtol=1e-6):
        message = (
            f"weights.values {plan.weights.values} are not those of weights.rule={rule} "
            f"({', '.join(f'{value:.4g}' for value in expected)}). Set weights.rule=given to use your own."
        )
        raise SettingError(message)


def _described(classes: tuple[str, ...], overlapping: bool) -> str:
    return f"{'overlapping' if overlapping else 'exclusive'} classes {', '.join(classes)}"


def refuse_used(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse to mix two runs in one folder.

    Raises:
        OutputExistsError: if `folder` is a file, or holds anything and neither `resume` nor `overwrite` is set.
    """
    if folder.exists() and not folder.is_dir():
        message = f"{folder} is a file; expected a folder for the run. Choose another name with -o."
        raise OutputExistsError(message)
    used = folder.exists() and any(folder.iterdir())
    if used and overwrite and not any((folder / name).is_file() for name in (RUN, PLAN)):
        message = (
            f"{folder} holds files, but no run ({RUN} or {PLAN}) that --overwrite could replace. "
            "Choose another name with -o."
        )
        raise OutputExistsError(message)
    if used and not (resume or overwrite):
        message = (
            f"{folder} is not empty. Go on with its training by --resume, replace it by --overwrite, "
            "or choose another name with -o."
        )
        raise OutputExistsError(message)


def _remove_run(folder: Path) -> None:
    """Remove what a run wrote, and nothing else that may lie in the folder."""
    names = (BEST, LAST, STATE, AUDIT, places_file(Path(AUDIT)).name, PLAN, RUN, "report.json", "log.csv")
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob("tensorboard/events.out.tfevents.*"):
        path.unlink()


def _part(audit: Audit, name: PartName) -> PartFacts:
    facts = audit.part(name)
    if facts is None:
        message = f"The audit has no part {name!r}, and training needs it. Check the split in the audit."
        raise TrainingError(message)
    return facts


def _store(
    root: Path,
    audit: Audit,
    name: PartName,
    *,
    fill: tuple[float, ...],
    places: Places | None,
    progress: Progress,
) -> CropStore:
    _part(audit, name)
    pairs = [pair for pair in audit.dataset.pairs if pair.part == name]
    return CropStore(
        root,
        audit.dataset,
        pairs,
        fill=fill,
        memory_bytes=hardware.describe().memory_bytes // 3,
        places=places,
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
    found, images = _count_held_out(session, held_out, progress)
    seen = sampled(state.drawn, plan)
    chosen = calibrate(plan, found, drawn=None if seen is None else seen.realised_shares, part="val")
    outcome, reason = _ending(session, outcome, check, images=images, of=len(held_out))
    weights = list(model.parameters())
    return Run(
        audit_digest=codec.digest(audit),
        plan_digest=codec.digest(plan),
        outcome=outcome,
        reason=reason,
        steps=state.step,
        seconds=state.seconds,
        initial_loss=state.initial_loss,
        best_step=state.best_step,
        parameters=sum(weight.numel() for weight in weights),
        trainable_parameters=sum(weight.numel() for weight in weights if weight.requires_grad),
        photo=session.statistics,
        thresholds=chosen.thresholds,
        thresholds_from="val",
        calibration=chosen.calibration,
        decision_weights=chosen.decision_weights,
        validations=state.validations,
        checks=(*state.checks, check),
        sampled=seen,
        versions=versions(),
    )


def _count_held_out(session: Session, held_out: CropStore, progress: Progress) -> tuple[HeldOut, int]:
    """Count the held-out images; Ctrl-C keeps the counts so far. Returns also how many images were counted."""
    plan = session.course.plan
    scorer = Scorer(len(plan.classes), plan.overlapping, plan.inference.decision, None)
    mapper = mapper_for(session.trainee.model, plan, session.statistics)
    sample = sample_for(plan, sum(pair.height * pair.width for pair in held_out.pairs))
    total: Counted | None = None
    images = 0
    with progress.task("choosing thresholds", len(held_out)) as task:
        try:
            for counted in score_store(mapper, held_out, scorer, sample):
                total = counted if total is None else total + counted
                images += 1
                task.advance()
        except KeyboardInterrupt:
            progress.say("Stopped while choosing thresholds: keeping what was trained.")
    return HeldOut(total, sample), images


def _ending(
    session: Session, outcome: Outcome, check: CollapseCheck, *, images: int, of: int
) -> tuple[Outcome, str]:
    """Return how the training ended and why, given the last check and how many images were scored after it."""
    cut_short = images < of
    if outcome == "finished" and cut_short:
        outcome = "interrupted"
    if outcome == "finished" and collapsed(check):
        outcome = "collapsed"
    reason = verdict(check).reason if outcome == "collapsed" else _reason(session, outcome)
    if cut_short:
        reason += f" Thresholds were chosen on {images} of {of} validation images only."
    return outcome, reason


def _reason(session: Session, outcome: Outcome) -> str:
    budget, steps = session.course.plan.budget, session.trainee.state.step
    if outcome == "interrupted":
        return f"Stopped by hand at step {steps}; --resume goes on from there."
    length = f"{budget.steps} steps" if budget.steps else f"{budget.minutes:g} minutes"
    return f"The budget of {length} is used up after {steps} steps."
