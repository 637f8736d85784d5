"""Whatever is probed, the model is as it was afterwards, bit for bit."""

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from rareseg.doors.keras import subject_of_model
from rareseg.doors.keras.arrays import values_of

ON_TORCH = keras.backend.backend() == "torch"


def bits(model: keras.Model) -> list[np.ndarray]:
    """Return copies of all variables that a model, its optimizer and its metrics have."""
    held = [*model.variables, *model.metrics_variables]
    held += [] if model.optimizer is None else model.optimizer.variables
    return [np.array(values_of(variable)) for variable in held]


def chances() -> tuple[Any, ...]:
    """Return random states; none is moved by asking."""
    legacy = np.random.get_state()  # noqa: NPY002 - the one that users' code draws from
    states = [random.getstate(), legacy[1].tobytes(), legacy[2]]
    if ON_TORCH:
        import torch

        states.append(torch.get_rng_state().numpy().tobytes())
    return tuple(states)


def test_the_generator_that_keras_shares_stays_where_it_is(
    make: Callable[..., keras.Model], maps: Any
) -> None:
    draws = []
    for probed in (False, True):
        keras.utils.set_random_seed(5)
        model = make()
        keras.random.uniform((1,))
        if probed:
            subject = subject_of_model(model, maps)
            with subject.kept():
                keras.random.uniform((3,))
        draws.append(float(values_of(keras.random.uniform((1,)))[0]))
    assert draws[0] == draws[1]


def probe(subject: Any) -> None:
    """Ask and do everything there is."""
    batch = subject.training_batches(2)[0]
    answers = subject.answers(batch)
    subject.answers(batch, training=True)
    subject.loss(batch, answers)
    subject.loss_of_labels(batch, batch.labels, answers)
    subject.units([batch])
    with subject.kept():
        subject.step(batch)
        assert subject.renew()
        subject.scale_rate(10.0)
        subject.step(batch)
        subject.answers(batch, training=True)


@pytest.mark.parametrize("trained", [False, True], ids=["new", "trained"])
def test_nothing_is_left_behind(
    make: Callable[..., keras.Model], maps: Any, same: Callable[..., None], trained: bool
) -> None:
    model = make(metrics=["accuracy", keras.metrics.MeanIoU(3, sparse_y_pred=False, name="iou")])
    if trained:
        model.fit(*maps, epochs=2, verbose=0)
    optimizer, function = model.optimizer, model.train_function
    before, random_before = bits(model), chances()
    metrics = [metric.name for metric in model.metrics]
    probe(subject_of_model(model, maps))
    same(bits(model), before)
    assert chances() == random_before
    assert model.optimizer is optimizer
    assert optimizer.built is trained
    assert model.train_function is function
    assert [metric.name for metric in model.metrics] == metrics
    assert model._compile_loss.built is trained
    assert not any("call" in vars(layer) for layer in model._flatten_layers())
    assert model.stop_training is False


def test_training_goes_on_as_if_nothing_had_been_asked(
    make: Callable[..., keras.Model], maps: Any, same: Callable[..., None]
) -> None:
    ends = []
    for probed in (False, True):
        keras.utils.set_random_seed(8)
        model = make()
        model.fit(*maps, epochs=1, batch_size=3, verbose=0)
        if probed:
            probe(subject_of_model(model, maps))
        model.fit(*maps, epochs=1, batch_size=3, verbose=0)
        ends.append([np.array(values_of(variable)) for variable in model.weights])
    same(ends[1], ends[0])


def test_what_raises_inside_is_put_back_too(
    make: Callable[..., keras.Model], maps: Any, same: Callable[..., None]
) -> None:
    model = make()
    subject = subject_of_model(model, maps)
    before = bits(model)

    def broken() -> None:
        with subject.kept():
            subject.step(subject.training_batches(1)[0])
            message = "stop"
            raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="stop"):
        broken()
    same(bits(model), before)


def test_a_step_changes_weights_for_as_long_as_it_is_kept(
    make: Callable[..., keras.Model], maps: Any
) -> None:
    model = make()
    subject = subject_of_model(model, maps)
    batch = subject.training_batches(1)[0]
    before = subject.answers(batch)
    with subject.kept():
        step = subject.step(batch)
        assert np.abs(subject.answers(batch) - before).max() > 1e-4
    assert np.array_equal(subject.answers(batch), before)
    assert step.finite
    assert len(step.ratios) == 3
    assert all(1e-4 < ratio < 1 for ratio in step.ratios)


def test_every_course_starts_from_the_same_place(make: Callable[..., keras.Model], maps: Any) -> None:
    subject = subject_of_model(make(), maps)
    batch = subject.training_batches(1)[0]
    courses = []
    for _ in range(2):
        with subject.kept():
            courses.append([subject.step(batch) for _ in range(3)])
    assert courses[0] == courses[1]


