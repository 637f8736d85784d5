import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from rareseg.errors import SettingError
from rareseg.network.losses.boundaries import boundary, hausdorff
from rareseg.records.dataset import VOID


def chances(values):
    """One channel of logits with these probabilities, float64."""
    return torch.logit(torch.from_numpy(np.array(values)))[None, None]


def test_boundary_by_hand():
    # Distances to the edge: -1/2 in the single road pixel, 1/2, 3/2, ... beside it; the diagonal is sqrt(26).
    labels = torch.tensor([[[1, 0, 0, 0, 0]]])
    p = [0.8, 0.1, 0.2, 0.3, 0.4]
    phi = [-0.5, 0.5, 1.5, 2.5, 3.5]
    expected = np.dot(p, phi) / math.sqrt(26) / 5
    assert boundary(chances([p]), labels).item() == pytest.approx(expected, rel=1e-12)


def test_boundary_is_the_distance_of_scipy():
    rng = np.random.default_rng(0)
    mask = rng.random((2, 30, 17)) < 0.1
    p = rng.uniform(0.01, 0.99, mask.shape)
    phi = [np.where(m, 0.5 - distance_transform_edt(m), distance_transform_edt(~m) - 0.5) for m in mask]
    logits = torch.logit(torch.from_numpy(p)).unsqueeze(1)
    value = boundary(logits, torch.from_numpy(mask.astype(np.uint8)))
    assert value.item() == pytest.approx((p * np.array(phi)).mean() / math.hypot(30, 17), rel=1e-12)


def test_missing_a_road_two_pixels_wide_is_not_free():
    labels = torch.zeros((1, 9, 9), dtype=torch.int64)
    labels[:, 4:6] = 1
    logits = torch.zeros((1, 1, 9, 9), requires_grad=True)
    boundary(logits, labels).backward()
    assert (logits.grad[:, :, 4:6] < 0).all()
    assert (logits.grad[:, :, :4] > 0).all()
    assert logits.grad[0, 0, 0, 0] > logits.grad[0, 0, 3, 0]


@pytest.mark.parametrize("loss", [boundary, hausdorff])
def test_false_positives_of_an_absent_class_cost_most(loss):
    labels = torch.zeros((2, 6, 6), dtype=torch.int64)
    labels[0, 2:4, 2:4] = 1
    logits = torch.full((2, 1, 6, 6), -0.5, requires_grad=True)
    loss(logits, labels).backward()
    assert (logits.grad[1] > 0).all()
    assert logits.grad[1].min() > logits.grad[0].max()


def test_one_class_everywhere():
    logits = torch.zeros((1, 1, 5, 5), requires_grad=True)
    labels = torch.ones((1, 5, 5), dtype=torch.int64)
    assert boundary(logits, labels).item() == pytest.approx(-0.5)
    # The mask is full and the map (p = 1/2 is not above 1/2) is empty: both distances are 1.
    assert hausdorff(logits, labels).item() == pytest.approx(0.25 * 2)


def test_hausdorff_by_hand():
    # Mask 1 0 0 0: distances to the other kind 1 1 2 3. Map 1 1 0 0: 2 1 1 2. The diagonal is sqrt(17).
    labels = torch.tensor([[[1, 0, 0, 0]]])
    p = np.array([0.9, 0.7, 0.2, 0.4])
    for exponent in (1.0, 2.0, 3.0):
        powers = np.array([1, 1, 2, 3]) ** exponent + np.array([2, 1, 1, 2]) ** exponent
        expected = ((p - [1, 0, 0, 0]) ** 2 * powers).mean() / math.sqrt(17) ** exponent
        value = hausdorff(chances([p]), labels, exponent=exponent)
        assert value.item() == pytest.approx(expected, rel=1e-12)


def test_a_chance_of_a_half_is_not_claimed():
    # Map and mask are 1 0 0 0: distances 1 1 2 3, twice.
    labels = torch.tensor([[[1, 0, 0, 0]]])
    logits = torch.tensor([[[[3.0, 0.0, -2.0, -1.0]]]], dtype=torch.float64)
    errors = (logits.sigmoid()[0, 0, 0] - labels[0, 0]) ** 2
    expected = (errors * 2 * torch.tensor([1.0, 1, 4, 9])).mean() / 17
    assert hausdorff(logits, labels).item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_way_to_the_labels_costs_ever_less():
    labels = torch.zeros((1, 12, 12), dtype=torch.int64)
    labels[:, 5:7] = 1
    signs = torch.where(labels == 1, 1.0, -1.0).unsqueeze(1)
    for loss in (boundary, hausdorff):
        values = [loss(strength * signs, labels).item() for strength in (-3, -1, 1, 3, 9)]
        assert values == sorted(values, reverse=True)
    assert hausdorff(40 * signs, labels).item() < 1e-9


def test_no_distance_is_measured_to_pixels_that_are_not_counted():
    # Beside the only road pixel lies one that is not counted: the nearest known other pixel is 2 px away.
    labels = torch.tensor([[[0, VOID, 1, VOID, 0]]])
    phi = np.array([1.5, 0, -1.5, 0, 1.5]) / math.sqrt(26)
    p = np.array([0.1, 0.9, 0.8, 0.9, 0.3])
    assert boundary(chances([p]), labels).item() == pytest.approx((p * phi).sum() / 3, rel=1e-12)
    other = p.copy()
    other[[1, 3]] = 0.2
    for loss in (boundary, hausdorff):
        assert loss(chances([p]), labels).item() == loss(chances([other]), labels).item()


def test_the_background_of_exclusive_classes_is_left_out():
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn((2, 3, 8, 8), generator=generator), torch.arange(128).view(2, 8, 8) % 3
    for loss in (boundary, hausdorff):
        named = [loss(logits, labels, classes=(label,)).item() for label in range(3)]
        assert loss(logits, labels).item() == pytest.approx(sum(named[1:]) / 2)
        assert loss(logits, labels, classes=(0, 1, 2)).item() == pytest.approx(sum(named) / 3)
        assert loss(logits, labels, classes=(2, 0)).item() == pytest.approx((named[0] + named[2]) / 2)


@pytest.mark.parametrize("loss", [boundary, hausdorff])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_gradcheck(loss, classes):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, classes, 4, 5), generator=generator, dtype=torch.float64)
    labels = torch.randint(0, max(classes, 2), (2, 4, 5), generator=generator)
    labels[0, 0, 0] = VOID
    assert torch.autograd.gradcheck(lambda scores: loss(scores, labels), logits.requires_grad_())


@pytest.mark.parametrize("exponent", [0.0, -1.0, float("inf"), float("nan")])
def test_exponents_out_of_range_are_named(exponent):
    with pytest.raises(SettingError, match="exponent"):
        hausdorff(torch.zeros((1, 1, 4, 4)), torch.zeros((1, 4, 4), dtype=torch.int64), exponent=exponent)
