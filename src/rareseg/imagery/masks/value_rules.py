"""Rules for masks of which nothing is said: two values, class indices, noisy levels, palettes, colours.

A rule returns what it found, or a sentence that says why it cannot tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rareseg.imagery.masks.raw_values import RawValues, pack, show_colour
from rareseg.imagery.masks.suggestions import is_beside_indices
from rareseg.imagery.masks.two_levels import noisy_two_levels
from rareseg.records.dataset import VOID, ValueRange

CAMVID_CLASSES = (
    *("sky", "building", "pole", "road", "pavement", "tree"),
    *("sign", "fence", "car", "pedestrian", "bicyclist"),
)
LEAST_OF_CAMVID = 9
"""Of the values 0..11, so many must occur before a train/trainannot folder counts as CamVid itself."""
TWO_CLASSES = ("background", "foreground")
VOC_BORDER = (224, 224, 192)
MOST_UNNAMED = 64
"""Without class names, more distinct values than this look like a picture rather than like classes."""
SPARSE_UP_TO = 20
"""Unnamed class indices up to this value may have gaps of any width; above, half of them must occur."""
BLENDS_ON_A_LINE = 3
"""So many colours between two more frequent ones look interpolated; hand-made palettes step by 1/2 or 1/3."""
BLEND_TOLERANCE = 2
BLEND_RARITY = 4
NOISE_VALUES, NOISE_SHARE = 3, 0.25
"""So many low values on so small a share of the pixels of 255 may be noise around 0, not classes."""
FEW = 8
"""Up to so many values, masks are not called interpolated."""
BY_CONVENTION = f"{VOID} beside class indices means not counted, by convention"


@dataclass(frozen=True, slots=True)
class Found:
    """Class names and ranges of raw values, as a rule read them."""

    names: tuple[str, ...]
    kind: Literal["indices", "two_level", "palette", "rgb"]
    ranges: tuple[ValueRange, ...]


def read_grey(values: RawValues, layout: str) -> Found | str:
    """Read grey values: CamVid's indices, 0 and one other value, class indices, or two noisy levels."""
    present = list(values.pixels)
    camvid = list(range(len(CAMVID_CLASSES) + 1))
    if layout == "camvid" and set(present) <= set(camvid) and len(present) >= LEAST_OF_CAMVID:
        return _camvid(values)
    if len(present) == 2 and present[0] == 0:
        because = ("the lower of two values", "the higher of two values")
        ranges = [values.read_as(label, (present[label],) * 2, because[label]) for label in (0, 1)]
        return Found(TWO_CLASSES, "indices" if present == [0, 1] else "two_level", tuple(ranges))
    if _are_indices(values):
        return _indices(values)
    return two_level(values, TWO_CLASSES)


def two_level(values: RawValues, names: tuple[str, ...]) -> Found | str:
    """Read grey values as two narrow levels with noise, or say why they are not."""
    ranges = noisy_two_levels(values)
    if not isinstance(ranges, str):
        return Found(names, "two_level", ranges)
    if len(values.pixels) == 2:
        low, high = values.pixels
        return (
            f"The masks hold two values, {low} and {high}, and which of them is the background, and whether "
            "one means not counted, cannot be told:"
        )
    if is_beside_indices(values.pixels):
        return (
            f"The masks may hold class indices with {max(values.pixels)} for not counted or for a class, or "
            f"two levels with noise, and nothing tells which: {ranges}:"
        )
    smoothed = " Interpolated, smoothed or JPEG masks look like this:" * (len(values.pixels) > FEW)
    return (
        f"The masks hold {len(values.pixels)} different values that are neither class indices nor two "
        f"narrow levels: {ranges}{'.' if smoothed else ':'}{smoothed}"
    )


def _camvid(values: RawValues) -> Found:
    because = "class of CamVid in SegNet's order, told by the folders train/trainannot and the values 0..11"
    ranges = [values.read_as(label, (label, label), because) for label in range(len(CAMVID_CLASSES))]
    void = len(CAMVID_CLASSES)
    because = f"{void} is not counted in SegNet's CamVid; to count it, name the classes in the TOML"
    return Found(CAMVID_CLASSES, "indices", (*ranges, values.read_as(VOID, (void, void), because)))


def _are_indices(values: RawValues) -> bool:
    plain = [value for value in values.pixels if value != VOID]
    if len(plain) < 2 or plain[0] < 0 or plain[-1] >= MOST_UNNAMED:
        return False
    return plain[-1] <= SPARSE_UP_TO or 2 * len(plain) > plain[-1]


def _indices(values: RawValues) -> Found | str:
    """Make a class of every index that occurs: an output for an index that never does could not learn."""
    plain = [value for value in values.pixels if value != VOID]
    low = [value for value in plain if value > 0]
    faint = sum(values.pixels[value] for value in low) < NOISE_SHARE * values.pixels.get(VOID, 0)
    if VOID in values.pixels and len(low) >= NOISE_VALUES and faint:
        return (
            f"The masks may hold class indices 0..{plain[-1]} with {VOID} for not counted, or two levels 0 "
            f"and {VOID} with noise of 1..{plain[-1]}, and nothing tells which:"
        )
    names = TWO_CLASSES if plain == [0, 1] else tuple(f"class_{value}" for value in plain)
    gaps = "" if plain == list(range(len(plain))) else "; indices that never occur get no class"
    return Found(names, "indices", _one_by_one(values, plain, f"small integers are class indices{gaps}"))


