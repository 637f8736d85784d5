import numpy as np
import pytest

from rareseg.errors import DataError, SettingError
from rareseg.measures.feeding import Feeding, Sample, Way, infer_feeding
from rareseg.measures.preparations import activation_of, in_planes, probabilities_of, scales_for
from rareseg.records.dataset import VOID

ROAD = np.array([150.0, 100.0, 60.0])
"""Colour that the toy model looks for: other scales and orders of bands give it other colours."""


def samples(count=5, shape=(64, 70), dtype=np.uint8):
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        labels = (rng.random(shape) < 0.1).astype(np.uint8)
        background = rng.uniform(0, 255, (3, *shape))
        road = ROAD[:, None, None] + rng.normal(size=(3, *shape)) * 12
        image = np.where(labels, road, background).clip(0, 255)
        labels[:3] = VOID
        found.append(Sample((image * (257 if dtype == np.uint16 else 1)).astype(dtype), labels))
    return found


def logits_of(fed, way):
    """Return how near the fed colours are to that of roads as `way` would feed it, (N, rows, cols)."""
    patch = np.zeros((1, 3, 8, 8), np.uint8) + ROAD.astype(np.uint8)[None, :, None, None]
    wanted = Way(way.scale, way.reversed_bands).feed(patch)[0, :, 0, 0]
    width = np.ptp(Way(way.scale).feed(np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 3, 16, 16))) / 12
    return np.maximum(
        4 - (((fed - wanted[None, :, None, None]) / width) ** 2).sum(axis=1),
        -40 - 1e-3 * np.abs(fed).sum(axis=1).clip(0, 9),
    )


def model_for(way, form="logits", shape=None):
    def model(fed):
        if way.layout == "nhwc":
            fed = fed.transpose(0, 3, 1, 2)
        if fed.shape[1] != 3:
            raise ValueError(f"3 bands wanted, got {fed.shape[1]}")
        odds = logits_of(fed, way).astype(np.float32)
        road = 1 / (1 + np.exp(-odds))
        planes = {
            "logits": np.stack([-odds / 2, odds / 2], axis=1),
            "softmax": np.stack([1 - road, road], axis=1),
            "swapped": np.stack([road, 1 - road], axis=1),
            "sigmoid": road[:, None],
            "one logit": odds[:, None],
            "background": 1 - road[:, None],
        }[form]
        return planes if way.layout == "nchw" else planes.transpose(0, 2, 3, 1)

    if shape is not None:
        model.input_shape = shape
    return model


WAYS = [
    Way(scale, reverse)
    for scale in ("unit", "imagenet", "signed", "raw", "caffe")
    for reverse in (False, True)
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.scale}-{way.reversed_bands}")
def test_the_way_a_model_was_trained_on_is_found(way):
    found = infer_feeding(model_for(way), samples(), classes=2)
    assert found.way == way
    assert found.certain and found.gain > 0.02
    assert found.used.skill > 0.5
    assert str(way) in found.because


def test_16_bits():
    way = Way("imagenet")
    assert infer_feeding(model_for(way), samples(dtype=np.uint16), classes=2).way == way


@pytest.mark.parametrize(
    ("form", "activation", "channels"),
    [
        ("logits", "none", (0, 1)),
        ("softmax", "softmax", (0, 1)),
        ("swapped", "softmax", (1, 0)),
        ("sigmoid", "sigmoid", (0,)),
        ("one logit", "none", (0,)),
        ("background", "sigmoid", (-1,)),
    ],
)
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_layout_activation_and_order_of_channels(form, activation, channels, layout):
    way = Way("signed", False, layout)
    model = model_for(way, form)
    found = infer_feeding(model, samples(), classes=2)
    assert (found.way, found.activation, found.channels) == (way, activation, channels)
    image, labels = samples()[0]
    answered = found.answer(model, image[None])
    road = answered[0, -1]
    assert answered.shape == (1, len(channels), *labels.shape)
    assert road[labels == 1].mean() > 0.6 and road[labels == 0].mean() < 0.3


def test_a_constant_model_tells_nothing_and_is_fed_as_usual():
    def model(fed):
        if fed.shape[1] != 3:
            raise ValueError("3 bands wanted")
        return (
            np.zeros((len(fed), 2, *fed.shape[2:]), np.float32) + np.array([3, -3], np.float32)[:, None, None]
        )

    found = infer_feeding(model, samples(), classes=2)
    assert found.way == Way("unit", False, "nchw")
    assert not found.certain and found.channels == (0, 1)
    assert found.because.startswith("It cannot be told how this model is fed")
    assert found.far_better is None


