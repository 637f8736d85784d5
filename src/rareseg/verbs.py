"""The verbs of rareseg, the same in Python and on the command line: each composes stages and writes records."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rareseg import scenes
from rareseg.errors import SettingError
from rareseg.network import hardware
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.plan import Plan
from rareseg.records.report import Report
from rareseg.records.run import Run
from rareseg.stages.audit import audit_data, root_of
from rareseg.stages.evaluate import evaluate_run
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
        output: JSON file to write the Audit to; None writes nothing.
        overwrite: replace an existing `output`.
        progress: who shows progress; None shows nothing.

    Raises:
        DataError: listing every file that cannot be used, with its reason.
        OutputExistsError: if `output` exists and `overwrite` is false.
    """
    _refuse(output, overwrite)
    found = audit_data(Path(data), progress=progress or Silent()).audit
    if output is not None:
        codec.write(Path(output), found, overwrite=overwrite)
    return found


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
        overwrite: replace an existing `output`.

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
        minutes: as for `plan`.
        steps: as for `plan`.
        settings: as for `plan`.
        resume: go on with the training in `output`, with its own audit and plan.
        overwrite: replace the run in `output`.
        progress: who shows progress.

    Raises:
        RaresegError: see `audit`, `plan` and stages.train.train_plan.
    """
    folder = Path(output)
    asked = minutes is not None or steps is not None or bool(settings)
    if resume:
        refused = asked or overwrite or plan is not None or audit is not None
        return _resume(Path(data), folder, refused=refused, progress=progress)
    refuse_used(folder, resume=False, overwrite=overwrite)
    if audit is None:
        audited = audit_data(Path(data), progress=progress or Silent())
        root, facts = audited.root, audited.audit
    else:
        root, facts = root_of(Path(data)), _audit_of(audit)
    if plan is None:
        decided = decide(facts, hardware.describe(), minutes=minutes, steps=steps, settings=settings)
    else:
        given = plan if isinstance(plan, Plan) else codec.read(Path(plan), Plan)
        classes = len(facts.dataset.classes)
        decided = amended(given, classes=classes, minutes=minutes, steps=steps, settings=settings)
    return train_plan(root, facts, decided, folder, overwrite=overwrite, progress=progress)


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
        overwrite: replace an existing `output`.
        progress: who shows progress.

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
        overwrite: replace existing maps.
        progress: who shows progress.

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
    return train_plan(root_of(data), facts, decided, folder, resume=True, progress=progress)


def _audit_of(audit: Audit | Path | str) -> Audit:
    return audit if isinstance(audit, Audit) else codec.read(Path(audit), Audit)


def _refuse(output: Path | str | None, overwrite: bool) -> None:
    """Refuse before the work, not after it."""
    if output is not None:
        codec.refuse_existing(Path(output), overwrite=overwrite)
