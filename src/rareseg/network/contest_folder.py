"""The folder of a comparison: what lies in it, whether it is free, and what was asked for there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rareseg.errors import OutputExistsError, SettingError
from rareseg.network.trials import remove_trial
from rareseg.records import codec
from rareseg.records.comparison import MOST_SEEDS, Comparison, Request
from rareseg.records.places import places_file
from rareseg.remedies import candidates
from rareseg.remedies.training import budget_choice

AUDIT, COMPARISON, PLAN = "audit.json", "comparison.json", "plan.json"
PAGE, CHART, TRIALS = "comparison.html", "comparison.png", "trials"
MINUTES, SEEDS = 30.0, 3
"""The usual budget, and the usual number of starts of each finalist."""


class Asked(NamedTuple):
    """What a caller asks for; None, nothing or False where it leaves the choice."""

    remedies: Sequence[str] | None
    seeds: int | None
    minutes: float | None
    steps: int | None
    settings: Mapping[str, str] | None
    keep_weights: bool
    resume: bool
    overwrite: bool


def requested(folder: Path, asked: Asked) -> Request:
    """Return what is asked for, or to resume, what was asked for in `folder` before.

    Raises:
        SettingError: on both minutes and steps, numbers out of range, or anything asked for besides resuming.
        OutputExistsError: see `check_free`.
        RecordError: if there is no comparison to resume.
    """
    if asked.resume:
        if any(asked._replace(resume=False)):
            message = (
                "--resume goes on with what was asked for: leave out everything but the data and the folder."
            )
            raise SettingError(message)
        return codec.read(folder / COMPARISON, Comparison).request
    check_free(folder, overwrite=asked.overwrite)
    if asked.minutes is not None or asked.steps is not None:
        budget_choice(asked.minutes, asked.steps)
    seeds = SEEDS if asked.seeds is None else asked.seeds
    if not isinstance(seeds, int) or not 1 <= seeds <= MOST_SEEDS:
        message = f"seeds must be a whole number from 1 to {MOST_SEEDS}; received {seeds}."
        raise SettingError(message)
    # One text is a list as on the command line, not one candidate per letter.
    named = asked.remedies.split(",") if isinstance(asked.remedies, str) else asked.remedies
    return Request(
        remedies=tuple(named or candidates.USUAL),
        seeds=seeds,
        minutes=MINUTES if asked.minutes is None and asked.steps is None else asked.minutes,
        steps=asked.steps,
        settings={key: str(value) for key, value in (asked.settings or {}).items()},
        keep_weights=asked.keep_weights,
    )


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuse to mix a comparison with whatever else lies in `folder`.

    Raises:
        OutputExistsError: if `folder` is a file, or holds anything but a comparison that may be replaced.
    """
    if folder.exists() and not folder.is_dir():
        message = f"{folder} is a file; expected a folder for the comparison. Choose another name with -o."
        raise OutputExistsError(message)
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / COMPARISON).is_file():
        message = f"{folder} holds files, but no comparison ({COMPARISON}). Choose another name with -o."
        raise OutputExistsError(message)
    if not overwrite:
        message = (
            f"{folder} holds a comparison. Go on with it by --resume, replace it by --overwrite, or choose another "
            "name with -o."
        )
        raise OutputExistsError(message)


def remove_comparison(folder: Path) -> None:
    """Remove what a comparison wrote, and nothing else that may lie in the folder."""
    for path in sorted((folder / TRIALS).glob("*")):
        remove_trial(path)
    if (folder / TRIALS).is_dir() and not any((folder / TRIALS).iterdir()):
        (folder / TRIALS).rmdir()
    for name in (AUDIT, places_file(Path(AUDIT)).name, COMPARISON, PLAN, PAGE, CHART):
        (folder / name).unlink(missing_ok=True)
