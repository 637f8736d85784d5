import numpy as np
import pytest

from rareseg.records.dataset import Dataset, MaskReading, NoData, Pair, ValueRange
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
        seed=0,
        model=ModelChoice(name="compact_unet", width=4, levels=1, stem=2, **WHY),
        loss=LossChoice(name="cross_entropy", **WHY),
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
