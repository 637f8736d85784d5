"""`rareseg train`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rareseg.cli import options

if TYPE_CHECKING:
    from rareseg.progress import Progress
    from rareseg.records.run import Run

EXIT_CODES = {"finished": 0, "collapsed": 3, "interrupted": 130}


@click.command(short_help="Audit, plan and train a network.")
@options.data_argument
@options.output_option("Write the run (weights, records, logs) into this folder.", required=True)
@click.option("--plan", type=options.EXISTING_FILE, help="Follow this plan.  [default: make one]")
@click.option("--audit", type=options.EXISTING_FILE, help="Use this audit of DATA.  [default: make one]")
@options.budget_options
@options.settings_options
@click.option(
    "--resume", is_flag=True, help="Go on with the run in -o where it stopped.  [default: start anew]"
)
@options.overwrite_option
@options.json_option
def train(*, data: Path, output: Path, resume: bool, overwrite: bool, as_json: bool, **given: Any) -> None:
    """Audit, plan and train a network.

    DATA is a folder of images and masks, or a TOML file that says where they are.

    Ctrl-C keeps what was trained, and --resume goes on from there. The exit code is 3 if the network
    collapsed, with the reason, and 130 if it was interrupted.
    """
    from rareseg import verbs
    from rareseg.cli import output as out
    from rareseg.cli import progress
    from rareseg.records import codec
    from rareseg.showing import run_tables

    shown = progress.on_stderr()
    if not resume:
        if output.is_file() or (output.exists() and any(output.iterdir())):
            # Asked here too, before the audit, which may take minutes.
            codec.refuse_existing(output, overwrite=overwrite)
        given = _decide(data, progress=shown, quiet=as_json, **given)
    run = verbs.train(data, output=output, resume=resume, overwrite=overwrite, progress=shown, **given)
    if as_json:
        out.print_json(run)
    else:
        out.show(lambda width: run_tables.run_tables(run))
        _name_next(run, data, output)
    if run.outcome != "finished":
        click.echo(f"Training {run.outcome}: {run.reason}", err=True)
    click.get_current_context().exit(EXIT_CODES[run.outcome])


def _decide(
    data: Path,
    *,
    plan: Path | None,
    audit: Path | None,
    minutes: float | None,
    steps: int | None,
    settings: dict[str, str],
    progress: "Progress",
    quiet: bool,
) -> dict[str, Any]:
    """Audit and plan where no file is given, show both, and return them as arguments for `train`."""
    from rareseg import verbs
    from rareseg.cli import output as out
    from rareseg.records import codec
    from rareseg.records.audit import Audit
    from rareseg.records.plan import Plan
    from rareseg.showing import audit_tables, plan_tables

    if plan and (minutes or steps or settings):
        message = "--plan holds the budget and every setting already: edit that file, or leave --plan out."
        raise click.UsageError(message)
    facts = codec.read(audit, Audit) if audit else verbs.audit(data, progress=progress)
    decided = (
        codec.read(plan, Plan) if plan else verbs.plan(facts, minutes=minutes, steps=steps, settings=settings)
    )
    if not quiet:
        out.show(lambda width: audit_tables.audit_tables(facts, width))
        out.show(lambda width: plan_tables.plan_tables(decided, explain=True))
    return {"plan": decided, "audit": facts}


def _name_next(run: "Run", data: Path, output: Path) -> None:
    here, there = shlex.quote(str(output)), shlex.quote(str(data))
    page = shlex.quote(str(output / "report.json"))
    lines = {
        f"rareseg evaluate {here} {there} -o {page}": "scores on the held-out part, and a page",
        f"rareseg predict {here} IMAGE_OR_FOLDER -o MAPS": "map whole scenes",
    }
    if run.outcome == "interrupted":
        lines = {f"rareseg train {there} -o {here} --resume": "go on"} | lines
    wide = max(map(len, lines))
    click.echo("Next:")
    for command, purpose in lines.items():
        click.echo(f"  {command:<{wide}}  {purpose}")
