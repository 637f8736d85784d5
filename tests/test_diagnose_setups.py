"""The verb `diagnose` on set-ups with a snag: what was assumed is said, and what cannot work is refused in words."""

import pytest
import torch
from tests.test_diagnose import CROSS_ENTROPY, network, stripes
from torch import nn

import rareseg
from rareseg.errors import DataError, SettingError

IMAGES, LABELS = stripes()


class Pooled(nn.Module):
    """Normalises one number per image and channel, which takes two images in training mode."""

    def __init__(self):
        super().__init__()
        self.body = network()
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))

    def forward(self, images):
        return self.body(images) + self.whole(images)


class Several(nn.Module):
    """Returns features beside its answers."""

    def __init__(self):
        super().__init__()
        self.body, self.features = network(), nn.Conv2d(3, 7, 1)

    def forward(self, images):
        return {"features": self.features(images), "mask": self.body(images)}


def diagnosed(model, data, loss=CROSS_ENTROPY, *, validation=stripes(12, seed=1), quick=True, **given):  # noqa: B008
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    return rareseg.diagnose(
        model, loss, optimizer, data, validation=validation, quick=quick, seconds=20, **given
    )


def assumed(*given, **named):
    return " ".join(diagnosed(*given, **named).evidence.assumed)


@pytest.mark.parametrize("kind", [torch.float64, torch.float32, torch.int32])
def test_labels_that_the_loss_refuses_are_said_to_be_cast(kind):
    said = assumed(network(), (IMAGES, LABELS.to(kind)))
    name = str(kind).removeprefix("torch.")
    assert (
        f"The labels are {name} of shape (8, 32, 32), which CrossEntropyLoss refuses (RuntimeError:" in said
    )
    assert "they are cast to int64" in said
    assert "this error is what stops it: labels.to(torch.int64)" in said


def test_arrays_of_float64_labels_are_named_as_they_came():
    said = assumed(network(), (IMAGES.numpy(), LABELS.numpy().astype(float)))
    assert "The labels are float64 of shape (8, 32, 32)" in said


def test_an_axis_that_is_dropped_is_said():
    said = assumed(network(), (IMAGES, LABELS[:, None].float()))
    assert "float32 of shape (8, 1, 32, 32)" in said
    assert "their axis of length 1 is dropped and they are cast to int64" in said


def test_nothing_is_assumed_of_what_fits():
    assert diagnosed(network(), (IMAGES, LABELS)).evidence.assumed == ()


def test_labels_that_no_cast_helps_are_the_cause():
    found = diagnosed(network(), (IMAGES, LABELS.double() * 0.5))
    assert found.findings[0].cause == "label_values_out_of_range"
    assert "expected target dtype" in found.evidence.wiring.loss_error


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (
            ((IMAGES + 3) * 20).byte(),
            "images are uint8 and the weights float32: they are cast to float32, and not",
        ),
        (IMAGES.double(), "images are float64 and the weights float32: they are cast to float32. If"),
    ],
)
def test_images_that_the_model_refuses_are_said_to_be_cast(images, words):
    assert words in assumed(network(), (images, LABELS))


def test_of_several_outputs_it_is_said_which_one_is_looked_at():
    found = diagnosed(
        Several(), (IMAGES, LABELS), lambda output, labels: CROSS_ENTROPY(output["mask"], labels)
    )
    assert "The model returns 'features' and 'mask'; 'mask' is taken" in found.evidence.assumed[0]
    assert found.evidence.wiring.channels == 2
    said = assumed(Several(), (IMAGES, LABELS))
    assert "CrossEntropyLoss is given the model's answers alone" in said


def test_a_class_without_a_channel_is_said():
    said = assumed(network(), (IMAGES, LABELS), classes=("ground", "road", "weed"))
    assert "2 channels, which are taken for the first of the 3 classes: weed can never be predicted" in said


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_rounding_of_half_precision_is_no_finding(kind):
    found = diagnosed(network().to(kind), (IMAGES, LABELS))
    assert found.evidence.wiring.moved_by_shift < 1e-4
    assert found.evidence.wiring.effective_weights == pytest.approx((1, 1), rel=0.01)
    assert "sigmoid_on_exclusive_classes" not in {one.cause for one in found.findings}


def test_a_loss_that_overflows_in_half_precision_still_shows():
    found = diagnosed(
        network().half(), (IMAGES, LABELS), lambda output, labels: (output * 0 + 3e4).sum() * labels.sum()
    )
    assert found.evidence.wiring.loss_now is None
    assert found.findings[0].cause == "half_precision_overflow"


def test_a_last_batch_that_is_too_short_is_left_out_and_said():
    batches = [(IMAGES[:8], LABELS[:8]), (IMAGES[8:16], LABELS[8:16]), (IMAGES[16:17], LABELS[16:17])]
    found = diagnosed(Pooled(), batches, quick=False)
    assert found.evidence.learning is not None
    assert found.evidence.data.images == 16
    [said] = found.evidence.assumed
    assert "A batch of 1 was left out: the model, in training mode, raised ValueError" in said
    assert "drop_last=True" in said


