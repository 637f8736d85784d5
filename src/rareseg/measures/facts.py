"""From counts to facts: shares, medians and chances, and the sentences worth a reader's attention."""

import math
import sys
from collections.abc import Sequence
from typing import Literal

import numpy as np

from rareseg.measures.baseline import constant_predictor
from rareseg.measures.orientation import row_dependence
from rareseg.measures.regions import WIDTH_BINS
from rareseg.records.audit import CROP_SIZES, ClassFacts, Counts, PartFacts
from rareseg.records.dataset import Dataset, PartName

SHIFTED = 3.0
"""Ratio of a class's shares in two parts from which the parts are said to differ."""
RARE_CROP = 0.5
"""Chance of meeting the rarest class in a random crop below which it is said to be seldom met."""
HUGE = 1e6
"""Mean or standard deviation from which a band is said to hold unmarked fills: units of photos stay below."""
STRAY, STRAY_RATIO = 100.0, 5.0
"""The same for a standard deviation above both: the first, and so many times the mean, or once if negative."""


def part_facts(
    part: PartName | Literal["all"], counts: Counts, classes: tuple[str, ...], overlapping: bool
) -> PartFacts:
    """Derive the facts of one part from its counts (one entry per name in `classes`)."""
    mean, std = _moments(counts)
    return PartFacts(
        part=part,
        counts=counts,
        classes=tuple(_class_facts(counts, index, name) for index, name in enumerate(classes)),
        constant_predictor=constant_predictor(
            counts.pixels, counts.labelled, classes, overlapping=overlapping
        ),
        row_dependence=row_dependence(counts.row_pixels),
        band_mean=mean,
        band_std=std,
    )


def attention(dataset: Dataset, total: PartFacts, parts: Sequence[PartFacts]) -> tuple[str, ...]:
    """Return the facts worth a reader's attention, one sentence each, with their numbers."""
    return (
        *_constant_note(total),
        *_rarest_notes(total),
        *_uncounted_notes(total),
        *(note for facts in parts for note in _absent_notes(facts)),
        *_shift_notes(parts),
        *_dtype_note(dataset),
        *_strange_band_notes(dataset, total),
    )


def _class_facts(counts: Counts, index: int, name: str) -> ClassFacts:
    return ClassFacts(
        name=name,
        pixels=counts.pixels[index],
        share=counts.pixels[index] / counts.labelled if counts.labelled else 0.0,
        images=counts.images_with[index],
        objects=counts.objects[index],
        median_width=_median_width(counts.width_histogram[index]),
        median_size=_median_size(counts.size_histogram[index]),
        crop_chance=tuple(
            held / positions if positions else None
            for held, positions in zip(counts.crop_holds[index], counts.crop_positions, strict=True)
        ),
    )


