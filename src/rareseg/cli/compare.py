"""`rareseg compare`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rareseg.cli import options

if TYPE_CHECKING:
    from rareseg.records.comparison import Comparison

EXIT_CODES = {"finished": 0, "out of time": 0, "running": 0, "interrupted": 130}


@click.command(short_help="Find out by measurement which remedies help on this data.")
@options.data_argument
@click.option(
    "-o",
    "--output",
    type=options.WRITTEN,
    required=True,
    help="Write the comparison, and the winner's plan, into this folder.",
)
@click.option(
    "--remedies",
    metavar="A,B,C",
    help="Candidates, separated by commas; each a remedy, or several joined by +, such as "
    "prior_bias+cross_entropy+0.5*dice. `rareseg remedies` lists them; none (no remedy at all) and default (the "
    "plan's rules) are always compared.  [default: a dozen of all families]",
)
@click.option(
    "--seeds",
    type=click.IntRange(min=1, max=100),
    metavar="NUMBER",
    help="How often each candidate of the last round is trained, from other starts.  [default: 3]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="How long the whole comparison may take, in minutes on this machine.  [default: 30 minutes]",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Instead of --minutes: steps of each training of the last round; earlier rounds take 1/3 and 1/9.  "
    "[default: by minutes]",
)
@click.option("--audit", type=options.EXISTING_FILE, help="Use this audit of DATA.  [default: make one]")
@options.settings_options
@click.option("--keep-weights", is_flag=True, help="Keep the weights of every trial.  [default: scores only]")
@click.option(
    "--resume", is_flag=True, help="Go on with the comparison in -o where it stopped.  [default: start anew]"
)
@options.overwrite_option
@options.json_option
def compare(
    *,
    data: Path,
    output: Path,
    remedies: str | None,
    minutes: float | None,
    steps: int | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train candidates side by side, and say which remedies help on this data.

    DATA is a folder of images and masks, or a TOML file that says where they are.

    All start alike and are trained equally long; many for a short time, the best for longer (successive halving).
    Prints average precision, IoU and calibration error with intervals over scenes and seeds, and which differences
    are larger than the noise. Writes plan.json (the winner's), comparison.json, comparison.html and comparison.png.

    A candidate that fails or collapses is a line with its reason. Ctrl-C keeps and reports what was finished
    (exit code 130), and --resume goes on from there.
    """
    from rareseg import verbs
    from rareseg.cli import output as out
    from rareseg.cli import progress
    from rareseg.showing import comparison_tables

    if minutes is not None and steps is not None:
        message = "--minutes and --steps are two budgets: give one of them."
        raise click.UsageError(message)
    names = None if remedies is None else [name.strip() for name in remedies.split(",")]
    shown = progress.on_stderr()
    found = verbs.compare(
        data, output=output, remedies=names, minutes=minutes, steps=steps, progress=shown, **asked
    )
    if as_json:
        out.print_json(found)
    else:
        out.show(lambda width: comparison_tables.comparison_tables(found, width))
        _name_next(found, data, output)
    if found.outcome != "finished":
        click.echo(f"Comparison {found.outcome}. {found.notes[-1]}", err=True)
    click.get_current_context().exit(EXIT_CODES[found.outcome])


def _name_next(found: "Comparison", data: Path, output: Path) -> None:
    here, there = shlex.quote(str(output)), shlex.quote(str(data))
    lines = {}
    if found.outcome == "interrupted":
        lines[f"rareseg compare {there} -o {here} --resume"] = "go on"
    if found.winner is not None:
        plan = shlex.quote(str(output / "plan.json"))
        audit = shlex.quote(str(output / "audit.json"))
        command = f"rareseg train {there} -o RUN --plan {plan} --audit {audit}"
        lines[command] = "train the winner"
    click.echo("Look at:")
    for name in ("comparison.html", "comparison.png"):
        click.echo(f"  {output / name}")
    if lines:
        wide = max(map(len, lines))
        click.echo("Next:")
        for command, purpose in lines.items():
            click.echo(f"  {command:<{wide}}  {purpose}")
