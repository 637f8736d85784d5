"""What several verbs do with what they are given."""

from pathlib import Path

from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.places import Places
from rareseg.stages.audit import audit_data, root_of
from rareseg.stages.places import find_places, keep_places


def audited(
    data: Path, audit: Audit | Path | str | None, progress: Progress | None
) -> tuple[Path, Audit, Places | None]:
    """Return the data's root, its audit (made now if none is given), and where classes lie."""
    if audit is None:
        root, facts, found = audit_data(data, progress=progress or Silent())
        keep_places(facts, found)
    else:
        root, facts = root_of(data), audit_of(audit)
    beside = Path(audit) if isinstance(audit, Path | str) else None
    return root, facts, find_places(facts, beside, progress=progress)


def audit_of(audit: Audit | Path | str) -> Audit:
    """Return an audit, read from its file if that is given."""
    return audit if isinstance(audit, Audit) else codec.read(Path(audit), Audit)


def refuse(output: Path | str | None, overwrite: bool) -> None:
    """Refuse before the work, not after it."""
    if output is not None:
        codec.refuse_existing(Path(output), overwrite=overwrite)
