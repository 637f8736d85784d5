"""`rareseg predict`."""

from pathlib import Path

import click

from rareseg.cli.options import EXISTING, output_option, overwrite_option, run_argument


@click.command(short_help="Map whole scenes of any size.")
@run_argument
@click.argument("images", metavar="IMAGE_OR_FOLDER...", nargs=-1, required=True, type=EXISTING)
@output_option("Write the maps into this folder.", required=True)
@overwrite_option
def predict(*, run: Path, images: tuple[Path, ...], output: Path, overwrite: bool) -> None:
    """Map images with RUN, in overlapping windows, so that any size fits into memory.

    RUN is a folder that `rareseg train` wrote. Per image: a raster of class indices, one of
    probabilities (0 to 1), and a preview in colour. The georeference is kept; PNG in gives PNG out.

    Prints the name of each file written, one a line.
    """
    from rareseg import verbs
    from rareseg.cli import progress

    for path in verbs.predict(run, images, output=output, overwrite=overwrite, progress=progress.on_stderr()):
        click.echo(path)
