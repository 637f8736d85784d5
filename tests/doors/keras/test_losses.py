"""The losses for `compile` are those of PyTorch, in value and gradient, and survive saving."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from rareseg.doors.keras import CrossEntropy, Dice, Sum, Tversky
from rareseg.errors import DataError, SettingError
from rareseg.network import losses as ours

SHAPE = (3, 6, 5)
SHARES = (0.7, 0.25, 0.05)

CASES: list[tuple[str, int, Any, Callable[..., Any]]] = [
    ("plain", 3, CrossEntropy(None, 255, True), ours.cross_entropy),
    (
        "weighted",
        3,
        CrossEntropy([1, 4, 20], 255, True),
        lambda z, y, **k: ours.cross_entropy(z, y, weights=(1, 4, 20), **k),
    ),
    (
        "adjusted",
        3,
        CrossEntropy(None, 255, True, SHARES, temperature=1.5),
        lambda z, y, **k: ours.LOSSES["logit_adjusted"](z, y, shares=SHARES, temperature=1.5, **k),
    ),
    ("one channel", 1, CrossEntropy(None, 255, True), ours.cross_entropy),
    (
        "one channel adjusted",
        1,
        CrossEntropy(None, 255, True, [0.1]),
        lambda z, y, **k: ours.LOSSES["logit_adjusted"](z, y, shares=(0.1,), **k),
    ),
    ("dice", 3, Dice(255, True), ours.dice),
    ("dice of one channel", 1, Dice(255, True), ours.dice),
    (
        "dice squared by image",
        3,
        Dice(255, True, squared=True, per_image=True, smoothing=2.0, classes=[1, 2]),
        lambda z, y, **k: ours.dice(z, y, squared=True, per_image=True, smoothing=2.0, classes=(1, 2), **k),
    ),
    ("tversky", 3, Tversky(ignore_class=255, from_logits=True), ours.tversky),
    (
        "tversky with other weights",
        1,
        Tversky(0.1, 0.9, 255, True),
        lambda z, y, **k: ours.tversky(z, y, false_positive_weight=0.1, false_negative_weight=0.9, **k),
    ),
    (
        "sum",
        3,
        CrossEntropy([1, 2, 3], 255, True) + 0.5 * Dice(255, True),
        lambda z, y, **k: ours.cross_entropy(z, y, weights=(1, 2, 3), **k) + 0.5 * ours.dice(z, y, **k),
    ),
]


def drawn(channels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits (images, rows, cols, channels) and labels with ignored pixels, one image without any other."""
    random = np.random.default_rng(seed)
    logits = (3 * random.normal(size=(*SHAPE, channels))).astype(np.float32)
    labels = random.choice([0, 0, 0, 1, max(channels - 1, 1), 255], size=SHAPE).astype(np.int64)
    labels[2] = 255
    return logits, labels