def _moments(counts: Counts) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each band; zeros where no pixel has photo."""
    number = max(counts.band_count, 1)
    means = tuple(total / number for total in counts.band_sum)
    # Products of floats overflow to infinity where powers raise; min and max turn that and NaN to numbers.
    stds = tuple(
        math.sqrt(min(sys.float_info.max, max(0.0, squares / number - mean * mean)))
        for squares, mean in zip(counts.band_sum_squares, means, strict=True)
    )
    return means, stds


def _median_width(histogram: Sequence[int]) -> float | None:
    """Return the lower median, px; the last bin stands for all that is wider."""
    cumulative = np.cumsum(histogram)
    if not cumulative[-1]:
        return None
    return float(np.searchsorted(cumulative, (cumulative[-1] + 1) // 2) + 1)


def _median_size(histogram: Sequence[int]) -> float | None:
    """Return the median area, px, taking a bin's objects as evenly spread over it in the logarithm.

    Bins of up to 3 px hold a single whole number, and give it exactly.
    """
    cumulative = np.cumsum(histogram)
    if not cumulative[-1]:
        return None
    rank = cumulative[-1] / 2
    index = int(np.searchsorted(cumulative, rank))
    smallest = math.ceil(2 ** (index / 2) - 1e-9)
    largest = math.ceil(2 ** ((index + 1) / 2) - 1e-9) - 1
    inside = (rank - (cumulative[index] - histogram[index])) / histogram[index]
    return float(smallest * (largest / smallest) ** inside)


def _constant_note(total: PartFacts) -> tuple[str, ...]:
    constant = total.constant_predictor
    return (
        f'The constant answer "{constant.answer}" has accuracy {constant.accuracy:.4f} and macro IoU '
        f"{constant.macro_iou:.3f}; predicting the class shares costs {constant.entropy:.3f} nats per pixel.",
    )


def _rarest_notes(total: PartFacts) -> tuple[str, ...]:
    present = [facts for facts in total.classes if facts.pixels]
    if len(present) < 2:
        return ()
    rarest = min(present, key=lambda facts: facts.pixels)
    images = f"in {rarest.images} of {total.counts.images} images"
    notes = [f'The rarest class is "{rarest.name}": {_percent(rarest.share)} of labelled pixels, {images}.']
    for side, chance in zip(CROP_SIZES, rarest.crop_chance, strict=True):
        if chance is not None and chance < RARE_CROP:
            notes.append(
                f'A random crop of {side} px holds "{rarest.name}" with a chance of {_percent(chance)}.'
            )
    if rarest.median_width == WIDTH_BINS:
        notes.append(f'Half of "{rarest.name}" is {WIDTH_BINS} px wide or wider.')
    return tuple(notes)


def _uncounted_notes(total: PartFacts) -> tuple[str, ...]:
    counts = total.counts
    pixels = counts.labelled + counts.void + counts.nodata
    notes = []
    if counts.nodata:
        notes.append(
            f"{counts.nodata} pixels ({_percent(counts.nodata / pixels)}) have no photo and count nowhere; "
            f"on {counts.nodata_labelled} of them the masks still draw a class."
        )
    if counts.void:
        notes.append(
            f"{counts.void} pixels ({_percent(counts.void / pixels)}) are void in the masks: they count "
            "nowhere."
        )
    return tuple(notes)


def _absent_notes(part: PartFacts) -> tuple[str, ...]:
    return tuple(
        f'Class "{facts.name}" is absent from the {part.part} part: nothing about it can be '
        f"{'learnt' if part.part == 'train' else 'measured'} there."
        for facts in part.classes
        if not facts.pixels
    )


def _shift_notes(parts: Sequence[PartFacts]) -> tuple[str, ...]:
    by_name = {facts.part: facts for facts in parts}
    if "train" not in by_name or "val" not in by_name:
        return ()
    pairs = zip(by_name["train"].classes, by_name["val"].classes, strict=True)
    return tuple(
        f'Class "{train.name}" covers {_percent(train.share)} of the train part but {_percent(val.share)} '
        "of the val part: thresholds chosen on val may not fit."
        for train, val in pairs
        if train.pixels and val.pixels and max(train.share, val.share) > SHIFTED * min(train.share, val.share)
    )


def _dtype_note(dataset: Dataset) -> tuple[str, ...]:
    if dataset.dtype == "uint8":
        return ()
    huge = ""
    if dataset.dtype.startswith("float"):
        huge = " Where they hold NaN, infinity or numbers beyond 1e30 of either sign, there is no photo."
    return (f"Photos hold {dataset.dtype} values in {dataset.bands} bands, not 8-bit ones.{huge}",)


def _strange_band_notes(dataset: Dataset, total: PartFacts) -> tuple[str, ...]:
    """Name bands whose moments look like those of a fill that nothing marks rather than of a photo."""
    if dataset.dtype in ("uint8", "int8", "uint16", "int16"):
        return ()
    return tuple(
        f"Band {band} has mean {mean:.4g} and standard deviation {std:.4g}, as if it held a fill such as -9999 "
        "or 1e20 that nothing marks: mark nodata in the files, or name it as nodata = [...] in the TOML."
        for band, (mean, std) in enumerate(zip(total.band_mean, total.band_std, strict=True), start=1)
        if max(abs(mean), std) > HUGE or std > max(STRAY, abs(mean) * (1 if mean < 0 else STRAY_RATIO))
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
