"""Judge: `evaluate`."""

from pathlib import Path

from rareseg.progress import Progress
from rareseg.records import codec
from rareseg.records.report import Report
from rareseg.stages.evaluate import evaluate_run
from rareseg.verbs.given import refuse


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
    refuse(output, overwrite)
    report = evaluate_run(Path(run), Path(data), part=part, progress=progress)
    if output is not None:
        codec.write(Path(output), report, overwrite=overwrite)
    return report