def in_torch(loss: Callable[..., Any], logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    scores = torch.tensor(np.moveaxis(logits, -1, 1), requires_grad=True)
    value = loss(scores, torch.tensor(labels), ignore_index=255)
    value.backward()
    return float(value.detach()), np.moveaxis(scores.grad.numpy(), 1, -1)


def in_keras(loss: Any, answers: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray]:
    if keras.backend.backend() == "torch":
        scores = keras.ops.convert_to_tensor(answers).requires_grad_(True)
        value = loss(targets, scores)
        value.backward()
        return float(value.detach()), scores.grad.cpu().numpy()
    if keras.backend.backend() == "tensorflow":
        tensorflow = importlib.import_module("tensorflow")
        variable = tensorflow.Variable(answers)
        with tensorflow.GradientTape() as tape:
            value = loss(targets, variable)
        return float(value), np.asarray(tape.gradient(value, variable))
    import jax

    value, slope = jax.jit(jax.value_and_grad(lambda scores: loss(targets, scores)))(answers)
    return float(value), np.asarray(slope)


def hot(labels: np.ndarray, channels: int) -> np.ndarray:
    return (labels[..., None] == np.arange(channels)).astype(np.float32)


@pytest.mark.parametrize(("name", "channels", "loss", "wanted"), CASES, ids=[case[0] for case in CASES])
def test_values_and_gradients_are_those_of_torch(
    name: str, channels: int, loss: Any, wanted: Callable[..., Any]
) -> None:
    for seed in range(2):
        logits, labels = drawn(channels, seed)
        value, slope = in_keras(loss, logits, labels)
        true_value, true_slope = in_torch(wanted, logits, labels)
        assert value == pytest.approx(true_value, abs=1e-5), name
        np.testing.assert_allclose(slope, true_slope, atol=1e-5)


@pytest.mark.parametrize("make", [CrossEntropy, Dice, Tversky])
def test_all_forms_of_targets_and_answers_are_one(make: Any) -> None:
    logits, labels = drawn(3)
    value = float(make(ignore_class=255, from_logits=True)(labels, logits))
    chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    flat = logits.reshape(3, 30, 3)
    again = [
        make(ignore_class=255, from_logits=True)(labels[..., None], logits),
        make(ignore_class=255, from_logits=True)(labels.reshape(3, 30), flat),
        make(ignore_class=255, from_logits=True)(labels.reshape(3, 30, 1), flat),
        make(from_logits=True)(hot(labels, 3), logits),
        make(ignore_class=255)(labels, chances),
        make(from_logits=True)(
            np.where(labels == 255, 0, labels), logits, (labels != 255).astype(np.float32)
        ),
    ]
    assert [float(one) for one in again] == pytest.approx([value] * len(again), abs=1e-5)


def test_probabilities_of_one_channel_are_read_as_such() -> None:
    logits, labels = drawn(1)
    chances = 1 / (1 + np.exp(-logits))
    assert float(CrossEntropy(ignore_class=255)(labels, chances)) == pytest.approx(
        in_torch(ours.cross_entropy, logits, labels)[0], abs=1e-5
    )


def test_two_weights_of_one_channel_weigh_no_and_yes() -> None:
    logits, labels = drawn(1)
    both = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    wanted, _ = in_torch(lambda z, y, **k: ours.cross_entropy(z, y, weights=(1, 9), **k), both, labels)
    found = float(CrossEntropy([1, 9], 255, True)(labels, logits))
    assert found == pytest.approx(wanted, abs=1e-5)
    assert found != pytest.approx(float(CrossEntropy(None, 255, True)(labels, logits)), abs=1e-2)


def test_overlapping_classes_are_those_of_torch() -> None:
    random = np.random.default_rng(5)
    logits = random.normal(size=(2, 4, 4, 3)).astype(np.float32)
    bits = random.integers(0, 8, size=(2, 4, 4))
    several = ((bits[..., None] >> np.arange(3)) & 1).astype(np.float32)
    pairs = [
        (
            CrossEntropy([1, 2, 5], from_logits=True, overlapping=True),
            lambda z, y, **k: ours.cross_entropy(z, y, weights=(1, 2, 5), overlapping=True, **k),
        ),
        (Dice(from_logits=True, overlapping=True), lambda z, y, **k: ours.dice(z, y, overlapping=True, **k)),
    ]
    for loss, wanted in pairs:
        assert float(loss(several, logits)) == pytest.approx(in_torch(wanted, logits, bits)[0], abs=1e-5)


def test_a_batch_without_counted_pixels_costs_nothing() -> None:
    logits, labels = drawn(3)
    for loss in (
        CrossEntropy([1, 2, 3], 255, True),
        Dice(255, True, per_image=True),
        Tversky(0.3, 0.7, 255, True),
    ):
        value, slope = in_keras(loss, logits, np.full_like(labels, 255))
        assert value == 0
        assert not slope.any()


def test_a_label_that_no_class_has_is_not_passed_over() -> None:
    logits, labels = drawn(3)
    assert np.isnan(float(CrossEntropy(from_logits=True)(labels, logits)))
    one, yes = drawn(1)
    assert np.isnan(float(Dice(from_logits=True)(yes, one)))


def test_extreme_answers_keep_values_and_gradients_finite() -> None:
    labels = np.array([[[0, 1]]])
    for answers in ([[[[1.0, 0.0], [1.0, 0.0]]]], [[[[0.0, 1.0], [0.0, 0.0]]]]):
        for loss in (CrossEntropy(), Dice(), CrossEntropy() + Dice()):
            value, slope = in_keras(loss, np.array(answers, np.float32), labels)
            assert np.isfinite(value)
            assert np.isfinite(slope).all()
    value, slope = in_keras(
        CrossEntropy(from_logits=True), np.array([[[[1e4, -1e4]] * 2]], np.float32), labels
    )
    assert value == pytest.approx(1e4)
    assert np.isfinite(slope).all()


def test_a_model_trains_with_them_and_keeps_them_in_its_file(tmp_path: Path, make: Any, maps: Any) -> None:
    loss = (
        CrossEntropy([1, 2, 3], 255, True) + 0.5 * Dice(255, True, squared=True) + Tversky(from_logits=True)
    )
    model = make(loss=loss)
    first = model.evaluate(*maps, verbose=0)
    model.fit(*maps, epochs=12, verbose=0)
    assert model.evaluate(*maps, verbose=0) < first
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again.loss, Sum)
    assert again.loss.get_config() == loss.get_config()
    answers = np.asarray(model.predict(maps[0], verbose=0))
    assert float(again.loss(maps[1], answers)) == pytest.approx(float(loss(maps[1], answers)))


@pytest.mark.parametrize(
    "loss", [CrossEntropy({2: 4.0}), Dice(7, classes=[1]), Tversky(0.2, 0.8), 2 * Dice()]
)
def test_settings_go_there_and_back(loss: Any) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.get_config() == loss.get_config()


def test_a_mapping_names_weights_by_class() -> None:
    assert CrossEntropy({2: 4.0}).class_weights == (1.0, 1.0, 4.0)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"class_weights": [0, 0]}, "not all 0"),
        ({"class_weights": [1, float("nan")]}, "finite"),
        ({"logit_adjustment": [0.0, 1.0]}, "shares between 0 and 1"),
        ({"class_weights": [1, 2], "logit_adjustment": [0.5, 0.5]}, "both"),
        ({"temperature": -1}, "temperature"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingError, match=word):
        CrossEntropy(**settings)


def test_overlap_losses_refuse_what_makes_no_sense() -> None:
    with pytest.raises(SettingError, match="smoothing"):
        Dice(smoothing=-1)
    with pytest.raises(SettingError, match="different class indices"):
        Dice(classes=[1, 1])
    with pytest.raises(SettingError, match="above 0"):
        Tversky(0, 0)
    with pytest.raises(SettingError, match="received 1 and 2"):
        Sum([Dice()], [1, 2])


def test_what_does_not_fit_the_answers_is_refused() -> None:
    logits, labels = drawn(3)
    with pytest.raises(SettingError, match="3 class weights"):
        CrossEntropy([1, 2])(labels, logits)
    with pytest.raises(SettingError, match="below 3"):
        Dice(classes=[3])(labels, logits)
    with pytest.raises(DataError, match="one-hot"):
        Dice()(labels[:, :3], logits)
    with pytest.raises(DataError, match="Expected targets"):
        CrossEntropy(overlapping=True)(labels, logits)
