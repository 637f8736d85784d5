"""`rareseg remedies`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from rareseg.cli import options

if TYPE_CHECKING:
    from rareseg.records.audit import PartFacts
    from rareseg.remedies.catalogue import Remedy


_PRIORS = {
    "prior_bias": "--set initialisation.prior_bias=true",
    "logit_adjustment": "--set inference.logit_adjustment=1",
    "undo_shift": "Nothing to ask for: every run does it, and says in run.json how.",
}


@click.command(short_help="List every remedy for class imbalance, or show one.")
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--audit",
    type=options.EXISTING_FILE,
    help="Say by this audit's numbers which remedies apply.  [default: only what they are]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.  [default: tables]")
def remedies(*, name: str | None, audit: Path | None, as_json: bool) -> None:
    """List every remedy for class imbalance that rareseg knows, or show one with its formula and traps.

    NAME is one of the names listed, such as focal.
    """
    import json

    from rareseg.cli import output as out
    from rareseg.remedies import catalogue
    from rareseg.showing import remedy_tables

    data = _audited(audit) if audit else None
    names = catalogue.names() if name is None else (name,)
    entries = [_described(catalogue.find(known), data) for known in names]
    if as_json:
        shown = entries if name is None else entries[0]
        click.echo(json.dumps(shown, indent=1, ensure_ascii=False))
    elif name is None:
        out.show(lambda _: remedy_tables.remedy_list(entries))
    else:
        remedy = catalogue.find(name)
        out.show(lambda _: remedy_tables.remedy_page(entries[0], _settings(remedy), _use(remedy)))


class _Data(NamedTuple):
    """What remedies are judged by."""

    facts: "PartFacts"
    """Of the training part."""
    crop: int
    """px, as a plan of these data chooses it."""
    overlapping: bool


def _audited(path: Path) -> _Data:
    from rareseg.errors import DataError
    from rareseg.records import codec
    from rareseg.records.audit import Audit
    from rareseg.remedies.training import crop_choice

    audit = codec.read(path, Audit)
    facts = audit.part("train")
    pairs = [pair for pair in audit.dataset.pairs if pair.part == "train"]
    if facts is None or not pairs:
        message = (
            f"{path} has no training part, and remedies apply to what is trained on: audit data that has one."
        )
        raise DataError(message)
    return _Data(facts, crop_choice(pairs).size, audit.dataset.overlapping)


def _judged(remedy: "Remedy", data: _Data) -> str:
    return remedy.judge(data.facts, crop=data.crop, overlapping=data.overlapping).sentence()


def _described(remedy: "Remedy", data: _Data | None) -> dict[str, Any]:
    here = "" if data is None else _judged(remedy, data)
    settings = [
        {"name": entry.name, "range": entry.span(), "unit": entry.unit, "default": entry.default}
        | {"meaning": entry.meaning}
        for entry in remedy.settings
    ]
    told = ("name", "family", "summary", "formula", "reference", "when", "traps")
    return {field: getattr(remedy, field) for field in told} | {"here": here, "settings": settings}


def _settings(remedy: "Remedy") -> list[tuple[str, str, str, str]]:
    return [
        (entry.name, f"{entry.span()} {entry.unit}".strip(), _shown(entry.default), entry.meaning)
        for entry in remedy.settings
    ]


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | None) else str(value)


def _use(remedy: "Remedy") -> list[str]:
    section = {"loss": "loss.name", "weights": "weights.rule", "sampling": "sampling.rule"}.get(remedy.family)
    if section is None:
        return [_PRIORS[remedy.name]]
    ramp = remedy.setting("ramp")
    lines = [] if ramp is not None and ramp.default else [f"--set {section}={remedy.name}"]
    if remedy.family == "loss" and remedy.name != "cross_entropy":
        lines.append(f"--set 'loss.name=cross_entropy + 0.5*{remedy.name}'")
    owner = f"loss.{remedy.name}" if remedy.family == "loss" else remedy.family
    lines += [
        f"--set {owner}.{entry.name}={_shown(entry.default)}"
        for entry in remedy.settings
        if entry.default is not None
    ]
    return lines
