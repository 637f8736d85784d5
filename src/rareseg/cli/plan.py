"""`rareseg plan`."""

from pathlib import Path

import click

from rareseg.cli import options


@click.command(short_help="Decide how to train, each decision with its reason.")
@click.argument("source", metavar="AUDIT_JSON_OR_DATA", type=options.EXISTING)
@options.output_option("Write the plan as JSON to this file; it may be edited.  [default: only print it]")
@options.budget_options
@options.settings_options
@click.option("--explain", is_flag=True, help="Print reason and source too.  [default: the values only]")
@options.overwrite_option
@options.json_option
def plan(
    *,
    source: Path,
    output: Path | None,
    minutes: float | None,
    steps: int | None,
    settings: dict[str, str],
    explain: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Decide how to train, from the audit's numbers alone: no pixel is read.

    AUDIT_JSON_OR_DATA is a file that `rareseg audit -o` wrote, or DATA, which is then audited first.
    """
    from rareseg import verbs
    from rareseg.cli import output as out
    from rareseg.cli import progress
    from rareseg.showing import plan_tables

    facts = source if source.suffix == ".json" else verbs.audit(source, progress=progress.on_stderr())
    decided = verbs.plan(
        facts, minutes=minutes, steps=steps, settings=settings, output=output, overwrite=overwrite
    )
    if as_json:
        out.print_json(decided)
    else:
        out.show(lambda width: plan_tables.plan_tables(decided, explain=explain))
