"""An audit, a plan and a run for the report page: what a training on roads leaves behind."""

import numpy as np

from rareseg.records import audit as audits
from rareseg.records import plan as plans
from rareseg.records.dataset import Dataset, MaskReading, NoData, Pair
from rareseg.records.run import Calibration, CollapseCheck, PhotoStatistics, Run, Sampled, Validation

_PIXELS = {"train": (15_400_000, 690_000), "val": (3_300_000, 141_000), "test": (3_420_000, 118_000)}


def audit() -> audits.Audit:
    """Return an audit of 93 photos in three parts."""
    pairs = tuple(
        Pair(
            image=f"photos/{part}_{number}.png",
            mask=f"masks/{part}_{number}.png",
            part=part,
            group=f"{part}{number // 3}",
            height=500,
            width=500,
        )
        for part in _PIXELS
        for number in range(4)
    )
    total = tuple(sum(column) for column in zip(*_PIXELS.values(), strict=True))
    return audits.Audit(
        dataset=Dataset(
            layout="photos/ + masks/",
            pairs=pairs,
            classes=("background", "road"),
            overlapping=False,
            reading=MaskReading(kind="two_level", ranges=(), said_by="rule"),
            nodata=NoData(values=(255,), because="white squares"),
            bands=3,
            dtype="uint8",
            split_because="Split by the scene in each name: 70 / 15 / 15 % of the scenes.",
        ),
        total=_part("all", (total[0], total[1])),
        parts=tuple(_part(name, pixels) for name, pixels in _PIXELS.items()),
        notes=("Roads are 7 px wide: a network that sees at 1/32 of the resolution loses them.",),
    )


def _part(name: str, pixels: tuple[int, int]) -> audits.PartFacts:
    labelled = sum(pixels)
    shares = np.array(pixels) / labelled
    counts = audits.Counts(
        images=31,
        pixels=pixels,
        images_with=(31, 29),
        labelled=labelled,
        void=0,
        nodata=12_000,
        nodata_labelled=0,
        objects=(300, 211),
        width_histogram=((0,), (0,)),
        size_histogram=((0,), (0,)),
        row_pixels=((0,) * 8, (0,) * 8),
        crop_holds=((9, 9, 0), (4, 8, 0)),
        crop_positions=(9, 9, 0),
        band_count=labelled,
        band_sum=(1.0, 2.0, 3.0),
        band_sum_squares=(1.0, 2.0, 3.0),
    )
    classes = tuple(
        audits.ClassFacts(
            name=own,
            pixels=count,
            share=count / labelled,
            images=31,
            objects=211,
            median_width=width,
            median_size=3120.0,
            crop_chance=(0.444, 0.889, None),
        )
        for own, count, width in (("background", pixels[0], None), ("road", pixels[1], 7.0))
    )
    constant = audits.ConstantPredictor(
        answer="background",
        accuracy=float(shares[0]),
        macro_iou=float(shares[0]) / 2,
        entropy=float(-(shares * np.log(shares)).sum()),
    )
    return audits.PartFacts(
        part=name,
        counts=counts,
        classes=classes,
        constant_predictor=constant,
        row_dependence=0.01,
        band_mean=(91.25, 95.5, 85.125),
        band_std=(40.0, 38.5, 37.25),
    )


