"""What a Keras model says of itself: answers, losses and labels in the canonical layout, whatever the user's."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from rareseg.doors.keras import CrossEntropy, subject_of_model
from rareseg.doors.keras.arrays import values_of
from rareseg.errors import DataError, SettingError
from rareseg.probing.subject import VOID_LABEL, ProbeError, Subject

HOT = np.eye(3, dtype=np.float32)


def head_only(outputs: Callable[[Any], Any], loss: Any, shape: tuple[int, ...] = (4, 6, 3)) -> keras.Model:
    inputs = keras.Input(shape)
    model = keras.Model(inputs, outputs(inputs))
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model


@pytest.fixture
def photos() -> np.ndarray:
    return np.random.default_rng(1).random((5, 4, 6, 3)).astype(np.float32)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 3, (5, 4, 6))


def cases() -> list[Any]:
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    hot = keras.losses.CategoricalCrossentropy(from_logits=True)
    return [
        pytest.param(False, sparse, lambda y: y, "indices", id="maps"),
        pytest.param(False, sparse, lambda y: y[..., None], "indices", id="maps with an axis"),
        pytest.param(False, hot, lambda y: HOT[y], "one-hot", id="one-hot"),
        pytest.param(True, sparse, lambda y: y.reshape(5, 24, 1), "indices", id="in a row"),
        pytest.param(True, sparse, lambda y: y.reshape(5, 24), "indices", id="in a row without an axis"),
        pytest.param(True, hot, lambda y: HOT[y].reshape(5, 24, 3), "one-hot", id="one-hot in a row"),
    ]


@pytest.mark.parametrize(("row", "loss", "write", "form"), cases())
def test_every_form_of_targets_is_read_asked_and_written(
    photos: np.ndarray, labels: np.ndarray, row: bool, loss: Any, write: Callable[..., Any], form: str
) -> None:
    def outputs(x: Any) -> Any:
        x = keras.layers.Conv2D(3, 1)(x)
        return keras.layers.Reshape((-1, 3))(x) if row else x

    model = head_only(outputs, loss)
    subject = subject_of_model(model, (photos, write(labels)), batch_size=5)
    batch = subject.training_batches(3)[0]
    assert subject.setup.label_form == form
    assert subject.setup.classes == ("class 0", "class 1", "class 2")
    order = [int(np.argmin(np.abs(photos - one).sum(axis=(1, 2, 3)))) for one in batch.images]
    assert np.array_equal(batch.labels, labels[order].reshape(5, 24))
    assert np.array_equal(batch.pictures, np.moveaxis(batch.images, 3, 1))
    answers = subject.answers(batch)
    own = values_of(model(batch.images)).reshape(5, 24, 3)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, np.moveaxis(own, 2, 1), atol=1e-6)
    assert subject.loss(batch, answers) == pytest.approx(
        model.test_on_batch(batch.images, batch.targets), rel=1e-5
    )
    other = (batch.labels + 1) % 3
    wanted = model.test_on_batch(batch.images, write(other.reshape(5, 4, 6)))
    assert subject.loss_of_labels(batch, other, answers) == pytest.approx(wanted, rel=1e-5)


def test_it_is_a_subject() -> None:
    subject: Subject = subject_of_model(
        head_only(keras.layers.Dense(1, activation="sigmoid"), "binary_crossentropy", (10,)),
        (np.random.default_rng(0).random((40, 10)), np.tile([[1], [0], [1], [1]], (10, 1))),
        class_weight={0: 100, 1: 1},
    )
    batch = subject.training_batches(9)[0]
    assert batch.labels.shape == (32, 1)
    assert batch.pictures.shape == (32, 10, 1, 1)
    assert len(subject.training_batches(9)) == 2
    assert subject.validation_batches(9) == []
    assert subject.setup.label_form == "binary"
    assert subject.setup.last_activation == "sigmoid"
    assert subject.setup.loss_name == "binary_crossentropy"
    assert subject.setup.declared_weights == (100.0, 1.0)
    assert subject.setup.weighted_by == "class_weight"
    answers = subject.answers(batch)
    no = batch.labels[:, 0] == 0
    surprise = -np.where(no, np.log(1 - answers[:, 0, 0]), np.log(answers[:, 0, 0]))
    wanted = (np.where(no, 100, 1) * surprise).sum() / 32
    assert subject.loss(batch, answers) == pytest.approx(wanted, rel=1e-4)
    with subject.kept():
        assert subject.step(batch).loss == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("axis", [True, False], ids=["with an axis", "without"])
def test_one_channel_asks_yes_or_no(photos: np.ndarray, labels: np.ndarray, axis: bool) -> None:
    def outputs(x: Any) -> Any:
        x = keras.layers.Conv2D(1, 1, activation="sigmoid")(x)
        return x if axis else keras.layers.Reshape((4, 6))(x)

    masks = (labels == 1) * 255
    masks = masks[..., None] if axis else masks
    subject = subject_of_model(head_only(outputs, "mse"), (photos, masks), batch_size=5, classes=["road"])
    batch = subject.training_batches(1)[0]
    assert subject.setup.classes == ("background", "road")
    assert set(np.unique(batch.labels)) == {0, 1}
    assert set(np.unique(batch.raw)) == {0, 255}
    answers = subject.answers(batch)
    assert answers.shape == (5, 1, 24)
    # Masks of 0 and 255 stay so when other labels are written: the loss shows it.
    assert subject.loss_of_labels(batch, batch.labels, answers) == subject.loss(batch, answers)


def test_what_does_not_count_is_void_and_stays_as_written(photos: np.ndarray, labels: np.ndarray) -> None:
    holes = labels.copy()
    holes[:, 0] = 255
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model = head_only(keras.layers.Conv2D(3, 1), loss)
    subject = subject_of_model(model, (photos, holes), batch_size=5)
    batch = subject.training_batches(1)[0]
    assert subject.setup.ignore_index == 255
    assert subject.setup.loss_name == "SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)"
    assert (batch.labels[:, :6] == VOID_LABEL).all()
    assert (batch.labels[:, 6:] != VOID_LABEL).all()
    answers = subject.answers(batch)
    assert subject.loss_of_labels(batch, batch.labels, answers) == pytest.approx(subject.loss(batch, answers))
    weights = np.ones((5, 4, 6), np.float32)
    weights[:, 1] = 0
    weighted = subject_of_model(model, (photos, labels, weights), batch_size=5).training_batches(1)[0]
    assert (weighted.labels[:, 6:12] == VOID_LABEL).all()
    assert (weighted.labels != VOID_LABEL).sum() == 5 * 18


def test_overlapping_classes_are_told_from_one_hot(photos: np.ndarray, labels: np.ndarray) -> None:
    several = HOT[labels]
    several[:, :2, :, 0] = 1
    model = head_only(keras.layers.Conv2D(3, 1, activation="sigmoid"), "binary_crossentropy")
    subject = subject_of_model(model, (photos, several), batch_size=5)
    batch = subject.training_batches(1)[0]
    assert subject.setup.label_form == "multi-hot"
    assert batch.several is not None
    assert np.array_equal(batch.several, np.moveaxis(batch.raw.reshape(5, 24, 3), 2, 1) > 0.5)


def test_class_weights_do_what_fit_does_and_say_what_fit_says(photos: np.ndarray, labels: np.ndarray) -> None:
    model = head_only(keras.layers.Conv2D(3, 1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    subject = subject_of_model(model, (photos, labels), class_weight={0: 1.0, 2: 9.0})
    batch = subject.training_batches(1)[0]
    with pytest.raises(Exception) as raised:
        model.fit(photos, labels, class_weight={0: 1.0, 2: 9.0}, verbose=0)
    with pytest.raises(ProbeError) as told:
        subject.loss(batch, subject.answers(batch))
    assert str(raised.value) in str(told.value)
    assert type(raised.value).__name__ in str(told.value)
    with subject.kept(), pytest.raises(ProbeError):
        subject.step(batch)
    assert subject.setup.declared_weights == (1.0, 1.0, 9.0)
    seed = subject_of_model(model, (photos, labels), class_weight=[100, 1])
    with pytest.raises(ProbeError, match="get"):
        seed.loss(batch, seed.answers(batch))


def test_weights_of_our_own_loss_are_read_off(photos: np.ndarray, labels: np.ndarray) -> None:
    model = head_only(keras.layers.Conv2D(3, 1), CrossEntropy([1, 2, 3], from_logits=True))
    setup = subject_of_model(model, (photos, labels)).setup
    assert (setup.declared_weights, setup.weighted_by) == ((1.0, 2.0, 3.0), "loss.class_weights")
    assert setup.loss_name == "CrossEntropy(from_logits=True)"


def test_a_loss_that_raises_is_told_in_its_own_words(photos: np.ndarray, labels: np.ndarray) -> None:
    def broken(y_true: Any, y_pred: Any) -> Any:
        message = "no such thing"
        raise ValueError(message)

    subject = subject_of_model(head_only(keras.layers.Conv2D(3, 1), broken), (photos, labels))
    batch = subject.training_batches(1)[0]
    with pytest.raises(ProbeError, match="ValueError: no such thing"):
        subject.loss(batch, subject.answers(batch))
    with subject.kept(), pytest.raises(ProbeError, match="no such thing"):
        subject.step(batch)


class Late(keras.Model):
    """A subclassed model that is not built before it is called, with compute_loss of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = keras.layers.Conv2D(4, 1, activation="relu")
        self.head = keras.layers.Conv2D(3, 1)

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.head(self.inner(inputs) * (2.0 if training else 1.0))

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> Any:
        return 7.0 + keras.ops.mean(keras.ops.square(y_pred))


