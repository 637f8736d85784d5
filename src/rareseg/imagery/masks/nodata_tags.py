"""No-data values that mask files carry themselves: not counted, except 0, which is often the background.

GDAL users tag masks with nodata = 0 so that viewers show the background clear, so that tag says nothing.
"""

from collections.abc import Sequence

import msgspec

from rareseg.errors import MaskReadingError, Problem
from rareseg.imagery.masks.raw_values import MaskCounts, RawValues
from rareseg.records.dataset import VOID, MaskReading, ValueRange

BY_TAG = "the file's own nodata value"
NOT_FOLLOWED = (
    "the files' own nodata value is 0 as well, which is not followed since masks are often tagged so; "
    "void = {0} in the TOML leaves it out"
)


def nodata_ranges(
    masks: Sequence[MaskCounts], values: RawValues, named: Sequence[ValueRange]
) -> list[ValueRange]:
    """Return ranges that leave the files' own no-data values out of count.

    Args:
        masks: with the no-data value of each.
        values: the same, pooled.
        named: what the TOML names; it goes before the files.

    Raises:
        MaskReadingError: a value that is no-data in some files and not in others that hold it.
    """
    as_grey = values.kind != "rgb"
    tags = {_tag(mask, as_grey=as_grey) for mask in masks} - {None, 0}
    found = []
    for tag in sorted(tag for tag in tags if tag is not None):
        if tag not in values.pixels or any(entry.low <= tag <= entry.high for entry in named):
            continue
        _check_all_tagged(masks, values, tag, as_grey=as_grey)
        found.append(values.read_as(VOID, (tag, tag), BY_TAG))
    return found


def with_nodata_0_noted(reading: MaskReading, masks: Sequence[MaskCounts]) -> MaskReading:
    """Say in the row of the value 0 that the files' tag nodata = 0 is not followed, where there is one."""
    if all(mask.nodata != 0 for mask in masks):
        return reading
    zero = '["#000000"]' if reading.kind == "rgb" else "[0]"
    noted = [
        msgspec.structs.replace(entry, because=f"{entry.because}; {NOT_FOLLOWED.format(zero)}")
        if entry.low <= 0 <= entry.high and entry.label != VOID
        else entry
        for entry in reading.ranges
    ]
    return msgspec.structs.replace(reading, ranges=tuple(noted))


def _tag(mask: MaskCounts, *, as_grey: bool) -> int | None:
    return mask.nodata & 0xFF if as_grey and mask.bands == 3 and mask.nodata is not None else mask.nodata


def _check_all_tagged(masks: Sequence[MaskCounts], values: RawValues, tag: int, *, as_grey: bool) -> None:
    without = [
        Problem(mask.path, f"holds {values.show(tag)} without the tag")
        for mask in masks
        if _tag(mask, as_grey=as_grey) != tag and _holds(mask, tag, as_grey=as_grey)
    ]
    if without:
        message = (
            f"Some masks mark {values.show(tag)} as nodata, and others hold it as a value. Name it under void "
            "or under a class in the TOML, or tag all files alike:"
        )
        raise MaskReadingError(message, without)


def _holds(mask: MaskCounts, tag: int, *, as_grey: bool) -> bool:
    return (tag * 0x010101 if as_grey and mask.bands == 3 else tag) in mask.counts
