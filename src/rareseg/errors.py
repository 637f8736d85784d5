"""Every error rareseg raises on purpose.

    RaresegError
     +- DataError (ValueError)            the images, masks or their description
     |   +- LayoutError                   no known folder layout, or pairs that do not match up
     |   +- MaskReadingError              the raw mask values cannot be turned into classes
     |   +- SplitError                    the parts overlap, or a part would be empty
     +- RecordError (ValueError)          a TOML or JSON record is malformed
     |   +- StaleRecordError              a record was made from another parent than the one given
     +- SettingError (ValueError)         a setting is unknown, out of range, or contradicts another
     +- OutputExistsError (FileExistsError)  the output is there already and may not be replaced
     +- MissingPackageError (ImportError) an optional package is needed and not installed
     +- WeightsError (OSError)            weights cannot be found, fetched or loaded
     +- TrainingError (RuntimeError)      training cannot go on (a loss that is not finite, no valid pixel)

Every message says what was expected, what came, where, and what to do next.
Each class also inherits the builtin that fits, so `except ValueError` keeps working.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """One file and what is wrong with it."""

    path: str
    reason: str


class RaresegError(Exception):
    """Root of the tree: catch this to catch them all."""


class DataError(RaresegError, ValueError):
    """The data on disk is not usable as it is; `problems` lists every file concerned."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        """Join the message and one line per problem."""
        lines = [message, *(f"  {problem.path}: {problem.reason}" for problem in problems)]
        super().__init__("\n".join(lines))
        self.problems = tuple(problems)


class LayoutError(DataError):
    """The folder follows no known layout, or images and masks do not pair up."""


class MaskReadingError(DataError):
    """The raw values of the masks cannot be turned into classes without being told how."""


class SplitError(DataError):
    """Training, validation and test parts overlap, or one of them would be empty."""


class RecordError(RaresegError, ValueError):
    """A TOML or JSON record is malformed: not parseable, unknown key, wrong type."""


class StaleRecordError(RecordError):
    """A record was made from another parent than the one at hand."""


class SettingError(RaresegError, ValueError):
    """A setting is unknown, out of range, or contradicts another one."""


class OutputExistsError(RaresegError, FileExistsError):
    """The named output exists; nothing is replaced without being asked."""


class MissingPackageError(RaresegError, ImportError):
    """An optional package is needed for this; the message holds the install line."""


class WeightsError(RaresegError, OSError):
    """Weights cannot be found, fetched, or do not fit the network."""


class TrainingError(RaresegError, RuntimeError):
    """Training cannot go on: a loss that is not finite, or not one labelled pixel."""
