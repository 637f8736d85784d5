"""The raw values of a set of masks: pooled, shown as a table, and written as TOML lines that name them."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rareseg.errors import MaskReadingError, Problem
from rareseg.imagery.formats import HIGHEST, LOWEST
from rareseg.records.dataset import ValueRange

ROWS_SHOWN = 20
MOST_CLASSES = 254
"""Labels are uint8, 255 is void and 254 marks a value that the reading does not know."""
_GREY_STEP = 0x010101

Kind = Literal["grey", "palette", "rgb"]
Said = int | str
Colour = tuple[int, int, int]
Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class MaskCounts:
    """One mask's raw values and their pixels.

    `counts` maps raw value -> pixels; for masks of 3 bands the values are packed 0xRRGGBB colours. `bands`
    counts no alpha. With `overlapping = true` in the TOML, `counts` holds the values of all bands together
    (it may be left empty) and `band_counts`, per band, the pixels that are not 0. `blocks` maps raw value ->
    squares of 2 x 2 px that hold it throughout (it may lack values: nothing was measured). `nodata` is the
    raw value that the file itself marks as no data.
    """

    path: str
    counts: dict[int, int]
    bands: int
    palette: dict[int, Colour] | None
    band_counts: tuple[int, ...] = ()
    blocks: dict[int, int] = field(default_factory=dict)
    nodata: int | None = None


@dataclass(frozen=True, slots=True)
class RawValues:
    """The values of a whole set, ascending: pixels, files that hold them, the file that holds most.

    `blocks` counts squares of 2 x 2 px of one value, as far as they were measured.
    """

    kind: Kind
    pixels: dict[int, int]
    files: dict[int, int]
    examples: dict[int, str]
    palette: dict[int, Colour]
    blocks: dict[int, int]

    def without(self, values: Iterable[int]) -> "RawValues":
        """Return the same set with some values taken out."""
        gone = set(values)
        kept = {value: pixels for value, pixels in self.pixels.items() if value not in gone}
        return replace(self, pixels=kept)

    def within(self, low: int, high: int) -> int:
        """Count the pixels whose value lies in low..high, both included."""
        return sum(pixels for value, pixels in self.pixels.items() if low <= value <= high)

    def read_as(self, label: int, bounds: Bounds, because: str) -> ValueRange:
        """Return the range that reads the values within `bounds`, both included, as `label`."""
        low, high = bounds
        return ValueRange(low=low, high=high, label=label, pixels=self.within(low, high), because=because)

    def show(self, low: int, high: int | None = None) -> str:
        """Write a value or a range as it is written in the TOML: 7, 1-5 or #ff0000."""
        return show_range(low, low if high is None else high, colours=self.kind == "rgb")


def gather(masks: Sequence[MaskCounts]) -> RawValues:
    """Pool the masks: colours if any has some, else palette indices if all have palettes, else grey values.

    Raises:
        MaskReadingError: no masks, a number of bands other than 1 and 3, or colour masks beside grey ones.
    """
    if not masks:
        message = "Expected at least one mask to read, got none. Check `masks` in the TOML, or the folder."
        raise MaskReadingError(message)
    _check_bands(masks)
    coloured = [mask for mask in masks if mask.bands == 3 and not _is_grey(mask.counts)]
    if coloured:
        _check_all_colour(masks, coloured[0].path)
        return pool(masks, "rgb")
    return pool(masks, "palette" if all(mask.palette for mask in masks) else "grey")


def pool(masks: Sequence[MaskCounts], kind: Kind) -> RawValues:
    """Add up the values of all masks; grey masks stored in 3 bands count as their grey value."""
    pixels: Counter[int] = Counter()
    files: Counter[int] = Counter()
    most: dict[int, tuple[int, str]] = {}
    palette: dict[int, Colour] = {}
    blocks: Counter[int] = Counter()
    for mask in masks:
        packed_grey = kind != "rgb" and mask.bands == 3
        for raw, count in mask.counts.items():
            value = raw & 0xFF if packed_grey else raw
            pixels[value] += count
            blocks[value] += mask.blocks.get(raw, 0)
            files[value] += 1
            most[value] = max(most.get(value, (0, "")), (count, mask.path))
        palette |= mask.palette or {}
    ordered = sorted(value for value, count in pixels.items() if count)
    examples = {value: most[value][1] for value in ordered}
    return RawValues(
        kind, {value: pixels[value] for value in ordered}, dict(files), examples, palette, blocks
    )