@pytest.mark.parametrize("scheduled", [False, True], ids=["number", "schedule"])
def test_the_learning_rate_is_scaled_from_what_was_brought(
    make: Callable[..., keras.Model], maps: Any, scheduled: bool
) -> None:
    rate: Any = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.5) if scheduled else 0.01
    model = make(optimizer=keras.optimizers.SGD(rate))
    subject = subject_of_model(model, maps)
    batch = subject.training_batches(1)[0]

    def moved(*factors: float) -> float:
        with subject.kept():
            for factor in factors:
                subject.scale_rate(factor)
            return subject.step(batch).ratios[-1]

    plain = moved()
    assert moved(10.0) == pytest.approx(10 * plain, rel=1e-3)
    assert moved(100.0, 0.1) == pytest.approx(0.1 * plain, rel=1e-3)
    assert moved() == pytest.approx(plain, rel=1e-6)
    assert subject.setup.learning_rate == pytest.approx(0.01)


def test_a_scaled_rate_outlasts_renewal(make: Callable[..., keras.Model], maps: Any) -> None:
    model = make()
    subject = subject_of_model(model, maps)
    with subject.kept():
        subject.scale_rate(3.0)
        assert subject.renew()
        assert float(values_of(model.optimizer.learning_rate)) == pytest.approx(0.03)


def test_weights_are_drawn_anew_although_their_initializers_are_seeded(maps: Any) -> None:
    seeded = keras.initializers.GlorotUniform(seed=1)
    head = keras.initializers.Constant(0.25)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 1, kernel_initializer=seeded, name="drawn"),
            keras.layers.SeparableConv2D(4, 1, name="apart"),
            keras.layers.BatchNormalization(name="normal"),
            keras.layers.Conv2D(4, 1, trainable=False, name="frozen"),
            keras.layers.Conv2D(3, 1, bias_initializer=head, name="head"),
        ]
    )
    model.compile(keras.optimizers.Adagrad(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    subject = subject_of_model(model, maps)
    batch = subject.training_batches(1)[0]
    kernel = model.get_layer("drawn").kernel
    frozen = np.array(values_of(model.get_layer("frozen").kernel))
    before = np.array(values_of(kernel))
    with subject.kept():
        subject.step(batch)
        assert subject.renew()
        drawn = np.array(values_of(kernel))
        assert not np.allclose(drawn, before, atol=1e-3)
        assert np.abs(drawn).max() <= np.sqrt(6 / 7) + 1e-6
        assert np.all(values_of(model.get_layer("head").bias) == 0.25)
        assert np.all(values_of(model.get_layer("normal").moving_mean) == 0)
        assert np.array_equal(values_of(model.get_layer("frozen").kernel), frozen)
        held = [np.array(values_of(variable)) for variable in model.optimizer.variables]
        # Adagrad's sums do not start at 0.
        assert all(np.all(np.isclose(value, 0.1)) for value in held[2:])
        assert held[0] == 0
    assert np.array_equal(values_of(kernel), before)


class Plain(keras.layers.Layer):
    """A layer whose weight names no initializer."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale


def test_what_cannot_be_drawn_is_said_and_left(maps: Any, same: Callable[..., None]) -> None:
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1), Plain()])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    subject = subject_of_model(model, maps)
    before = bits(model)
    with subject.kept():
        assert not subject.renew()
        same([np.array(values_of(variable)) for variable in model.weights], before[: len(model.weights)])


class Odd(keras.optimizers.SGD):
    """An optimizer that cannot be made from its settings."""

    def __init__(self, rate: float, *, needed: int) -> None:
        super().__init__(rate, momentum=0.9)
        self.needed = needed


def test_an_optimizer_that_cannot_be_copied_is_built_and_left_at_its_start(
    make: Callable[..., keras.Model], maps: Any
) -> None:
    model = make(optimizer=Odd(0.1, needed=1))
    subject = subject_of_model(model, maps)
    batch = subject.training_batches(1)[0]
    with subject.kept():
        subject.step(batch)
        assert not subject.renew()
    assert model.optimizer.built
    assert values_of(model.optimizer.iterations) == 0
    assert not any(values_of(variable).any() for variable in model.optimizer.variables[2:])


@pytest.mark.skipif(not ON_TORCH, reason="gradients are kept beside variables on torch alone")
def test_gradients_and_modes_of_torch_stay(make: Callable[..., keras.Model], maps: Any) -> None:
    import torch

    model = make()
    model.train()
    weight = model.get_layer("head").kernel.value
    weight.grad = torch.full_like(weight, 7.0)
    probe(subject_of_model(model, maps))
    assert bool((weight.grad == 7).all())
    assert model.training
    assert model.get_layer("drop").training


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_is_kept_too(kind: str, maps: Any, same: Callable[..., None]) -> None:
    policy = f"mixed_{kind}"
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 1, activation="relu", dtype=policy),
            keras.layers.Conv2D(3, 1, dtype=policy),
        ]
    )
    optimizer: Any = keras.optimizers.Adam(0.01)
    if kind == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = bits(model)
    subject = subject_of_model(model, maps)
    probe(subject)
    same(bits(model), before)
    assert subject.setup.precision == {"float16": "fp16", "bfloat16": "bf16"}[kind]
    assert subject.setup.optimizer_name == "Adam"
    assert subject.setup.learning_rate == pytest.approx(0.01)
