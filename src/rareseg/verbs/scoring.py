"""Judge: `evaluate`; and show it: `report`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import structs

from rareseg.errors import SettingError
from rareseg.imagery.answers.names import Kind
from rareseg.imagery.answers.written import Written
from rareseg.progress import Progress
from rareseg.records import codec
from rareseg.records.report import Report
from rareseg.stages.evaluate import Asked, Evaluated, evaluate_predictions, evaluate_run
from rareseg.stages.report import drawn_before, page_file, report_page, views_folder
from rareseg.verbs.given import refuse

_RUN = "run.json"
"""What tells the folder of a run from one of data."""


def evaluate(
    run: Path | str | None = None,
    data: Path | str | None = None,
    *,
    predictions: Path | str | None = None,
    against: Path | str | None = None,
    output: Path | str | None = None,
    part: str | None = None,
    kind: Kind | None = None,
    scale: float | None = None,
    channels: Sequence[int | str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    shapes: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Score a run, or predictions of any tool, on labelled images, with the constant predictor beside it.

    Args:
        run: folder of the run; None with `predictions`.
        data: as for `audit`. The run's own training data: its held-out part is scored; other data: all of it.
        predictions: folder of class or probability rasters, named after the images: scored instead of a run.
        against: another run, or a folder of predictions, scored on the same images: its differences have
            paired intervals.
        output: file to write the Report to, its name ending in .json. Beside it, with its name, lie a page (.html)
            and the pictures of its views (.views).
        part: "train", "val", "test" or "all", to score another part than that.
        kind, scale, channels: what predictions hold, in `predictions` or else in `against`: "classes",
            "probabilities" or "logits"; the stored value of probability 1; the class of each channel. None: inferred,
            and stated.
        thresholds: probability from which a class is given, by name, for `predictions` that are probabilities;
            they belong to validation data, not to `data`. None: 0.5, or the likeliest class.
        shapes: whether lines, objects and widths are scored, which takes longest.
        overwrite: replace what is at `output`.
        progress: who shows progress.

    Raises:
        DataError: if the data or the predictions cannot be used, or do not fit each other.
        SettingError: if not exactly one of run and predictions is given, run and data are interchanged, a setting
            does not belong to what is scored, or `output` does not end in .json.
        RecordError: if `run` is not the folder of a finished run.
    """
    subject = _subject(run, data, predictions)
    written = Written(kind, scale, None if channels is None else tuple(channels))
    _check_order(run, data)
    _check_said(run, against, written, thresholds)
    _check_output(output, overwrite=overwrite)
    asked = Asked(part, None if against is None else Path(against), written, shapes)
    if predictions is None:
        found = evaluate_run(*subject, asked, progress=progress)
    else:
        found = evaluate_predictions(*subject, asked, thresholds=thresholds, progress=progress)
    return found.report if output is None else _write(found, Path(output), overwrite=overwrite)


def report(*subjects: Path | str, output: Path | str | None = None, overwrite: bool = False) -> Path:
    """Draw the page of one report, or of several side by side, and return where it lies.

    Args:
        subjects: report files that `evaluate` wrote, or folders of runs that hold a report.json.
        output: HTML file. None: beside the report, for one.
        overwrite: replace it.

    Raises:
        RecordError: if there is no report.
        SettingError: if there are several and no `output`.
        OutputExistsError: if the page is there.
    """
    page = page_file([Path(one) for one in subjects], None if output is None else Path(output))
    refuse(page, overwrite)
    text = report_page([Path(one) for one in subjects])
    codec.write_bytes(page, text.encode(), overwrite=overwrite)
    return page


def _subject(
    run: Path | str | None, data: Path | str | None, predictions: Path | str | None
) -> tuple[Path, Path]:
    subject = run if predictions is None else predictions
    if data is None or subject is None or (run is not None and predictions is not None):
        message = (
            "Expected data, and either a run or predictions to score on it; received "
            f"run={run}, data={data}, predictions={predictions}."
        )
        raise SettingError(message)
    return Path(subject), Path(data)


def _check_order(run: Path | str | None, data: Path | str | None) -> None:
    """Refuse the data in the place of the run and the run in that of the data."""
    if run is None or data is None:
        return
    if (Path(data) / _RUN).is_file() and not (Path(run) / _RUN).is_file():
        message = (
            f"{data} is a run, and {run} is none: expected the run first, then the data. Interchange the two: "
            f"rareseg evaluate {data} {run}"
        )
        raise SettingError(message)


def _check_said(
    run: Path | str | None,
    against: Path | str | None,
    written: Written,
    thresholds: Mapping[str, float] | None,
) -> None:
    """Refuse what is said of predictions where there are none."""
    if run is None:
        return
    named = [name for name, value in written._asdict().items() if value is not None and against is None]
    named += ["thresholds"] if thresholds is not None else []
    if named:
        message = (
            f"{', '.join(named)}: this is said of the predictions of other tools. A run knows what it answers, and its "
            f"thresholds were chosen on its validation part. Leave {' and '.join(named)} out; other thresholds can be "
            "tried on the page."
        )
        raise SettingError(message)


def _check_output(output: Path | str | None, *, overwrite: bool) -> None:
    """Refuse, before anything is scored, a place where the report or what lies beside it cannot go."""
    if output is None:
        return
    path = Path(output)
    if path.suffix.lower() != ".json":
        name = path / "report.json" if path.is_dir() or not path.suffix else path.with_suffix(".json")
        message = (
            f"{output}: expected a file that ends in .json for the report, such as {name}; its page lies beside it, "
            f"as {name.with_suffix('.html')}."
        )
        raise SettingError(message)
    for one in (path, path.with_suffix(".html"), views_folder(path)):
        refuse(one, overwrite)


def _write(found: Evaluated, output: Path, *, overwrite: bool) -> Report:
    """Write the report, its pictures and its page; a page that lacks is better than a report that does."""
    folder = views_folder(output)
    told = structs.replace(found.report, views_folder=folder.name)
    for name, content in found.pictures.items():
        codec.write_bytes(folder / name, content, overwrite=overwrite)
    codec.write(output, told, overwrite=overwrite)
    for stale in drawn_before(folder):
        if stale.name not in found.pictures:
            stale.unlink()
    page = output.with_suffix(".html")
    codec.write_bytes(page, report_page([output]).encode(), overwrite=overwrite)
    return told
