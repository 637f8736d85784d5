"""The traps that other libraries set, each sprung on them (or on their formula) and then on us."""

import math

import numpy as np
import pytest
import torch
from segmentation_models_pytorch import losses as smp
from tests.references import losses as reference
from tests.references.losses.cases import example, gradient, loss

from rareseg.errors import SettingError
from rareseg.records.audit import Counts
from rareseg.remedies import sampling, weights


def roads(seed=0, rows=12):
    """One-channel logits and labels of two images with a road through the first."""
    rng = np.random.default_rng(seed)
    labels = torch.zeros((2, rows, rows), dtype=torch.int64)
    labels[0, 4:6] = 1
    return torch.from_numpy(rng.standard_normal((2, 1, rows, rows))).requires_grad_(), labels


@pytest.mark.parametrize("name", ["dice", "jaccard", "tversky", "focal_tversky"])
@pytest.mark.parametrize("mode", ["binary", "multilabel"])
def test_smp_dice_on_absent_classes(name, mode):
    # SMP multiplies the loss of a channel without a true pixel in the batch by 0: false alarms are free there.
    theirs = {
        "dice": smp.DiceLoss(mode),
        "jaccard": smp.JaccardLoss(mode),
        "tversky": smp.TverskyLoss(mode, alpha=0.3, beta=0.7),
        "focal_tversky": smp.TverskyLoss(mode, alpha=0.3, beta=0.7, gamma=0.75),
    }[name]
    logits, labels = roads()
    empty = torch.zeros_like(labels)
    if mode == "multilabel":
        # The other classes are there; the third is not.
        logits = torch.cat([logits.detach()] * 3, dim=1).requires_grad_()
        empty = labels + 2 * labels.flip(0)
        planes = torch.stack([(empty >> number) & 1 for number in range(3)], dim=1)
        ignored = gradient(theirs(logits, planes), logits)[:, 2]
        kind = "overlapping"
    else:
        ignored = gradient(theirs(logits, empty.unsqueeze(1)), logits)
        kind = "one"
    # Its power of 1 - index below 1 has no slope at all there: not a number.
    assert not ignored.nan_to_num().any()
    ours = gradient(loss(name, kind)(logits, empty), logits)[:, -1]
    assert (ours > 0).all()


@pytest.mark.parametrize("strength", [-3.0, 0.0, 3.0])
def test_dice_on_an_empty_scene_falls_with_each_false_alarm_less(strength):
    # And it is a slope, not a cliff: from a map that claims everything it leads down to one that claims nothing.
    logits = torch.full((1, 1, 8, 8), strength, dtype=torch.float64)
    labels = torch.zeros((1, 8, 8), dtype=torch.int64)
    claimed = 64 / (1 + math.exp(-strength))
    assert loss("dice", "one")(logits, labels).item() == pytest.approx(claimed / (claimed + 1), rel=1e-9)


def test_smp_multiclass_focal():
    # SMP runs a sigmoid focal loss on each class of exclusive ones (its issue 671), so that its value is not
    # Lin's with p_t of the softmax: three equal logits give it 3 x p = 0.5 instead of one p = 1/3.
    even, labels = torch.zeros((1, 3, 4, 4), dtype=torch.float64), torch.ones((1, 4, 4), dtype=torch.int64)
    true = (2 / 3) ** 2 * math.log(3)
    assert loss("focal", "five")(even, labels).item() == pytest.approx(true, rel=1e-9)
    assert smp.FocalLoss("multiclass")(even, labels).item() == pytest.approx(0.25 * math.log(2), rel=1e-5)
    logits, labels = example("five", void=False)
    expected = reference.focal(logits.detach().numpy(), labels.numpy(), gamma=2.0)
    assert loss("focal", "five")(logits, labels).item() == pytest.approx(expected, rel=1e-9)
    assert smp.FocalLoss("multiclass")(logits, labels).item() != pytest.approx(expected, rel=0.1)
    # A constant added to all logits of a pixel means nothing to a softmax, and something to a sigmoid.
    moved = logits + 3.0
    assert loss("focal", "five")(moved, labels).item() == pytest.approx(expected, rel=1e-9)
    theirs = smp.FocalLoss("multiclass")
    assert theirs(moved, labels).item() != pytest.approx(theirs(logits, labels).item(), rel=0.1)


def test_keras_class_weight_on_masks():
    # Keras takes the argmax over the last axis of what it is given: of an integer mask (rows, cols) that is the
    # column of the largest label, and that column's number is looked up in class_weight.
    class_weight = (1.0, 10.0, 4.0)
    labels = torch.tensor([[[0, 1, 2], [2, 0, 0]]])
    looked_up = [class_weight[column] for column in labels.numpy().argmax(axis=-1)[0]]
    assert looked_up == [4.0, 1.0]
    chance = torch.tensor(
        [
            [0.5, 0.3, 0.2],
            [0.1, 0.6, 0.3],
            [0.3, 0.2, 0.5],
            [0.2, 0.2, 0.6],
            [0.7, 0.2, 0.1],
            [0.9, 0.05, 0.05],
        ]
    )
    logits = chance.double().log().T.reshape(1, 3, 2, 3)
    surprise = [-math.log(p) for p in (0.5, 0.6, 0.5, 0.6, 0.7, 0.9)]
    per_pixel = [class_weight[label] for label in (0, 1, 2, 2, 0, 0)]
    expected = sum(w * s for w, s in zip(per_pixel, surprise, strict=True)) / sum(per_pixel)
    for name, fading in (("cross_entropy", 0.0), ("focal", 2.0)):
        faded = [(1 - math.exp(-s)) ** fading * s for s in surprise]
        expected = sum(w * s for w, s in zip(per_pixel, faded, strict=True)) / sum(per_pixel)
        found = loss(name, "five", weights=class_weight)(logits, labels)
        assert found.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["tversky", "focal_tversky"])
