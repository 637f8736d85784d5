"""Which raw values are which class, decided once over a whole set of masks.

The order: what the TOML says; then the files' own no-data value, unless it is 0; then CamVid's own indices;
two values; class indices; two noisy levels; a palette; colours. What none of these settles is an error that
shows the values and TOML lines that would.
"""

from collections.abc import Sequence

from rareseg.errors import MaskReadingError
from rareseg.imagery.masks.nodata_tags import nodata_ranges, with_nodata_0_noted
from rareseg.imagery.masks.raw_values import MaskCounts, RawValues, check_palettes, gather, outside, undecided
from rareseg.imagery.masks.said_readings import check_names, read_as_said, read_bands, said_ranges
from rareseg.imagery.masks.suggestions import suggest
from rareseg.imagery.masks.value_rules import (
    BY_CONVENTION,
    Found,
    read_colours,
    read_grey,
    read_palette,
    two_level,
)
from rareseg.records.dataset import VOID, DataSpec, MaskReading, ValueRange


def decide_reading(
    masks: Sequence[MaskCounts], spec: DataSpec, layout: str
) -> tuple[tuple[str, ...], MaskReading]:
    """Decide over the whole set how raw mask values become classes.

    Args:
        masks: the raw values of every mask of the set, whatever its part.
        spec: what the TOML says; an empty DataSpec where there is none.
        layout: name of the folder layout recognised; "camvid" lets indices 0..11 be read as CamVid's classes.

    Returns:
        The class names and the reading.

    Raises:
        MaskReadingError: what cannot be decided, with the values found and TOML lines that would settle it;
            masks that contradict the TOML or one another.
    """
    check_names(spec)
    if spec.overlapping:
        return read_bands(masks, spec)
    names = tuple(entry.name for entry in spec.classes)
    if any(entry.values for entry in spec.classes):
        return names, read_as_said(masks, spec)
    values = gather(masks)
    check_palettes(masks)
    void = said_ranges(values, spec.void, VOID, "void")
    tagged = nodata_ranges(masks, values, void)
    left = _without(values, [*void, *tagged])
    found = _by_rule(left, names, layout)
    if isinstance(found, str):
        raise _not_told(found, values, left, (void, tagged), spec)
    void += tagged
    ranges = sorted((*void, *_outside(found.ranges, void, values)), key=lambda entry: entry.low)
    return found.names, with_nodata_0_noted(
        MaskReading(kind=found.kind, ranges=tuple(ranges), said_by="rule"), masks
    )


def _without(values: RawValues, ranges: Sequence[ValueRange]) -> RawValues:
    return values.without(
        value for value in values.pixels if any(entry.low <= value <= entry.high for entry in ranges)
    )


def _not_told(
    reason: str,
    values: RawValues,
    left: RawValues,
    void: tuple[Sequence[ValueRange], Sequence[ValueRange]],
    spec: DataSpec,
) -> MaskReadingError:
    """Build the error; a no-data value that leaves a single other may be a class, so it is asked about."""
    said, tagged = void
    total = sum(values.pixels.values())
    names = [entry.name for entry in spec.classes]
    shown = ", ".join(values.show(entry.low) for entry in tagged)
    if tagged and len(left.pixels) < 2:
        reason = f"The files mark {shown} as nodata, and beside it there is at most one other value:"
        asked, taken, named = _without(values, said), list(said), list(spec.void)
    else:
        asked, taken = left, [*said, *tagged]
        named = [*spec.void, *(values.show(entry.low) for entry in tagged)]
    suggestion = suggest(asked, names, named, [(entry.low, entry.high) for entry in taken])
    return undecided(reason, asked, suggestion, total=total)


def _by_rule(values: RawValues, names: tuple[str, ...], layout: str) -> Found | str:
    if not values.pixels:
        return "Expected masks with two classes or more, but no pixel of the whole set counts."
    if len(values.pixels) == 1:
        return "Expected masks with two classes or more, but the whole set holds a single value that counts:"
    if names:
        return _named(values, names)
    if values.kind == "rgb":
        return read_colours(values)
    return read_palette(values) if values.kind == "palette" else read_grey(values, layout)


def _named(values: RawValues, names: tuple[str, ...]) -> Found | str:
    """Give names that came without values to the levels found, where there is only one way to do so."""
    present, count = list(values.pixels), len(names)
    if values.kind == "rgb":
        return _named_colours(values, names)
    plain = set(present) - {VOID}
    are_indices = bool(plain) and plain <= set(range(count))
    if VOID in present and are_indices and len(present) == count and present != [0, VOID]:
        return (
            f"The masks hold as many values as the TOML names classes ({count}), but {VOID} may also mean "
            "not counted, and then a class is absent:"
        )
    if len(present) == count and not (are_indices and VOID not in present):
        because = f"{count} values for the {count} classes named in the TOML, in ascending order"
        ranges = [values.read_as(label, (value, value), because) for label, value in enumerate(present)]
        return Found(names, "palette" if values.kind == "palette" else "indices", tuple(ranges))
    if are_indices:
        return _named_indices(values, names)
    if count == 2 and values.kind == "grey":
        return two_level(values, names)
    return (
        f"The TOML names {count} classes without values, but the masks hold {len(present)} different values, "
        f"which are not the indices 0..{count - 1}:"
    )


def _named_indices(values: RawValues, names: tuple[str, ...]) -> Found:
    ranges = []
    for label in range(len(names)):
        absent = "" if label in values.pixels else "; it does not occur in this set"
        ranges.append(values.read_as(label, (label, label), f"index of a class named in the TOML{absent}"))
    if VOID in values.pixels:
        ranges.append(values.read_as(VOID, (VOID, VOID), BY_CONVENTION))
    return Found(names, "palette" if values.kind == "palette" else "indices", tuple(ranges))


def _named_colours(values: RawValues, names: tuple[str, ...]) -> Found | str:
    """Two colours, one of them black, are the only ones whose order is plain."""
    if len(names) == len(values.pixels) == 2 and 0 in values.pixels:
        because = "two colours for the two classes named in the TOML, black first"
        ranges = [values.read_as(label, (value, value), because) for label, value in enumerate(values.pixels)]
        return Found(names, "rgb", tuple(ranges))
    return (
        f"The TOML names {len(names)} classes without values, and which of the {len(values.pixels)} colours "
        "of the masks means which cannot be told:"
    )


def _outside(ranges: Sequence[ValueRange], void: Sequence[ValueRange], values: RawValues) -> list[ValueRange]:
    """Cut the user's void out of ranges found by rule, so that no value is read in two ways."""
    taken = [(entry.low, entry.high) for entry in void]
    return [
        values.read_as(entry.label, rest, entry.because)
        for entry in ranges
        for rest in outside((entry.low, entry.high), taken)
    ]
