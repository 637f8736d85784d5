"""Arguments and options that several subcommands share.

option                      commands
DATA                        audit, train, compare, evaluate
RUN                         evaluate, predict
--overwrite                 all but remedies
--json                      audit, plan, train, compare, evaluate
--minutes, --steps          plan, train
--set and its shorthands    plan, train, compare
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from rareseg.errors import SettingError

Function = TypeVar("Function", bound=Callable[..., Any])

EXISTING = click.Path(exists=True, path_type=Path)
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
WRITTEN = click.Path(path_type=Path)

data_argument = click.argument("data", type=EXISTING)
run_argument = click.argument("run", type=EXISTING_FOLDER)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace what is there already.  [default: refuse to]"
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the record as JSON, and nothing else, on stdout.  [default: tables]",
)


def output_option(
    what: str, *, default: str | None = None, required: bool = False
) -> Callable[[Function], Function]:
    """Return the -o option; `what` says what is written, `default` where to if it is not given."""
    # click takes a default of None for one that is given, and then misses no required option.
    usual: dict[str, Any] = {} if default is None else {"default": default}
    return click.option(
        "-o", "--output", type=WRITTEN, required=required, show_default=True, help=what, **usual
    )


def budget_options(function: Function) -> Function:
    """Add --minutes and --steps; the command gets both, at most one of them not None."""

    @functools.wraps(function)
    def command(*, minutes: float | None, steps: int | None, **others: Any) -> Any:
        if minutes is not None and steps is not None:
            message = "--minutes and --steps are two budgets: give one of them."
            raise click.UsageError(message)
        return function(minutes=minutes, steps=steps, **others)

    return _with(_BUDGET, cast("Function", command))


def settings_options(function: Function) -> Function:
    """Add --set and its shorthands; the command gets them as one `settings`: {"loss.name": "dice"}."""

    @functools.wraps(function)
    def command(  # each is named here, so that none of them can be passed on unread
        *,
        assignments: Sequence[str],
        model: str | None,
        encoder: str | None,
        pretrained: bool,
        encoder_weights: Path | None,
        **others: Any,
    ) -> Any:
        shorthands = {
            "model.name": model,
            "model.encoder": encoder,
            "model.pretrained": "true" if pretrained else None,
            "model.encoder_weights": str(encoder_weights) if encoder_weights else None,
        }
        pairs = [_parse(assignment) for assignment in assignments]
        pairs += [(name, value) for name, value in shorthands.items() if value is not None]
        return function(settings=_unique(pairs), **others)

    return _with(_SETTINGS, cast("Function", command))


_BUDGET = (
    click.option(
        "--minutes",
        type=click.FloatRange(min=0, min_open=True),
        metavar="MINUTES",
        help="How long to train, in minutes on this machine.  [default: 10 minutes]",
    ),
    click.option(
        "--steps",
        type=click.IntRange(min=1),
        metavar="STEPS",
        help="How long to train, in steps of one batch each, instead of --minutes.  [default: by minutes]",
    ),
)
_SETTINGS = (
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="A.B=VALUE",
        help="Decide a setting of the plan yourself, e.g. loss.name=dice; may be repeated. "
        "`rareseg plan DATA` lists them all.  [default: the plan's rules decide]",
    ),
    click.option(
        "--model",
        metavar="NAME",
        help="Network: compact_unet, fcn32_vgg16, or smp:ARCHITECTURE such as smp:unet. "
        "Same as --set model.name=NAME.  [default: the plan decides]",
    ),
    click.option(
        "--encoder",
        metavar="NAME",
        help="Encoder of an smp: network, e.g. resnet34. Same as --set model.encoder=NAME.  "
        "[default: the plan decides]",
    ),
    click.option(
        "--pretrained",
        is_flag=True,
        help="Start the encoder from ImageNet weights, fetched from the hub. "
        "Same as --set model.pretrained=true.  [default: the plan decides]",
    ),
    click.option(
        "--encoder-weights",
        type=EXISTING_FILE,
        metavar="FILE",
        help="Start the encoder from this safetensors file; nothing is fetched. "
        "Same as --set model.encoder_weights=FILE.  [default: none]",
    ),
)


def _with(options: Sequence[Callable[[Function], Function]], function: Function) -> Function:
    # Decorators stack from the bottom; reversed, the help lists them as they stand above.
    for option in reversed(options):
        function = option(function)
    return function


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for name, value in pairs:
        if name in settings:
            message = f"{name} is set twice: to {settings[name]!r} and to {value!r}. Keep one."
            raise click.BadParameter(message, param_hint="'--set'")
        settings[name] = value
    return settings


def _parse(assignment: str) -> tuple[str, str]:
    # Late, as records bring msgspec, which `--help` can do without.
    from rareseg.records import overrides

    try:
        ((name, value),) = overrides.parse([assignment]).items()
    except SettingError as error:
        raise click.BadParameter(str(error), param_hint="'--set'") from error
    return name, value
