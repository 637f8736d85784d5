"""`rareseg demo`."""

from itertools import zip_longest
from pathlib import Path

import click

from rareseg.cli.options import output_option, overwrite_option

_ROLES = ("page", "report", "road map", "probability", "preview")


@click.command(short_help="See it all at work on generated scenes.")
@output_option("Write scenes, run, report and maps into this folder.", default="demo")
@overwrite_option
def demo(*, output: Path, overwrite: bool) -> None:
    """Generate aerial-like scenes with rare roads, then audit, plan, train, evaluate and map them.

    Takes a few minutes on two cores and downloads nothing. Prints the name of each file to look at.
    """
    from rareseg import verbs
    from rareseg.cli import progress

    paths = verbs.demo(output, overwrite=overwrite, progress=progress.on_stderr())
    click.echo("Look at:")
    for role, path in zip_longest(_ROLES, paths, fillvalue=""):
        click.echo(f"  {role:<13} {path}")
