"""Audits as the measuring would make them, from nothing but shares: for tests of what is decided by them."""

import math
from collections.abc import Sequence

from rareseg.records.audit import Audit, ClassFacts, ConstantPredictor, Counts, PartFacts
from rareseg.records.dataset import PARTS, Dataset, MaskReading, NoData, Pair, ValueRange
from rareseg.records.machine import Machine

CPU = Machine(accelerator="cpu", fast_bf16=True, memory_bytes=8 << 30, cores=2)
SIDE = 500
IMAGES = 10
CAMVID = (0.168, 0.231, 0.0098, 0.2733, 0.0448, 0.1071, 0.0117, 0.0113, 0.0595, 0.0635, 0.02)
"""Eleven classes, six of them below 5 %: shares of the size of CamVid's, which add up to 1."""


def part_facts(
    shares: Sequence[float],
    *,
    names: Sequence[str] | None = None,
    crop_chance: Sequence[float | None] = (0.6, 0.9, None),
    images_with: int = IMAGES,
    row_dependence: float = 0.01,
    overlapping: bool = False,
    part: str = "train",
) -> PartFacts:
    """Return the facts of one part in which every class has one share and one chance per crop size."""
    labelled = IMAGES * SIDE * SIDE
    pixels = tuple(round(share * labelled) for share in shares)
    names = names or [f"class_{index}" for index in range(len(shares))]
    counts = Counts(
        images=IMAGES,
        pixels=pixels,
        images_with=tuple(images_with if count else 0 for count in pixels),
        labelled=labelled,
        void=0,
        nodata=0,
        nodata_labelled=0,
        objects=(1,) * len(pixels),
        width_histogram=((0,),) * len(pixels),
        size_histogram=((0,),) * len(pixels),
        row_pixels=((0,) * 8,) * len(pixels),
        crop_holds=((0, 0, 0),) * len(pixels),
        crop_positions=tuple(0 if chance is None else 1000 for chance in crop_chance),
        band_count=labelled,
        band_sum=(1.0, 1.0, 1.0),
        band_sum_squares=(1.0, 1.0, 1.0),
    )
    classes = tuple(
        ClassFacts(
            name=name,
            pixels=count,
            share=count / labelled,
            images=images_with if count else 0,
            objects=1,
            median_width=None,
            median_size=None,
            crop_chance=tuple(crop_chance),
        )
        for name, count in zip(names, pixels, strict=True)
    )
    constant = ConstantPredictor(
        answer=names[0], accuracy=0.9, macro_iou=0.4, entropy=_entropy(shares, overlapping=overlapping)
    )
    return PartFacts(
        part=part,
        counts=counts,
        classes=classes,
        constant_predictor=constant,
        row_dependence=row_dependence,
        band_mean=(0.0, 0.0, 0.0),
        band_std=(1.0, 1.0, 1.0),
    )


def audit_of(
    facts: PartFacts, *, overlapping: bool = False, sides: Sequence[tuple[int, int]] = ((SIDE, SIDE),)
) -> Audit:
    """Return an audit with these facts for the training part, whose images have these sizes in turn."""
    pairs = tuple(
        Pair(
            image=f"{part}_{n}.png", mask=f"m_{part}_{n}.png", part=part, group=part, height=rows, width=cols
        )
        for part in PARTS
        for n, (rows, cols) in enumerate(sides)
    )
    ranges = tuple(
        ValueRange(low=n, high=n, label=n, pixels=1, because="") for n in range(len(facts.classes))
    )
    dataset = Dataset(
        layout="test",
        pairs=pairs,
        classes=tuple(entry.name for entry in facts.classes),
        overlapping=overlapping,
        reading=MaskReading(kind="bands" if overlapping else "indices", ranges=ranges, said_by="rule"),
        nodata=NoData(),
        bands=3,
        dtype="uint8",
        split_because="test",
    )
    return Audit(dataset=dataset, total=facts, parts=(facts,), notes=())


def roads() -> Audit:
    """Return an audit of two classes, the second on 4 % of the pixels."""
    return audit_of(part_facts((0.96, 0.04), names=("background", "road")))


def camvid() -> Audit:
    """Return an audit of eleven exclusive classes in photos with a sky above and a road below."""
    return audit_of(part_facts(CAMVID, row_dependence=0.45), sides=((360, 480),))


def overlaps() -> Audit:
    """Return an audit of three classes that may share pixels and cover a part of them only."""
    facts = part_facts((0.3, 0.25, 0.02), names=("tree", "shade", "road"), overlapping=True)
    return audit_of(facts, overlapping=True)


def _entropy(shares: Sequence[float], *, overlapping: bool) -> float:
    asked = [part for share in shares for part in (share, 1 - share)] if overlapping else shares
    return -sum(share * math.log(share) for share in asked if share > 0)
