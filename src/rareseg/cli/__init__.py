"""The command line: parsing only. One file per subcommand, each of which calls the verb of its name.

Tables go to stdout, progress and errors to stderr. Exit codes: 0 done, 1 the data or a setting is not
usable, 2 the command line is malformed, 3 the training collapsed, 130 interrupted.

Nothing here imports NumPy, torch or rich at its top, so that `--help` answers at once.
"""

from typing import Any

import click

from rareseg import __version__
from rareseg.cli.audit import audit
from rareseg.cli.compare import compare
from rareseg.cli.demo import demo
from rareseg.cli.diagnose import diagnose
from rareseg.cli.evaluate import evaluate
from rareseg.cli.plan import plan
from rareseg.cli.predict import predict
from rareseg.cli.remedies import remedies
from rareseg.cli.report import report
from rareseg.cli.train import train
from rareseg.errors import RaresegError

INTERRUPTED = 130


class _Commands(click.Group):
    """The subcommands in the order of the work, with errors as sentences instead of tracebacks."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RaresegError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            click.echo("\nInterrupted. What was finished is kept; nothing is half written.", err=True)
            ctx.exit(INTERRUPTED)
        except OSError as error:
            # A full disk or a folder without permission is the user's to mend; anything else is a bug.
            if error.filename is None or error.strerror is None:
                raise
            message = f"{error.filename}: {error.strerror}."
            raise click.ClickException(message) from error


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="rareseg")
def main() -> None:
    """Map the rare class: roads that cover 4 % of an aerial photo, a weed that covers 1 %.

    \b
    rareseg demo                           see it all at work on generated scenes
    rareseg train DATA -o RUN --minutes 5  audit, plan and train
    rareseg evaluate RUN DATA              scores on held-out images
    rareseg report RUN                     a page with photos, curves and a threshold to move
    rareseg predict RUN scene.tif -o MAPS  map whole scenes
    rareseg compare DATA -o OUT            find out which remedy helps on this data
    rareseg diagnose DATA --model FILE     say why somebody's network fails

    DATA is a folder of images and masks, or a TOML file that says where they are.
    """


for _command in (audit, plan, train, evaluate, report, predict, compare, diagnose, remedies, demo):
    main.add_command(_command)
