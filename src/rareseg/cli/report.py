"""`rareseg report`."""

from pathlib import Path

import click

from rareseg.cli.options import output_option, overwrite_option


@click.command(short_help="Draw the page of a report, or of several side by side.")
@click.argument("subjects", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN|REPORT...")
@output_option("Write the page to this HTML file.  [default: beside the report, for one]")
@overwrite_option
def report(*, subjects: tuple[Path, ...], output: Path | None, overwrite: bool) -> None:
    """Draw a page: does it find the rare class, where, and where not?

    RUN is a folder of a run that holds a report.json; REPORT is a file that `rareseg evaluate -o` wrote. The page is
    one file that needs no network: scores with intervals, curves, and photos whose threshold can be moved.
    """
    from rareseg import verbs

    click.echo(str(verbs.report(*subjects, output=output, overwrite=overwrite)))
