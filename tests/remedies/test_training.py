import math

import msgspec
import pytest
from tests.references.facts import CPU, part_facts

from rareseg.errors import SettingError
from rareseg.records.dataset import Pair
from rareseg.records.plan import ModelChoice
from rareseg.remedies import training
from rareseg.remedies.training import (
    augmentation_choice,
    batch_choice,
    budget_choice,
    crop_choice,
    inference_choice,
    model_choice,
    optimizer_choice,
    precision_choice,
    watch_choice,
)

SETTINGS = (
    "width",
    "levels",
    "stem",
    "encoder",
    "pretrained",
    "encoder_weights",
    "frozen_encoder",
    "upsampling",
)


def _set(model: ModelChoice) -> set[str]:
    return {name for name in SETTINGS if getattr(model, name) is not None}


def test_the_usual_model_learns_from_scratch_and_its_reason_says_how_many_bands():
    model = model_choice(4, None)
    assert model.name == "compact_unet"
    assert model.because.startswith("4 bands")
    assert _set(model) == {"width", "levels", "stem"}


def test_a_model_that_is_asked_for_brings_its_own_settings():
    assert _set(model_choice(3, "compact_unet")) == {"width", "levels", "stem"}
    assert _set(model_choice(3, "fcn32_vgg16")) == {"pretrained", "frozen_encoder", "upsampling"}
    assert _set(model_choice(3, "smp:fpn")) == {"encoder", "pretrained"}
    assert model_choice(3, "smp:fpn").pretrained is False


@pytest.mark.parametrize("name", ["unet", "", "none", "smp"])
def test_an_unknown_model_is_refused(name: str):
    with pytest.raises(SettingError, match=rf"Unknown model '{name}'.*compact_unet, fcn32_vgg16, and smp:"):
        model_choice(3, name)


@pytest.mark.parametrize("name", ["compact_unet", "fcn32_vgg16", "smp:unet"])
def test_the_settings_of_each_model_are_those_that_the_network_checks(name: str):
    build = pytest.importorskip("rareseg.network.models.build")
    assert set(build.SETTINGS) == set(SETTINGS)
    build._check_settings(model_choice(3, name))
    optional = build._OPTIONAL.get("smp:" if name.startswith("smp:") else name, ())
    assert bool(optional) == (model_choice(3, name).pretrained is not None)


def test_optimizer_follows_the_model():
    assert optimizer_choice(model_choice(3, None), None).name == "muon"
    for name in ("fcn32_vgg16", "smp:unet"):
        assert optimizer_choice(model_choice(3, name), None).name == "adamw"
    scratch, encoder = (optimizer_choice(model_choice(3, name), "adamw") for name in (None, "smp:unet"))
    assert scratch.learning_rate > encoder.learning_rate
    assert scratch.muon_learning_rate is None


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_an_optimizer_that_is_asked_for_is_taken(name: str):
    for model in ("compact_unet", "smp:unet"):
        chosen = optimizer_choice(model_choice(3, model), name)
        assert chosen.name == name
        assert (chosen.muon_learning_rate is not None) == (name == "muon")


@pytest.mark.parametrize("name", ["sgd", "", "Adamw"])
def test_an_unknown_optimizer_is_refused(name: str):
    with pytest.raises(SettingError, match=rf"Unknown optimizer '{name}'.*Known: adamw, muon"):
        optimizer_choice(model_choice(3, None), name)


def _pairs(*sizes: tuple[int, int]) -> list[Pair]:
    return [
        Pair(image="a", mask="b", part="train", group="", height=height, width=width)
        for height, width in sizes
    ]


@pytest.mark.parametrize(
    ("sizes", "size", "median"),
    [
        ([(500, 500)], 256, 500),
        ([(5000, 300)], 256, 300),
        ([(200, 999)], 192, 200),
        ([(33, 33)], 32, 33),
        ([(20, 30)], 32, 20),
        ([(100, 100), (1000, 1000)], 256, 1000),
        ([(100, 100), (130, 900), (1000, 1000)], 128, 130),
    ],
)
def test_a_crop_fits_into_half_of_the_images(sizes: list[tuple[int, int]], size: int, median: int):
    chosen = crop_choice(_pairs(*sizes))
    assert chosen.size == size
    assert f"at least {median} px" in chosen.because


def test_a_crop_that_no_photo_can_fill_is_refused_and_the_largest_named():
    pairs = _pairs((100, 900), (200, 150), (90, 90))
    training.check_crop(150, pairs)
    with pytest.raises(
        SettingError, match=r"crop\.size=151 px is larger than every photo .* Set crop\.size=150"
    ):
        training.check_crop(151, pairs)
    # The rule's own least crop is let through for any photo.
    training.check_crop(crop_choice(_pairs((20, 30))).size, _pairs((20, 30)))