def test_a_subclassed_model_with_a_loss_of_its_own(photos: np.ndarray, labels: np.ndarray) -> None:
    model = Late()
    model.compile("adam", "mse")
    subject = subject_of_model(model, (photos, labels))
    batch = subject.training_batches(1)[0]
    answers = subject.answers(batch)
    assert subject.loss(batch, answers) == pytest.approx(7 + (answers**2).mean(), rel=1e-5)
    assert np.abs(subject.answers(batch, training=True) - answers).max() > 1e-4
    assert [layer.units for layer in subject.units([batch])] == [4]
    assert subject.setup.parameters == subject.setup.trainable_parameters == 31


def test_a_model_that_is_not_compiled_can_answer_only(photos: np.ndarray, labels: np.ndarray) -> None:
    inputs = keras.Input((4, 6, 3))
    subject = subject_of_model(keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs)), (photos, labels))
    assert not subject.setup.trainable
    assert subject.setup.loss_name == subject.setup.optimizer_name == "none"
    batch = subject.training_batches(1)[0]
    with pytest.raises(ProbeError, match="not compiled"):
        subject.loss(batch, subject.answers(batch))


def test_channels_first(photos: np.ndarray, labels: np.ndarray) -> None:
    keras.config.set_image_data_format("channels_first")
    try:
        model = head_only(
            lambda x: keras.ops.transpose(keras.ops.transpose(x, (0, 2, 3, 1)), (0, 3, 1, 2)),
            "mse",
            (3, 4, 6),
        )
        fed = np.moveaxis(photos, 3, 1)
        subject = subject_of_model(model, (fed, np.moveaxis(HOT[labels], 3, 1)), batch_size=5)
        batch = subject.training_batches(1)[0]
        answers = subject.answers(batch)
        assert np.array_equal(batch.pictures, batch.images)
        assert np.array_equal(answers, batch.images.reshape(5, 3, 24))
        assert subject.setup.label_form == "one-hot"
        assert subject.loss_of_labels(batch, batch.labels, answers) == subject.loss(batch, answers)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_what_cannot_be_studied_is_said(make: Callable[..., keras.Model], photos: np.ndarray) -> None:
    inputs = keras.Input((4, 6, 3))
    head = keras.layers.Conv2D(3, 1)
    two = keras.Model(inputs, [head(inputs), keras.layers.Conv2D(1, 1)(inputs)])
    with pytest.raises(SettingError, match="one output; received 2"):
        subject_of_model(two, (photos, photos[..., 0]))
    one = keras.Model(inputs, head(inputs))
    with pytest.raises(DataError, match="nearest"):
        subject_of_model(one, (photos, np.zeros((5, 8, 12))))
    with pytest.raises(SettingError, match="3 class names"):
        subject_of_model(one, (photos, np.zeros((5, 4, 6))), classes=["a", "b"])
    volume = keras.Input((4, 6, 3, 2))
    with pytest.raises(SettingError, match="classifies pixels"):
        subject_of_model(
            keras.Model(volume, keras.layers.Dense(3)(volume)), (np.zeros((2, 4, 6, 3, 2)), np.zeros((2, 4)))
        )


def test_what_the_model_raises_is_an_error_of_a_probe(photos: np.ndarray, labels: np.ndarray) -> None:
    model = head_only(lambda images: images[..., :2], "mse")
    subject = subject_of_model(
        model, [(photos, np.eye(2)[labels % 2])], validation=[(photos[..., :2], labels)]
    )
    batch = subject.training_batches(1)[0]
    with pytest.raises(ProbeError, match="the model, in training mode, raised"):
        subject.answers(dataclasses.replace(batch, images=photos[..., :2]), training=True)
    with pytest.raises(ProbeError, match="the model raised"):
        subject_of_model(model, [(photos[..., :2], labels)])


def test_batches_without_an_image_are_passed_over(photos: np.ndarray, labels: np.ndarray) -> None:
    model = head_only(lambda images: images[..., :2], "mse")
    targets = np.eye(2)[labels % 2]
    subject = subject_of_model(model, [(photos[:0], targets[:0]), (photos, targets)])
    assert [batch.count for batch in subject.training_batches(3)] == [len(photos)]