def _is_grey(colours: Mapping[int, int]) -> bool:
    return all(colour == (colour & 0xFF) * _GREY_STEP for colour in colours)


def _check_bands(masks: Sequence[MaskCounts]) -> None:
    odd = [Problem(mask.path, f"{mask.bands} bands") for mask in masks if mask.bands not in (1, 3)]
    if odd:
        message = (
            "Expected masks of 1 band (values) or 3 bands (colours), alpha not counted. If each band marks "
            "one class, set overlapping = true in the TOML. Other numbers of bands:"
        )
        raise MaskReadingError(message, odd)


def _check_all_colour(masks: Sequence[MaskCounts], example: str) -> None:
    single = [Problem(mask.path, "1 band") for mask in masks if mask.bands == 1]
    if single:
        message = (
            f"Expected all masks to be of one kind, but some hold colours (such as {example}) and these do "
            "not. Save all of them in the same way:"
        )
        raise MaskReadingError(message, single)


def check_palettes(masks: Sequence[MaskCounts]) -> None:
    """Refuse palettes that change between files: then the same index would mean different things.

    Raises:
        MaskReadingError: naming every file whose palette differs from the first file's, or that has none.
    """
    first = next((mask for mask in masks if mask.palette), None)
    if first is None:
        return
    problems, known = [], dict(first.palette or {})
    for mask in masks:
        if mask.palette is None:
            problems.append(Problem(mask.path, "no palette"))
            continue
        for index in mask.counts:
            colour = mask.palette.get(index)
            if colour is not None and known.setdefault(index, colour) != colour:
                reason = f"index {index} is {show_colour(colour)}, not {show_colour(known[index])}"
                problems.append(Problem(mask.path, reason))
                break
    if problems:
        message = (
            f"Expected every mask to have the palette of {first.path}, so that an index means the same in "
            "all. Save them with one palette, or say the classes' values (indices) in the TOML. These differ:"
        )
        raise MaskReadingError(message, problems)


def pack(colour: Colour) -> int:
    """Return red, green, blue (0..255 each) as 0xRRGGBB."""
    return colour[0] << 16 | colour[1] << 8 | colour[2]


def show_colour(colour: Colour) -> str:
    """Return "#rrggbb"."""
    return f"#{pack(colour):06x}"


def show_range(low: int, high: int, *, colours: bool) -> str:
    """Write a range of raw values as the TOML would: 7, 1-5 or #ff0000."""
    if colours:
        return f"#{low:06x}" if low == high else f"#{low:06x}-#{high:06x}"
    return str(low) if low == high else f"{low}-{high}"


def parse_said(said: Said, values: RawValues, where: str) -> list[Bounds]:
    """Turn one entry of the TOML's `values` or `void` into inclusive raw ranges.

    Raises:
        MaskReadingError: an entry that is no integer, range or colour, or does not fit this kind of mask.
    """
    if isinstance(said, str) and said.startswith("#"):
        return [(value, value) for value in _parse_colour(said, values, where)]
    match = re.fullmatch(r"\s*(-?\d+)\s*(?:-\s*(-?\d+)\s*)?", str(said))
    if match is None or values.kind == "rgb":
        raise MaskReadingError(_misfit(said, values, where))
    low, high = int(match[1]), int(match[2] or match[1])
    if not LOWEST <= low <= high <= HIGHEST:
        message = f'{where}: expected a range "low-high" within {LOWEST}..{HIGHEST}, got {said!r}.'
        raise MaskReadingError(message)
    return [(low, high)]