def test_batch_is_larger_on_a_graphics_card():
    cuda = msgspec.structs.replace(CPU, accelerator="cuda")
    assert batch_choice(cuda).size == 2 * batch_choice(CPU).size
    assert "cpu with 2 threads" in batch_choice(CPU).because


def test_budget_is_what_is_asked_for():
    assert (budget_choice(3.5, None).minutes, budget_choice(3.5, None).steps) == (3.5, None)
    assert (budget_choice(None, 7).minutes, budget_choice(None, 7).steps) == (None, 7)
    assert budget_choice(3.5, None).set_by == budget_choice(None, 7).set_by == "user"
    usual = budget_choice(None, None)
    assert (usual.minutes, usual.steps, usual.set_by) == (training._MINUTES, None, "rule")


def test_two_budgets_are_refused():
    with pytest.raises(
        SettingError, match="Give minutes or steps, not both; received 5.0 minutes and 100 steps"
    ):
        budget_choice(5.0, 100)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf])
def test_a_budget_that_is_not_above_0_or_has_no_end_is_refused(value: float):
    with pytest.raises(SettingError, match=f"minutes must be a number above 0; received {value}"):
        budget_choice(value, None)
    with pytest.raises(SettingError, match=f"steps must be a number above 0; received {value}"):
        budget_choice(None, value)  # type: ignore[arg-type]


def test_precision_follows_the_processor():
    assert precision_choice(CPU).name == "bf16-mixed"
    slow = precision_choice(msgspec.structs.replace(CPU, fast_bf16=False))
    assert (slow.name, slow.channels_last) == ("32-true", True)
    mps = precision_choice(msgspec.structs.replace(CPU, fast_bf16=False, accelerator="mps"))
    assert (mps.name, mps.channels_last) == ("32-true", False)
    assert "mps" in mps.because


@pytest.mark.parametrize(
    ("explained", "mirror", "turns", "said"),
    [(0.0, "both", True, "only 0.0%"), (0.09, "both", True, "only 9.0%"), (0.45, "horizontal", False, "45%")],
)
def test_photos_are_turned_unless_the_classes_know_up_from_down(
    explained: float, mirror: str, turns: bool, said: str
):
    chosen = augmentation_choice(part_facts((0.9, 0.1), row_dependence=explained))
    assert (chosen.mirror, chosen.quarter_turns) == (mirror, turns)
    assert f"the row explains {said} of the class entropy" in chosen.because


@pytest.mark.parametrize(
    ("mirror", "turns", "views"),
    [
        ("both", True, 8),
        ("horizontal", True, 8),
        ("both", False, 2),
        ("horizontal", False, 2),
        ("none", False, 1),
        ("none", True, 1),
    ],
)
def test_mapping_looks_at_no_view_that_training_did_not_show(mirror: str, turns: bool, views: int):
    usual = augmentation_choice(part_facts((0.9, 0.1)))
    varied = msgspec.structs.replace(usual, mirror=mirror, quarter_turns=turns)
    chosen = inference_choice(model_choice(3, None), varied, classes=2, overlapping=False)
    assert chosen.views == views
    assert chosen.because.startswith("one view" if views == 1 else f"{views} ")


@pytest.mark.parametrize(
    ("classes", "overlapping", "decision"),
    [(2, False, "threshold"), (3, False, "argmax"), (3, True, "threshold"), (1, True, "threshold")],
)
def test_only_several_exclusive_classes_are_decided_by_argmax(classes: int, overlapping: bool, decision: str):
    usual = augmentation_choice(part_facts((0.9, 0.1)))
    chosen = inference_choice(model_choice(3, None), usual, classes=classes, overlapping=overlapping)
    assert chosen.decision == decision
    assert f"{classes} classes" in chosen.because
    assert chosen.overlap < chosen.window


@pytest.mark.parametrize(("steps", "every"), [(None, 200), (1, 1), (4, 1), (50, 10), (100_000, 200)])
def test_a_short_training_is_watched_too(steps: int | None, every: int):
    budget = budget_choice(None, steps)
    assert watch_choice(budget).every_steps == every


@pytest.mark.parametrize(
    ("minutes", "steps", "validations"),
    [(5.0, None, 5), (50.0, None, 5), (51.0, None, 6), (600.0, None, 60), (None, 100, 5), (None, 40_000, 20)],
)
def test_a_long_training_is_kept_on_disk_at_least_every_ten_minutes_or_two_thousand_steps(
    minutes, steps, validations
):
    assert watch_choice(budget_choice(minutes, steps)).validations == validations
