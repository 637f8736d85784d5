"""Where the data is: the short TOML that a human writes, and the pairs that were found.

# roads.toml
images = "photos"                 # folder or glob, relative to this file
masks = "labels"
group = "^(?P<group>.+?)_y"       # files of one scene share a group and never part
[[classes]]
name = "background"
values = [0]
[[classes]]
name = "road"
values = [255]
"""

from typing import Annotated, Literal

from msgspec import Meta

from rareseg.records.codec import Record

VOID = 255
"""Label of a pixel that counts nowhere: not in the loss, the sampling or the scores."""

PartName = Literal["train", "val", "test"]
PARTS: tuple[PartName, ...] = ("train", "val", "test")


class ClassSpec(Record, frozen=True, kw_only=True):
    """One class as the user describes it.

    `values` holds raw mask values: integers, inclusive ranges "1-5", or colours "#rrggbb".
    With `overlapping = true` it holds the 1-based number of the mask band that marks this class.
    """

    name: str
    values: tuple[int | str, ...] = ()


class PartSpec(Record, frozen=True, kw_only=True):
    """Images and masks of one ready-made part, relative to the TOML."""

    images: str
    masks: str


class DataSpec(Record, frozen=True, kw_only=True):
    """The TOML. Everything is optional except one way to find pairs: images + masks, or parts."""

    images: str | None = None
    masks: str | None = None
    train: PartSpec | None = None
    val: PartSpec | None = None
    test: PartSpec | None = None
    mask_suffix: str | None = None
    """Ending that turns an image stem into its mask's stem, where they differ: "_mask"."""
    image_suffix: str | None = None
    """Ending of image stems that masks lack: "_sat"."""
    classes: tuple[ClassSpec, ...] = ()
    void: tuple[int | str, ...] = ()
    """Raw mask values that are not counted."""
    overlapping: bool = False
    """True if a pixel may belong to several classes: one mask band per class, non-zero where it holds."""
    group: str | None = None
    """Regular expression searched in the stem: its group 'group' (or first, or the match) is the scene."""
    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    """Shares of train, val and test."""
    split_seed: Annotated[int, Meta(ge=0)] = 0
    nodata: Literal["auto", "none"] | tuple[int, ...] = "auto"
    """Value that fills areas without photo in all bands: found by the audit, none, or the values named."""


class Pair(Record, frozen=True, kw_only=True):
    """One photo and its mask. Paths are relative to the data's root, with forward slashes."""

    image: str
    mask: str
    part: PartName
    group: str
    height: int
    """Pixels."""
    width: int
    """Pixels."""
    image_digest: str = ""
    """First 16 hex digits of the photo file's SHA-256: tells whether it was seen before, whatever its name."""
    mask_digest: str = ""
    """The same of the mask file."""


class ValueRange(Record, frozen=True, kw_only=True):
    """Raw mask values `low`..`high` (inclusive) read as `label`, with what was counted and why."""

    low: int
    high: int
    label: int
    """Class index, or 255 for not counted."""
    pixels: int
    because: str


class MaskReading(Record, frozen=True, kw_only=True):
    """How raw mask values become class indices, decided once over the whole set.

    kind "bands": `ranges` hold 1-based band numbers; labels are then bit sets (bit k = class k).
    kind "rgb": values are packed 0xRRGGBB. Otherwise the values of the mask's first band.
    """

    kind: Literal["indices", "two_level", "palette", "rgb", "bands"]
    ranges: tuple[ValueRange, ...]
    said_by: Literal["rule", "user"]


class NoData(Record, frozen=True, kw_only=True):
    """How pixels without photo are told from photo.

    A pixel has no data where all bands hold one of `values` throughout some square of `square` pixels
    around it, where the file's own nodata value or mask says so, or where alpha is 0.
    """

    values: tuple[int, ...] = ()
    tolerance: int = 0
    """Levels by which a fill may be off its value: lossy compression leaves 254 where 255 was."""
    square: int = 32
    because: str = ""


class Dataset(Record, frozen=True, kw_only=True):
    """What lies in the data folder: pairs, parts, classes and how masks are read."""

    layout: str
    """Name of the layout recognised, or "toml"."""
    pairs: tuple[Pair, ...]
    classes: tuple[str, ...]
    overlapping: bool
    reading: MaskReading
    nodata: NoData
    bands: int
    """Photo bands, alpha not counted."""
    dtype: str
    """Photo dtype as stored: uint8, uint16, int16, float32, ..."""
    split_because: str
