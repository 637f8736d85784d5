"""`rareseg evaluate`."""

from pathlib import Path

import click

from rareseg.cli.options import data_argument, json_option, output_option, overwrite_option, run_argument


@click.command(short_help="Score a run on labelled images, beside the constant answer.")
@run_argument
@data_argument
@output_option("Write the report as JSON to this file.  [default: only print it]")
@click.option(
    "--part",
    type=click.Choice(["test", "val", "train", "all"]),
    help="Part of the data to score.  [default: test if RUN was trained on DATA, else all of DATA]",
)
@overwrite_option
@json_option
def evaluate(
    *, run: Path, data: Path, output: Path | None, part: str | None, overwrite: bool, as_json: bool
) -> None:
    """Score RUN on the labelled images of DATA.

    RUN is a folder that `rareseg train` wrote. DATA is a folder of images and masks, or a TOML file.

    Prints per class IoU, F1, precision, recall and average precision (each 0 to 1), with what the
    constant answer scores beside them. Thresholds are the run's: nothing is tuned on DATA.
    """
    from rareseg import verbs
    from rareseg.cli import output as out
    from rareseg.cli import progress
    from rareseg.report import score_tables

    report = verbs.evaluate(
        run, data, output=output, part=part, overwrite=overwrite, progress=progress.on_stderr()
    )
    if as_json:
        out.print_json(report)
    else:
        out.show(lambda width: score_tables.score_tables(report, width))
