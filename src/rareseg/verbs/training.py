"""Train: `train` and `compare`."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rareseg.errors import SettingError
from rareseg.network import hardware
from rareseg.network.contest_folder import Asked, requested
from rareseg.progress import Progress
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.comparison import Comparison
from rareseg.records.plan import Plan
from rareseg.records.run import Run
from rareseg.stages.audit import root_of
from rareseg.stages.compare import Tools, compare_remedies
from rareseg.stages.places import find_places
from rareseg.stages.plan import amended, decide
from rareseg.stages.train import refuse_used, train_plan
from rareseg.verbs.given import audited


def train(
    data: Path | str,
    *,
    output: Path | str,
    plan: Plan | Path | str | None = None,
    audit: Audit | Path | str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    settings: Mapping[str, str] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Train, auditing and planning first where no audit and plan are given.

    Args:
        data: as for `audit`.
        output: folder of the run.
        plan: a Plan or its file; minutes, steps and settings then change it.
        audit: an Audit of `data` or its file; None audits `data` now.
        minutes, steps, settings: as for `plan`.
        resume: go on with the training in `output`, with its own audit and plan.

    Raises:
        RaresegError: see `audit`, `plan` and stages.train.train_plan.
    """
    folder = Path(output)
    asked = minutes is not None or steps is not None or bool(settings)
    if resume:
        refused = asked or overwrite or plan is not None or audit is not None
        return _resume(Path(data), folder, refused=refused, progress=progress)
    refuse_used(folder, resume=False, overwrite=overwrite)
    root, facts, places = audited(Path(data), audit, progress)
    if plan is None:
        decided = decide(facts, hardware.describe(), minutes=minutes, steps=steps, settings=settings)
    else:
        given = plan if isinstance(plan, Plan) else codec.read(Path(plan), Plan)
        classes = len(facts.dataset.classes)
        decided = amended(given, classes=classes, minutes=minutes, steps=steps, settings=settings)
    trained = partial(train_plan, root, facts, decided, folder, places=places, overwrite=overwrite)
    return trained(just_audited=audit is None, progress=progress)


def compare(
    data: Path | str,
    *,
    output: Path | str,
    remedies: Sequence[str] | None = None,
    seeds: int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    settings: Mapping[str, str] | None = None,
    audit: Audit | Path | str | None = None,
    keep_weights: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Comparison:
    """Find out which remedies help on this data: train them side by side, and write the winner's plan.

    Args:
        data, audit, settings, overwrite, progress: as for `train`; settings hold for every candidate.
        output: folder of the comparison: comparison.json, .html and .png, plan.json, and trials/.
        remedies: candidates such as "dice" or "prior_bias+cross_entropy+0.5*dice"; none and default are added.
        seeds: starts of each candidate of the last rung; 3 if not given.
        minutes: budget of the whole comparison; 30 if neither this nor `steps` is given.
        steps: instead, steps of each training of the last rung.
        keep_weights: keep the weights of every trial.
        resume: go on with the comparison in `output`.

    Raises:
        RaresegError: see `audit`, stages.compare and network.contest_folder.
    """
    folder, kept = Path(output), Path(output) / "audit.json" if resume else audit
    asked = Asked(remedies, seeds, minutes, steps, settings, keep_weights, resume, overwrite)
    request = requested(folder, asked)
    root, facts, places = audited(Path(data), kept, progress)
    trained = partial(train_plan, root, facts, places=places, just_audited=True)
    tools = Tools(partial(decide, facts, hardware.describe()), trained, places)
    study = partial(compare_remedies, root, facts, request, folder, tools, data=Path(data))
    return study(fresh=kept is None, resume=resume, progress=progress)


def _resume(data: Path, folder: Path, *, refused: bool, progress: Progress | None) -> Run:
    if refused:
        message = (
            "--resume goes on with the folder's own audit and plan: leave out plan, audit, budget, settings "
            "and overwrite."
        )
        raise SettingError(message)
    facts = codec.read(folder / "audit.json", Audit)
    decided = codec.read(folder / "plan.json", Plan)
    places = find_places(facts, folder / "audit.json", progress=progress)
    return train_plan(root_of(data), facts, decided, folder, places=places, resume=True, progress=progress)