def test_a_model_that_does_not_care_is_fed_as_usual():
    def model(fed):
        """Looks at the order of values in an image only."""
        if fed.shape[1] != 3:
            raise ValueError("3 bands wanted")
        grey = fed.mean(axis=1)
        ranks = grey.reshape(len(grey), -1).argsort(axis=1).argsort(axis=1).reshape(grey.shape) / grey[0].size
        return (4 - 30 * np.abs(ranks - 0.4))[:, None].astype(np.float32)

    found = infer_feeding(model, samples(), classes=2)
    assert found.way == Way() and not found.certain
    assert "other ways do as well" in found.because


def test_what_the_caller_says_holds_and_the_better_way_is_told():
    model = model_for(Way("imagenet"))
    said = infer_feeding(model, samples(), classes=2, scale="raw", reversed_bands=False)
    assert said.way == Way("raw") and not said.certain
    assert said.far_better is not None and said.far_better.way == Way("imagenet")
    assert said.gain < -0.1 and said.because.startswith("As said")
    right = infer_feeding(model, samples(), classes=2, scale="imagenet")
    assert right.way == Way("imagenet") and right.far_better is None
    assert infer_feeding(model, samples(), classes=2, activation="sigmoid").activation == "sigmoid"


def test_more_classes_and_their_order():
    colours = np.array([[40, 40, 40], [200, 60, 60], [60, 60, 220]], np.float32)
    made = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        labels = rng.choice(3, (64, 64), p=[0.7, 0.2, 0.1]).astype(np.uint8)
        image = colours[labels].transpose(2, 0, 1) + rng.normal(size=(3, 64, 64)) * 20
        made.append(Sample(image.clip(0, 255).astype(np.uint8), labels))

    def model(fed):
        if fed.shape[1] != 3:
            raise ValueError("3 bands wanted")
        apart = ((fed[:, None] - colours[[2, 0, 1]][None, :, :, None, None] / 255) ** 2).sum(axis=2)
        return (-20 * apart).astype(np.float32)

    found = infer_feeding(model, made, classes=3)
    assert found.way.scale == "unit" and found.channels == (1, 2, 0)
    given = found.answer(model, made[0].image[None])[0].argmax(axis=0)
    assert (given == made[0].labels).mean() > 0.95


def test_a_model_of_a_fixed_size_gets_images_of_that_size():
    seen = set()
    inner = model_for(Way("unit"))

    def model(fed):
        seen.add(fed.shape)
        return inner(fed)

    model.input_shape = (None, 3, 96, 96)
    assert infer_feeding(model, samples(), classes=2, layout="nchw").way == Way("unit")
    assert seen == {(1, 3, 96, 96)}


def test_smaller_answers_are_enlarged():
    small = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 4)
    large = in_planes(small, "nchw", (6, 8), 2)
    np.testing.assert_array_equal(large[0, 0, ::2, ::2], small[0, 0])
    np.testing.assert_array_equal(large[0, 0, 1::2, 1::2], small[0, 0])
    with pytest.raises(SettingError, match=r"or 1, 6, 8\) or with channels last, got \(1, 2, 3, 4\)"):
        in_planes(small, "nchw", (6, 8), 5)


def test_activations():
    logits = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    softmax = probabilities_of(logits, "none")
    np.testing.assert_allclose(softmax.sum(axis=1), 1, rtol=1e-5)
    assert activation_of([logits]) == "none"
    assert activation_of([softmax]) == "softmax"
    assert activation_of([np.log(softmax)]) == "log-softmax"
    assert activation_of([1 / (1 + np.exp(-logits))]) == "sigmoid"
    assert activation_of([np.ones((1, 1, 3, 3), np.float32)]) == "constant"
    np.testing.assert_allclose(probabilities_of(np.log(softmax), "log-softmax"), softmax, rtol=1e-5)
    sigmoid = probabilities_of(logits, "none", overlapping=True)
    np.testing.assert_allclose(sigmoid, 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_scales_that_make_sense():
    assert scales_for(np.dtype(np.uint8), 3) == ("unit", "imagenet", "signed", "standardised", "raw", "caffe")
    assert scales_for(np.dtype(np.float32), 4) == ("unit", "signed", "standardised")
    assert "ten_thousandth" in scales_for(np.dtype(np.uint16), 8)


def test_errors():
    model = model_for(Way())
    with pytest.raises(DataError, match="no pixel of them is labelled"):
        infer_feeding(model, [], classes=2)
    five = [Sample(np.zeros((5, 64, 64), np.uint8), np.eye(64, dtype=np.uint8))]
    with pytest.raises(SettingError, match="NCHW: 3 bands wanted, got 5 NHWC|NCHW: 3 bands wanted, got 5 /"):
        infer_feeding(model, five, classes=2)
    with pytest.raises(SettingError, match="There is no scale 'ten_thousandth'"):
        infer_feeding(model, samples(), classes=2, scale="ten_thousandth")
    mixed = [*samples(1), Sample(np.zeros((3, 64, 64), np.uint16), np.eye(64, dtype=np.uint8))]
    with pytest.raises(DataError, match="one type and number of bands"):
        infer_feeding(model, mixed, classes=2)
    assert Feeding.__slots__
