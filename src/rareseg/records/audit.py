"""The Audit: facts about the data, and nothing decided."""

from typing import Literal

from rareseg.records.codec import Record
from rareseg.records.dataset import Dataset, PartName

CROP_SIZES: tuple[int, ...] = (128, 256, 512)


class Counts(Record, frozen=True, kw_only=True):
    """Counts that add up: over windows, images, processes and machines (see measures.tally).

    Lists named per class have one entry per class, in the order of `Dataset.classes`.
    """

    images: int
    pixels: tuple[int, ...]
    """Labelled pixels of each class."""
    images_with: tuple[int, ...]
    """Images that hold the class."""
    labelled: int
    """Pixels that count: labelled and with photo."""
    void: int
    """Pixels not labelled by the mask, where there is photo."""
    nodata: int
    """Pixels without photo."""
    nodata_labelled: int
    """Of these, pixels on which the mask still draws a class, other than the first unless they overlap."""
    objects: tuple[int, ...]
    """8-connected regions of each class."""
    width_histogram: tuple[tuple[int, ...], ...]
    """Per class, ridge pixels of width 1, 2, ... px; the last bin holds all that is wider."""
    size_histogram: tuple[tuple[int, ...], ...]
    """Per class, objects of 1, 2, 4, ... px area (bin b holds 2^(b/2) <= area < 2^((b+1)/2))."""
    row_pixels: tuple[tuple[int, ...], ...]
    """Per class, pixels in each of 8 bands of equal height, from the top of the image to its bottom."""
    crop_holds: tuple[tuple[int, ...], ...]
    """Per class and crop size of CROP_SIZES: crop positions that hold at least one pixel of the class."""
    crop_positions: tuple[int, ...]
    """Per crop size: crop positions looked at."""
    band_count: int
    """Photo pixels that went into the band sums."""
    band_sum: tuple[float, ...]
    band_sum_squares: tuple[float, ...]


class ClassFacts(Record, frozen=True, kw_only=True):
    """One class over one part of the data; None where it cannot be measured because the class is absent."""

    name: str
    pixels: int
    share: float
    """Of labelled pixels, 0..1. With overlapping classes the shares need not sum to 1."""
    images: int
    objects: int
    median_width: float | None
    """Pixels, across the ridge of its regions."""
    median_size: float | None
    """Pixels of area of its regions."""
    crop_chance: tuple[float | None, ...]
    """Chance that a random crop of 128, 256, 512 px holds the class; None where no image is that large."""


class ConstantPredictor(Record, frozen=True, kw_only=True):
    """Scores of a map that gives the majority class everywhere; loss of one that only knows the prior."""

    answer: str
    accuracy: float
    macro_iou: float
    entropy: float
    """Nats per pixel: the loss floor of a network that predicts the prior everywhere."""


class PartFacts(Record, frozen=True, kw_only=True):
    """One part of the data: its counts and what follows from them."""

    part: PartName | Literal["all"]
    counts: Counts
    classes: tuple[ClassFacts, ...]
    constant_predictor: ConstantPredictor
    row_dependence: float
    """Share of the class entropy that the band of rows explains, 0..1: near 0 where no direction is up."""
    band_mean: tuple[float, ...]
    """Raw units of the file."""
    band_std: tuple[float, ...]


class Audit(Record, frozen=True, kw_only=True):
    """Facts about a data set. Made by `rareseg audit`, read by `plan` and `train`."""

    dataset: Dataset
    total: PartFacts
    parts: tuple[PartFacts, ...]
    notes: tuple[str, ...]
    """Facts worth a reader's attention, a sentence each."""

    def part(self, name: PartName) -> PartFacts | None:
        """Return the facts of one part, or None if the data has no such part."""
        return next((facts for facts in self.parts if facts.part == name), None)
