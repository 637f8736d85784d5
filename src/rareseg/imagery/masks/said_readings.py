"""Mask readings that the user's TOML spells out: values of each class, or one band per class."""

from collections.abc import Sequence

from rareseg.errors import MaskReadingError, Problem
from rareseg.imagery.masks.nodata_tags import nodata_ranges
from rareseg.imagery.masks.raw_values import (
    MOST_CLASSES,
    MaskCounts,
    RawValues,
    Said,
    compress,
    gather,
    parse_said,
    pool,
    toml_lines,
    undecided,
)
from rareseg.records.dataset import VOID, ClassSpec, DataSpec, MaskReading, ValueRange

MOST_BANDS = 7
"""Overlapping classes are bits of a uint8, and 255 is void."""
MOST_BAND_VALUES = 8
"""A band that marks a class holds 0 and one value, or a few (instance numbers); more looks interpolated."""
SAID = "said in the TOML"


def check_names(spec: DataSpec) -> None:
    """Refuse class names that are empty or given twice, and fewer than two classes that exclude each other.

    Raises:
        MaskReadingError: naming the class, and what to change in the TOML.
    """
    names = [entry.name for entry in spec.classes]
    for name in names:
        if not name.strip() or names.count(name) > 1:
            message = f"Expected every [[classes]] entry to have a name of its own, got {names}."
            raise MaskReadingError(message)
    if len(names) == 1 and not spec.overlapping:
        message = (
            f"Expected two classes or more, got only {names[0]!r}. Name the rest too, usually as "
            '[[classes]] name = "background", or list its values as void.'
        )
        raise MaskReadingError(message)
    if len(names) > MOST_CLASSES:
        message = f"Expected at most {MOST_CLASSES} classes, got {len(names)}. Merge some in the TOML."
        raise MaskReadingError(message)


def read_as_said(masks: Sequence[MaskCounts], spec: DataSpec) -> MaskReading:
    """Read values as the TOML's [[classes]] and void say; every value that occurs must be named.

    Raises:
        MaskReadingError: classes without values beside classes with them, a value named twice, or values that
            occur in the masks but not in the TOML (shown with pixels and example files).
    """
    without = [entry.name for entry in spec.classes if not entry.values]
    if without:
        message = (
            f"Expected `values` in every [[classes]] entry, or in none; missing for {', '.join(without)}. "
            "Add them in the TOML."
        )
        raise MaskReadingError(message)
    values = _gather_as_said(masks, spec)
    ranges = [
        entry
        for label, named in enumerate(spec.classes)
        for entry in said_ranges(values, named.values, label, f"classes.{named.name}.values")
    ]
    ranges += said_ranges(values, spec.void, VOID, "void")
    ranges += nodata_ranges(masks, values, ranges)
    ranges.sort(key=lambda entry: entry.low)
    _check_named_once(ranges, spec, values)
    _check_all_named(ranges, spec, values)
    kind = "indices" if values.kind == "grey" else values.kind
    return MaskReading(kind=kind, ranges=tuple(ranges), said_by="user")


def said_ranges(values: RawValues, said: Sequence[Said], label: int, where: str) -> list[ValueRange]:
    """Turn entries of the TOML into ranges of `label`, with the pixels that the set holds of them."""
    return [
        values.read_as(label, bounds, SAID) for entry in said for bounds in parse_said(entry, values, where)
    ]


def _gather_as_said(masks: Sequence[MaskCounts], spec: DataSpec) -> RawValues:
    """Pool the masks; 3 bands are colours as soon as the TOML names a colour, even if all are grey."""
    values = gather(masks)
    said = [*spec.void, *(value for entry in spec.classes for value in entry.values)]
    names_colour = any(str(value).startswith("#") for value in said)
    if names_colour and values.kind == "grey" and all(mask.bands == 3 for mask in masks):
        return pool(masks, "rgb")
    return values


def _check_named_once(ranges: Sequence[ValueRange], spec: DataSpec, values: RawValues) -> None:
    for first, second in zip(ranges, ranges[1:], strict=False):
        if second.low <= first.high:
            names = [_name(entry.label, spec.classes) for entry in (first, second)]
            message = (
                f"Expected every mask value to be named once in the TOML, but {values.show(second.low)} is "
                f"named under {names[0]} and again under {names[1]}."
            )
            raise MaskReadingError(message)


def _name(label: int, classes: Sequence[ClassSpec]) -> str:
    return "void" if label == VOID else repr(classes[label].name)


