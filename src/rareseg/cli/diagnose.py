"""`rareseg diagnose`."""

from pathlib import Path
from typing import Any

import click

from rareseg.cli import options


@click.command(short_help="Say why a network predicts only the biggest class, and what to do.")
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA", required=False)
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of class or probability rasters that any tool made of DATA's images.  [default: none]",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A trained model: the folder of a rareseg run, .keras, .onnx, TorchScript or .pt2.  [default: none]",
)
@click.option(
    "--kind",
    type=click.Choice(["classes", "probabilities", "logits"]),
    help="What the predictions hold.  [default: inferred from names and values, and stated]",
)
@click.option(
    "--scale",
    metavar="SCALE",
    help="Of predictions: the stored value of probability 1, such as 255. Of a model: how it was fed photos: unit "
    "(0 to 1), imagenet, signed (-1 to 1), standardised, raw, caffe or ten_thousandth.  [default: inferred and stated]",
)
@click.option(
    "--channels",
    metavar="CLASS,CLASS",
    help="Class of each channel of the predictions, by name or number, separated by commas.  [default: inferred]",
)
@click.option(
    "--layout",
    type=click.Choice(["nchw", "nhwc"], case_sensitive=False),
    help="Where the model wants the bands: before rows and columns, or last.  [default: inferred and stated]",
)
@click.option(
    "--reversed-bands/--bands-in-order",
    "reversed_bands",
    default=None,
    help="The model takes blue first, where files hold red first, or does not.  [default: inferred and stated]",
)
@click.option(
    "--activation",
    type=click.Choice(["none", "sigmoid", "softmax", "log-softmax"]),
    help="What the model's last layer does; none: it answers logits.  [default: inferred and stated]",
)
@click.option(
    "--quick", is_flag=True, help="Leave out what takes longest: pairs, shifts, suspects.  [default: all]"
)
@options.output_option(
    "Write it to this file: JSON, or a page if it ends in .html.  [default: only print it]"
)
@click.option("--causes", is_flag=True, help="List the causes that can be named.  [default: diagnose]")
@options.overwrite_option
@options.json_option
def diagnose(
    *,
    data: Path | None,
    predictions: Path | None,
    model: Path | None,
    channels: str | None,
    quick: bool,
    output: Path | None,
    causes: bool,
    overwrite: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Look at DATA, and at the predictions or the model that failed on it, and name the cause.

    DATA is a folder of images and masks, or a TOML file. Alone, its masks, pairs, shifts, leaks and labels are
    looked at. A training set-up (model, loss, optimizer) is diagnosed in Python:
    rareseg.diagnose(model, loss, optimizer, data).
    """
    from rareseg.cli import output as out

    if causes:
        _list_causes()
        return
    if data is None:
        message = (
            "Expected DATA: a folder of images and masks, or a TOML file. --causes lists what can be named."
        )
        raise click.UsageError(message)
    from rareseg import verbs
    from rareseg.cli import progress
    from rareseg.showing.diagnosis_tables import diagnosis_tables

    shown = progress.on_stderr()
    given: dict[str, Any] = {"predictions": predictions, "model": model, "quick": quick, **said}
    given["channels"] = None if channels is None else [one.strip() for one in channels.split(",")]
    found = verbs.diagnose(data, **given, output=output, overwrite=overwrite, progress=shown)
    if output is not None:
        shown.say(f"Written: {output}")
    if as_json:
        out.print_json(found)
    else:
        out.show(lambda width: diagnosis_tables(found, width))


def _list_causes() -> None:
    from rareseg.causes.catalogue import CAUSES
    from rareseg.cli import output as out
    from rareseg.showing.cause_tables import cause_list

    rows = [(one.name, one.mode, one.title, one.prescription) for one in CAUSES]
    out.show(lambda _: cause_list(rows))
