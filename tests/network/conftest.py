from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from rareseg.imagery.rasters import RasterWriter
from rareseg.imagery.tiles import Window
from rareseg.network import hardware
from rareseg.network.crops import CropStore
from rareseg.network.session import Session, prepare
from rareseg.records.dataset import VOID, Dataset, MaskReading, NoData, Pair, ValueRange
from rareseg.records.plan import (
    AugmentationChoice,
    BatchChoice,
    BudgetChoice,
    CropChoice,
    InferenceChoice,
    InitialisationChoice,
    LossChoice,
    ModelChoice,
    OptimizerChoice,
    Plan,
    PrecisionChoice,
    SamplingChoice,
    WatchChoice,
    WeightsChoice,
)
from rareseg.records.run import PhotoStatistics

WHY = {"because": "test", "reference": ""}


@pytest.fixture
def plan() -> Plan:
    """Return a plan for two classes that trains a tiny network for a few steps in float32."""
    return Plan(
        audit_digest="none",
        classes=("background", "road"),
        overlapping=False,
        shares=(0.9, 0.1),
        seed=0,
        model=ModelChoice(name="compact_unet", width=4, levels=1, stem=2, **WHY),
        loss=LossChoice(name="cross_entropy", settings={"cross_entropy.smoothing": 0.0}, **WHY),
        weights=WeightsChoice(rule="none", values=(1.0, 1.0), **WHY),
        sampling=SamplingChoice(rule="uniform", **WHY),
        initialisation=InitialisationChoice(prior_bias=True, prior=(0.9, 0.1), **WHY),
        optimizer=OptimizerChoice(
            name="adamw",
            learning_rate=1e-2,
            weight_decay=0.0,
            clip_norm=1.0,
            warmup=0.3,
            ema_decay=0.5,
            **WHY,
        ),
        crop=CropChoice(size=32, **WHY),
        batch=BatchChoice(size=4, **WHY),
        budget=BudgetChoice(steps=6, **WHY),
        precision=PrecisionChoice(name="32-true", channels_last=True, **WHY),
        augmentation=AugmentationChoice(
            mirror="both", quarter_turns=True, brightness=0.0, contrast=0.0, **WHY
        ),
        inference=InferenceChoice(window=64, overlap=16, views=1, decision="threshold", **WHY),
        watch=WatchChoice(every_steps=2, validations=2, **WHY),
    )


@pytest.fixture
def statistics() -> PhotoStatistics:
    """Return statistics that leave pixels as they are."""
    return PhotoStatistics(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def dataset_of(sizes: list[tuple[int, int]], classes: int = 2) -> Dataset:
    """Return a Dataset of images of these sizes that lie nowhere."""
    pairs = tuple(
        Pair(image=f"{n}.png", mask=f"m{n}.png", part="train", group=str(n), height=height, width=width)
        for n, (height, width) in enumerate(sizes)
    )
    ranges = tuple(ValueRange(low=n, high=n, label=n, pixels=1, because="") for n in range(classes))
    return Dataset(
        layout="test",
        pairs=pairs,
        classes=tuple(f"class_{n}" for n in range(classes)),
        overlapping=False,
        reading=MaskReading(kind="indices", ranges=ranges, said_by="user"),
        nodata=NoData(),
        bands=3,
        dtype="uint8",
        split_because="test",
    )


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(7)


@pytest.fixture
def write_store(tmp_path: Path) -> Callable[..., CropStore]:
    """Return a function that writes photos and masks as TIFF and opens a CropStore on them."""

    def write(
        photos: Sequence[np.ndarray],
        masks: Sequence[np.ndarray],
        *,
        memory_bytes: int = 2**30,
        classes: int = 2,
        overlapping: bool = False,
        nodata: NoData | None = None,
        fill: Sequence[float] | None = None,
    ) -> CropStore:
        bands = photos[0].shape[0]
        base = dataset_of([photo.shape[1:] for photo in photos], classes)
        number = len(list(tmp_path.glob("*.tif")))
        pairs = []
        for pair, photo, mask in zip(base.pairs, photos, masks, strict=True):
            planes = mask if mask.ndim == 3 else mask[None]
            names = f"photo_{number}_{pair.group}.tif", f"mask_{number}_{pair.group}.tif"
            for name, pixels in zip(names, (photo, planes), strict=True):
                height, width = pixels.shape[1:]
                dtype = str(pixels.dtype)
                with RasterWriter(
                    tmp_path / name, height=height, width=width, bands=len(pixels), dtype=dtype
                ) as writer:
                    writer.write(Window(0, 0, height, width), pixels)
            pairs.append(structs.replace(pair, image=names[0], mask=names[1]))
        kind = "bands" if overlapping else "indices"
        first = 1 if overlapping else 0
        ranges = [
            ValueRange(low=n + first, high=n + first, label=n, pixels=1, because="") for n in range(classes)
        ]
        if not overlapping:
            ranges.append(ValueRange(low=VOID, high=VOID, label=VOID, pixels=1, because=""))
        dataset = structs.replace(
            base,
            pairs=tuple(pairs),
            bands=bands,
            dtype=str(photos[0].dtype),
            overlapping=overlapping,
            nodata=nodata or NoData(),
            reading=MaskReading(kind=kind, ranges=tuple(ranges), said_by="user"),
        )
        return CropStore(
            tmp_path, dataset, dataset.pairs, fill=fill or (0.0,) * bands, memory_bytes=memory_bytes
        )

    return write


@pytest.fixture
def squares(write_store) -> CropStore:
    """Return a store of four photos whose class 1 is a bright square: easy to learn."""
    rng = np.random.default_rng(5)
    photos, masks = [], []
    for number in range(4):
        mask = np.zeros((64, 64), np.uint8)
        mask[8 * number : 8 * number + 20, 10:30] = 1
        photos.append((rng.normal(90, 20, (3, 64, 64)) + 90 * mask).clip(0, 255).astype(np.uint8))
        masks.append(mask)
    return write_store(photos, masks)


@pytest.fixture
def set_up(squares, tmp_path) -> Callable[..., Session]:
    """Return a function that prepares a training of a plan on `squares`, in tmp_path/run."""
    scaled = PhotoStatistics(mean=(100.0,) * 3, std=(40.0,) * 3)

    def prepared(plan: Plan, *, resume: bool = False) -> Session:
        fabric = hardware.fabric(plan.precision)
        return prepare(plan, squares, squares, scaled, fabric=fabric, folder=tmp_path / "run", resume=resume)

    return prepared