def _check_all_named(ranges: Sequence[ValueRange], spec: DataSpec, values: RawValues) -> None:
    known = [value for value in values.pixels if any(entry.low <= value <= entry.high for entry in ranges)]
    strange = values.without(known)
    if not strange.pixels:
        return
    others = {*known, *(entry.low for entry in ranges)}
    extra = compress(strange.pixels, others, colours=values.kind == "rgb")
    held = {entry.label for entry in ranges for value in known if entry.low <= value <= entry.high}
    empty = [label for label in range(len(spec.classes)) if label not in held]
    # One class that holds nothing, beside one value that nothing names: the class was given a wrong value.
    mistaken = empty[0] if len(empty) == len(strange.pixels) == 1 else None
    classes = [
        (entry.name, extra if label == mistaken else entry.values) for label, entry in enumerate(spec.classes)
    ]
    suggestion = toml_lines(classes, [*spec.void, *(extra if mistaken is None else ())])
    reason = "The masks hold values that no class and no `void` of the TOML names:"
    raise undecided(reason, strange, suggestion, total=sum(values.pixels.values()))


def read_bands(masks: Sequence[MaskCounts], spec: DataSpec) -> tuple[tuple[str, ...], MaskReading]:
    """Read one band per class: labels are bit sets, a class holds where its band is not 0.

    Raises:
        MaskReadingError: `void` set too, more than 7 classes, masks with different numbers of bands, a class
            without a band of its own, or a band with so many values that it looks interpolated.
    """
    _check_overlapping(masks, spec)
    bands = masks[0].bands
    classes = spec.classes or tuple(ClassSpec(name=f"band_{band}") for band in range(1, bands + 1))
    if len(classes) > MOST_BANDS:
        message = (
            f"Expected at most {MOST_BANDS} overlapping classes, got {len(classes)}. "
            "Name the bands wanted under [[classes]] in the TOML."
        )
        raise MaskReadingError(message)
    numbers = _band_numbers(classes, bands)
    because = SAID if any(entry.values for entry in classes) else "overlapping = true: band by band, in order"
    ranges = [
        ValueRange(low=band, high=band, label=label, pixels=_band_pixels(masks, band), because=because)
        for label, band in enumerate(numbers)
    ]
    reading = MaskReading(kind="bands", ranges=tuple(ranges), said_by="user")
    return tuple(entry.name for entry in classes), reading


def _band_pixels(masks: Sequence[MaskCounts], band: int) -> int:
    return sum(mask.band_counts[band - 1] for mask in masks if mask.band_counts)


def _band_numbers(classes: Sequence[ClassSpec], bands: int) -> list[int]:
    given = [entry.values for entry in classes]
    if not any(given) and len(classes) == bands:
        return list(range(1, bands + 1))
    numbers = [values[0] for values in given if len(values) == 1 and isinstance(values[0], int)]
    if len(set(numbers)) < len(classes) or not all(1 <= number <= bands for number in numbers):
        message = (
            f"Expected each class to have one mask band of its own, values = [n] with n in 1..{bands} (with "
            f"overlapping = true), got {[list(values) for values in given]}. Correct it in the TOML."
        )
        raise MaskReadingError(message)
    return numbers


def _check_overlapping(masks: Sequence[MaskCounts], spec: DataSpec) -> None:
    if not masks:
        message = "Expected at least one mask to read, got none. Check `masks` in the TOML, or the folder."
        raise MaskReadingError(message)
    if spec.void:
        message = (
            "`void` and overlapping = true cannot go together: a band marks where its class holds, so every "
            "pixel counts. Take one out of the TOML; mark pixels not to be counted by alpha or nodata."
        )
        raise MaskReadingError(message)
    bands = masks[0].bands
    odd = [Problem(mask.path, f"{mask.bands} bands") for mask in masks if mask.bands != bands]
    if odd:
        message = f"Expected {bands} mask bands in every file, as in {masks[0].path}. Files that differ:"
        raise MaskReadingError(message, odd)
    many = [
        Problem(mask.path, f"{len(mask.counts)} values")
        for mask in masks
        if len(mask.counts.keys() - {0}) > MOST_BAND_VALUES
    ]
    if many:
        message = (
            "Expected mask bands to hold 0 and one value that marks the class (overlapping = true), but "
            "these files hold so many values that they look interpolated. Save them with two values per band:"
        )
        raise MaskReadingError(message, many)