def plan(optimizer: str = "muon") -> plans.Plan:
    """Return a plan whose optimizer was chosen by hand."""

    def why(because: str, reference: str = "") -> dict[str, str]:
        return {"because": because, "reference": reference}

    return plans.Plan(
        audit_digest="0123456789abcdef",
        classes=("background", "road"),
        overlapping=False,
        shares=(0.9571, 0.0429),
        seed=0,
        model=plans.ModelChoice(
            name="compact_unet",
            width=32,
            levels=3,
            stem=2,
            **why(
                "Roads are 7 px wide (median), so the coarsest grid keeps them.",
                "Ronneberger 2015, arXiv:1505.04597",
            ),
        ),
        loss=plans.LossChoice(
            name="cross_entropy + 0.5*dice",
            settings={"cross_entropy.smoothing": 0.0, "dice.smoothing": 1.0},
            **why(
                "Road covers 4.29 %: cross-entropy ranks, Dice sets the level.",
                "Milletari 2016, arXiv:1606.04797",
            ),
        ),
        weights=plans.WeightsChoice(
            rule="sqrt_inverse",
            values=(0.93, 4.4),
            **why("Two classes compete; 22 to 1 is more than 10 to 1."),
        ),
        sampling=plans.SamplingChoice(
            rule="uniform", **why("A random crop of 256 px holds road in 89 % of cases.")
        ),
        initialisation=plans.InitialisationChoice(
            prior_bias=True,
            prior=(0.9571, 0.0429),
            **why("Starts at the entropy 0.177 instead of ln 2.", "Lin 2017, arXiv:1708.02002, section 4.1"),
        ),
        optimizer=plans.OptimizerChoice(
            name=optimizer,
            learning_rate=2e-3,
            muon_learning_rate=0.02 if optimizer == "muon" else None,
            weight_decay=0.01,
            clip_norm=1.0,
            warmup=0.1,
            ema_decay=0.99,
            set_by="user",
            **why("Set by --set."),
        ),
        crop=plans.CropChoice(size=256, **why("The photos are 500 px wide.")),
        batch=plans.BatchChoice(size=8, **why("2 cores.")),
        budget=plans.BudgetChoice(steps=700, **why("About 2.5 minutes.")),
        precision=plans.PrecisionChoice(
            name="bf16-mixed", channels_last=True, **why("The CPU has AVX512-bf16.")
        ),
        augmentation=plans.AugmentationChoice(
            mirror="both",
            quarter_turns=True,
            brightness=0.1,
            contrast=0.1,
            **why("The height explains 1 % only."),
        ),
        inference=plans.InferenceChoice(
            window=512, overlap=128, views=8, decision="threshold", **why("No direction is up.")
        ),
        watch=plans.WatchChoice(every_steps=70, validations=10, **why("Ten looks.")),
    )


def run(*, learns: bool = True) -> Run:
    """Return a training of 700 steps; without learning it collapses to the prior."""
    steps = range(70, 701, 70)
    return Run(
        audit_digest="0123456789abcdef",
        plan_digest="0123456789abcdef",
        outcome="finished" if learns else "collapsed",
        reason="all steps are done." if learns else "the answer is the same everywhere (spread 0.0003).",
        steps=700,
        seconds=152.0,
        initial_loss=0.177,
        best_step=630,
        parameters=1_950_000,
        trainable_parameters=1_950_000,
        photo=PhotoStatistics(mean=(91.0, 95.0, 85.0), std=(40.0, 38.0, 37.0)),
        thresholds=(0.61, 0.39),
        thresholds_from="val",
        calibration=Calibration(
            how="none",
            because="Nothing moved them.",
            temperature=1.0,
            shift=(0.0, 0.0),
            measured_on="val",
            error_before=(0.01, 0.01),
            error_after=(0.01, 0.01),
        ),
        decision_weights=None,
        validations=tuple(_validation(step, learns=learns) for step in steps),
        checks=tuple(_check(step, learns=learns) for step in steps),
        sampled=Sampled(
            rule="uniform",
            classes=("background", "road"),
            around=(),
            crops=5_600,
            asked_share=0.0,
            placed_share=0.0,
            data_shares=(0.957, 0.043),
            realised_shares=(0.956, 0.044),
            crops_holding=(1.0, 0.87),
        ),
        versions={"rareseg": "0.1.0"},
    )


def _validation(step: int, *, learns: bool) -> Validation:
    done = 1 - np.exp(-step / 260) if learns else 0.02
    return Validation(
        step=step,
        seconds=step * 0.21,
        loss=float(0.172 - 0.075 * done),
        average_precision=(0.99, float(0.04 + 0.7 * done)),
        iou=(0.96, float(0.55 * done)),
        score=float(0.48 + 0.27 * done),
    )


def _check(step: int, *, learns: bool) -> CollapseCheck:
    done = float(1 - np.exp(-step / 260)) if learns else 0.01
    return CollapseCheck(
        step=step,
        rare_class="road",
        average_precision=0.041 + 0.7 * done,
        prevalence=0.041,
        lift=1 + 17 * done,
        spatial_deviation=0.01 + 2.5 * done,
        dead_share=0.02 + 0.04 * done if learns else 0.6,
        predicted_share=max(0.0, 0.045 * (done - 0.25)),
    )
