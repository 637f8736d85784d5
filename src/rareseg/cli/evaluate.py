"""`rareseg evaluate`."""

from pathlib import Path
from typing import Any

import click

from rareseg.cli.options import json_option, output_option, overwrite_option


@click.command(short_help="Score a run, or any tool's predictions, beside the constant answer.")
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="[RUN] DATA")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Score this folder of class or probability rasters instead of a run.  [default: none]",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="RUN|DIR",
    help="Another run, or a folder of predictions, scored on the same images: differences with paired intervals.  "
    "[default: none]",
)
@click.option(
    "--part",
    type=click.Choice(["test", "val", "train", "all"]),
    help="Part of the data to score.  [default: test if RUN was trained on DATA, else all of DATA]",
)
@click.option(
    "--kind",
    type=click.Choice(["classes", "probabilities", "logits"]),
    help="What the predictions hold.  [default: inferred from names and values, and stated]",
)
@click.option(
    "--scale", type=float, help="Stored value of probability 1, such as 255.  [default: inferred, and stated]"
)
@click.option(
    "--channels",
    metavar="CLASS,CLASS",
    help="Class of each channel of the predictions, by name or number, separated by commas.  [default: inferred]",
)
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="CLASS=P",
    help="Probability from which predictions are taken for the class.  [default: 0.5, or the likeliest class]",
)
@click.option(
    "--shapes/--no-shapes",
    default=True,
    help="Score lines (APLS, TOPO, breaks) and objects too, which takes longest.  [default: shapes]",
)
@output_option(
    "Write the report to this .json file, and its page beside it (.html).  [default: only print it]"
)
@overwrite_option
@json_option
def evaluate(
    *, paths: tuple[Path, ...], channels: str | None, thresholds: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Score RUN on the labelled images of DATA, or the predictions in a folder of any tool.

    \b
    rareseg evaluate RUN DATA
    rareseg evaluate DATA --predictions DIR
    rareseg evaluate RUN DATA --against DIR -o report.json

    RUN is a folder that `rareseg train` wrote. DATA is a folder of images and masks, or a TOML file.

    Prints per class IoU, F1, precision, recall and average precision (each 0 to 1) with 95 % intervals over scenes,
    and what the constant answer scores beside them. Thresholds are the run's: nothing is tuned on DATA.
    """
    from rareseg import verbs
    from rareseg.cli import output as out
    from rareseg.cli import progress
    from rareseg.showing import score_tables

    run, data = _said(paths, given["predictions"])
    report = verbs.evaluate(
        run,
        data,
        channels=None if channels is None else [part.strip() for part in channels.split(",")],
        thresholds=_thresholds(thresholds),
        progress=progress.on_stderr(),
        **given,
    )
    if as_json:
        out.print_json(report)
    else:
        out.show(lambda width: score_tables.score_tables(report, width))
        if given["output"] is not None:
            click.echo(f"Page: {given['output'].with_suffix('.html')}")


def _said(paths: tuple[Path, ...], predictions: Path | None) -> tuple[Path | None, Path]:
    wanted = 1 if predictions is not None else 2
    if len(paths) != wanted:
        usage = "DATA --predictions DIR" if predictions is not None else "RUN DATA, or DATA --predictions DIR"
        message = f"Expected {usage}; received {' '.join(map(str, paths))}.{_instead(paths, predictions)}"
        raise click.UsageError(message)
    return (None, paths[0]) if predictions is not None else (paths[0], paths[1])


def _instead(paths: tuple[Path, ...], predictions: Path | None) -> str:
    """What was probably meant."""
    if predictions is not None:
        told = f" To score a run beside these maps: rareseg evaluate RUN DATA --against {predictions}"
        return told if len(paths) == 2 else ""
    if len(paths) != 1:
        return ""
    if (paths[0] / "run.json").is_file():
        return f" {paths[0]} is a run: which labelled images should it be scored on? rareseg evaluate {paths[0]} DATA"
    return f" What is to be scored on it? rareseg evaluate RUN {paths[0]}, or maps of any tool with --predictions."


def _thresholds(texts: tuple[str, ...]) -> dict[str, float] | None:
    if not texts:
        return None
    found = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            probability = float(value)
        except ValueError:
            probability = None
        if not name or probability is None:
            message = f"Expected CLASS=P, such as road=0.3; received {text}."
            raise click.BadParameter(message, param_hint="--threshold")
        found[name] = probability
    return found
