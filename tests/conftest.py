"""Records that tables and commands are tested on: small, valid, and with every special case in them."""

from pathlib import Path

import pytest

from rareseg.records import audit as audits
from rareseg.records import codec
from rareseg.records import plan as plans
from rareseg.records.audit import Audit
from rareseg.records.dataset import Dataset, MaskReading, NoData, Pair, ValueRange
from rareseg.records.plan import Plan
from rareseg.records.report import ClassScores, MacroScores, MicroScores, Report
from rareseg.records.run import Calibration, CollapseCheck, PhotoStatistics, Run, Sampled, Validation

PIXELS = {"train": (957_000, 43_000), "val": (480_000, 20_000), "test": (485_000, 15_000)}


def _part(name: str, pixels: tuple[int, int]) -> audits.PartFacts:
    labelled = sum(pixels)
    counts = audits.Counts(
        images=4,
        pixels=pixels,
        images_with=(4, 3),
        labelled=labelled,
        void=1_234,
        nodata=56_789,
        nodata_labelled=321,
        objects=(7, 11),
        width_histogram=((0,), (0,)),
        size_histogram=((0,), (0,)),
        row_pixels=(tuple([pixels[0] // 8] * 8), tuple([pixels[1] // 8] * 8)),
        crop_holds=((9, 9, 0), (4, 8, 0)),
        crop_positions=(9, 9, 0),
        band_count=labelled,
        band_sum=(1.0, 2.0, 3.0),
        band_sum_squares=(1.0, 2.0, 3.0),
    )
    classes = (
        audits.ClassFacts(
            name="background",
            pixels=pixels[0],
            share=pixels[0] / labelled,
            images=4,
            objects=7,
            median_width=None,
            median_size=None,
            crop_chance=(1.0, 1.0, None),
        ),
        audits.ClassFacts(
            name="road",
            pixels=pixels[1],
            share=pixels[1] / labelled,
            images=3,
            objects=11,
            median_width=7.0,
            median_size=3120.0,
            crop_chance=(0.444, 0.889, None),
        ),
    )
    constant = audits.ConstantPredictor(
        answer="background", accuracy=pixels[0] / labelled, macro_iou=pixels[0] / labelled / 2, entropy=0.1711
    )
    return audits.PartFacts(
        part=name,
        counts=counts,
        classes=classes,
        constant_predictor=constant,
        row_dependence=0.125,
        band_mean=(91.25, 95.5, 85.125),
        band_std=(40.0, 38.5, 37.25),
    )


@pytest.fixture
def audit_record() -> Audit:
    pairs = tuple(
        Pair(
            image=f"images/{part}_{index}.png",
            mask=f"masks/{part}_{index}.png",
            part=part,
            group=f"{part}{index // 2}",
            height=500,
            width=500,
        )
        for part in PIXELS
        for index in range(4)
    )
    reading = MaskReading(
        kind="two_level",
        ranges=(
            ValueRange(low=0, high=5, label=0, pixels=1_922_000, because="nearest to the level 0"),
            ValueRange(low=237, high=237, label=1, pixels=78_000, because="the other level"),
            ValueRange(low=254, high=254, label=255, pixels=1_234, because="void in the TOML"),
        ),
        said_by="rule",
    )
    dataset = Dataset(
        layout="images/ + masks/",
        pairs=pairs,
        classes=("background", "road"),
        overlapping=False,
        reading=reading,
        nodata=NoData(values=(255,), because="white squares"),
        bands=3,
        dtype="uint8",
        split_because="Split by the scene prefix before _: 70 / 15 / 15 % of the scenes.",
    )
    total = tuple(sum(column) for column in zip(*PIXELS.values(), strict=True))
    return Audit(
        dataset=dataset,
        total=_part("all", (total[0], total[1])),
        parts=tuple(_part(name, pixels) for name, pixels in PIXELS.items()),
        notes=("Roads are 7 px wide: a network that sees at 1/32 of the resolution loses them.",),
    )


@pytest.fixture
def plan_record(audit_record: Audit) -> Plan:
    why = {
        "because": "Roads cover 4.07 % of the pixels.",
        "reference": "Lin et al. 2017, arXiv:1708.02002, section 3.3",
    }
    return Plan(
        audit_digest=codec.digest(audit_record),
        classes=("background", "road"),
        overlapping=False,
        shares=(0.957, 0.043),
        seed=0,
        model=plans.ModelChoice(name="compact_unet", width=32, levels=3, stem=2, **why),
        loss=plans.LossChoice(
            name="cross_entropy+dice",
            settings={
                "cross_entropy.smoothing": 0.0,
                "dice.squared": True,
                "dice.per_image": False,
                "dice.smoothing": 0.5,
                "dice.classes": None,
            },
            set_by="user",
            **why,
        ),
        weights=plans.WeightsChoice(rule="none", values=(1.0, 1.0), **why),
        sampling=plans.SamplingChoice(rule="uniform", **why),
        initialisation=plans.InitialisationChoice(prior_bias=True, prior=(0.957, 0.043), **why),
        optimizer=plans.OptimizerChoice(
            name="adamw",
            learning_rate=2e-3,
            weight_decay=0.01,
            clip_norm=1.0,
            warmup=0.1,
            ema_decay=0.99,
            **why,
        ),
        crop=plans.CropChoice(size=256, **why),
        batch=plans.BatchChoice(size=8, **why),
        budget=plans.BudgetChoice(minutes=5.0, **why),
        precision=plans.PrecisionChoice(name="bf16-mixed", channels_last=True, **why),
        augmentation=plans.AugmentationChoice(
            mirror="both", quarter_turns=True, brightness=0.2, contrast=0.2, **why
        ),
        inference=plans.InferenceChoice(window=512, overlap=128, views=1, decision="threshold", **why),
        watch=plans.WatchChoice(every_steps=200, validations=10, **why),
    )


@pytest.fixture
def run_record(audit_record: Audit, plan_record: Plan) -> Run:
    validations = tuple(
        Validation(
            step=60 * index,
            seconds=25.0 * index,
            loss=0.2 / index,
            average_precision=(0.99, 0.06 * index),
            iou=(0.95, 0.05 * index),
            score=0.05 * index,
        )
        for index in range(1, 13)
    )
    check = CollapseCheck(
        step=600,
        rare_class="road",
        average_precision=0.70,
        prevalence=0.04,
        lift=17.5,
        spatial_deviation=2.5,
        dead_share=0.01,
        predicted_share=0.05,
    )
    return Run(
        audit_digest=codec.digest(audit_record),
        plan_digest=codec.digest(plan_record),
        outcome="finished",
        reason="The budget of 5 minutes is used.",
        steps=720,
        seconds=300.0,
        initial_loss=0.1711,
        best_step=660,
        parameters=1_950_000,
        trainable_parameters=1_950_000,
        photo=PhotoStatistics(mean=(91.0, 95.0, 85.0), std=(40.0, 38.0, 37.0)),
        thresholds=(0.61, 0.39),
        thresholds_from="val",
        calibration=Calibration(
            how="undone",
            because="What class weights moved is taken back by formula.",
            temperature=1.0,
            shift=(0.0, 2.5),
            measured_on="val",
            error_before=(0.125, 0.115),
            error_after=(0.004, 0.003),
        ),
        decision_weights=None,
        validations=validations,
        checks=(check,),
        sampled=Sampled(
            rule="class_centred",
            classes=("background", "road"),
            around=("road",),
            crops=5_760,
            asked_share=0.33,
            placed_share=0.332,
            data_shares=(0.957, 0.043),
            realised_shares=(0.939, 0.061),
            crops_holding=(1.0, 0.874),
        ),
        versions={"rareseg": "0.1.0"},
    )


@pytest.fixture
def report_record(run_record: Run) -> Report:
    constant = audits.ConstantPredictor(answer="background", accuracy=0.97, macro_iou=0.485, entropy=0.13)
    road = ClassScores(
        iou=0.54,
        f1=0.70,
        precision=0.71,
        recall=0.69,
        average_precision=0.748,
        threshold=0.39,
        pixels=15_000,
        calibration_error=0.004,
        expected_share=0.031,
        relaxed_f1=0.865,
    )
    background = ClassScores(
        iou=0.98,
        f1=0.99,
        precision=0.99,
        recall=0.99,
        average_precision=0.997,
        threshold=0.61,
        pixels=485_000,
        calibration_error=0.0041,
        expected_share=0.969,
        relaxed_f1=0.999,
    )
    bridge = ClassScores(
        iou=None,
        f1=None,
        precision=None,
        recall=None,
        average_precision=None,
        threshold=None,
        pixels=0,
        calibration_error=0.002,
        expected_share=0.002,
        relaxed_f1=None,
    )
    return Report(
        run_digest=codec.digest(run_record),
        data="massachusetts_roads",
        part="test",
        images=4,
        decision="threshold",
        thresholds_from="val",
        relaxed_px=3,
        classes={"background": background, "road": road, "bridge": bridge},
        macro=MacroScores(iou=0.76, f1=0.845, precision=0.85, recall=0.84, average_precision=0.87, classes=2),
        constant_predictor=constant,
        counted_pixels=500_000,
        uncounted_pixels=56_789,
        notes=("bridge is absent from the test part.",),
        micro=MicroScores(accuracy=0.981),
    )


TINY = {
    "model.width": "8",
    "model.levels": "1",
    "crop.size": "64",
    "batch.size": "4",
    "precision.name": "32-true",
    "inference.window": "64",
    "inference.overlap": "16",
    "inference.views": "1",
    "optimizer.ema_decay": "0.9",
    "watch.validations": "2",
}


@pytest.fixture(scope="session")
def tiny() -> dict[str, str]:
    """Settings of a network that trains in a second."""
    return dict(TINY)


@pytest.fixture(scope="session")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 12 road scenes, to be read only."""
    from rareseg import scenes

    return scenes.write_roads(
        tmp_path_factory.mktemp("generated") / "roads", count=12, size=96, road_share=0.08, seed=3
    )


@pytest.fixture(scope="session")
def roads_run(tmp_path_factory: pytest.TempPathFactory, roads: Path) -> Path:
    """Return the folder of a run trained on `roads`, to be read only."""
    from rareseg import verbs

    folder = tmp_path_factory.mktemp("trained") / "run"
    verbs.train(roads, output=folder, steps=150, settings=TINY)
    return folder


@pytest.fixture(scope="session")
def land(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 6 three-class scenes, to be read only."""
    from rareseg import scenes

    return scenes.write_land(tmp_path_factory.mktemp("generated") / "land", count=6, size=96, seed=3)


@pytest.fixture(scope="session")
def land_run(tmp_path_factory: pytest.TempPathFactory, land: Path) -> Path:
    """Return the folder of a run of 20 steps on `land`, to be read only."""
    from rareseg import verbs

    folder = tmp_path_factory.mktemp("trained") / "run"
    verbs.train(land, output=folder, steps=20, settings=TINY)
    return folder
