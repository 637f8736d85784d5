"""The verbs of rareseg, the same in Python and on the command line: each composes stages and writes records.

Everywhere, `output` is where records go, `overwrite` replaces what is there already (without it that is refused), and
`progress` is who shows progress; None shows nothing.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rareseg import scenes
from rareseg.errors import SettingError
from rareseg.network import hardware
from rareseg.network.contest_folder import Asked, requested
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.comparison import Comparison
from rareseg.records.places import Places, places_file
from rareseg.records.plan import Plan
from rareseg.records.report import Report
from rareseg.records.run import Run
from rareseg.stages.audit import audit_data, root_of
from rareseg.stages.compare import Tools, compare_remedies
from rareseg.stages.evaluate import evaluate_run
from rareseg.stages.places import find_places, keep_places
from rareseg.stages.plan import amended, decide
from rareseg.stages.predict import predict_images
from rareseg.stages.train import refuse_used, train_plan

_DEMO_MINUTES = 2.5


def audit(
    data: Path | str,
    *,
    output: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Audit:
    """Measure a data set: pairs, mask readings, classes, no-data, splits, the constant predictor.

    Args:
        data: a folder with images and masks, or a TOML that says where they are.
        output: JSON file to write the Audit to, and beside it where classes lie (NAME.places.npz); None
            writes nothing.

    Raises:
        DataError: listing every file that cannot be used, with its reason.
        OutputExistsError: if `output` exists and `overwrite` is false.
    """
    file = None if output is None else Path(output)
    if file is not None:
        _refuse(file, overwrite)
        _refuse(places_file(file), overwrite)
    _, facts, places = audit_data(Path(data), progress=progress or Silent())
    if file is not None:
        codec.write(file, facts, overwrite=overwrite)
    keep_places(facts, places, audit_file=file, overwrite=overwrite)
    return facts


def plan(
    audit: Audit | Path | str,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    settings: Mapping[str, str] | None = None,
    output: Path | str | None = None,
    overwrite: bool = False,
) -> Plan:
    """Decide everything that training needs, each with its reason, for this machine.

    Args:
        audit: an Audit or the JSON file of one.
        minutes: time budget of the training; give this or `steps`, or neither for the default.
        steps: step budget.
        settings: "section.field" -> text, such as {"loss.name": "dice"}; overrides the rules.
        output: JSON file to write the Plan to.

    Raises:
        SettingError: on an unknown setting, or settings that contradict each other.
        RecordError: if `audit` names a file that holds no Audit.
    """
    _refuse(output, overwrite)
    facts = _audit_of(audit)
    decided = decide(facts, hardware.describe(), minutes=minutes, steps=steps, settings=settings)
    if output is not None:
        codec.write(Path(output), decided, overwrite=overwrite)
    return decided


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
    root, facts, places = _audited(Path(data), audit, progress)
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
    root, facts, places = _audited(Path(data), kept, progress)
    trained = partial(train_plan, root, facts, places=places, just_audited=True)
    tools = Tools(partial(decide, facts, hardware.describe()), trained, places)
    study = partial(compare_remedies, root, facts, request, folder, tools, data=Path(data))
    return study(fresh=kept is None, resume=resume, progress=progress)


def evaluate(
    run: Path | str,
    data: Path | str,
    *,
    output: Path | str | None = None,
    part: str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Score a run on labelled images, with the constant predictor beside it.

    Args:
        run: folder of the run.
        data: as for `audit`. The run's own training data: its held-out part is scored; other data: all of it.
        output: JSON file to write the Report to.
        part: "train", "val", "test" or "all", to score another part than that.

    Raises:
        DataError: if the data cannot be used or does not fit the run.
        RecordError: if `run` is not the folder of a finished run.
    """
    _refuse(output, overwrite)
    report = evaluate_run(Path(run), Path(data), part=part, progress=progress)
    if output is not None:
        codec.write(Path(output), report, overwrite=overwrite)
    return report


def predict(
    run: Path | str,
    images: Sequence[Path | str],
    *,
    output: Path | str,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Map photos of any size; returns the files written: class raster, probabilities and preview of each.

    Args:
        run: folder of the run.
        images: photos, or folders of photos.
        output: folder for the maps.

    Raises:
        DataError: listing every image that cannot be read or does not fit the run.
        OutputExistsError: if a map exists and `overwrite` is false.
    """
    return predict_images(
        Path(run), [Path(image) for image in images], Path(output), overwrite=overwrite, progress=progress
    )


def demo(
    output: Path | str, *, overwrite: bool = False, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Run the whole story on generated scenes; returns the files worth looking at.

    Writes into `output`: scenes/ (photos and masks), new_scene.png (a photo without mask), run/, report.json and
    maps/. Takes under 5 minutes on two cores and downloads nothing.

    Raises:
        OutputExistsError: if `output` holds anything already and `overwrite` is false.
    """
    folder = Path(output)
    if folder.is_dir() and any(folder.iterdir()):
        codec.refuse_existing(folder, overwrite=overwrite)
    data = scenes.write_roads(
        folder / "scenes", count=28, size=384, road_share=0.04, seed=1, overwrite=overwrite
    )
    photo = scenes.write_photo(
        folder / "new_scene.png", seed=1001, size=1024, road_share=0.04, overwrite=overwrite
    )
    report = folder / "report.json"
    shown = progress or Silent()
    run = train(data, output=folder / "run", minutes=_DEMO_MINUTES, overwrite=overwrite, progress=shown)
    scores = evaluate(folder / "run", data, output=report, overwrite=overwrite, progress=shown)
    maps = predict(folder / "run", [photo], output=folder / "maps", overwrite=overwrite, progress=shown)
    road = scores.classes["foreground"]
    constant = scores.constant_predictor
    shown.say(
        f"{run.reason} Held-out scenes: road IoU {_shown(road.iou)}, AP {_shown(road.average_precision)}; the answer "
        f"{constant.answer!r} everywhere would be right at {constant.accuracy:.1%} of the pixels with a road IoU of 0."
    )
    return (report, *maps)


def _shown(score: float | None) -> str:
    return "not measurable" if score is None else f"{score:.3f}"


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


def _audited(
    data: Path, audit: Audit | Path | str | None, progress: Progress | None
) -> tuple[Path, Audit, Places | None]:
    """Return the data's root, its audit (made now if none is given), and where classes lie."""
    if audit is None:
        root, facts, found = audit_data(data, progress=progress or Silent())
        keep_places(facts, found)
    else:
        root, facts = root_of(data), _audit_of(audit)
    beside = Path(audit) if isinstance(audit, Path | str) else None
    return root, facts, find_places(facts, beside, progress=progress)


def _audit_of(audit: Audit | Path | str) -> Audit:
    return audit if isinstance(audit, Audit) else codec.read(Path(audit), Audit)


def _refuse(output: Path | str | None, overwrite: bool) -> None:
    """Refuse before the work, not after it."""
    if output is not None:
        codec.refuse_existing(Path(output), overwrite=overwrite)