def test_batches_of_one_image_that_cannot_be_trained_on_are_refused_in_words():
    batches = [(IMAGES[place : place + 1], LABELS[place : place + 1]) for place in range(4)]
    with pytest.raises(
        SettingError, match=r"in training mode, raised ValueError: Expected more than 1.*\. Images"
    ):
        diagnosed(Pooled(), batches)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_images_that_are_not_finite_are_the_answer_and_not_the_learning_rate(value):
    images = IMAGES.clone()
    images[9, :, 5, 5] = value
    with pytest.raises(
        DataError, match=r"data: expected finite images; 1 of them .* first in batch 1.*nan_to_num"
    ):
        diagnosed(network(), (images, LABELS))
    with pytest.raises(DataError, match=r"validation: expected finite images"):
        diagnosed(network(), (IMAGES, LABELS), validation=(images, LABELS))


def test_a_model_that_takes_holes_may_be_given_images_with_holes():
    class Filling(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = network()

        def forward(self, images):
            return self.body(torch.nan_to_num(images))

    images = IMAGES.clone()
    images[9, :, 5, 5] = float("nan")
    assert diagnosed(Filling(), (images, LABELS)).evidence.wiring.loss_now is not None


@pytest.mark.parametrize(
    "validation", [[], (IMAGES[:0], LABELS[:0]), (IMAGES, torch.full_like(LABELS, -100))]
)
def test_validation_without_a_label_is_said_and_training_images_are_judged(validation):
    found = diagnosed(network(), (IMAGES, LABELS), validation=validation)
    assert any("validation data hold no pixel" in note for note in found.evidence.notes)
    assert found.evidence.answers.pixels == LABELS.numel()


def test_without_validation_that_is_said():
    said = assumed(network(), (IMAGES, LABELS), validation=None)
    assert "No validation data were given" in said


def test_validation_of_other_bands_is_named():
    with pytest.raises(DataError, match=r"validation: expected images of 3 bands.*\(8, 2, 32, 32\)"):
        diagnosed(network(), (IMAGES, LABELS), validation=(IMAGES[:, :2], LABELS))


def test_answers_at_half_the_size_are_looked_at_on_one_grid():
    small = nn.Sequential(network(), nn.AvgPool2d(2))

    def enlarged(output, labels):
        return CROSS_ENTROPY(nn.functional.interpolate(output, scale_factor=2), labels)

    found = diagnosed(small, (IMAGES, LABELS), enlarged).evidence
    assert found.data.pixels == LABELS.numel()
    assert found.data.shares[1] == pytest.approx(float(LABELS.float().mean()), abs=0.02)
    assert found.wiring.loss_error is None
    thin = diagnosed(small, (IMAGES, LABELS[:, ::2, ::2]), validation=None).evidence
    assert thin.data.pixels == LABELS[:, ::2, ::2].numel()
    assert not [note for note in thin.notes if "not looked at: they fit" in note]
    assert thin.data.pair_information is None or thin.data.pair_information >= 0


@pytest.mark.parametrize("loss", [lambda output, labels: 1 / 0, nn.CrossEntropyLoss(reduction="none")])
def test_a_loss_that_raises_is_what_is_said(loss):
    found = diagnosed(network(), (IMAGES, LABELS), loss)
    assert found.state == "cannot tell"
    assert found.summary.startswith("The loss cannot be computed on the first batch: the loss r")
    assert "one number" in found.next_steps[0]


@pytest.mark.parametrize(
    ("model", "data", "kind", "message"),
    [
        (network().to("meta"), (IMAGES, LABELS), DataError, "meta device"),
        (
            nn.Sequential(network(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            (IMAGES, LABELS),
            SettingError,
            r"shape \(2, 2\), one row of 2 numbers for each image",
        ),
        (
            nn.Conv3d(1, 2, 1),
            (IMAGES[:, None], LABELS[:, None].expand(-1, 3, -1, -1)),
            DataError,
            r"expected images \(images, bands, rows, cols\).*got shape \(8, 1, 3, 32, 32\)",
        ),
    ],
)
def test_what_is_no_map_of_images_is_refused(model, data, kind, message):
    with pytest.raises(kind, match=message):
        diagnosed(model, data)


def test_one_label_of_no_class_is_found_and_costs_not_the_whole_diagnosis():
    labels = LABELS.clone()
    labels[20, 0, 0] = 7
    found = diagnosed(network(), (IMAGES, labels), quick=False)
    assert found.evidence.data.out_of_range == pytest.approx(1 / labels.numel())
    assert found.evidence.learning.fit_losses
    assert "Target 7 is out of bounds" in found.evidence.learning.raised
    assert any("left out: the loss raised IndexError" in note for note in found.evidence.notes)


def test_batches_without_an_image_are_passed_over():
    batches = [(IMAGES[:0], LABELS[:0]), (IMAGES[:8], LABELS[:8]), (IMAGES[8:8], LABELS[8:8])]
    assert diagnosed(network(), batches).evidence.data.images == 8
