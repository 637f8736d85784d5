"""Between audit and training: keep where classes lie, so that no mask is read a second time to find out.

It is kept in memory for the data audited last in this process, and in a file beside every audit that is written.
"""

from pathlib import Path

from rareseg.errors import RecordError
from rareseg.progress import Progress, Silent
from rareseg.records import codec
from rareseg.records.audit import Audit
from rareseg.records.places import Places, places_file, read_places, write_places

_LATEST: dict[str, Places] = {}
"""At most one entry, by the audit's digest: memory for 1/512 of the pixels, times the number of classes."""


def keep_places(
    audit: Audit, places: Places, *, audit_file: Path | None = None, overwrite: bool = False
) -> None:
    """Keep the places of `audit` in memory, and beside `audit_file` if there is one.

    Raises:
        OutputExistsError: if there is a file already and `overwrite` is false.
    """
    if audit_file is not None:
        write_places(places_file(audit_file), places, audit, overwrite=overwrite)
    _LATEST.clear()
    _LATEST[codec.digest(audit)] = places


def find_places(audit: Audit, audit_file: Path | None, *, progress: Progress | None = None) -> Places | None:
    """Return the places of `audit`, from memory or from beside its file.

    None, and a sentence said, where neither holds them: then training counts them anew from the masks.
    """
    kept = _LATEST.get(codec.digest(audit))
    if kept is not None:
        return kept
    reason = "The audit given was made elsewhere and came without a file"
    if audit_file is not None:
        try:
            return read_places(places_file(audit_file), audit)
        except RecordError as error:
            reason = str(error)
    (progress or Silent()).say(f"{reason}: where classes lie is counted anew from the masks.")
    return None
