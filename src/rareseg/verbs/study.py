"""Look at data, and decide: `audit` and `plan`."""

from collections.abc import Mapping
from pathlib import Path

from rareseg.network import hardware
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.places import places_file
from rareseg.records.plan import Plan
from rareseg.stages.audit import audit_data
from rareseg.stages.places import keep_places
from rareseg.stages.plan import decide
from rareseg.verbs.given import audit_of, refuse


def audit(
    data: Path | str,
    *,
    output: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Audit:
    """Measure a data set: pairs, mask readings, classes, no-data, splits, the constant predictor.

    Args:
        data: a folder with images and masks, or a TOML that says where they are.
        output: JSON file to write the Audit to, and beside it where classes lie (NAME.places.npz); None
            writes nothing.

    Raises:
        DataError: listing every file that cannot be used, with its reason.
        OutputExistsError: if `output` exists and `overwrite` is false.
    """
    file = None if output is None else Path(output)
    if file is not None:
        refuse(file, overwrite)
        refuse(places_file(file), overwrite)
    _, facts, places = audit_data(Path(data), progress=progress or Silent())
    if file is not None:
        codec.write(file, facts, overwrite=overwrite)
    keep_places(facts, places, audit_file=file, overwrite=overwrite)
    return facts


def plan(
    audit: Audit | Path | str,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    settings: Mapping[str, str] | None = None,
    output: Path | str | None = None,
    overwrite: bool = False,
) -> Plan:
    """Decide everything that training needs, each with its reason, for this machine.

    Args:
        audit: an Audit or the JSON file of one.
        minutes: time budget of the training; give this or `steps`, or neither for the default.
        steps: step budget.
        settings: "section.field" -> text, such as {"loss.name": "dice"}; overrides the rules.
        output: JSON file to write the Plan to.

    Raises:
        SettingError: on an unknown setting, or settings that contradict each other.
        RecordError: if `audit` names a file that holds no Audit.
    """
    refuse(output, overwrite)
    facts = audit_of(audit)
    decided = decide(facts, hardware.describe(), minutes=minutes, steps=steps, settings=settings)
    if output is not None:
        codec.write(Path(output), decided, overwrite=overwrite)
    return decided
