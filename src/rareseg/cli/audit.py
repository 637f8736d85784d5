"""`rareseg audit`."""

from pathlib import Path

import click

from rareseg.cli.options import data_argument, json_option, output_option, overwrite_option


@click.command(short_help="Measure the data: classes, sizes, what a constant answer scores.")
@data_argument
@output_option("Write the audit as JSON to this file.  [default: only print it]")
@overwrite_option
@json_option
def audit(*, data: Path, output: Path | None, overwrite: bool, as_json: bool) -> None:
    """Measure the data, and decide nothing.

    DATA is a folder of images and masks, or a TOML file that says where they are.

    Prints how the masks are read; per class its pixels, share (% of labelled pixels), images, objects, median
    width (px) and size (px of area), and the chance that a random crop of 128, 256 or 512 px holds it; pixels
    that do not count; mean and standard deviation per band; and what a constant answer scores.
    """
    # Late imports, here and in the other commands: `--help` must not wait for NumPy, torch or rich.
    from rareseg import verbs
    from rareseg.cli import output as out
    from rareseg.cli import progress
    from rareseg.showing import audit_tables

    facts = verbs.audit(data, output=output, overwrite=overwrite, progress=progress.on_stderr())
    if as_json:
        out.print_json(facts)
    else:
        out.show(lambda width: audit_tables.audit_tables(facts, width))