def _parse_colour(said: str, values: RawValues, where: str) -> list[int]:
    if not re.fullmatch("#[0-9a-fA-F]{6}", said):
        raise MaskReadingError(_misfit(said, values, where))
    packed = int(said[1:], 16)
    if values.kind == "rgb":
        return [packed]
    if values.kind == "palette":
        found = [index for index, colour in values.palette.items() if pack(colour) == packed]
    else:
        found = [packed & 0xFF] if _is_grey({packed: 1}) else []
    if not found:
        raise MaskReadingError(_misfit(said, values, where))
    return found


def _misfit(said: Said, values: RawValues, where: str) -> str:
    expected = {
        "grey": 'integers or ranges "1-5": the masks are grey',
        "palette": 'palette indices (integers or ranges "1-5") or colours "#rrggbb" of the palette',
        "rgb": 'colours "#rrggbb": the masks hold colours',
    }[values.kind]
    return f"{where}: expected {expected}; got {said!r}. Correct it in the TOML."


def outside(bounds: Bounds, taken: Iterable[Bounds]) -> list[Bounds]:
    """Return what is left of the range `bounds` without the ranges `taken`, all of them inclusive."""
    pieces = [bounds]
    for first, last in taken:
        rests = [
            rest for low, high in pieces for rest in ((low, min(high, first - 1)), (max(low, last + 1), high))
        ]
        pieces = [(low, high) for low, high in rests if low <= high]
    return pieces


def compress(wanted: Iterable[int], others: Iterable[int], *, colours: bool) -> list[Said]:
    """Write values as few entries: a range runs over wanted values with none of `others` between."""
    wanted = set(wanted)
    runs: list[list[int]] = []
    previous_wanted = False
    for value in sorted({*others, *wanted}):
        if value in wanted and previous_wanted and not colours:
            runs[-1][1] = value
        elif value in wanted:
            runs.append([value, value])
        previous_wanted = value in wanted
    shown = [(low, high, show_range(low, high, colours=colours)) for low, high in runs]
    return [low if low == high and not colours else text for low, high, text in shown]


def toml_lines(classes: Sequence[tuple[str, Sequence[Said]]], void: Sequence[Said] = ()) -> list[str]:
    """Return the TOML lines that say which raw values are which class, and which are not counted."""
    lines = [f"void = {json.dumps(list(void))}"] if void else []
    for name, values in classes:
        quoted = json.dumps(name, ensure_ascii=False)
        lines += ["[[classes]]", f"name = {quoted}", f"values = {json.dumps(list(values))}"]
    return lines


def table_lines(values: RawValues, total: int | None = None) -> list[str]:
    """Return the raw values as lines, most frequent first: value, pixels, share, files, fullest file."""
    everything = total or sum(values.pixels.values()) or 1
    ordered = sorted(values.pixels.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"{'value':>9} {'pixels':>13} {'share':>9} {'files':>6}  example"]
    for value, pixels in ordered[:ROWS_SHOWN]:
        share = f"{100 * pixels / everything:.3f} %"
        files, example = values.files[value], values.examples[value]
        lines.append(f"{values.show(value):>9} {pixels:>13,} {share:>9} {files:>6}  {example}")
    if len(ordered) > ROWS_SHOWN:
        rest = sum(pixels for _, pixels in ordered[ROWS_SHOWN:])
        lines.append(f"  and {len(ordered) - ROWS_SHOWN:,} more values on {rest:,} pixels")
    return lines


def undecided(
    reason: str, values: RawValues, suggestion: Sequence[str], *, total: int | None = None
) -> MaskReadingError:
    """Build the error that shows the raw values and the TOML lines that would settle how they are read."""
    lines = [reason, *(f"  {line}" for line in table_lines(values, total))]
    if suggestion:
        lines += [
            "These lines in the TOML that describes the data would settle it. They are a suggestion: check "
            "that they say what your masks mean.",
            *(f"  {line}" for line in suggestion),
        ]
    return MaskReadingError("\n".join(lines))