def _one_by_one(values: RawValues, plain: Sequence[int], because: str) -> tuple[ValueRange, ...]:
    ranges = [values.read_as(label, (value, value), because) for label, value in enumerate(plain)]
    if VOID in values.pixels and VOID not in plain:
        ranges.append(values.read_as(VOID, (VOID, VOID), BY_CONVENTION))
    return tuple(ranges)


def read_palette(values: RawValues) -> Found | str:
    """Read palette indices as classes, whatever their colours; 255 beside two others is not counted."""
    colours = {value: values.palette.get(value) for value in values.pixels}
    if all(colour == (value, value, value) for value, colour in colours.items()):
        return read_grey(values, "")  # a palette that says nothing: index and grey value are the same
    is_border = colours.get(VOID) == VOC_BORDER
    plain = [value for value in values.pixels if value != VOID or (len(colours) == 2 and not is_border)]
    if len(plain) < 2:
        return "Expected masks with two classes or more, but beside 255, Pascal VOC's border, there is one:"
    if len(plain) > MOST_UNNAMED:
        return f"The palette masks use {len(plain)} indices, more than {MOST_UNNAMED} classes without names:"
    ranges = _one_by_one(values, plain, "index of the palette")
    shown = {value: show_colour(colour) for value, colour in colours.items() if colour is not None}
    told = [
        values.read_as(entry.label, (entry.low, entry.high), _with_colour(entry, shown, border=is_border))
        for entry in ranges
    ]
    return Found(_palette_names(plain, colours), "palette", tuple(told))


def _with_colour(entry: ValueRange, shown: dict[int, str], *, border: bool) -> str:
    colour = f", {shown[entry.low]}" if entry.low in shown else ""
    voc = " and is the border of Pascal VOC" if entry.label == VOID and border else ""
    return f"{entry.because}{voc}{colour}"


def _palette_names(plain: Sequence[int], colours: dict[int, tuple[int, int, int] | None]) -> tuple[str, ...]:
    if len(plain) == 2 and plain[0] == 0:
        return TWO_CLASSES
    used = [colours[value] for value in plain]
    known = [colour for colour in used if colour is not None]
    says_something = any(len(set(colour)) > 1 for colour in known)
    if len(set(known)) == len(plain) and says_something:
        return tuple(show_colour(colour) for colour in known)
    return tuple(f"class_{value}" for value in plain)


def read_colours(values: RawValues) -> Found | str:
    """Make a class of every colour: black first, then by frequency; the border colour of VOC is void."""
    if len(values.pixels) > MOST_UNNAMED:
        return (
            f"The masks hold {len(values.pixels)} different colours, more than {MOST_UNNAMED} classes. "
            "Interpolated, smoothed or JPEG masks look like this; save them without loss, a colour per class:"
        )
    blends = _blends(values)
    if blends:
        return f"The masks look interpolated: {blends} Save them without smoothing, one colour per class:"
    border = pack(VOC_BORDER)
    void = [border] if border in values.pixels and len(values.pixels) > 2 else []
    plain = sorted(
        (value for value in values.pixels if value not in void),
        key=lambda value: (value != 0, -values.pixels[value], value),
    )
    names = tuple(values.show(value) for value in plain)
    if len(plain) == 2 and plain[0] == 0:
        names = TWO_CLASSES
    because = "one class per colour: black first, then by frequency"
    ranges = [values.read_as(label, (value, value), because) for label, value in enumerate(plain)]
    ranges += [values.read_as(VOID, (value, value), "the border colour of Pascal VOC") for value in void]
    return Found(names, "rgb", tuple(ranges))


def _blends(values: RawValues) -> str:
    """Say which colours lie in numbers on the straight line between two others, each rarer than both ends."""
    packed = np.array(list(values.pixels), dtype=np.int64)
    pixels = np.array(list(values.pixels.values()), dtype=np.int64)
    points = np.stack([packed >> 16, packed >> 8 & 0xFF, packed & 0xFF], axis=1).astype(np.float64)
    for first in range(len(packed)):
        for second in range(first + 1, len(packed)):
            along = points[second] - points[first]
            place = (points - points[first]) @ along / (along @ along)
            away = np.abs(points - points[first] - place[:, None] * along).max(axis=1)
            rare = BLEND_RARITY * pixels < min(pixels[first], pixels[second])
            between = (place > 0) & (place < 1) & (away <= BLEND_TOLERANCE) & rare
            if between.sum() >= BLENDS_ON_A_LINE:
                ends = (values.show(int(packed[first])), values.show(int(packed[second])))
                return f"{between.sum()} colours lie between {ends[0]} and {ends[1]}."
    return ""