def test_tversky_argument_order(name):
    # Alpha is the weight of false positives in SMP and Keras, that of false negatives in the code of others.
    logits, labels = roads()
    missing, claiming = (torch.full((2, 1, 12, 12), chance).double().logit() for chance in (0.02, 0.98))
    costly_misses = loss(name, "one", false_positive_weight=0.1, false_negative_weight=0.9)
    costly_alarms = loss(name, "one", false_positive_weight=0.9, false_negative_weight=0.1)
    assert costly_misses(missing, labels) > costly_alarms(missing, labels)
    assert costly_misses(claiming, labels) < costly_alarms(claiming, labels)
    if name == "tversky":
        theirs = smp.TverskyLoss("binary", alpha=0.1, beta=0.9, smooth=0.5)
        expected = theirs(logits, labels.unsqueeze(1)).item()
        assert loss(name, "one", false_positive_weight=0.1, false_negative_weight=0.9)(
            logits, labels
        ).item() == pytest.approx(expected, rel=1e-6)
    default = gradient(loss(name, "one")(logits, labels), logits)[:, 0]
    even = loss(name, "one", false_positive_weight=0.5, false_negative_weight=0.5)(logits, labels)
    pull, push = default[labels == 1].mean(), default[labels == 0].mean()
    even_slope = gradient(even, logits)[:, 0]
    # The default weighs misses more, as Salehi 2017 does for rare lesions.
    assert pull / push < even_slope[labels == 1].mean() / even_slope[labels == 0].mean() < 0


def test_focal_alpha_quarter_weighs_roads_less():
    logits = torch.zeros((1, 1, 10, 10), dtype=torch.float64, requires_grad=True)
    labels = torch.zeros((1, 10, 10), dtype=torch.int64)
    labels[:, :5] = 1
    slope = gradient(loss("focal", "one", alpha=(0.25,))(logits, labels), logits)[0, 0]
    assert -slope[0, 0] == pytest.approx(slope[9, 9] / 3)
    even = gradient(loss("focal", "one")(logits, labels), logits)[0, 0]
    assert slope[0, 0] == pytest.approx(even[0, 0] / 4)
    # The same of two exclusive classes: the background's 0.75 is three times the road's 0.25.
    pair = torch.zeros((1, 2, 10, 10), dtype=torch.float64, requires_grad=True)
    slope = gradient(loss("focal", "two", alpha=(0.75, 0.25))(pair, labels), pair)[0, 1]
    assert -slope[0, 0] == pytest.approx(slope[9, 9] / 3)


def test_effective_number_on_pixels():
    # (1 - b) / (1 - b^n) of a million pixels is 1 - b for every class: weights that weigh nothing.
    pixels = np.array([960_000, 40_000])
    for beta in (0.9, 0.99, 0.999):
        each = (1 - beta) / (1 - beta**pixels)
        assert each[1] / each[0] == pytest.approx(1, abs=1e-9)
    counts = _counts(pixels=(960_000, 40_000), images=(96, 40), objects=(96, 400))
    with pytest.raises(SettingError, match=r"weights\.counted=pixels.*images or objects"):
        weights.by_rule("effective_number", counts, beta=0.999, counted="pixels")
    for counted, numbers in (("images", (96, 40)), ("objects", (96, 400))):
        found = weights.by_rule("effective_number", counts, beta=0.99, counted=counted)
        ratio = (1 - 0.99 ** numbers[0]) / (1 - 0.99 ** numbers[1])
        assert found[1] / found[0] == pytest.approx(ratio, rel=1e-9)


def _counts(*, pixels, images, objects):
    return Counts(
        images=max(images),
        pixels=pixels,
        images_with=images,
        labelled=sum(pixels),
        void=0,
        nodata=0,
        nodata_labelled=0,
        objects=objects,
        width_histogram=((0,), (0,)),
        size_histogram=((0,), (0,)),
        row_pixels=((0,) * 8, (0,) * 8),
        crop_holds=((0, 0, 0), (0, 0, 0)),
        crop_positions=(0, 0, 0),
        band_count=0,
        band_sum=(0.0,),
        band_sum_squares=(0.0,),
    )


def test_rcs_temperature_001_with_three_classes():
    # DAFormer's T = 0.01 is tuned for 19 classes: of three it draws one, always.
    shares = (0.63, 0.25, 0.12)
    theirs = sampling.class_chances(shares, 0.01)
    logit = (1 - np.array(shares)) / 0.01
    assert theirs == pytest.approx(np.exp(logit - logit.max()) / np.exp(logit - logit.max()).sum(), abs=1e-12)
    assert theirs.max() > 0.99999
    temperature = sampling.chosen_temperature(shares)
    ours = sampling.class_chances(shares, temperature)
    assert temperature > 0.02
    assert ours.sum() == pytest.approx(1)
    assert ours.argmax() == 2
    assert ours.max() < 0.9
    # And the second rarest is looked for as well, more often than by chance alone under T = 0.01.
    assert ours[1] > 0.05 > theirs[1]
